package server

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// want checks a status, and that the answer says something.
func want(t *testing.T, what string, status int, body string, wantStatus int, says string) {
	t.Helper()
	if status != wantStatus || !strings.Contains(body, says) {
		t.Errorf("%s: %d %s; want %d and %q", what, status, body, wantStatus, says)
	}
}

// TestRanges: by RFC 9110, section 14, for GET and, as in S3, for HEAD.
func TestRanges(t *testing.T) {
	s, _ := tableServer(t)
	s.ask(t, "PUT", "/bucket/ten", "0123456789")
	s.ask(t, "PUT", "/bucket/none", "")
	for _, c := range []struct {
		key, header string
		status      int
		body, shown string
	}{
		{"ten", "bytes=0-9", 206, "0123456789", "bytes 0-9/10"},
		{"ten", "bytes=3-3", 206, "3", "bytes 3-3/10"},
		{"ten", "bytes=7-", 206, "789", "bytes 7-9/10"},
		{"ten", "bytes=7-100", 206, "789", "bytes 7-9/10"},
		{"ten", "bytes=-3", 206, "789", "bytes 7-9/10"},
		{"ten", "bytes=-11", 206, "0123456789", "bytes 0-9/10"},
		{"ten", "bytes=-65536", 206, "0123456789", "bytes 0-9/10"},
		{"ten", "bytes=-99999999999999999999999", 206, "0123456789", "bytes 0-9/10"},
		{"ten", "bytes=2-9223372036854775807", 206, "23456789", "bytes 2-9/10"},
		{"ten", "bytes=2-18446744073709551616", 206, "23456789", "bytes 2-9/10"},
		{"ten", "BYTES=0-0", 206, "0", "bytes 0-0/10"},
		{"ten", "bytes=10-", 416, "", "bytes */10"},
		{"ten", "bytes=10-20", 416, "", "bytes */10"},
		{"ten", "bytes=-0", 416, "", "bytes */10"},
		{"ten", "bytes=99999999999999999999-", 416, "", "bytes */10"},
		{"ten", "bytes=5-2", 200, "0123456789", ""}, // malformed: ignored
		{"ten", "bytes=a-b", 200, "0123456789", ""},
		{"ten", "bytes=", 200, "0123456789", ""},
		{"ten", "bytes=-", 200, "0123456789", ""},
		{"ten", "bytes=+1-2", 200, "0123456789", ""},
		{"ten", "bytes 0-1", 200, "0123456789", ""},
		{"ten", "lines=0-1", 200, "0123456789", ""},
		{"ten", "bytes=0-1,4-5", 200, "0123456789", ""}, // several: not honoured, as in S3
		{"none", "bytes=0-", 416, "", "bytes */0"},
		{"none", "bytes=-5", 200, "", ""},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			status, body, header := s.ask(t, method, "/bucket/"+c.key, "", "Range", c.header)
			what := fmt.Sprintf("%s %s of %s", method, c.header, c.key)
			if status != c.status || header.Get("Content-Range") != c.shown {
				t.Errorf("%s: %d %q %s", what, status, header.Get("Content-Range"), body)
				continue
			}
			if status == 416 {
				continue
			}
			if method == "HEAD" && body != "" || method == "GET" && body != c.body || header.Get("Content-Length") != fmt.Sprint(len(c.body)) {
				t.Errorf("%s: %q, length %s", what, body, header.Get("Content-Length"))
			}
		}
	}
	_, _, header := s.ask(t, "HEAD", "/bucket/ten", "")
	for validator, status := range map[string]int{
		header.Get("ETag"): 206, `"00"`: 200, header.Get("Last-Modified"): 206, "Mon, 02 Jan 2006 15:04:05 GMT": 200,
	} {
		if got, _, _ := s.ask(t, "GET", "/bucket/ten", "", "Range", "bytes=0-1", "If-Range", validator); got != status {
			t.Errorf("If-Range %s: %d", validator, got)
		}
	}
}

// FuzzParseSpan: what comes out lies within the object.
func FuzzParseSpan(f *testing.F) {
	for _, s := range []string{"0-1", "-5", "5-", "-", "99999999999999999999-", "0-9223372036854775807", "1-0"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, set string, size int64) {
		if size < 0 {
			return
		}
		if p, err := parseSpan(set, size); p != nil && (err != nil || p.start < 0 || p.length <= 0 || p.start > size-p.length) {
			t.Errorf("%q of %d: %+v, %v", set, size, p, err)
		}
	})
}

