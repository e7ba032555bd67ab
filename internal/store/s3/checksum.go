package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"templar/internal/store"
)

// maxMD5 is the size up to which a body's checksum is Content-MD5, which every S3
// server checks. Larger bodies are signed with their SHA-256, which is faster, or go with
// a CRC-32C, which costs next to nothing (trust).
const maxMD5 = 8 << 20

const crc32cHeader = "X-Amz-Checksum-Crc32c"

// digest goes with a body: what is not empty.
type digest struct{ md5Base64, sha256Hex, crc32c string }

// hashes compute a digest. A nil one is left out.
type hashes struct{ md5, sha256, crc32c hash.Hash }

func newCRC() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// checksum reads the body once before it is sent.
func checksum(ctx context.Context, body io.ReaderAt, size int64, h hashes) (d digest, err error) {
	var all []io.Writer
	for _, w := range []hash.Hash{h.md5, h.sha256, h.crc32c} {
		if w != nil {
			all = append(all, w)
		}
	}
	n, err := io.Copy(io.MultiWriter(all...), contextReader{ctx, io.NewSectionReader(body, 0, size)})
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	switch {
	case ctx.Err() != nil:
		return d, ctx.Err()
	case err != nil:
		return d, fmt.Errorf("%w: body of %d bytes: %w", store.ErrInvalid, size, err)
	}
	if h.md5 != nil {
		d.md5Base64 = base64.StdEncoding.EncodeToString(h.md5.Sum(nil))
	}
	if h.sha256 != nil {
		d.sha256Hex = hex.EncodeToString(h.sha256.Sum(nil))
	}
	if h.crc32c != nil {
		d.crc32c = base64.StdEncoding.EncodeToString(h.crc32c.Sum(nil))
	}
	return d, nil
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
