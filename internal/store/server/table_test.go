package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7/pkg/signer"

	"templar/internal/store"
)

// tableServer has a bucket with an object "key", and an upload of "up".
func tableServer(t *testing.T) (s *Server, uploadID string) {
	t.Helper()
	s, err := Open(Config{Dir: t.TempDir(), Keys: []Key{{AccessKey: "admin", Secret: "admin-secret", Admin: true}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	if status, body, _ := s.ask(t, "PUT", "/bucket/key", "data"); status != 200 {
		t.Fatal(status, body)
	}
	u, err := s.files.CreateUpload("bucket", "up", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, u.ID
}

// ask sends a signed request to the handler; header has names and values in turn.
func (s *Server) ask(t *testing.T, method, path, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	r := httptest.NewRequest(method, "http://host"+path, strings.NewReader(body))
	r.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	length := r.ContentLength
	r = signer.SignV4(*r, "admin", store.Secret("admin-secret").Reveal(), "", "us-east-1")
	r.ContentLength = length
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

// address is where an operation is asked for, with its marker.
func (o *operation) address(uploadID string) string {
	path := map[level]string{onService: "/", onBucket: "/bucket", onObject: "/bucket/key"}[o.level]
	q := url.Values{}
	switch o.marker {
	case "":
	case "uploadId":
		q.Set("uploadId", uploadID)
		path = "/bucket/up"
	case "list-type":
		q.Set("list-type", "2")
	default:
		q.Set(o.marker, "")
	}
	if o.name == "UploadPart" || o.name == "UploadPartCopy" {
		q.Set("partNumber", "1")
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return path
}

// headers of S3's that mean something on one operation or another, with values that ask for
// what this server does not do, or that only some operations take.
var meaningful = []string{
	"X-Amz-Server-Side-Encryption: AES256", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: k", "X-Amz-Server-Side-Encryption-Context: c",
	"X-Amz-Server-Side-Encryption-Customer-Algorithm: AES256", "X-Amz-Server-Side-Encryption-Customer-Key: k", "X-Amz-Server-Side-Encryption-Customer-Key-Md5: m",
	"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled: true", "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Algorithm: AES256",
	"X-Amz-Acl: public-read", "X-Amz-Grant-Read: id=x", "X-Amz-Grant-Full-Control: id=x", "X-Amz-Storage-Class: GLACIER",
	"X-Amz-Tagging: a=b", "X-Amz-Tagging-Directive: REPLACE", "X-Amz-Object-Lock-Mode: GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date: 2040-01-01T00:00:00Z",
	"X-Amz-Object-Lock-Legal-Hold: ON", "X-Amz-Bucket-Object-Lock-Enabled: true", "X-Amz-Bypass-Governance-Retention: true", "X-Amz-Mfa: 1 2",
	"X-Amz-Website-Redirect-Location: /x", "X-Amz-Expected-Bucket-Owner: 123456789012", "X-Amz-Source-Expected-Bucket-Owner: 123456789012",
	"X-Amz-Security-Token: t", "X-Amz-Write-Offset-Bytes: 1", "X-Amz-Metadata-Directive: MOVE", "X-Amz-Object-Ownership: ObjectWriter",
	"X-Amz-Checksum-Type: OTHER", "X-Amz-Checksum-Md5: AAAA", "X-Amz-Checksum-Xxhash64: AAAA", "X-Amz-Checksum-Mode: ON", "X-Amz-Optional-Object-Attributes: RestoreStatus",
	"X-Amz-Rename-Source: /bucket/x", "X-Amz-Invented-Tomorrow: 1", "If-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT", "If-Unmodified-Since: Mon, 02 Jan 2006 15:04:05 GMT",
	`If-Match: "00"`, `If-None-Match: "00"`, "Content-Range: bytes 0-1/2", "X-Amz-Copy-Source-Range: bytes=0-1", "X-Amz-Copy-Source-If-Match: \"00\"",
	"X-Amz-Mp-Object-Size: 7", "X-Amz-Checksum-Crc32: AAAAAA==", "X-Amz-Sdk-Checksum-Algorithm: CRC32", "X-Amz-Trailer: x-amz-checksum-crc32", "X-Amz-Object-Attributes: ETag",
}

// TestTable walks the table of operations times headers and parameters: what an operation does
// not list is refused by name, on every path, and nothing is changed.
func TestTable(t *testing.T) {
	s, uploadID := tableServer(t)
	for i := range s.operations {
		o := &s.operations[i]
		base := []string{}
		if o.copies {
			base = []string{"X-Amz-Copy-Source", "/bucket/key"}
		}
		for _, line := range meaningful {
			name, value, _ := strings.Cut(line, ": ")
			if o.takes(o.headers, name).allows(value) {
				continue
			}
			status, body, header := s.ask(t, o.method, o.address(uploadID), "", append(base, name, value)...)
			wantNamed(t, fmt.Sprintf("%s with %s", o.name, line), status, body, header, name)
		}
		for _, name := range append(subresources, "invented", "X-Amz-Expires", "x-amz-acl", "max-keys", "prefix", "marker") {
			if o.takes(o.query, name) != unknown || o.reached(s.operations, name) {
				continue
			}
			address := o.address(uploadID)
			sep := "?"
			if strings.Contains(address, "?") {
				sep = "&"
			}
			status, body, header := s.ask(t, o.method, address+sep+name+"=public-read", "", base...)
			wantNamed(t, fmt.Sprintf("%s with ?%s", o.name, name), status, body, header, name)
		}
	}
	if _, o, err := s.files.Open("bucket", "key"); err != nil || o.Size != 4 {
		t.Errorf("the object is %+v, %v now", o, err)
	}
	if keys, _, _ := s.keysOf(t); keys != "key" {
		t.Errorf("the bucket has %q now", keys)
	}
}

// reached tells whether the parameter makes another operation of a request for o.
func (o *operation) reached(all []operation, name string) bool {
	for _, other := range all {
		if other.marker == name && other.method == o.method && other.level == o.level && other.copies == o.copies {
			return true
		}
	}
	return name == o.marker
}

// wantNamed demands a refusal that names what was asked for.
func wantNamed(t *testing.T, what string, status int, body string, header http.Header, name string) {
	t.Helper()
	said := strings.ToLower(body + header.Get("X-Amz-Error-Message"))
	if status != 400 && status != 501 || !strings.Contains(said, strings.ToLower(name)) {
		t.Errorf("%s: %d %s", what, status, said)
	}
}

func (s *Server) keysOf(t *testing.T) (string, int, error) {
	var all []string
	for key, err := range s.files.Keys("bucket", "", "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, key)
	}
	return strings.Join(all, " "), len(all), nil
}

// TestUnknownMethods: what no row has is refused too.
func TestUnknownMethods(t *testing.T) {
	s, _ := tableServer(t)
	for request, want := range map[string]int{
		"PATCH /bucket/key": 405, "PUT /": 405, "DELETE /": 405, "POST /": 501, "POST /bucket": 501, "POST /bucket/key": 501, "PUT /bucket/key?acl": 501,
		"PUT /bucket?policy": 501, "DELETE /bucket?policy": 501, "DELETE /bucket?lifecycle": 501, "PUT /bucket?versioning": 501, "GET /bucket?policy": 404,
		"GET /bucket/key?torrent": 501, "PUT /bucket/key?tagging": 501, "DELETE /bucket/key?tagging": 501, "POST /bucket/key?select": 501, "DELETE /bucket?location": 501,
	} {
		method, path, _ := strings.Cut(request, " ")
		if status, body, _ := s.ask(t, method, path, ""); status != want {
			t.Errorf("%s: %d %s, want %d", request, status, body, want)
		}
	}
	if _, n, _ := s.keysOf(t); n != 1 {
		t.Errorf("%d keys", n)
	}
}
