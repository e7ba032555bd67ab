package server

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"templar/internal/store"
	"templar/internal/store/fs"
)

// maxPage is the most that one listing shows, as in S3.
const maxPage = 1000

// limit reads a parameter that bounds a listing.
func (c *call) limit(name string, most int) (int, error) {
	if !c.query.has(name) || c.query[name] == "" {
		return most, nil
	}
	n, err := strconv.ParseInt(c.query[name], 10, 64)
	if err != nil || n < 0 {
		return 0, invalid("The parameter %s is %.40q, want a number from 0 on.", name, c.query[name])
	}
	return int(min(n, int64(most))), nil
}

func newToken(after string) string { return base64.RawURLEncoding.EncodeToString([]byte(after)) }

// token reads a parameter that newToken made.
func (c *call) token(name string) (after string, err error) {
	if !c.query.has(name) {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(c.query[name])
	if err != nil || len(b) == 0 {
		return "", invalid("The %s is not one that this server gave.", name)
	}
	return string(b), nil
}

// page is a stretch of a bucket's listing.
type page struct {
	prefix, delimiter string
	after             string
	max               int

	objects   []fs.Object
	folders   []string
	last      string // the last key or folder shown
	truncated bool
}

func (p *page) full() bool { return len(p.objects)+len(p.folders) >= p.max }

// page reads the parameters that all listings have.
func (c *call) page(after string) (*page, error) {
	limit, err := c.limit("max-keys", maxPage)
	return &page{prefix: c.query["prefix"], delimiter: c.query["delimiter"], after: after, max: limit}, err
}

// fill lists objects, and folders as one each.
func (s *Server) fill(bucket string, p *page) error {
	if p.max == 0 { // S3 says then that there is nothing more
		return nil
	}
	after := p.after
	if f := folder(after, p.prefix, p.delimiter); f != "" {
		after = f + afterFolder
	}
	for next := true; next; {
		next = false
		for key, err := range s.files.Keys(bucket, p.prefix, after) {
			if err != nil {
				return err
			}
			if p.full() {
				p.truncated = true
				return nil
			}
			f := folder(key, p.prefix, p.delimiter)
			if f != "" {
				p.folders, p.last, after, next = append(p.folders, f), f, f+afterFolder, true
				break
			}
			if err := s.show(bucket, key, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Server) show(bucket, key string, p *page) error {
	o, err := s.files.Stat(bucket, key)
	if errors.Is(err, store.ErrNotFound) { // deleted meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	p.objects, p.last = append(p.objects, o), key
	return nil
}

// afterFolder is behind a folder what sorts behind all keys in it: they are UTF-8.
const afterFolder = "\xff"

// folder is the one in which a delimited listing shows key, if any.
func folder(key, prefix, delimiter string) string {
	rest, ok := strings.CutPrefix(key, prefix)
	if head, _, found := strings.Cut(rest, delimiter); ok && found && delimiter != "" {
		return prefix + head + delimiter
	}
	return ""
}

// coder writes keys as the request wants them.
func (c *call) coder() func(string) text {
	if c.query["encoding-type"] == "url" {
		return func(s string) text { return text(encode(s, true)) }
	}
	return func(s string) text { return text(s) }
}

type listResult struct {
	XMLName      xml.Name `xml:"ListBucketResult"`
	Xmlns        string   `xml:"xmlns,attr"`
	Name         string
	Prefix       text
	Delimiter    text `xml:",omitempty"`
	MaxKeys      int
	EncodingType string `xml:",omitempty"`
	IsTruncated  bool

	// Of version 1.
	Marker     *text
	NextMarker text `xml:",omitempty"`
	// Of version 2.
	KeyCount              *int
	StartAfter            text   `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`

	Contents       []contentElement
	CommonPrefixes []folderElement
}

type contentElement struct {
	Key               text
	LastModified      instant
	ETag              string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              int64
	Owner             *ownerElement
	StorageClass      string
}

type folderElement struct{ Prefix text }

func (c *call) listResult(p *page) *listResult {
	code := c.coder()
	out := &listResult{
		Xmlns: namespace, Name: c.bucket, Prefix: code(p.prefix), Delimiter: code(p.delimiter), MaxKeys: p.max,
		EncodingType: c.query["encoding-type"], IsTruncated: p.truncated,
	}
	for _, o := range p.objects {
		e := contentElement{Key: code(o.Key), LastModified: instant(o.Modified), ETag: quote(o), Size: o.Size, StorageClass: "STANDARD"}
		for _, end := range checksums {
			if o.Header[checksumPrefix+end] != "" {
				e.ChecksumAlgorithm, e.ChecksumType = strings.ToUpper(end), o.Header[checksumType]
			}
		}
		out.Contents = append(out.Contents, e)
	}
	for _, f := range p.folders {
		out.CommonPrefixes = append(out.CommonPrefixes, folderElement{code(f)})
	}
	return out
}

func (s *Server) listObjects(c *call) error {
	p, err := c.page(c.query["marker"])
	if err != nil {
		return err
	}
	if err := s.fill(c.bucket, p); err != nil {
		return err
	}
	code := c.coder()
	out := c.listResult(p)
	marker := code(p.after)
	out.Marker = &marker
	for i := range out.Contents {
		out.Contents[i].Owner = owner
	}
	if p.truncated {
		out.NextMarker = code(p.last)
	}
	writeXML(c.w, http.StatusOK, out)
	return nil
}

func (s *Server) listObjectsV2(c *call) error {
	after, err := c.token("continuation-token")
	if err != nil {
		return err
	}
	start := c.query["start-after"]
	p, err := c.page(max(after, start))
	if err != nil {
		return err
	}
	if err := s.fill(c.bucket, p); err != nil {
		return err
	}
	out := c.listResult(p)
	count := len(p.objects) + len(p.folders)
	out.KeyCount, out.StartAfter, out.ContinuationToken = &count, c.coder()(start), c.query["continuation-token"]
	if p.truncated {
		out.NextContinuationToken = newToken(p.last)
	}
	if c.query["fetch-owner"] == "true" {
		for i := range out.Contents {
			out.Contents[i].Owner = owner
		}
	}
	writeXML(c.w, http.StatusOK, out)
	return nil
}

type versionsResult struct {
	XMLName             xml.Name `xml:"ListVersionsResult"`
	Xmlns               string   `xml:"xmlns,attr"`
	Name                string
	Prefix              text
	Delimiter           text `xml:",omitempty"`
	KeyMarker           text
	VersionIDMarker     string `xml:"VersionIdMarker"`
	NextKeyMarker       text   `xml:",omitempty"`
	NextVersionIDMarker string `xml:"NextVersionIdMarker,omitempty"`
	MaxKeys             int
	EncodingType        string `xml:",omitempty"`
	IsTruncated         bool
	Version             []versionElement
	CommonPrefixes      []folderElement
}

type versionElement struct {
	Key          text
	VersionID    string `xml:"VersionId"`
	IsLatest     bool
	LastModified instant
	ETag         string
	Size         int64
	Owner        *ownerElement
	StorageClass string
}

// listVersions shows each object as its only version, as S3 does in a bucket without versions.
func (s *Server) listVersions(c *call) error {
	p, err := c.page(c.query["key-marker"])
	if err != nil {
		return err
	}
	if err := s.fill(c.bucket, p); err != nil {
		return err
	}
	code, base := c.coder(), c.listResult(p)
	out := versionsResult{
		Xmlns: namespace, Name: base.Name, Prefix: base.Prefix, Delimiter: base.Delimiter, KeyMarker: code(p.after),
		VersionIDMarker: c.query["version-id-marker"], MaxKeys: p.max, EncodingType: base.EncodingType, IsTruncated: p.truncated, CommonPrefixes: base.CommonPrefixes,
	}
	for _, e := range base.Contents {
		out.Version = append(out.Version, versionElement{e.Key, "null", true, e.LastModified, e.ETag, e.Size, owner, e.StorageClass})
	}
	if p.truncated {
		out.NextKeyMarker, out.NextVersionIDMarker = code(p.last), "null"
	}
	writeXML(c.w, http.StatusOK, out)
	return nil
}
