package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/signature"
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

// checkBody replaces r's body by one that yields plain bytes and fails, before it
// ends, unless they are what the signature and the checksums cover. It returns the
// checksum that came with the body, to be kept with the object.
func (s *Server) checkBody(w http.ResponseWriter, r *http.Request, key Key) (*checksum, *signature.APIError) {
	if r.ContentLength > s.maxBody+chunkOverhead(s.maxBody) {
		return nil, &errTooLarge
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.maxBody+chunkOverhead(s.maxBody))
	claimed := r.Header.Get("X-Amz-Content-Sha256")
	var refused *signature.APIError
	switch {
	case r.Header.Get("Authorization") == "" && claimed == "", claimed == unsignedPayload: // presigned, or the client's choice
	case strings.HasPrefix(claimed, "STREAMING-"):
		return s.unchunk(r, key, claimed)
	default:
		refused = checkDigest(r, claimed)
	}
	if refused == nil && r.ContentLength > s.maxBody {
		refused = &errTooLarge
	}
	if refused != nil {
		return nil, refused
	}
	sum, ok := headerChecksum(r)
	if !ok {
		return nil, &errBadRequest
	}
	if sum != nil {
		return sum, expectDigest(r, sum.hash, sum.want)
	}
	return nil, nil
}

// unchunk decodes an aws-chunked body, so that no one after it has to know.
func (s *Server) unchunk(r *http.Request, key Key, claimed string) (*checksum, *signature.APIError) {
	n, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || n < 0 {
		return nil, &errBadRequest
	}
	if n > s.maxBody {
		return nil, &errTooLarge
	}
	var v *chunkVerifier
	switch claimed {
	case signedChunks, signedChunksTrailer:
		if v, err = newChunkVerifier(r.Header.Get("Authorization"), r.Header.Get("X-Amz-Date"), key.Secret); err != nil {
			return nil, &errBadRequest
		}
	case unsignedChunks:
	default:
		return nil, &errNotImplemented
	}
	sum, ok := headerChecksum(r)
	trailer := r.Header.Get("X-Amz-Trailer")
	if trailer != "" && sum == nil && claimed != signedChunks {
		sum = newChecksum(trailer)
		ok = ok && sum != nil
	}
	if !ok {
		return nil, &errBadRequest
	}
	r.Body = newChunkReader(r.Body, n, v, sum, claimed != signedChunks)
	r.ContentLength = n
	r.Header.Set("Content-Length", strconv.FormatInt(n, 10))
	r.Header.Del("X-Amz-Decoded-Content-Length")
	r.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
	if encoding := strings.TrimPrefix(strings.TrimPrefix(r.Header.Get("Content-Encoding"), "aws-chunked"), ","); encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	} else {
		r.Header.Del("Content-Encoding")
	}
	return sum, nil
}

// checkDigest holds the body against its SHA-256. A signed request that names none
// has signed the digest of nothing.
func checkDigest(r *http.Request, claimed string) *signature.APIError {
	want, err := hex.DecodeString(claimed)
	if claimed == "" {
		empty := sha256.Sum256(nil)
		want = empty[:]
	}
	if err != nil || len(want) != sha256.Size {
		return &errBadRequest
	}
	return expectDigest(r, sha256.New(), want)
}

// expectDigest makes the body fail unless its hash is want.
func expectDigest(r *http.Request, h hash.Hash, want []byte) *signature.APIError {
	if r.ContentLength == 0 && !bytes.Equal(h.Sum(nil), want) {
		return &errBadDigest
	}
	r.Body = &digestBody{ReadCloser: r.Body, hash: h, want: want, left: r.ContentLength}
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
		return 0, gofakes3.ErrorMessage(gofakes3.ErrBadDigest, "The body does not have the digest that was sent with it.")
	}
	return n, err
}