func TestReadConditions(t *testing.T) {
	s, _ := tableServer(t)
	_, _, header := s.ask(t, "HEAD", "/bucket/key", "")
	etag, modified := header.Get("ETag"), header.Get("Last-Modified")
	const long, future = "Mon, 02 Jan 2006 15:04:05 GMT", "Mon, 02 Jan 2040 15:04:05 GMT"
	for _, c := range []struct {
		header []string
		get    int
		copy   int // as X-Amz-Copy-Source-...
	}{
		{[]string{"If-Match", etag}, 200, 200},
		{[]string{"If-Match", strings.Trim(etag, `"`)}, 200, 200},
		{[]string{"If-Match", `"00"`}, 412, 412},
		{[]string{"If-Match", `"00", ` + etag}, 200, 200},
		{[]string{"If-Match", "W/" + etag}, 412, 412},
		{[]string{"If-Match", "*"}, 200, 200},
		{[]string{"If-None-Match", etag}, 304, 412},
		{[]string{"If-None-Match", "*"}, 304, 412},
		{[]string{"If-None-Match", `"00"`}, 200, 200},
		{[]string{"If-Modified-Since", long}, 200, 200},
		{[]string{"If-Modified-Since", modified}, 304, 412},
		{[]string{"If-Unmodified-Since", long}, 412, 412},
		{[]string{"If-Unmodified-Since", future}, 200, 200},
		{[]string{"If-Match", etag, "If-Unmodified-Since", long}, 200, 200},
		{[]string{"If-None-Match", `"00"`, "If-Modified-Since", modified}, 200, 200},
		{[]string{"If-Modified-Since", "yesterday"}, 200, 400},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			if status, body, _ := s.ask(t, method, "/bucket/key", "", c.header...); status != c.get {
				t.Errorf("%s %q: %d %s", method, c.header, status, body)
			}
		}
		source := []string{"X-Amz-Copy-Source", "/bucket/key"}
		for i, h := range c.header {
			if i%2 == 0 {
				h = "X-Amz-Copy-Source-" + h
			}
			source = append(source, h)
		}
		if status, body, _ := s.ask(t, "PUT", "/bucket/copy", "", source...); status != c.copy {
			t.Errorf("copy %q: %d %s", c.header, status, body)
		}
		if status, body, _ := s.ask(t, "PUT", "/bucket/parts", "", source...); status != c.copy {
			t.Errorf("copy %q: %d %s", c.header, status, body)
		}
	}
}

// TestCopyKeepsToConditions: those on its destination, and it loses nothing of the source.
func TestCopyKeepsToConditions(t *testing.T) {
	s, _ := tableServer(t)
	s.ask(t, "PUT", "/bucket/old", "precious")
	s.ask(t, "PUT", "/bucket/%C3%A4%20+%25", "new", "X-Amz-Meta-A", "1", "Content-Type", "text/x", "X-Amz-Checksum-Crc32", crc("new"))
	source := []string{"X-Amz-Copy-Source", "bucket/%C3%A4%20+%25"}
	for _, c := range [][]string{{"If-None-Match", "*"}, {"If-Match", `"00"`}} {
		status, body, _ := s.ask(t, "PUT", "/bucket/old", "", append(source, c...)...)
		want(t, fmt.Sprint(c), status, body, 412, "PreconditionFailed")
	}
	if _, body, _ := s.ask(t, "GET", "/bucket/old", ""); body != "precious" {
		t.Errorf("the object is lost: %q", body)
	}
	status, body, _ := s.ask(t, "PUT", "/bucket/copy", "", append(source, "If-None-Match", "*")...)
	want(t, "copy", status, body, 200, "<ETag>")
	_, body, header := s.ask(t, "GET", "/bucket/copy", "", "X-Amz-Checksum-Mode", "ENABLED")
	if body != "new" || !strings.Contains(fmt.Sprint(header), "x-amz-meta-a:[1]") || header.Get("Content-Type") != "text/x" || header.Get("X-Amz-Checksum-Crc32") != crc("new") {
		t.Errorf("the copy is %q, %v", body, header)
	}
	if _, _, header := s.ask(t, "GET", "/bucket/copy", "", "X-Amz-Checksum-Mode", "ENABLED", "Range", "bytes=0-1"); header.Get("X-Amz-Checksum-Crc32") != "" {
		t.Error("a part comes with the checksum of the whole")
	}
	status, body, _ = s.ask(t, "PUT", "/bucket/copy", "", append(source, "X-Amz-Meta-B", "2")...)
	want(t, "metadata without a directive", status, body, 400, "X-Amz-Metadata-Directive")
	status, body, _ = s.ask(t, "PUT", "/bucket/key", "", "X-Amz-Copy-Source", "/bucket/key")
	want(t, "onto itself", status, body, 400, "REPLACE")
	for name, c := range map[string]string{"/bucket": "want /bucket/key", "/bucket/%zz": "percent-encoded", "/bucket/key?versionId=7": "version", "/nonesuch/key": "NoSuchBucket", "/bucket/nothing": "NoSuchKey"} {
		if status, body, _ := s.ask(t, "PUT", "/bucket/copy", "", "X-Amz-Copy-Source", name); status < 400 || !strings.Contains(body, c) {
			t.Errorf("source %s: %d %s", name, status, body)
		}
	}
}

