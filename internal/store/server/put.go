package server

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"templar/internal/store/fs"
)

// putObject stores a body in one pass: each byte is read, hashed and written once.
func (s *Server) putObject(c *call) error {
	header, err := c.objectHeader()
	if err != nil {
		return err
	}
	o := fs.PutOptions{Header: header, Check: c.condition()}
	if o.MD5, err = c.contentMD5(); err != nil {
		return err
	}
	if err := s.holds(c, o.Check); err != nil {
		return err
	}
	check := o.Check
	o.Check = func(old *fs.Object) error { // the body is here, and with it a trailer
		maps.Copy(header, c.sum.kept())
		if check == nil {
			return nil
		}
		return check(old)
	}
	stored, err := s.files.Put(c.ctx(), c.bucket, c.key, c.r.Body, c.r.ContentLength, o)
	if err != nil {
		return err
	}
	c.showChecksum()
	c.w.Header().Set("ETag", quote(stored))
	return nil
}

// kept is what is kept with an object of its checksum.
func (c *checksum) kept() map[string]string {
	if c == nil {
		return nil
	}
	return map[string]string{c.header: c.value(), checksumType: fullObject}
}

// showChecksum tells an uploader which checksum was computed.
func (c *call) showChecksum() {
	for name, value := range c.sum.kept() {
		c.w.Header().Set(name, value)
	}
}

const metaPrefix = "X-Amz-Meta-"

// Bounds of what is kept with an object, as in S3.
const (
	maxMetadata = 2 << 10
	maxKept     = 8 << 10
)

var keptHeaders = []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires"}

// objectHeader picks the headers that are kept with an object.
func (c *call) objectHeader() (map[string]string, error) {
	out, metadata, all := make(map[string]string), 0, 0
	for name := range c.r.Header {
		meta, isMeta := strings.CutPrefix(name, metaPrefix)
		if !isMeta && !slices.Contains(keptHeaders, name) {
			continue
		}
		out[name] = c.get(name)
		if isMeta {
			metadata += len(meta) + len(out[name])
		}
		all += len(name) + len(out[name])
	}
	if metadata > maxMetadata || all > maxKept {
		return nil, refusef(http.StatusBadRequest, "MetadataTooLarge", "The object's metadata are %d bytes, and its headers %d; at most %d and %d are kept.", metadata, all, maxMetadata, maxKept)
	}
	return out, nil
}
