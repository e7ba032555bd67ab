package server

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"github.com/rclone/gofakes3"

	"templar/internal/store/fs"
)

// isPut tells a plain upload from copies, and from uploads of what an object has beside
// its data (tags, access lists): those are gofakes3's to answer.
func isPut(r *http.Request, t target, q url.Values) bool {
	if r.Method != http.MethodPut || t.bucket == "" || t.key == "" || r.Header.Get("X-Amz-Copy-Source") != "" {
		return false
	}
	for name := range q {
		if name != "x-id" && !strings.HasPrefix(name, "X-Amz-") { // presigned
			return false
		}
	}
	return true
}

// putObject stores a body in one pass: each byte is read, hashed and written once, where
// gofakes3 would compute the MD5 a second time.
func (s *Server) putObject(w http.ResponseWriter, r *http.Request, t target, sum *checksum) error {
	if !s.files.HasBucket(t.bucket) {
		return gofakes3.BucketNotFound(t.bucket)
	}
	header, err := objectHeader(r.Header)
	if err != nil {
		return err
	}
	o := fs.PutOptions{Header: header, Check: condition(r.Header)}
	if o.MD5, err = contentMD5(r.Header); err != nil {
		return err
	}
	if r.ContentLength < 0 {
		return gofakes3.ErrMissingContentLength
	}
	if err := s.refuseEarly(t, o); err != nil {
		return err
	}
	if sum != nil {
		check := o.Check
		o.Check = func(old *fs.Object) error { // the body is here, and with it a trailer
			header[sum.header] = sum.value()
			if check == nil {
				return nil
			}
			return check(old)
		}
	}
	stored, err := s.files.Put(r.Context(), t.bucket, t.key, r.Body, r.ContentLength, o)
	if err != nil {
		return err
	}
	if sum != nil {
		w.Header().Set(sum.header, sum.value())
	}
	w.Header().Set("ETag", quote(stored.ETag))
	return nil
}

// refuseEarly looks at the condition before the body is sent, as well as when it is here:
// a client that waits for 100 Continue need not send it.
func (s *Server) refuseEarly(t target, o fs.PutOptions) error {
	if o.Check == nil {
		return nil
	}
	old, err := s.files.Stat(t.bucket, t.key)
	if err != nil {
		return nil // Put finds out
	}
	return o.Check(&old)
}

// promises are headers that ask for what this server does not do, and that the sender may
// rely on.
var promises = []string{"X-Amz-Server-Side-Encryption", "X-Amz-Object-Lock-", "X-Amz-Tagging"}

// objectHeader picks the headers that are kept with an object.
func objectHeader(h http.Header) (map[string]string, error) {
	out, size := make(map[string]string), 0
	for name := range h {
		for _, promise := range promises {
			if strings.HasPrefix(name, promise) {
				return nil, gofakes3.ErrorMessage(gofakes3.ErrNotImplemented, name+" is not supported.")
			}
		}
		switch name {
		case "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires":
		default:
			if !strings.HasPrefix(name, "X-Amz-Meta-") {
				continue
			}
		}
		out[name] = h.Get(name)
		size += len(name) + len(out[name])
	}
	if size > gofakes3.DefaultMetadataSizeLimit {
		return nil, gofakes3.ErrMetadataTooLarge
	}
	return out, nil
}

// contentMD5 returns the digest that is sent along, nil if there is none.
func contentMD5(h http.Header) ([]byte, error) {
	if _, ok := h["Content-Md5"]; !ok {
		return nil, nil
	}
	sum, err := base64.StdEncoding.DecodeString(h.Get("Content-MD5"))
	if err != nil || len(sum) != md5.Size {
		return nil, gofakes3.ErrInvalidDigest
	}
	return sum, nil
}

// condition turns If-Match and If-None-Match into a check of the object that would be
// replaced; nil if there is none.
func condition(h http.Header) func(old *fs.Object) error {
	match, noneMatch := h.Get("If-Match"), h.Get("If-None-Match")
	if match == "" && noneMatch == "" {
		return nil
	}
	return func(old *fs.Object) error {
		switch {
		case match != "" && old == nil:
			return gofakes3.ErrNoSuchKey
		case match != "" && !names(match, old), noneMatch != "" && old != nil && names(noneMatch, old):
			return gofakes3.ErrPreconditionFailed
		}
		return nil
	}
}

// names tells whether a list of entity tags, or "*", names o.
func names(list string, o *fs.Object) bool {
	for tag := range strings.SplitSeq(list, ",") {
		if tag = strings.Trim(strings.TrimSpace(tag), `"`); tag == "*" || tag == hex.EncodeToString(o.ETag) {
			return true
		}
	}
	return false
}
