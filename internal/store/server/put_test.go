package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
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

	"templar/internal/store/server"
)

// request sends a request of our own making, signed by the admin, and returns status and body.
func request(t *testing.T, h *httptest.Server, method, path string, body io.Reader, header ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := h.Client().Do(signer.SignV4(*req, admin.AccessKey, admin.Secret.Reveal(), "", "us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

// checksums of "123456789", from the standards that define them; base64 as S3 has it.
var checksums = map[string]string{
	"crc32":     "y/Q5Jg==",                                     // cbf43926
	"crc32c":    "4waSgw==",                                     // e3069283
	"crc64nvme": "rosUhgp5mIg=",                                 // ae8b14860a799888
	"sha1":      "98O8HYCOBHMq32eZZczDTKeuNEE=",                 // f7c3bc1d...
	"sha256":    "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=", // 15e2b0d3...
}

func TestChecksums(t *testing.T) {
	h := start(t, server.Config{Dir: t.TempDir()})
	const body = "123456789"
	for name, sum := range checksums {
		header := "X-Amz-Checksum-" + name
		path := "/bucket/" + name
		status, answer, _ := request(t, h, "PUT", path, strings.NewReader(body), header, sum)
		if status != 200 {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		if _, _, got := request(t, h, "GET", path, nil, "X-Amz-Checksum-Mode", "ENABLED"); got.Get(header) != sum {
			t.Errorf("%s: told %q later", name, got.Get(header))
		}
		for what, c := range map[string]struct{ body, sum string }{
			"another body": {"123456780", sum}, "another checksum": {body, strings.Replace(sum, sum[:2], "AA", 1)},
			"no base64": {body, "?"}, "too short": {body, "AA=="},
		} {
			if status, answer, _ := request(t, h, "PUT", "/bucket/bad", strings.NewReader(c.body), header, c.sum); status != 400 {
				t.Errorf("%s, %s: %d %s", name, what, status, answer)
			}
		}
		for what, c := range map[string]struct {
			trailer string
			status  int
		}{
			"right":         {header + ":" + sum + "\r\n", 200},
			"wrong":         {header + ":" + strings.Replace(sum, sum[:2], "AA", 1) + "\r\n", 400},
			"missing":       {"", 400},
			"another one":   {"x-amz-checksum-md5:AAAA\r\n", 400},
			"twice":         {strings.Repeat(header+":"+sum+"\r\n", 2), 400},
			"more than one": {header + ":" + sum + "\r\nx-amz-meta-a:b\r\n", 400},
		} {
			status, answer, _ := request(t, h, "PUT", "/bucket/trailed", strings.NewReader("4\r\n1234\r\n5\r\n56789\r\n0\r\n"+c.trailer+"\r\n"),
				"X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length", "9", "X-Amz-Trailer", header)
			if status != c.status {
				t.Errorf("%s, trailer %s: %d %s", name, what, status, answer)
			}
		}
	}
	if status, answer, _ := request(t, h, "PUT", "/bucket/bad", strings.NewReader(body), "X-Amz-Checksum-Crc32", checksums["crc32"], "X-Amz-Checksum-Sha1", checksums["sha1"]); status != 400 {
		t.Errorf("two checksums: %d %s", status, answer)
	}
	if status, _, _ := request(t, h, "GET", "/bucket/bad", nil); status != 404 {
		t.Errorf("something was stored: %d", status)
	}
	// Where parts are joined, the checksum is of the object.
	if status, answer, _ := request(t, h, "POST", "/bucket/key?uploadId=abc", strings.NewReader("<x/>"), "X-Amz-Checksum-Crc32", checksums["crc32"]); status != 404 {
		t.Errorf("complete with a checksum: %d %s", status, answer)
	}
	// Nothing has a checksum too.
	for trailer, want := range map[string]int{"AAAAAA==": 200, "AAAAAQ==": 400} {
		status, answer, _ := request(t, h, "PUT", "/bucket/empty", strings.NewReader("0\r\nx-amz-checksum-crc32:"+trailer+"\r\n\r\n"),
			"X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length", "0", "X-Amz-Trailer", "x-amz-checksum-crc32")
		if status != want {
			t.Errorf("empty body, %s: %d %s", trailer, status, answer)
		}
	}
}

// TestSignedTrailers: chunks and trailers as minio-go signs them, for objects and parts.
func TestSignedTrailers(t *testing.T) {
	h := start(t, server.Config{Dir: t.TempDir()})
	dial := func(change func(*http.Request)) *minio.Core {
		c, err := minio.NewCore(strings.TrimPrefix(h.URL, "http://"), &minio.Options{
			Creds: credentials.NewStaticV4(admin.AccessKey, admin.Secret.Reveal(), ""), Region: "us-east-1", BucketLookup: minio.BucketLookupPath,
			Transport: mangle{h.Client().Transport, change}, MaxRetries: 1, TrailingHeaders: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	body := strings.Repeat("0123456789", 20_000)
	put := func(c *minio.Core, key string, sum minio.ChecksumType) error {
		_, err := c.PutObject(t.Context(), "bucket", key, strings.NewReader(body), int64(len(body)), "", "", minio.PutObjectOptions{Checksum: sum})
		return err
	}
	var sent string
	look := func(r *http.Request) {
		sent = r.Header.Get("X-Amz-Content-Sha256") + " " + r.Header.Get("X-Amz-Trailer")
	}
	for _, sum := range []minio.ChecksumType{minio.ChecksumCRC32, minio.ChecksumCRC32C, minio.ChecksumCRC64NVME, minio.ChecksumSHA1, minio.ChecksumSHA256} {
		if err := put(dial(look), sum.String(), sum); err != nil {
			t.Errorf("%v: %v", sum, err)
		}
		if !strings.HasPrefix(sent, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER x-amz-checksum-") {
			t.Fatalf("the client sent %q", sent)
		}
		if got, _ := getObject(t, dial(look), sum.String()); got != body {
			t.Errorf("%v: stored %d bytes", sum, len(got))
		}
	}
	// The trailers are signed like the chunks before them.
	for name, change := range map[string]func(b []byte) []byte{
		"data":                func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"checksum":            func(b []byte) []byte { b[bytes.LastIndex(b, []byte("crc32c:"))+8] ^= 1; return b },
		"trailer's signature": func(b []byte) []byte { b[bytes.LastIndex(b, []byte("signature:"))+12] ^= 1; return b },
		"no signature": func(b []byte) []byte {
			return bytes.ReplaceAll(b, b[bytes.LastIndex(b, []byte("x-amz-trailer-signature")):], []byte("\r\n"))
		},
	} {
		err := put(dial(func(r *http.Request) {
			if r.Method != http.MethodPut {
				return
			}
			b, _ := io.ReadAll(r.Body)
			b = change(b)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		}), "bad", minio.ChecksumCRC32C)
		if s := minio.ToErrorResponse(err).StatusCode; s != 400 {
			t.Errorf("%s changed on the way: %v", name, err)
		}
	}
}

func TestConditions(t *testing.T) {
	h := start(t, server.Config{Dir: t.TempDir()})
	_, _, first := request(t, h, "PUT", "/bucket/key", strings.NewReader("one"))
	etag := first.Get("ETag")
	for _, c := range []struct {
		path, header, value string
		want                int
	}{
		{"key", "If-None-Match", "*", 412}, {"new", "If-None-Match", "*", 200},
		{"key", "If-None-Match", etag, 412}, {"key", "If-None-Match", `"00"`, 200},
		{"key", "If-Match", etag, 412}, // replaced by the line before
		{"key", "If-Match", "*", 200}, {"absent", "If-Match", "*", 404}, {"absent", "If-Match", etag, 404},
		{"key", "If-Match", `"00", ` + fmt.Sprintf("%q", fmt.Sprintf("%x", md5.Sum([]byte("two")))), 200},
	} {
		if status, answer, _ := request(t, h, "PUT", "/bucket/"+c.path, strings.NewReader("two"), c.header, c.value); status != c.want {
			t.Errorf("%s %s %s: %d %s, want %d", c.path, c.header, c.value, status, answer, c.want)
		}
	}
}

// TestPromisesAreNotMade: who asks for encryption must not be told that all is well.
func TestPromisesAreNotMade(t *testing.T) {
	h := start(t, server.Config{Dir: t.TempDir()})
	for _, header := range []string{"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Customer-Key", "X-Amz-Object-Lock-Mode", "X-Amz-Tagging"} {
		for _, r := range []string{"PUT /bucket/key", "POST /bucket/key?uploads"} {
			method, path, _ := strings.Cut(r, " ")
			if status, answer, _ := request(t, h, method, path, strings.NewReader("x"), header, "x"); status != 501 {
				t.Errorf("%s with %s: %d %s", r, header, status, answer)
			}
		}
	}
	for header, status := range map[string]int{"AAAA": 400, "": 400, base64.StdEncoding.EncodeToString(make([]byte, 16)): 400} {
		if got, answer, _ := request(t, h, "PUT", "/bucket/key", strings.NewReader("x"), "Content-Md5", header); got != status {
			t.Errorf("Content-MD5 %q: %d %s", header, got, answer)
		}
	}
}

// TestRefusedBodiesAreReadOut: whose upload is refused gets to read why, and net/http has
// nothing to say to the log.
func TestRefusedBodiesAreReadOut(t *testing.T) {
	dir := t.TempDir()
	h := start(t, server.Config{Dir: dir})
	if err := os.RemoveAll(filepath.Join(dir, "tmp")); err != nil {
		t.Fatal(err)
	}
	var noise bytes.Buffer
	log.SetOutput(&noise)
	defer log.SetOutput(os.Stderr)
	c := client(t, h, admin, nil)
	body := make([]byte, 24<<20)
	for range 4 {
		_, err := c.PutObject(t.Context(), "bucket", "key", bytes.NewReader(body), int64(len(body)), "", "", minio.PutObjectOptions{DisableContentSha256: true})
		if e := minio.ToErrorResponse(err); e.StatusCode != 500 || !strings.Contains(e.Message, "storage of this server failed") {
			t.Errorf("got %v", err)
		}
	}
	if noise.Len() > 0 {
		t.Errorf("log: %s", &noise)
	}
	// One that reads only after it has sent all, over a slow link.
	u, err := c.Presign(t.Context(), "PUT", "bucket", "key", time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", u.RequestURI(), u.Host, len(body))
	for half := range 2 {
		if half == 1 {
			<-time.After(time.Second) // longer than net/http lingers
		}
		if _, err := conn.Write(body[len(body)/2:]); err != nil {
			t.Errorf("half %d of a refused body: %v", half+1, err)
		}
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, "500") {
		t.Errorf("%q, %v", line, err)
	}
}

func TestTooManyRequests(t *testing.T) {
	h := start(t, server.Config{Dir: t.TempDir(), MaxRequests: 1, Patience: 600 * time.Millisecond})
	c := client(t, h, admin, nil)
	r, w := io.Pipe()
	done := make(chan error, 1)
	const size = 1000
	go func() {
		_, err := c.PutObject(context.WithoutCancel(t.Context()), "bucket", "slow", r, size, "", "", minio.PutObjectOptions{DisableContentSha256: true})
		done <- err
	}()
	sent := 0
	send := func() {
		n, _ := w.Write([]byte("x"))
		sent += n
	}
	send() // the request runs, and goes on
	full := make(chan struct{})
	go func() {
		defer close(full)
		for tick := time.Tick(time.Millisecond); ; <-tick {
			_, err := c.StatObject(t.Context(), "bucket", "key", minio.StatObjectOptions{})
			if s := minio.ToErrorResponse(err).StatusCode; s == 503 {
				return
			} else if s != 404 {
				t.Errorf("got %v", err)
				return
			}
		}
	}()
	for tick := time.Tick(20 * time.Millisecond); sent < size/2; <-tick {
		select {
		case <-full:
			for sent < size {
				send()
			}
		default:
			send()
		}
	}
	for sent < size {
		send()
	}
	<-full
	if err := errors.Join(<-done, w.Close()); err != nil {
		t.Error(err)
	}
	if _, err := c.StatObject(t.Context(), "bucket", "slow", minio.StatObjectOptions{}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// TestSilentClients: who stops in the middle of sending, or of taking, is cut off; who is
// slow is not. A busy machine may be slower than the slow sender: then with more patience.
func TestSilentClients(t *testing.T) {
	dir := t.TempDir()
	big := make([]byte, 32<<20) // more than any socket's buffers
	if _, err := client(t, start(t, server.Config{Dir: dir}), admin, nil).PutObject(t.Context(), "bucket", "big", bytes.NewReader(big), int64(len(big)), "", "", minio.PutObjectOptions{DisableContentSha256: true}); err != nil {
		t.Fatal(err)
	}
	for patience := 800 * time.Millisecond; ; patience *= 4 {
		err := silentClients(t, dir, int64(len(big)), patience)
		if err == nil {
			return
		}
		if patience > 10*time.Second {
			t.Fatal(err)
		}
		t.Logf("with a patience of %v: %v", patience, err)
	}
}

// silentClients tells which of the clients was not treated as a server with some patience
// should. The directory has an object "big" of so many bytes.
func silentClients(t *testing.T, dir string, big int64, patience time.Duration) error {
	c := client(t, start(t, server.Config{Dir: dir, Patience: patience}), admin, nil)
	open := func(method, key, header string) net.Conn {
		u, err := c.Presign(t.Context(), method, "bucket", key, time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, u.RequestURI(), u.Host, header)
		return conn
	}
	status := func(conn net.Conn) string {
		line, _ := bufio.NewReader(conn).ReadString('\n')
		return strings.TrimSpace(line)
	}

	slow := open("PUT", "slow", "Content-Length: 4\r\n")
	for range 4 {
		<-time.After(patience * 3 / 10)
		slow.Write([]byte("x"))
	}
	if s := status(slow); s != "HTTP/1.1 200 OK" {
		return fmt.Errorf("slow sender: %q", s)
	}
	silent := open("PUT", "silent", "Content-Length: 5\r\n")
	silent.Write([]byte("xxxx"))
	if s := status(silent); s != "HTTP/1.1 400 Bad Request" { // RequestTimeout: worth another try
		return fmt.Errorf("a sender that stopped: %q", s)
	}
	asleep := open("GET", "big", "")
	<-time.After(3 * patience)
	if n, err := io.Copy(io.Discard, asleep); n >= big {
		return fmt.Errorf("a receiver that slept was waited for: %d bytes, %v", n, err)
	}
	return nil
}
