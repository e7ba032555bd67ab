package server

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// chunkReader decodes the aws-chunked encoding of a body:
//
//	hex length [;chunk-signature=...] CRLF data CRLF ... 0 [;chunk-signature=...] CRLF
//	[name ":" value CRLF ... ["x-amz-trailer-signature:" hex CRLF]] CRLF
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
	sum     *checksum      // nil: none; its value is known, or comes in the trailers
	trailed bool           // trailers follow
}

func newChunkReader(body io.ReadCloser, length int64, v *chunkVerifier, sum *checksum, trailed bool) *chunkReader {
	return &chunkReader{Closer: body, in: bufio.NewReader(body), left: length, verify: v, sum: sum, trailed: trailed}
}

var errChunk = refusef(http.StatusBadRequest, "IncompleteBody", "The body is not a sequence of intact and signed chunks.")

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
	c.sum.write(p[:n])
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
	if n == 0 {
		if !c.verify.end() {
			return errChunk
		}
		if err := c.end(); err != nil {
			return err
		}
	}
	c.chunk, c.done = int64(n), n == 0
	return nil
}

// maxTrailers is more than any client sends.
const maxTrailers = 8

// end reads the trailers and checks the body's checksum.
func (c *chunkReader) end() error {
	for n := 0; c.trailed; n++ {
		line, err := c.in.ReadSlice('\n')
		name, value, ok := strings.Cut(strings.TrimSpace(string(line)), ":")
		if name == "" && (err == io.EOF || err == nil && c.verify.complete(true)) {
			break
		}
		switch {
		case err != nil || n == maxTrailers || !ok && name != "":
			return errChunk
		case name == "": // some clients put an empty line before the signature too
		case strings.EqualFold(name, "X-Amz-Trailer-Signature"):
			if !c.verify.endTrailers(strings.TrimSpace(value)) {
				return errChunk
			}
		case c.sum != nil && strings.EqualFold(name, c.sum.header):
			if c.sum.want != nil || !c.sum.expect(value) {
				return errChunk
			}
			c.verify.trailer(name, value)
		default:
			return errChunk
		}
	}
	if !c.verify.complete(c.trailed) {
		return errChunk
	}
	return c.sum.check()
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
	trailers string // in canonical form
	signed   bool   // the trailers' signature was good
}

func newChunkVerifier(a *auth) *chunkVerifier {
	return &chunkVerifier{
		key:      a.signingKey(),
		head:     fmt.Sprintf("AWS4-HMAC-SHA256-PAYLOAD\n%s\n%s\n", a.time, strings.Join(a.scope, "/")),
		previous: a.signature,
		hash:     sha256.New(),
	}
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

func (v *chunkVerifier) trailer(name, value string) {
	if v != nil {
		v.trailers += strings.ToLower(name) + ":" + strings.TrimSpace(value) + "\n"
	}
}

// endTrailers tells whether the trailers so far have the signature claimed for them.
func (v *chunkVerifier) endTrailers(claimed string) bool {
	if v == nil {
		return true
	}
	s := fmt.Sprintf("%s%s\n%x", strings.Replace(v.head, "-PAYLOAD\n", "-TRAILER\n", 1), v.previous, sha256.Sum256([]byte(v.trailers)))
	v.signed = hmac.Equal([]byte(hex.EncodeToString(sign(v.key, s))), []byte(claimed))
	return v.signed
}

// complete tells whether everything was signed that had to be.
func (v *chunkVerifier) complete(trailed bool) bool { return v == nil || !trailed || v.signed }