func crc(s string) string { return ofSum(crc32.ChecksumIEEE([]byte(s))) }

func ofSum(sum uint32) string {
	return base64.StdEncoding.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}

// TestChunksLeaveNoTrace: aws-chunked goes from wherever it stands in Content-Encoding, and a
// body that says one thing and is another is refused.
func TestChunksLeaveNoTrace(t *testing.T) {
	s, _ := tableServer(t)
	framed := "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + crc("hello") + "\r\n\r\n"
	chunks := []string{"X-Amz-Content-Sha256", unsignedChunks, "X-Amz-Decoded-Content-Length", "5", "X-Amz-Trailer", "x-amz-checksum-crc32"}
	for sent, kept := range map[string]string{
		"aws-chunked": "", "gzip,aws-chunked": "gzip", "aws-chunked,gzip": "gzip", "gzip, AWS-Chunked , br": "gzip,br", "gzip": "gzip", "": "",
	} {
		status, body, _ := s.ask(t, "PUT", "/bucket/x", framed, append(chunks, "Content-Encoding", sent)...)
		want(t, sent, status, body, 200, "")
		if _, body, header := s.ask(t, "GET", "/bucket/x", ""); header.Get("Content-Encoding") != kept || body != "hello" {
			t.Errorf("%q: %q, encoding %q; want %q", sent, body, header.Get("Content-Encoding"), kept)
		}
	}
	for name, c := range map[string][]string{
		"chunks that are not announced":   {"Content-Encoding", "aws-chunked"},
		"a trailer without chunks":        {"X-Amz-Trailer", "x-amz-checksum-crc32"},
		"an algorithm without its sum":    {"X-Amz-Sdk-Checksum-Algorithm", "CRC32"},
		"another algorithm than the sum":  {"X-Amz-Sdk-Checksum-Algorithm", "SHA1", "X-Amz-Checksum-Crc32", crc("hello")},
		"an unknown algorithm":            {"X-Amz-Sdk-Checksum-Algorithm", "MD4"},
		"an unknown trailer":              {"X-Amz-Content-Sha256", unsignedChunks, "X-Amz-Decoded-Content-Length", "5", "X-Amz-Trailer", "x-amz-meta-a"},
		"chunks of an unknown kind":       {"X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "X-Amz-Decoded-Content-Length", "5"},
		"chunks without a length":         {"X-Amz-Content-Sha256", unsignedChunks},
		"a digest that is none":           {"X-Amz-Content-Sha256", "abc"},
		"a checksum in header and body":   {"X-Amz-Content-Sha256", unsignedChunks, "X-Amz-Decoded-Content-Length", "5", "X-Amz-Trailer", "x-amz-checksum-crc32", "X-Amz-Checksum-Sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="},
		"announced SHA-1, trailing CRC32": append([]string{"X-Amz-Sdk-Checksum-Algorithm", "SHA1"}, chunks...),
	} {
		if status, body, _ := s.ask(t, "PUT", "/bucket/refused", framed, c...); status != 400 && status != 501 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if status, _, _ := s.ask(t, "HEAD", "/bucket/refused", ""); status != 404 {
		t.Errorf("something was stored: %d", status)
	}
}

// raw sends a request that is not signed by ask.
func (s *Server) raw(r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestSignaturesAreRefusedWithACause: in words that say what to do.
func TestSignaturesAreRefusedWithACause(t *testing.T) {
	s, _ := tableServer(t)
	now := time.Now().UTC()
	day := now.Format("20060102")
	query := func(pairs ...string) string {
		q := url.Values{"X-Amz-Algorithm": {algorithm}, "X-Amz-Credential": {"admin/" + day + "/us-east-1/s3/aws4_request"}, "X-Amz-Date": {now.Format(timeLayout)},
			"X-Amz-Expires": {"60"}, "X-Amz-SignedHeaders": {"host"}, "X-Amz-Signature": {strings.Repeat("0", 64)}}
		for i := 0; i < len(pairs); i += 2 {
			q.Set(pairs[i], pairs[i+1])
		}
		return "?" + q.Encode()
	}
	const fields = "SignedHeaders=host;x-amz-date, Signature=00"
	for _, c := range []struct {
		name, query, authorization string
		status                     int
		says                       string
	}{
		{"none", "", "", 403, "not signed"},
		{"version 2, header", "", "AWS admin:abc=", 400, "Signature Version 4 only"},
		{"version 2, query", "?AWSAccessKeyId=admin&Signature=abc%3D&Expires=4102444800", "", 400, "Signature Version 4 only"},
		{"basic", "", "Basic YTpi", 400, `"Basic"`},
		{"version 4A", "", "AWS4-ECDSA-P256-SHA256 Credential=admin/x/s3/aws4_request, " + fields, 400, "AWS4-ECDSA-P256-SHA256"},
		{"version 4A, query", query("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"), "", 400, "AWS4-ECDSA-P256-SHA256"},
		{"twice", query(), algorithm + " Credential=admin/" + day + "/r/s3/aws4_request, " + fields, 400, "twice"},
		{"no region", "", algorithm + " Credential=admin/" + day + "//s3/aws4_request, " + fields, 400, "no region"},
		{"other service", "", algorithm + " Credential=admin/" + day + "/r/ec2/aws4_request, " + fields, 400, `"ec2"`},
		{"other end", "", algorithm + " Credential=admin/" + day + "/r/s3/aws5, " + fields, 400, `"aws5"`},
		{"short credential", "", algorithm + " Credential=admin/r/s3, " + fields, 400, "Credential="},
		{"other day", "", algorithm + " Credential=admin/20200101/r/s3/aws4_request, " + fields, 400, "20200101"},
		{"unknown key", query("X-Amz-Credential", "nobody/"+day+"/r/s3/aws4_request"), "", 403, "InvalidAccessKeyId"},
		{"wrong secret", query(), "", 403, "SignatureDoesNotMatch"},
		{"expired", query("X-Amz-Date", now.Add(-2*time.Minute).Format(timeLayout), "X-Amz-Credential", "admin/"+now.Add(-2*time.Minute).Format("20060102")+"/r/s3/aws4_request"), "", 403, "expired"},
		{"not yet", query("X-Amz-Date", now.Add(time.Hour).Format(timeLayout), "X-Amz-Credential", "admin/"+now.Add(time.Hour).Format("20060102")+"/r/s3/aws4_request"), "", 403, "RequestTimeTooSkewed"},
		{"no end", query("X-Amz-Expires", "0"), "", 400, "X-Amz-Expires"},
		{"too long", query("X-Amz-Expires", "604801"), "", 400, "604800"},
		{"never", query("X-Amz-Expires", "soon"), "", 400, `"soon"`},
		{"no date", query("X-Amz-Date", ""), "", 403, "X-Amz-Date"},
		{"host is not signed", query("X-Amz-SignedHeaders", "range"), "", 403, "Host"},
		{"signed, and not there", query("X-Amz-SignedHeaders", "host;x-amz-meta-a"), "", 403, "x-amz-meta-a"},
		{"parameter twice", "?prefix=a&prefix=b", "", 400, `"prefix"`},
		{"query that is none", "?prefix=%zz", "", 400, "InvalidURI"},
	} {
		r := httptest.NewRequest("GET", "http://host/bucket/key"+c.query, nil)
		r.Header.Set("X-Amz-Date", now.Format(timeLayout))
		if strings.Contains(c.query, "X-Amz-") {
			r.Header.Del("X-Amz-Date")
		}
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		status, body := s.raw(r)
		want(t, c.name, status, body, c.status, c.says)
	}
	skewed := httptest.NewRequest("GET", "http://host/bucket/key", nil)
	then := now.Add(-24 * time.Hour)
	skewed.Header.Set("X-Amz-Date", then.Format(timeLayout))
	skewed.Header.Set("Authorization", algorithm+" Credential=admin/"+then.Format("20060102")+"/r/s3/aws4_request, "+fields)
	status, body := s.raw(skewed)
	want(t, "clock", status, body, 403, "set the clocks")
	head := httptest.NewRequest("HEAD", "http://host/bucket/key", nil)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, head)
	if !strings.Contains(w.Header().Get("X-Amz-Error-Message"), "not signed") {
		t.Errorf("HEAD tells no cause: %v", w.Header())
	}
}

// TestHeadersInAPresignedQuery: some clients put headers into the address; they count as if they
// had come as headers.
func TestHeadersInAPresignedQuery(t *testing.T) {
	s, _ := tableServer(t)
	for _, c := range []struct {
		query  string
		status int
		says   string
	}{
		{"x-amz-meta-a=b", 200, ""},
		{"X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&x-id=PutObject", 200, ""},
		{"x-amz-checksum-crc32=AAAAAA%3D%3D", 400, "BadDigest"}, // of the empty body, as some presign it
		{"x-amz-checksum-crc32=" + url.QueryEscape(crc("data")), 200, ""},
		{"x-amz-server-side-encryption=AES256", 501, "X-Amz-Server-Side-Encryption"},
		{"x-amz-acl=public-read", 501, "X-Amz-Acl"},
		{"x-amz-acl=private", 200, ""},
		{"x-amz-security-token=t", 501, "X-Amz-Security-Token"},
		{"x-id=GetObject", 400, "PutObject"},
		{"x-amz-copy-source=%2Fbucket%2Fkey", 400, "no body"},
	} {
		r := presign(t, "PUT", "/bucket/presigned", c.query, "data")
		status, body := s.raw(r)
		want(t, c.query, status, body, c.status, c.says)
	}
	if _, _, header := s.ask(t, "HEAD", "/bucket/presigned", ""); header.Get("ETag") == "" {
		t.Error("nothing was stored")
	}
	r := presign(t, "PUT", "/bucket/presigned", "x-amz-meta-a=b", "data")
	r.Header.Set("X-Amz-Meta-A", "c")
	if status, body := s.raw(r); status != 403 {
		t.Errorf("a header that is not signed: %d %s", status, body)
	}
}

// presign signs a request of the admin by its query.
func presign(t *testing.T, method, path, extra, body string) *http.Request {
	t.Helper()
	now := time.Now().UTC()
	scope := []string{now.Format("20060102"), "us-east-1", "s3", "aws4_request"}
	raw := extra + "&X-Amz-Algorithm=" + algorithm + "&X-Amz-Credential=" + url.QueryEscape("admin/"+strings.Join(scope, "/")) +
		"&X-Amz-Date=" + now.Format(timeLayout) + "&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
	q, err := parseQuery(raw)
	if err != nil {
		t.Fatal(err)
	}
	a := &auth{presigned: true, scope: scope, key: Key{Secret: "admin-secret"}}
	r := httptest.NewRequest(method, "http://host"+path, strings.NewReader(body))
	canonical := strings.Join([]string{method, encode(path, true), q.canonical(), "host:host\n", "host", a.payload(r, q)}, "\n")
	toSign := strings.Join([]string{algorithm, now.Format(timeLayout), strings.Join(scope, "/"), sha256Hex(canonical)}, "\n")
	r.URL.RawQuery = raw + fmt.Sprintf("&X-Amz-Signature=%x", sign(a.signingKey(), toSign))
	return r
}

// TestPresignedVector is the example of AWS's own documentation.
func TestPresignedVector(t *testing.T) {
	q, err := parseQuery("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host")
	if err != nil {
		t.Fatal(err)
	}
	a := &auth{presigned: true, scope: []string{"20130524", "us-east-1", "s3", "aws4_request"}, key: Key{Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}}
	canonical := strings.Join([]string{"GET", "/test.txt", q.canonical(), "host:examplebucket.s3.amazonaws.com\n", "host", unsignedPayload}, "\n")
	got := fmt.Sprintf("%x", sign(a.signingKey(), strings.Join([]string{algorithm, "20130524T000000Z", strings.Join(a.scope, "/"), sha256Hex(canonical)}, "\n")))
	if got != "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404" {
		t.Errorf("signature %s", got)
	}
}

// TestBulkDelete: one key that is wrong is no fault of the others.
func TestBulkDelete(t *testing.T) {
	s, _ := tableServer(t)
	for _, key := range []string{"a", "b", "c", "odd%EF%BF%BF", "%EE%82%A5"} {
		s.ask(t, "PUT", "/bucket/"+key, "x")
	}
	document := func(items ...string) string {
		return "<Delete><Object>" + strings.Join(items, "</Object><Object>") + "</Object></Delete>"
	}
	status, body, _ := s.ask(t, "POST", "/bucket?delete", document("<Key>a</Key>", "<Key>odd\uffff</Key>", "<Key>odd&#xFFFF;</Key>", "<Key>odd&#65535;</Key>", "<Key>&#1;</Key>",
		"<Key>\ue0a5</Key>", "<Key>never there</Key>", "<Key>b</Key><VersionId>7</VersionId>", "<Key>b</Key><ETag>00</ETag>", "<Key>b</Key><Size>1</Size>", "<Key>c</Key><VersionId>null</VersionId>"))
	if status != 200 {
		t.Fatal(status, body)
	}
	var got struct {
		Deleted []struct{ Key string }
		Error   []struct{ Key, Code, Message string }
	}
	if err := xml.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	deleted, failed := []string{}, []string{}
	for _, d := range got.Deleted {
		deleted = append(deleted, d.Key)
	}
	for _, e := range got.Error {
		failed = append(failed, e.Key+" "+e.Code)
	}
	if d := strings.Join(deleted, "|"); d != "a|\ue0a5|never there|c" {
		t.Errorf("deleted %q", d)
	}
	if f := strings.Join(failed, "|"); f != "odd\ufffd InvalidArgument|odd\ufffd InvalidArgument|odd\ufffd InvalidArgument|\ufffd InvalidArgument|b NoSuchVersion|b PreconditionFailed|b NotImplemented" {
		t.Errorf("failed %q", f)
	}
	if keys, _, _ := s.keysOf(t); keys != "b key odd\uffff" {
		t.Errorf("left: %q", keys)
	}
	if _, body, _ := s.ask(t, "GET", "/bucket?list-type=2&encoding-type=url", ""); !strings.Contains(body, "<Key>odd%EF%BF%BF</Key>") {
		t.Errorf("listing: %s", body)
	}
	if _, body, _ := s.ask(t, "GET", "/bucket?list-type=2", ""); !strings.Contains(body, "<Key>odd&#xFFFF;</Key>") {
		t.Errorf("listing: %s", body)
	}
	if status, body, _ := s.ask(t, "DELETE", "/bucket/odd%EF%BF%BF", ""); status != 204 {
		t.Errorf("by itself: %d %s", status, body)
	}
	for name, c := range map[string]string{"empty": "<Delete></Delete>", "too many": document(strings.Repeat("<Key>x</Key></Object><Object>", 1000) + "<Key>x</Key>"), "no XML": "x", "two": "<Delete/><Delete/>", "half": "<Delete><Object>"} {
		status, body, _ := s.ask(t, "POST", "/bucket?delete", c)
		want(t, name, status, body, 400, "MalformedXML")
	}
	sum := md5.Sum([]byte(document("<Key>b</Key>")))
	status, body, _ = s.ask(t, "POST", "/bucket?delete", document("<Key>key</Key>"), "Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
	want(t, "another digest", status, body, 400, "BadDigest")
	status, body, _ = s.ask(t, "POST", "/bucket?delete", document("<Key>key</Key>"), "X-Amz-Checksum-Crc32", "AAAAAA==")
	want(t, "another checksum", status, body, 400, "BadDigest")
	if keys, _, _ := s.keysOf(t); keys != "b key" {
		t.Errorf("left: %q", keys)
	}
}

// FuzzUnescape: what is escaped comes back.
func FuzzUnescape(f *testing.F) {
	f.Add("a\uffff\ue0a5\x01")
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "")
		if strings.Contains(s, "&#") {
			return
		}
		if got, _ := unescape(string(escapeIllegal([]byte(s)))); got != s {
			t.Errorf("%q: %q", s, got)
		}
	})
}

