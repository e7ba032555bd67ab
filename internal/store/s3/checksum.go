package s3

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"templar/internal/store"
)

// maxMD5 is the size up to which a body's checksum is Content-MD5, which every S3
// server checks. Larger bodies are signed with their SHA-256, which is faster.
const maxMD5 = 8 << 20

// digest goes with a body: one of the two is set.
type digest struct{ md5Base64, sha256Hex string }

// checksum reads the body once before it is sent.
func checksum(ctx context.Context, body io.ReaderAt, size int64) (digest, error) {
	var h hash.Hash
	if size <= maxMD5 {
		h = md5.New()
	} else {
		h = sha256.New()
	}
	n, err := io.Copy(h, contextReader{ctx, io.NewSectionReader(body, 0, size)})
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	switch {
	case ctx.Err() != nil:
		return digest{}, ctx.Err()
	case err != nil:
		return digest{}, fmt.Errorf("%w: body of %d bytes: %w", store.ErrInvalid, size, err)
	case size <= maxMD5:
		return digest{md5Base64: base64.StdEncoding.EncodeToString(h.Sum(nil))}, nil
	}
	return digest{sha256Hex: hex.EncodeToString(h.Sum(nil))}, nil
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
