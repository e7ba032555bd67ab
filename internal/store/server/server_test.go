package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/signer"
	"go.uber.org/goleak"

	"templar/internal/store"
	"templar/internal/store/s3"
	"templar/internal/store/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var admin = server.Key{AccessKey: "admin", Secret: "admin-secret", Admin: true}

// start opens a server with a bucket, for the admin and more keys, until the test ends.
func start(t *testing.T, c server.Config) *httptest.Server {
	t.Helper()
	c.Keys = append(c.Keys, admin)
	s, err := server.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is there
		if err := s.CreateBucket("bucket"); err != nil {
			t.Fatal(err)
		}
	}
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	return h
}

// client is a plain S3 client as anybody would configure it.
func client(t *testing.T, h *httptest.Server, key server.Key, transport http.RoundTripper) *minio.Core {
	t.Helper()
	if transport == nil {
		transport = h.Client().Transport
	}
	return dialMinio(t, strings.TrimPrefix(h.URL, "http://"), key, transport)
}

func dialMinio(t *testing.T, address string, key server.Key, transport http.RoundTripper) *minio.Core {
	t.Helper()
	c, err := minio.NewCore(address, &minio.Options{
		Creds: credentials.NewStaticV4(key.AccessKey, key.Secret.Reveal(), ""), Region: "us-east-1",
		BucketLookup: minio.BucketLookupPath, Transport: transport, MaxRetries: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if got := minio.ToErrorResponse(err).Code; got != code {
		t.Errorf("%s: got %v (code %q), want code %q", what, err, got, code)
	}
}

func putObject(t *testing.T, c *minio.Core, key, body string) {
	t.Helper()
	if _, err := c.PutObject(t.Context(), "bucket", key, strings.NewReader(body), int64(len(body)), "", "", minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}

func getObject(t *testing.T, c *minio.Core, key string) (string, minio.ObjectInfo) {
	t.Helper()
	body, info, _, err := c.GetObject(t.Context(), "bucket", key, minio.GetObjectOptions{})
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), info
}

func TestRightsPerBucket(t *testing.T) {
	reader := server.Key{AccessKey: "reader", Secret: "r-secret", Grants: []server.Grant{{Bucket: "bucket"}}}
	writer := server.Key{AccessKey: "writer", Secret: "w-secret", Grants: []server.Grant{{Bucket: "bucket", Write: true}}}
	other := server.Key{AccessKey: "other", Secret: "o-secret", Grants: []server.Grant{{Bucket: "other", Write: true}}}
	h := start(t, server.Config{Dir: t.TempDir(), Keys: []server.Key{reader, writer, other}})
	putObject(t, client(t, h, admin, nil), "key", "data")
	if err := client(t, h, admin, nil).MakeBucket(t.Context(), "other", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	nobody := server.Key{AccessKey: "nobody", Secret: "n-secret"}
	forged := server.Key{AccessKey: "writer", Secret: "r-secret"}
	operations := map[string]func(*minio.Core) error{
		"get": func(c *minio.Core) error {
			_, _, _, err := c.GetObject(t.Context(), "bucket", "key", minio.GetObjectOptions{})
			return err
		},
		"list": func(c *minio.Core) error { _, err := c.ListObjectsV2("bucket", "", "", "", "", 10); return err },
		"uploads": func(c *minio.Core) error {
			_, err := c.ListMultipartUploads(t.Context(), "bucket", "", "", "", "", 10)
			return err
		},
		"put": func(c *minio.Core) error {
			_, err := c.PutObject(t.Context(), "bucket", "new", strings.NewReader("x"), 1, "", "", minio.PutObjectOptions{})
			return err
		},
		"delete": func(c *minio.Core) error {
			return c.RemoveObject(t.Context(), "bucket", "new", minio.RemoveObjectOptions{})
		},
		"multipart": func(c *minio.Core) error {
			_, err := c.NewMultipartUpload(t.Context(), "bucket", "new", minio.PutObjectOptions{})
			return err
		},
		"copy out": func(c *minio.Core) error {
			_, err := c.CopyObject(t.Context(), "bucket", "key", "other", "copy", nil, minio.CopySrcOptions{}, minio.PutObjectOptions{})
			return err
		},
		"make bucket": func(c *minio.Core) error {
			return c.MakeBucket(t.Context(), "bucket-"+fmt.Sprint(time.Now().UnixNano()), minio.MakeBucketOptions{})
		},
		"remove bucket": func(c *minio.Core) error { return c.RemoveBucket(t.Context(), "nonesuch") },
		"list buckets":  func(c *minio.Core) error { _, err := c.ListBuckets(t.Context()); return err },
	}
	const reads, writes = "get list uploads", "put delete multipart"
	for _, who := range []struct {
		key  server.Key
		may  string
		code string
	}{
		{reader, reads, "AccessDenied"},
		{writer, reads + " " + writes, "AccessDenied"},
		{other, "", "AccessDenied"},
		{nobody, "", "InvalidAccessKeyId"},
		{forged, "", "SignatureDoesNotMatch"},
		{admin, reads + " " + writes + " copy out make bucket list buckets", "NoSuchBucket"},
	} {
		for name, do := range operations {
			err := do(client(t, h, who.key, nil))
			if may := strings.Contains(who.may, name); may && err != nil {
				t.Errorf("%s may %s, but: %v", who.key.AccessKey, name, err)
			} else if !may {
				wantCode(t, who.key.AccessKey+": "+name, err, who.code)
			}
		}
	}
}

// mangle changes requests after they were signed.
type mangle struct {
	http.RoundTripper
	change func(*http.Request)
}

func (m mangle) RoundTrip(r *http.Request) (*http.Response, error) {
	m.change(r)
	return m.RoundTripper.RoundTrip(r)
}

func TestSignatureCoversTheRequest(t *testing.T) {
	other := server.Key{AccessKey: "other", Secret: "o-secret", Grants: []server.Grant{{Bucket: "other"}}}
	h := start(t, server.Config{Dir: t.TempDir(), Keys: []server.Key{other}})
	putObject(t, client(t, h, admin, nil), "key", "data")
	for name, c := range map[string]struct {
		key    server.Key
		change func(*http.Request)
	}{
		"other path":          {admin, func(r *http.Request) { r.URL.Path = "/bucket/other" }},
		"other query":         {admin, func(r *http.Request) { r.URL.RawQuery = "acl" }},
		"other method":        {admin, func(r *http.Request) { r.Method = http.MethodDelete }},
		"old":                 {admin, func(r *http.Request) { r.Header.Set("X-Amz-Date", "20200101T000000Z") }},
		"no signature":        {admin, func(r *http.Request) { r.Header.Del("Authorization") }},
		"unsigned header":     {admin, func(r *http.Request) { r.Header.Set("X-Amz-Copy-Source", "/other/key") }},
		"admin's id in query": {other, func(r *http.Request) { r.URL.RawQuery = "X-Amz-Credential=admin/20260101/auto/s3/aws4_request" }},
	} {
		tr := mangle{h.Client().Transport, c.change}
		_, err := client(t, h, c.key, tr).StatObject(t.Context(), "bucket", "key", minio.StatObjectOptions{})
		if s := minio.ToErrorResponse(err).StatusCode; s != http.StatusForbidden && s != http.StatusBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, _ := getObject(t, client(t, h, admin, nil), "key"); got != "data" {
		t.Errorf("object is now %q", got)
	}
}

// flipBit damages a body on its way.
func flipBit(r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	b, _ := io.ReadAll(r.Body)
	r.Body.Close()
	b[len(b)/2] ^= 1
	r.Body = io.NopCloser(bytes.NewReader(b))
}

func TestDamagedBodiesAreRefused(t *testing.T) {
	h := start(t, server.Config{Dir: t.TempDir()})
	good, bad := client(t, h, admin, nil), client(t, h, admin, mangle{h.Client().Transport, flipBit})
	body := strings.Repeat("0123456789", 20_000)
	const sha = "9f8b1a8b7c6a5d4e3f2a1b0c9d8e7f60718293a4b5c6d7e8f9a0b1c2d3e4f506" // of something else
	put := func(c *minio.Core, md5, sha string, o minio.PutObjectOptions) error {
		_, err := c.PutObject(t.Context(), "bucket", "key", strings.NewReader(body), int64(len(body)), md5, sha, o)
		return err
	}
	unsigned := minio.PutObjectOptions{DisableContentSha256: true}
	if err := put(good, "", "", minio.PutObjectOptions{}); err != nil { // in signed chunks
		t.Fatal(err)
	}
	if got, _ := getObject(t, good, "key"); got != body {
		t.Error("a body in signed chunks was stored wrong")
	}
	if err := good.RemoveObject(t.Context(), "bucket", "key", minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "signed chunks", put(bad, "", "", minio.PutObjectOptions{}), "IncompleteBody")
	wantCode(t, "sha256", put(good, "", sha, unsigned), "BadDigest")
	wantCode(t, "md5", put(good, "AAAAAAAAAAAAAAAAAAAAAA==", "", unsigned), "BadDigest")
	if _, err := good.StatObject(t.Context(), "bucket", "key", minio.StatObjectOptions{}); minio.ToErrorResponse(err).StatusCode != http.StatusNotFound {
		t.Errorf("a damaged body was stored: %v", err)
	}
	for _, o := range []minio.PutObjectPartOptions{{}, {Sha256Hex: sha, DisableContentSha256: true}, {Md5Base64: "AAAAAAAAAAAAAAAAAAAAAA==", DisableContentSha256: true}} {
		id, err := good.NewMultipartUpload(t.Context(), "bucket", "key", minio.PutObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c := good
		if o.Sha256Hex == "" && o.Md5Base64 == "" {
			c = bad
		}
		if _, err = c.PutObjectPart(t.Context(), "bucket", "key", id, 1, strings.NewReader(body), int64(len(body)), o); err == nil {
			t.Errorf("a damaged part was stored (%+v)", o)
		}
		if parts, err := good.ListObjectParts(t.Context(), "bucket", "key", id, 0, 10); err != nil || len(parts.ObjectParts) != 0 {
			t.Errorf("parts after a damaged one: %v, %v", parts.ObjectParts, err)
		}
	}
}

func TestMultipartSurvivesARestart(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 1, 2, 3, 4, 5, 600e6, time.UTC)
	config := server.Config{Dir: dir, Now: func() time.Time { return now }}
	part := func(i int) string { return strings.Repeat(string(rune('a'+i)), 5<<20) }
	before := client(t, start(t, config), admin, nil)
	id, err := before.NewMultipartUpload(t.Context(), "bucket", "big", minio.PutObjectOptions{ContentType: "text/plain", UserMetadata: map[string]string{"Answer": "42"}})
	if err != nil {
		t.Fatal(err)
	}
	var parts []minio.CompletePart
	send := func(c *minio.Core, n int) {
		p, err := c.PutObjectPart(t.Context(), "bucket", "big", id, n, strings.NewReader(part(n)), 5<<20, minio.PutObjectPartOptions{})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, minio.CompletePart{PartNumber: n, ETag: p.ETag})
	}
	send(before, 1)
	send(before, 3)

	now = now.Add(time.Hour)
	c := client(t, start(t, config), admin, nil)
	uploads, err := c.ListMultipartUploads(t.Context(), "bucket", "b", "", "", "", 10)
	if err != nil || len(uploads.Uploads) != 1 || uploads.Uploads[0].UploadID != id {
		t.Errorf("uploads after a restart: %+v, %v", uploads.Uploads, err)
	}
	first, err := c.ListObjectParts(t.Context(), "bucket", "big", id, 0, 1)
	if err != nil || len(first.ObjectParts) != 1 || !first.IsTruncated || first.NextPartNumberMarker != 1 {
		t.Fatalf("first page of parts: %+v, %v", first, err)
	}
	rest, err := c.ListObjectParts(t.Context(), "bucket", "big", id, 1, 10)
	if err != nil || len(rest.ObjectParts) != 1 || rest.ObjectParts[0].PartNumber != 3 || rest.ObjectParts[0].Size != 5<<20 {
		t.Fatalf("rest of the parts: %+v, %v", rest, err)
	}
	if none, err := c.ListObjectParts(t.Context(), "bucket", "big", id, 99999, 10); err != nil || len(none.ObjectParts) != 0 {
		t.Errorf("parts after the last: %+v, %v", none, err)
	}

	complete := func(parts []minio.CompletePart) error {
		_, err := c.CompleteMultipartUpload(t.Context(), "bucket", "big", id, parts, minio.PutObjectOptions{})
		return err
	}
	wantCode(t, "parts out of order", complete([]minio.CompletePart{parts[1], parts[0]}), "InvalidPartOrder")
	wantCode(t, "a part that is not there", complete([]minio.CompletePart{{PartNumber: 2, ETag: parts[0].ETag}}), "InvalidPart")
	wantCode(t, "a part of another ETag", complete([]minio.CompletePart{{PartNumber: 1, ETag: parts[1].ETag}}), "InvalidPart")
	wantCode(t, "no parts", complete(nil), "InvalidPart")
	if err := complete(parts); err != nil {
		t.Fatal(err)
	}
	got, info := getObject(t, c, "big")
	if got != part(1)+part(3) {
		t.Error("the parts were joined wrong")
	}
	if want := now.Truncate(time.Second); !info.LastModified.Equal(want) || info.ContentType != "text/plain" || info.UserMetadata["Answer"] != "42" {
		t.Errorf("info %+v; want modified when it was completed, %v", info, want)
	}
	if len(info.ETag) == 32 {
		t.Errorf("ETag %s looks like the MD5 of the data", info.ETag)
	}
	wantCode(t, "abort of a completed upload", c.AbortMultipartUpload(t.Context(), "bucket", "big", id), "NoSuchUpload")
	wantCode(t, "upload id that climbs", c.AbortMultipartUpload(t.Context(), "bucket", "big", "../buckets/bucket"), "NoSuchUpload")
	if left, err := os.ReadDir(filepath.Join(dir, "uploads")); err != nil || len(left) != 0 {
		t.Errorf("left of the upload: %v, %v", left, err)
	}
}

func TestMultipartConditionAndAbort(t *testing.T) {
	c := client(t, start(t, server.Config{Dir: t.TempDir()}), admin, nil)
	putObject(t, c, "key", "first")
	id, err := c.NewMultipartUpload(t.Context(), "bucket", "key", minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.PutObjectPart(t.Context(), "bucket", "key", id, 1, strings.NewReader("second"), 6, minio.PutObjectPartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var once minio.PutObjectOptions
	once.SetMatchETagExcept("*")
	_, err = c.CompleteMultipartUpload(t.Context(), "bucket", "key", id, []minio.CompletePart{{PartNumber: 1, ETag: p.ETag}}, once)
	wantCode(t, "complete where there is an object", err, "PreconditionFailed")
	if err := c.AbortMultipartUpload(t.Context(), "bucket", "key", id); err != nil {
		t.Error(err)
	}
	_, err = c.PutObjectPart(t.Context(), "bucket", "key", id, 1, strings.NewReader("second"), 6, minio.PutObjectPartOptions{})
	wantCode(t, "part of an aborted upload", err, "NoSuchUpload")
	if got, _ := getObject(t, c, "key"); got != "first" {
		t.Errorf("object is now %q", got)
	}
}

func TestReopen(t *testing.T) {
	dir, then := t.TempDir(), time.Date(2026, 1, 2, 3, 4, 5, 999e6, time.UTC)
	c := client(t, start(t, server.Config{Dir: dir, Fsync: true, Now: func() time.Time { return then }}), admin, nil)
	putObject(t, c, "key", "data")
	_, before := getObject(t, c, "key")
	got, after := getObject(t, client(t, start(t, server.Config{Dir: dir}), admin, nil), "key")
	if got != "data" || after.ETag != before.ETag || !after.LastModified.Equal(then.Truncate(time.Second)) {
		t.Errorf("after a restart: %q, %+v; before: %+v", got, after, before)
	}
}

// TestCutUploadLeavesNothing sends half of a body and hangs up.
func TestCutUploadLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	h := start(t, server.Config{Dir: dir})
	cut := mangle{h.Client().Transport, func(r *http.Request) {
		r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, 1<<20), errReader{}))
	}}
	for name, o := range map[string]minio.PutObjectOptions{"chunked": {}, "plain": {DisableContentSha256: true}} {
		_, err := client(t, h, admin, cut).PutObject(t.Context(), "bucket", "key", bytes.NewReader(make([]byte, 2<<20)), 2<<20, "", "", o)
		if err == nil {
			t.Errorf("%s: half a body was stored", name)
		}
	}
	h.Close() // waits for the requests
	for _, d := range []string{"tmp", "buckets/bucket"} {
		if left, err := os.ReadDir(filepath.Join(dir, d)); err != nil || len(left) != 0 {
			t.Errorf("left in %s: %v, %v", d, left, err)
		}
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("cut") }

func TestBodyCap(t *testing.T) {
	c := client(t, start(t, server.Config{Dir: t.TempDir(), MaxBody: 1000}), admin, nil)
	for name, o := range map[string]minio.PutObjectOptions{"chunked": {}, "plain": {DisableContentSha256: true}} {
		for size, code := range map[int]string{1000: "", 1001: "EntityTooLarge", 1 << 20: "EntityTooLarge"} {
			_, err := c.PutObject(t.Context(), "bucket", "key", bytes.NewReader(make([]byte, size)), int64(size), "", "", o)
			wantCode(t, fmt.Sprint(name, " ", size), err, code)
		}
	}
}

func TestListFolders(t *testing.T) {
	c := client(t, start(t, server.Config{Dir: t.TempDir()}), admin, nil)
	for _, k := range []string{"a", "b/1", "b/2", "b/c/3", "d", "e/4"} {
		putObject(t, c, k, "")
	}
	var got []string
	for token := ""; ; {
		page, err := c.ListObjectsV2("bucket", "", "", token, "/", 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			got = append(got, o.Key)
		}
		for _, p := range page.CommonPrefixes {
			got = append(got, p.Prefix)
		}
		if token = page.NextContinuationToken; !page.IsTruncated {
			break
		}
	}
	if s := strings.Join(got, " "); s != "a b/ d e/" {
		t.Errorf("got %q", s)
	}
}

func TestPresigned(t *testing.T) {
	reader := server.Key{AccessKey: "reader", Secret: "r-secret", Grants: []server.Grant{{Bucket: "bucket"}}}
	h := start(t, server.Config{Dir: t.TempDir(), Keys: []server.Key{reader}})
	putObject(t, client(t, h, admin, nil), "key", "data")
	c := client(t, h, reader, nil)
	get, err := c.PresignedGetObject(t.Context(), "bucket", "key", time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	put, err := c.PresignedPutObject(t.Context(), "bucket", "key", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct {
		method, url string
		status      int
		body        string
	}{
		{"GET", get.String(), 200, "data"},
		{"GET", strings.Replace(get.String(), "X-Amz-Signature=", "X-Amz-Signature=0", 1), 403, ""},
		{"PUT", put.String(), 403, ""}, // well signed, but a reader's
		{"GET", h.URL + "/bucket/key", 403, ""},
		{"OPTIONS", h.URL + "/bucket/key", 403, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), r.method, r.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := h.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != r.status || r.body != "" && string(b) != r.body {
			t.Errorf("%s %s: %s %q, want %d", r.method, r.url, resp.Status, b, r.status)
		}
	}
}

// TestPathsStayInside: names that climb, well signed by the admin, reach no file
// outside the buckets.
func TestPathsStayInside(t *testing.T) {
	dir := t.TempDir()
	h := start(t, server.Config{Dir: dir})
	for _, path := range []string{"/..", "/../", "/../tmp", "/.", "/./x", "/../buckets/bucket", "/bucket/../../../etc/passwd", "/bucket/.."} {
		for _, method := range []string{"GET", "PUT", "DELETE", "HEAD"} {
			req, err := http.NewRequestWithContext(t.Context(), method, h.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Path = path
			req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
			req = signer.SignV4(*req, admin.AccessKey, admin.Secret.Reveal(), "", "us-east-1")
			resp, err := h.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			// Under a bucket, ".." is a key like any other.
			if inside := strings.HasPrefix(path, "/bucket/"); !inside && resp.StatusCode < 400 || resp.StatusCode == 403 {
				t.Errorf("%s %s: %s", method, path, resp.Status)
			}
		}
	}
	for name, want := range map[string]int{".": 4, "buckets": 1, "buckets/bucket": 0, "tmp": 0} {
		if got, err := os.ReadDir(filepath.Join(dir, name)); err != nil || len(got) != want {
			t.Errorf("%s holds %v, %v", name, got, err)
		}
	}
}

func TestBrokenStorageIsAClearError(t *testing.T) {
	dir := t.TempDir()
	c := client(t, start(t, server.Config{Dir: dir}), admin, nil)
	putObject(t, c, "key", "before")
	if err := os.RemoveAll(filepath.Join(dir, "tmp")); err != nil {
		t.Fatal(err)
	}
	_, err := c.PutObject(t.Context(), "bucket", "key", strings.NewReader("after"), 5, "", "", minio.PutObjectOptions{DisableContentSha256: true})
	if e := minio.ToErrorResponse(err); e.StatusCode != 500 || !strings.Contains(e.Message, "storage of this server failed") || strings.Contains(e.Message, dir) {
		t.Errorf("got %+v", e)
	}
	if got, _ := getObject(t, c, "key"); got != "before" {
		t.Errorf("object is now %q", got)
	}
}

// TestServersSideBySide: two servers in a process share nothing, and Serve ends when
// its context does.
func TestServersSideBySide(t *testing.T) {
	dialer := s3.NewDialer(s3.Options{})
	defer dialer.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 2)
	var buckets []store.Bucket
	for i := range 2 {
		s, err := server.Open(server.Config{Dir: t.TempDir(), Keys: []server.Key{{AccessKey: "key", Secret: store.Secret(fmt.Sprint("secret ", i)), Admin: true}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CreateBucket("bucket"); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { done <- s.Serve(ctx, l) }()
		b, err := dialer.Dial(store.Location{Endpoint: "http://" + l.Addr().String(), Bucket: "bucket", AccessKey: "key", Secret: store.Secret(fmt.Sprint("secret ", i))})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Put(t.Context(), "key", strings.NewReader(fmt.Sprint("server ", i)), 8, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		buckets = append(buckets, b)
	}
	for i, b := range buckets {
		body, _, err := b.Get(t.Context(), "key", 100)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(body)
		body.Close()
		if want := fmt.Sprint("server ", i); string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	stop()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if _, err := buckets[0].Head(t.Context(), "key"); !store.Retryable(err) {
		t.Errorf("from a stopped server: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := server.Open(server.Config{Dir: t.TempDir(), Keys: []server.Key{{AccessKey: "key"}}}); err == nil {
		t.Error("opened with a key without a secret")
	}
	s, err := server.Open(server.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket("../x"); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("bucket ../x: %v", err)
	}
	// Without keys nobody is let in.
	h := httptest.NewServer(s.Handler())
	defer h.Close()
	_, err = client(t, h, admin, nil).ListBuckets(t.Context())
	wantCode(t, "server without keys", err, "InvalidAccessKeyId")
}