// TestListingsCount: pages of nothing end, and counts are there.
func TestListingsCount(t *testing.T) {
	s, id := tableServer(t)
	for path, says := range map[string]string{
		"/bucket?list-type=2&max-keys=0":                      "<MaxKeys>0</MaxKeys><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount>",
		"/bucket?max-keys=0":                                  "<IsTruncated>false</IsTruncated>",
		"/bucket?list-type=2&prefix=none":                     "<KeyCount>0</KeyCount>",
		"/bucket?list-type=2&max-keys=100000":                 "<MaxKeys>1000</MaxKeys>",
		"/bucket/up?uploadId=" + id + "&max-parts=0":          "<IsTruncated>false</IsTruncated>",
		"/bucket?uploads&max-uploads=0":                       "<IsTruncated>false</IsTruncated>",
		"/bucket?uploads":                                     "<UploadId>" + id,
		"/bucket?versions":                                    "<VersionId>null</VersionId>",
		"/bucket?versions&max-keys=0":                         "<IsTruncated>false</IsTruncated>",
		"/bucket?location":                                    "LocationConstraint",
		"/bucket/key?tagging":                                 "<TagSet></TagSet>",
		"/bucket/key?acl":                                     "FULL_CONTROL",
		"/bucket?list-type=2&continuation-token=%21":          "continuation-token",
		"/bucket?list-type=2&continuation-token=":             "continuation-token",
		"/bucket?list-type=3":                                 "list-type",
		"/bucket?list-type=2&max-keys=-1":                     "max-keys",
		"/bucket?list-type=2&max-keys=many":                   "max-keys",
		"/bucket?list-type=2&encoding-type=base64":            "encoding-type",
		"/bucket?list-type=2&fetch-owner=true":                "<Owner>",
		"/bucket/up?uploadId=" + id + "&part-number-marker=x": "part-number-marker",
	} {
		if _, body, _ := s.ask(t, "GET", path, ""); !strings.Contains(body, says) {
			t.Errorf("%s: %s, want %s", path, body, says)
		}
	}
	_, body, _ := s.ask(t, "GET", "/bucket/key?attributes", "", "X-Amz-Object-Attributes", "ETag,ObjectSize,StorageClass")
	want(t, "attributes", 200, body, 200, "<ObjectSize>4</ObjectSize>")
}

