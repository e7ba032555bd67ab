package server

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"templar/internal/store"
	"templar/internal/store/fs"
)

func quote(o fs.Object) string { return `"` + o.Tag() + `"` }

// open finds the object of a call, or says that there is none.
func (s *Server) open(bucket, key string) (*os.File, fs.Object, error) {
	f, o, err := s.files.Open(bucket, key)
	if errors.Is(err, store.ErrNotFound) && !s.files.HasBucket(bucket) {
		return nil, fs.Object{}, noSuchBucket(bucket)
	}
	return f, o, err
}

// showDate writes the date of an object: as HTTP does, in whole seconds, and in a header of ours in
// milliseconds, as listings have it.
func showDate(h http.Header, o *fs.Object) {
	h.Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	h.Set(store.DateHeader, o.Modified.UTC().Format(store.DateFormat))
}

// getObject answers GET and HEAD of an object.
func (s *Server) getObject(c *call) error {
	f, o, err := s.open(c.bucket, c.key)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("ETag", quote(o))
	showDate(h, &o)
	h.Set("Accept-Ranges", "bytes")
	part, err := c.choose(&o)
	if err != nil {
		if errors.Is(err, errNoRange) {
			h.Set("Content-Range", fmt.Sprintf("bytes */%d", o.Size))
		}
		return errors.Join(err, f.Close())
	}
	c.showHeader(h, &o, part == nil)
	status := http.StatusOK
	if part == nil {
		part = &span{0, o.Size}
	} else {
		status = http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", part.start, part.start+part.length-1, o.Size))
	}
	h.Set("Content-Length", strconv.FormatInt(part.length, 10))
	c.w.WriteHeader(status)
	if c.r.Method == http.MethodHead {
		return s.late(f.Close())
	}
	body := fs.Section(f, part.start, part.length)
	defer body.Close()
	if n, err := io.Copy(c.w, body); err != nil && c.ctx().Err() == nil || err == nil && n < part.length {
		s.log.Debug("object not sent in full", "sent", n, "of", part.length, "err", err)
	}
	return nil
}

// late logs a fault that comes after the answer's header.
func (s *Server) late(err error) error {
	if err != nil {
		s.log.Error("object storage failed", "err", err)
	}
	return nil
}

// choose applies the request's conditions and its range.
func (c *call) choose(o *fs.Object) (*span, error) {
	if err := c.readConditions("").check(o); err != nil {
		return nil, err
	}
	return c.span(o)
}

// showHeader shows what is kept with an object. Its checksum is of the whole: beside a part of
// it, clients would take it for the part's.
func (c *call) showHeader(h http.Header, o *fs.Object, whole bool) {
	h.Set("Content-Type", "binary/octet-stream") // as in S3, when the uploader named none
	for name, value := range o.Header {
		switch {
		case strings.HasPrefix(name, metaPrefix):
			// In small letters, as S3 has it: to some clients these are names of their own.
			h[strings.ToLower(name)] = []string{value}
		case !strings.HasPrefix(name, checksumPrefix), whole && c.has("X-Amz-Checksum-Mode"):
			h.Set(name, value)
		}
	}
	for name, value := range c.query {
		if kept, ok := strings.CutPrefix(name, "response-"); ok {
			h.Set(kept, value)
		}
	}
}

type attributesResult struct {
	XMLName      xml.Name       `xml:"GetObjectAttributesOutput"`
	Xmlns        string         `xml:"xmlns,attr"`
	ETag         string         `xml:",omitempty"`
	Checksum     *checksumValue `xml:",omitempty"`
	StorageClass string         `xml:",omitempty"`
	ObjectSize   *int64         `xml:",omitempty"`
}

// checksumValue is an object's or part's checksum in documents.
type checksumValue struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

// field finds the value of an algorithm.
func (v *checksumValue) field(algorithm string) *string {
	switch algorithm {
	case "CRC32":
		return &v.ChecksumCRC32
	case "CRC32C":
		return &v.ChecksumCRC32C
	case "CRC64NVME":
		return &v.ChecksumCRC64NVME
	case "SHA1":
		return &v.ChecksumSHA1
	case "SHA256":
		return &v.ChecksumSHA256
	}
	return nil
}

// keptChecksum is the checksum that is kept with an object, nil if there is none.
func keptChecksum(header map[string]string) *checksumValue {
	for _, end := range checksums {
		if value := header[checksumPrefix+end]; value != "" {
			v := &checksumValue{ChecksumType: header[checksumType]}
			*v.field(strings.ToUpper(end)) = value
			return v
		}
	}
	return nil
}

func (s *Server) objectAttributes(c *call) error {
	o, err := s.files.Stat(c.bucket, c.key)
	if err != nil {
		return err
	}
	out := attributesResult{Xmlns: namespace}
	for name := range strings.SplitSeq(c.get("X-Amz-Object-Attributes"), ",") {
		switch name = strings.TrimSpace(name); name {
		case "ETag":
			out.ETag = o.Tag()
		case "Checksum":
			out.Checksum = keptChecksum(o.Header)
		case "StorageClass":
			out.StorageClass = "STANDARD"
		case "ObjectSize":
			out.ObjectSize = &o.Size
		default:
			return unsupported("This server does not support the object attribute %.40q.", name)
		}
	}
	showDate(c.w.Header(), &o)
	writeXML(c.w, http.StatusOK, out)
	return nil
}

type tagsResult struct {
	XMLName xml.Name `xml:"Tagging"`
	Xmlns   string   `xml:"xmlns,attr"`
	TagSet  struct{}
}

// objectTags says that an object has no tags, which is true of all.
func (s *Server) objectTags(c *call) error {
	if _, err := s.files.Stat(c.bucket, c.key); err != nil {
		return err
	}
	writeXML(c.w, http.StatusOK, tagsResult{Xmlns: namespace})
	return nil
}
