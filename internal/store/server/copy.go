package server

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"templar/internal/store/fs"
)

type copyResult struct {
	XMLName      xml.Name
	Xmlns        string `xml:"xmlns,attr"`
	ETag         string
	LastModified instant
	checksumValue
}

// openSource opens what a request copies from, if the conditions on it hold. The caller closes
// the file.
func (s *Server) openSource(c *call) (*os.File, fs.Object, error) {
	bucket, key, err := c.source()
	if err != nil {
		return nil, fs.Object{}, err
	}
	for _, name := range []string{"X-Amz-Copy-Source-If-Modified-Since", "X-Amz-Copy-Source-If-Unmodified-Since"} {
		if _, err := http.ParseTime(c.get(name)); c.has(name) && err != nil {
			return nil, fs.Object{}, invalid("%s is no HTTP date.", name)
		}
	}
	f, o, err := s.open(bucket, key)
	if err != nil {
		return nil, fs.Object{}, err
	}
	if c.readConditions("X-Amz-Copy-Source-").check(&o) != nil { // errNotModified too
		return nil, fs.Object{}, errors.Join(errPrecondition, f.Close())
	}
	return f, o, nil
}

// copyObject stores what another object has, with its headers or the request's.
func (s *Server) copyObject(c *call) error {
	check := c.condition()
	if err := s.holds(c, check); err != nil {
		return err
	}
	f, src, err := s.openSource(c)
	if err != nil {
		return err
	}
	defer f.Close()
	replace := c.get("X-Amz-Metadata-Directive") == "REPLACE"
	if bucket, key, _ := c.source(); bucket == c.bucket && key == c.key && !replace {
		return refusef(http.StatusBadRequest, "InvalidRequest", "An object is to be copied onto itself, and nothing of it changed: say X-Amz-Metadata-Directive: REPLACE.")
	}
	if src.Size > s.maxBody {
		return refusef(http.StatusBadRequest, "InvalidRequest", "The source is larger than one request may copy: copy it in parts.")
	}
	header, err := c.copiedHeader(src.Header, replace)
	if err != nil {
		return err
	}
	var body io.Reader = io.LimitReader(f, src.Size)
	if c.has("X-Amz-Checksum-Algorithm") {
		sum, err := ofAlgorithm(c.get("X-Amz-Checksum-Algorithm"))
		if err != nil {
			return err
		}
		c.sum, body = sum, io.TeeReader(body, sum.hash)
	}
	o, err := s.files.Put(c.ctx(), c.bucket, c.key, body, src.Size, fs.PutOptions{Header: header, Check: func(old *fs.Object) error {
		if c.sum != nil {
			maps.DeleteFunc(header, func(name, _ string) bool { return strings.HasPrefix(name, checksumPrefix) })
			maps.Copy(header, c.sum.kept())
		}
		if check == nil {
			return nil
		}
		return check(old)
	}})
	if err != nil {
		return err
	}
	out := copyResult{XMLName: xml.Name{Local: "CopyObjectResult"}, Xmlns: namespace, ETag: quote(o), LastModified: instant(o.Modified)}
	if v := keptChecksum(o.Header); v != nil {
		out.checksumValue = *v
	}
	writeXML(c.w, http.StatusOK, out)
	return nil
}

// copiedHeader is what is kept with a copy. A checksum of the source's parts says nothing of it.
func (c *call) copiedHeader(src map[string]string, replace bool) (map[string]string, error) {
	given, err := c.objectHeader()
	if err != nil {
		return nil, err
	}
	header := map[string]string{}
	for name, value := range src {
		isSum := strings.HasPrefix(name, checksumPrefix)
		if !isSum && !replace || isSum && src[checksumType] != composite {
			header[name] = value
		}
	}
	if replace {
		maps.Copy(header, given)
		return header, nil
	}
	// S3 overlooks them; who sends them means them.
	for name := range given {
		if name != "Content-Type" && given[name] != src[name] && (strings.HasPrefix(name, metaPrefix) || slices.Contains(keptHeaders, name)) {
			return nil, invalid("The copy has the source's metadata: for %s, say X-Amz-Metadata-Directive: REPLACE.", name)
		}
	}
	return header, nil
}