// TestChecksumsOfParts: what an upload announced is computed, compared and kept.
func TestChecksumsOfParts(t *testing.T) {
	s, _ := tableServer(t)
	begin := func(header ...string) string {
		t.Helper()
		status, body, _ := s.ask(t, "POST", "/bucket/m?uploads", "", header...)
		if status != 200 {
			t.Fatal(status, body)
		}
		_, id, _ := strings.Cut(body, "<UploadId>")
		id, _, _ = strings.Cut(id, "<")
		return id
	}
	part := func(id string, n int, body string, header ...string) (int, string, string) {
		status, answer, h := s.ask(t, "PUT", fmt.Sprintf("/bucket/m?uploadId=%s&partNumber=%d", id, n), body, header...)
		return status, answer, h.Get("ETag")
	}
	complete := func(id, parts string, header ...string) (int, string) {
		status, body, _ := s.ask(t, "POST", "/bucket/m?uploadId="+id, "<CompleteMultipartUpload>"+parts+"</CompleteMultipartUpload>", header...)
		return status, body
	}
	xmlPart := func(n int, etag, more string) string {
		return fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag>%s</Part>", n, etag, more)
	}
	a, b := strings.Repeat("a", 1000), "tail"

	for name, header := range map[string][]string{
		"CRC64NVME, composite":   {"X-Amz-Checksum-Algorithm", "CRC64NVME", "X-Amz-Checksum-Type", "COMPOSITE"},
		"SHA256 of the object":   {"X-Amz-Checksum-Algorithm", "SHA256", "X-Amz-Checksum-Type", "FULL_OBJECT"},
		"a type by itself":       {"X-Amz-Checksum-Type", "COMPOSITE"},
		"an unknown algorithm":   {"X-Amz-Checksum-Algorithm", "MD5"},
		"encryption":             {"X-Amz-Server-Side-Encryption", "AES256"},
		"a checksum of its body": {"X-Amz-Checksum-Crc32", "AAAAAA=="},
	} {
		if status, body, _ := s.ask(t, "POST", "/bucket/m?uploads", "", header...); status != 400 && status != 501 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	for _, kind := range []string{composite, fullObject} {
		id := begin("X-Amz-Checksum-Algorithm", "CRC32", "X-Amz-Checksum-Type", kind)
		status, body, _ := part(id, 1, a, "X-Amz-Checksum-Sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00=")
		want(t, "part with another checksum", status, body, 400, "SHA1")
		_, _, tagA := part(id, 1, a, "X-Amz-Checksum-Crc32", crc(a))
		_, _, tagB := part(id, 2, b) // computed here
		_, listed, _ := s.ask(t, "GET", "/bucket/m?uploadId="+id, "")
		want(t, "listed", 200, listed, 200, "<ChecksumCRC32>"+crc(b))
		parts := xmlPart(1, tagA, "<ChecksumCRC32>"+crc(a)+"</ChecksumCRC32>") + xmlPart(2, strings.Trim(tagB, `"`), "")
		for name, c := range map[string][]string{
			"another size": {"X-Amz-Mp-Object-Size", "7"}, "another checksum": {"X-Amz-Checksum-Crc32", "AAAAAA=="}, "another algorithm": {"X-Amz-Checksum-Sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="},
			"another type": {"X-Amz-Checksum-Type", map[string]string{composite: fullObject, fullObject: composite}[kind]},
		} {
			if status, body := complete(id, parts, c...); status != 400 {
				t.Errorf("%s, %s: %d %s", kind, name, status, body)
			}
		}
		status, body = complete(id, strings.Replace(parts, crc(a), "AAAAAA==", 1))
		want(t, "another part's checksum", status, body, 400, "InvalidPart")
		sum := crc(a + b)
		if kind == composite {
			first, _ := base64.StdEncoding.DecodeString(crc(a))
			second, _ := base64.StdEncoding.DecodeString(crc(b))
			sum = ofSum(crc32.ChecksumIEEE(append(first, second...))) + "-2"
		}
		status, body = complete(id, parts, "X-Amz-Mp-Object-Size", "1004", "X-Amz-Checksum-Crc32", sum, "X-Amz-Checksum-Type", kind)
		want(t, kind, status, body, 200, "<ChecksumCRC32>"+sum)
		_, got, header := s.ask(t, "GET", "/bucket/m", "", "X-Amz-Checksum-Mode", "ENABLED")
		if got != a+b || header.Get("X-Amz-Checksum-Crc32") != sum || header.Get("X-Amz-Checksum-Type") != kind || !strings.HasSuffix(header.Get("ETag"), `-2"`) {
			t.Errorf("%s: %d bytes, %v", kind, len(got), header)
		}
	}

	// A condition that came with the beginning holds at the end.
	s.ask(t, "DELETE", "/bucket/m", "")
	id := begin("If-None-Match", "*")
	_, _, tag := part(id, 1, a)
	s.ask(t, "PUT", "/bucket/m", "meanwhile")
	status, body := complete(id, xmlPart(1, tag, ""))
	want(t, "key taken meanwhile", status, body, 412, "PreconditionFailed")
	if status, body, _ := s.ask(t, "POST", "/bucket/m?uploads", "", "If-None-Match", "*"); status != 412 {
		t.Errorf("key taken before: %d %s", status, body)
	}

	// Parts out of other objects.
	id = begin()
	for name, c := range map[string]struct {
		status int
		header []string
	}{
		"beyond the end": {400, []string{"X-Amz-Copy-Source-Range", "bytes=0-9"}}, "suffix": {400, []string{"X-Amz-Copy-Source-Range", "bytes=-3"}},
		"condition": {412, []string{"X-Amz-Copy-Source-If-Match", `"00"`}}, "within": {200, []string{"X-Amz-Copy-Source-Range", "bytes=3-8"}},
	} {
		status, body, _ := s.ask(t, "PUT", "/bucket/m?uploadId="+id+"&partNumber=1", "", append(c.header, "X-Amz-Copy-Source", "/bucket/m")...)
		want(t, name, status, body, c.status, "")
	}
	status, body, _ = s.ask(t, "GET", "/bucket/m?uploadId="+id, "")
	want(t, "copied part", status, body, 200, "<Size>6</Size>")
	for _, n := range []string{"0", "10001", "x", ""} {
		status, body, _ := s.ask(t, "PUT", "/bucket/m?uploadId="+id+"&partNumber="+n, "x")
		want(t, "part "+n, status, body, 400, "partNumber")
	}
}

// TestCombine: the CRC of two stretches from theirs, against the CRC of both.
func TestCombine(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		data := make([]byte, r.IntN(5000))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		cut := r.IntN(len(data) + 1)
		for header, sum := range map[string]func([]byte) uint64{
			"Crc32":     func(b []byte) uint64 { return uint64(crc32.ChecksumIEEE(b)) },
			"Crc32c":    func(b []byte) uint64 { return uint64(crc32.Checksum(b, castagnoli)) },
			"Crc64nvme": func(b []byte) uint64 { return crc64.Checksum(b, nvme) },
		} {
			c := newChecksum(checksumPrefix + header)
			c.hash.Write(data[cut:])
			if got := c.combine(sum(data[:cut]), c.hash.Sum(nil), int64(len(data)-cut)); got != sum(data) {
				t.Fatalf("%s of %d + %d bytes: %x, want %x", header, cut, len(data)-cut, got, sum(data))
			}
		}
	}
}

