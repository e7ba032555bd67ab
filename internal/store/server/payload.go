package server

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Values of X-Amz-Content-Sha256 that are no digest.
const (
	unsignedPayload     = "UNSIGNED-PAYLOAD"
	signedChunks        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedChunksTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	unsignedChunks      = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// chunkOverhead bounds what framing adds to a body sent in chunks, of 8 KiB or more.
func chunkOverhead(body int64) int64 { return 4096 + body/64 }

// checkBody replaces the request's body by one that yields plain bytes and fails, before it
// ends, unless they are what the signature and the checksums cover. It sets the checksum that
// comes with the body, to be kept with the object.
func (s *Server) checkBody(c *call, kind bodyKind) error {
	r, claimed := c.r, c.auth.payload(c.r, nil)
	chunked := strings.HasPrefix(claimed, "STREAMING-")
	limit := s.maxBody
	switch kind {
	case noBody:
		if r.ContentLength != 0 || chunked {
			return invalid("This request takes no body.")
		}
	case document, documents:
		limit = maxXMLBody
	case data:
		if r.ContentLength < 0 && !chunked {
			return errNoLength
		}
	}
	if r.ContentLength > limit+chunkOverhead(limit) {
		return errTooLarge
	}
	r.Body = http.MaxBytesReader(nil, r.Body, limit+chunkOverhead(limit))
	sum, err := c.headerChecksum(kind)
	if err != nil {
		return err
	}
	if chunked {
		err = s.unchunk(c, claimed, sum, limit)
	} else {
		err = c.checkPlain(claimed, sum, limit)
	}
	if err != nil {
		return err
	}
	if kind == document || kind == documents { // an object's is checked where it is stored
		want, err := c.contentMD5()
		if err != nil {
			return err
		}
		if want != nil {
			return c.expectDigest(md5.New(), want)
		}
	}
	return nil
}

// checkPlain checks a body that comes as it is.
func (c *call) checkPlain(claimed string, sum *checksum, limit int64) error {
	encodings := strings.ToLower(c.get("Content-Encoding"))
	switch {
	case c.r.ContentLength > limit:
		return errTooLarge
	case c.has("X-Amz-Trailer") || c.has("X-Amz-Decoded-Content-Length"):
		return invalid("X-Amz-Trailer and X-Amz-Decoded-Content-Length are for bodies in chunks, which X-Amz-Content-Sha256 announces with STREAMING-...")
	case strings.Contains(encodings, "aws-chunked"):
		return invalid("Content-Encoding says aws-chunked, and X-Amz-Content-Sha256 does not: with chunks it begins with STREAMING-.")
	}
	if claimed != unsignedPayload {
		want, err := hex.DecodeString(claimed)
		if err != nil || len(want) != sha256.Size {
			return invalid("X-Amz-Content-Sha256 is %.80q, want a SHA-256 in hexadecimal, %s or a way to stream.", claimed, unsignedPayload)
		}
		if err := c.expectDigest(sha256.New(), want); err != nil {
			return err
		}
	}
	if sum == nil {
		return nil
	}
	c.sum = sum
	if sum.want == nil { // to be computed
		c.r.Body = &summedBody{c.r.Body, sum}
		return nil
	}
	return c.expectDigest(sum.hash, sum.want)
}

// summedBody has a checksum computed that did not come with the body.
type summedBody struct {
	io.ReadCloser
	sum *checksum
}

func (b *summedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.sum.write(p[:n])
	return n, err
}

// unchunk decodes an aws-chunked body, so that nothing after it has to know.
func (s *Server) unchunk(c *call, claimed string, sum *checksum, limit int64) error {
	n, err := strconv.ParseInt(c.get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || n < 0 {
		return invalid("X-Amz-Decoded-Content-Length is %.40q, want the length of the body without its chunks' frames.", c.get("X-Amz-Decoded-Content-Length"))
	}
	if n > limit {
		return errTooLarge
	}
	var v *chunkVerifier
	switch claimed {
	case signedChunks, signedChunksTrailer:
		v = newChunkVerifier(c.auth)
	case unsignedChunks:
	default:
		return unsupported("This server does not support bodies as X-Amz-Content-Sha256: %.60s.", claimed)
	}
	trailer := c.get("X-Amz-Trailer")
	switch {
	case trailer == "":
	case claimed == signedChunks:
		return invalid("X-Amz-Trailer announces a trailer, and X-Amz-Content-Sha256 none.")
	case sum != nil && sum.want != nil:
		return errTwoChecksums
	default:
		announced := newChecksum(trailer)
		if announced == nil {
			return unsupported("This server does not support the trailer %.60q.", trailer)
		}
		if sum != nil && sum.header != announced.header {
			return errTwoChecksums
		}
		sum = announced
	}
	if trailer == "" && sum != nil && sum.want == nil {
		sum.computed = true
	}
	c.sum = sum
	c.r.Body = newChunkReader(c.r.Body, n, v, sum, claimed != signedChunks)
	c.r.ContentLength = n
	c.setEncoding()
	return nil
}

// setEncoding takes the chunks out of Content-Encoding, wherever they stand in the list: what
// is stored has none.
func (c *call) setEncoding() {
	var rest []string
	for encoding := range strings.SplitSeq(c.get("Content-Encoding"), ",") {
		if encoding = strings.TrimSpace(encoding); encoding != "" && !strings.EqualFold(encoding, "aws-chunked") {
			rest = append(rest, encoding)
		}
	}
	if len(rest) == 0 {
		c.r.Header.Del("Content-Encoding")
		return
	}
	c.r.Header.Set("Content-Encoding", strings.Join(rest, ","))
}

// contentMD5 returns the digest that is sent along, nil if there is none.
func (c *call) contentMD5() ([]byte, error) {
	if !c.has("Content-Md5") {
		return nil, nil
	}
	sum, err := base64.StdEncoding.DecodeString(c.get("Content-Md5"))
	if err != nil || len(sum) != md5.Size {
		return nil, refusef(http.StatusBadRequest, "InvalidDigest", "Content-MD5 is not the base64 of 16 bytes.")
	}
	return sum, nil
}

// expectDigest makes the body fail unless its hash is want.
func (c *call) expectDigest(h hash.Hash, want []byte) error {
	if c.r.ContentLength == 0 && !bytes.Equal(h.Sum(nil), want) {
		return errBadDigest
	}
	c.r.Body = &digestBody{ReadCloser: c.r.Body, hash: h, want: want, left: c.r.ContentLength}
	return nil
}

// digestBody checks with the last byte, not at io.EOF: a reader that knows the
// length does not read on to the end.
type digestBody struct {
	io.ReadCloser
	hash hash.Hash
	want []byte
	left int64 // negative: length unknown
}

func (d *digestBody) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	d.hash.Write(p[:n])
	if d.left > 0 {
		d.left -= int64(n)
	}
	if (d.left == 0 || err == io.EOF) && !bytes.Equal(d.hash.Sum(nil), d.want) {
		return 0, errBadDigest
	}
	return n, err
}
