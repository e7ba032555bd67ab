package server

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"

	"github.com/rclone/gofakes3"
)

const checksumPrefix = "X-Amz-Checksum-"

// checksum is one of S3's checksums over a body that is being received. A nil one is
// none.
type checksum struct {
	header string // its name
	hash   hash.Hash
	want   []byte // nil while the trailer is still to come
}

func newChecksum(header string) *checksum {
	c := &checksum{header: http.CanonicalHeaderKey(header)}
	switch strings.ToLower(strings.TrimPrefix(c.header, checksumPrefix)) {
	case "crc32":
		c.hash = crc32.NewIEEE()
	case "crc32c":
		c.hash = crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		c.hash = crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) // the reversed polynomial
	case "sha1":
		c.hash = sha1.New()
	case "sha256":
		c.hash = sha256.New()
	default:
		return nil
	}
	return c
}

// headerChecksum returns the one that an upload's headers name with its value, and tells
// whether they are in order. Elsewhere it may be of something else: where an upload in
// parts is completed, of the object.
func headerChecksum(r *http.Request) (found *checksum, ok bool) {
	if r.Method != http.MethodPut {
		return nil, true
	}
	for name := range r.Header {
		if !strings.HasPrefix(name, checksumPrefix) || name == checksumPrefix+"Type" || name == checksumPrefix+"Mode" || name == checksumPrefix+"Algorithm" {
			continue
		}
		c := newChecksum(name)
		if found != nil || c == nil || !c.expect(r.Header.Get(name)) {
			return nil, false
		}
		found = c
	}
	return found, true
}

// expect sets the value, in base64 as it stands in headers and trailers.
func (c *checksum) expect(value string) bool {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	if err != nil || len(b) != c.hash.Size() {
		return false
	}
	c.want = b
	return true
}

func (c *checksum) value() string { return base64.StdEncoding.EncodeToString(c.want) }

func (c *checksum) write(p []byte) {
	if c != nil {
		c.hash.Write(p)
	}
}

// check compares what was written with what was expected.
func (c *checksum) check() error {
	if c == nil || string(c.hash.Sum(nil)) == string(c.want) {
		return nil
	}
	return gofakes3.ErrorMessage(gofakes3.ErrBadDigest, "The body does not have the "+strings.ToLower(c.header)+" that was sent with it.")
}