// TestQuota: a bucket takes no more than it may, uploads in parts included, and what is deleted
// makes room.
func TestQuota(t *testing.T) {
	dir := t.TempDir()
	open := func() *Server {
		s, err := Open(Config{Dir: dir, Keys: []Key{{AccessKey: "admin", Secret: "admin-secret", Admin: true}}, BucketBytes: 10_000, BucketUploads: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range []string{"bucket", "other"} {
			if err := s.CreateBucket(b); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	s := open()
	body := strings.Repeat("x", 4000)
	put := func(path string, wanted int) {
		t.Helper()
		if status, answer, _ := s.ask(t, "PUT", path, body); status != wanted {
			t.Errorf("%s: %d %s, want %d", path, status, answer, wanted)
		}
	}
	put("/bucket/a", 200)
	put("/bucket/b", 200)
	put("/bucket/c", 507)
	put("/other/c", 200)
	s = open() // counted again
	put("/bucket/c", 507)
	s.ask(t, "DELETE", "/bucket/a", "")
	put("/bucket/c", 200)
	for range 5 { // the same again takes no more room once the old one is gone
		s.ask(t, "DELETE", "/bucket/b", "")
		put("/bucket/b", 200)
	}
	var ids []string
	for range 2 {
		_, answer, _ := s.ask(t, "POST", "/bucket/up?uploads", "")
		_, id, _ := strings.Cut(answer, "<UploadId>")
		id, _, _ = strings.Cut(id, "<")
		ids = append(ids, id)
	}
	status, answer, _ := s.ask(t, "POST", "/bucket/up?uploads", "")
	want(t, "third upload", status, answer, 507, "unfinished uploads")
	put("/bucket/up?partNumber=1&uploadId="+ids[0], 507)
	s.ask(t, "DELETE", "/bucket/c", "")
	put("/bucket/up?partNumber=1&uploadId="+ids[0], 200)
	put("/bucket/c", 507)
	for _, id := range ids {
		s.ask(t, "DELETE", "/bucket/up?uploadId="+id, "")
	}
	put("/bucket/c", 200)
}

// TestPathStyleHint: a client that puts the bucket into the host's name learns that.
func TestPathStyleHint(t *testing.T) {
	s, _ := tableServer(t)
	r := presignHost(t, "bucket.host", "/key")
	status, body := s.raw(r)
	want(t, "bucket in the host", status, body, 404, "path-style")
}

func presignHost(t *testing.T, host, path string) *http.Request {
	t.Helper()
	now := time.Now().UTC()
	scope := []string{now.Format("20060102"), "us-east-1", "s3", "aws4_request"}
	raw := "X-Amz-Algorithm=" + algorithm + "&X-Amz-Credential=" + url.QueryEscape("admin/"+strings.Join(scope, "/")) + "&X-Amz-Date=" + now.Format(timeLayout) + "&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
	q, err := parseQuery(raw)
	if err != nil {
		t.Fatal(err)
	}
	a := &auth{presigned: true, scope: scope, key: Key{Secret: "admin-secret"}}
	canonical := strings.Join([]string{"GET", path, q.canonical(), "host:" + host + "\n", "host", unsignedPayload}, "\n")
	r := httptest.NewRequest("GET", "http://"+host+path, nil)
	r.URL.RawQuery = raw + fmt.Sprintf("&X-Amz-Signature=%x", sign(a.signingKey(), strings.Join([]string{algorithm, now.Format(timeLayout), strings.Join(scope, "/"), sha256Hex(canonical)}, "\n")))
	return r
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
