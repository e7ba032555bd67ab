package server

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/rclone/gofakes3"

	"templar/internal/store"
)

// chunkReader decodes the aws-chunked encoding of a body:
//
//	hex length [;chunk-signature=...] CRLF data CRLF ... 0 [;chunk-signature=...] CRLF trailers
//
// It yields exactly the announced number of bytes or an error.
type chunkReader struct {
	io.Closer
	in      *bufio.Reader
	left    int64 // of the body
	chunk   int64 // of this chunk
	started bool
	done    bool
	verify  *chunkVerifier // nil: unsigned
}

func newChunkReader(body io.ReadCloser, length int64, v *chunkVerifier) *chunkReader {
	return &chunkReader{Closer: body, in: bufio.NewReader(body), left: length, verify: v}
}

var errChunk = gofakes3.ErrorMessage(gofakes3.ErrIncompleteBody, "The body is not a sequence of intact and signed chunks.")

func (c *chunkReader) Read(p []byte) (int, error) {
	if c.chunk == 0 && !c.done {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if c.done {
		return 0, io.EOF
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.chunk)])
	if err != nil {
		return 0, errChunk
	}
	c.chunk -= int64(n)
	c.left -= int64(n)
	c.verify.write(p[:n])
	// A reader that knows the length stops here, so the end is checked before the
	// last bytes are handed over.
	if c.left == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// next ends a chunk and begins another.
func (c *chunkReader) next() error {
	if c.started {
		if line, err := c.in.ReadSlice('\n'); err != nil || string(line) != "\r\n" || !c.verify.end() {
			return errChunk
		}
	}
	c.started = true
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return errChunk
	}
	size, sig, _ := strings.Cut(strings.TrimSpace(string(line)), ";chunk-signature=")
	n, err := strconv.ParseUint(size, 16, 62)
	if err != nil || int64(n) > c.left || (n == 0) != (c.left == 0) {
		return errChunk
	}
	c.verify.begin(sig)
	if n == 0 && !c.verify.end() {
		return errChunk
	}
	c.chunk, c.done = int64(n), n == 0
	return nil
}

// chunkVerifier follows the chain of chunk signatures that begins with the
// request's (Signature Version 4, "Transferring payload in multiple chunks"). A nil
// one accepts everything.
type chunkVerifier struct {
	key      []byte
	head     string // of the string to sign: algorithm, time, scope
	previous string
	claimed  string
	hash     hash.Hash
}

// newChunkVerifier takes the seed from an Authorization header that was verified.
func newChunkVerifier(authorization, date string, secret store.Secret) (*chunkVerifier, error) {
	_, credential, ok1 := strings.Cut(authorization, "Credential=")
	credential, _, ok2 := strings.Cut(credential, ",")
	_, seed, ok3 := strings.Cut(authorization, "Signature=")
	parts := strings.Split(strings.TrimSpace(credential), "/")
	if !ok1 || !ok2 || !ok3 || len(parts) < 5 {
		return nil, errors.New("authorization header without credential or signature")
	}
	scope := parts[len(parts)-4:]
	key := []byte("AWS4" + secret.Reveal())
	for _, part := range scope {
		key = sign(key, part)
	}
	return &chunkVerifier{
		key:      key,
		head:     fmt.Sprintf("AWS4-HMAC-SHA256-PAYLOAD\n%s\n%s\n", date, strings.Join(scope, "/")),
		previous: strings.TrimSpace(seed),
		hash:     sha256.New(),
	}, nil
}

func sign(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

func (v *chunkVerifier) begin(claimed string) {
	if v != nil {
		v.claimed = claimed
		v.hash.Reset()
	}
}

func (v *chunkVerifier) write(p []byte) {
	if v != nil {
		v.hash.Write(p)
	}
}

// end tells whether the chunk since begin has the signature claimed for it.
func (v *chunkVerifier) end() bool {
	if v == nil {
		return true
	}
	empty := sha256.Sum256(nil)
	s := fmt.Sprintf("%s%s\n%x\n%x", v.head, v.previous, empty, v.hash.Sum(nil))
	v.previous = hex.EncodeToString(sign(v.key, s))
	return hmac.Equal([]byte(v.previous), []byte(v.claimed))
}
