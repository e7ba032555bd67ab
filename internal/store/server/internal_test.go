package server

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"templar/internal/store"
)

// TestStorageFaults: what a client is told, and that the rest goes to the log only.
func TestStorageFaults(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		says   string
		logged bool
	}{
		{syscall.ENOSPC, 507, "disk of this server is full", true},
		{syscall.EDQUOT, 507, "disk of this server is full", true},
		{syscall.EROFS, 500, "cannot be written", true},
		{syscall.EIO, 500, "its log says how", true},
		{io.ErrUnexpectedEOF, 400, "IncompleteBody", false},
		{fmt.Errorf("%w: why", store.ErrInvalid), 400, "why", false},
		{&http.MaxBytesError{Limit: 1}, 400, "EntityTooLarge", false},
	} {
		var log bytes.Buffer
		s := &Server{log: slog.New(slog.NewTextHandler(&log, nil))}
		w := httptest.NewRecorder()
		s.refuse(w, httptest.NewRequest(http.MethodPut, "/", nil), fmt.Errorf("put: %w", &os.PathError{Op: "write", Path: "/secret/path", Err: c.err}))
		body := w.Body.String()
		if w.Code != c.status || !strings.Contains(body, c.says) || strings.Contains(body, "/secret/path") != (c.status == 400 && strings.Contains(c.says, "why")) {
			t.Errorf("%v: %d %s", c.err, w.Code, body)
		}
		if logged := strings.Contains(log.String(), "/secret/path"); logged != c.logged {
			t.Errorf("%v: log %q", c.err, log.String())
		}
	}
}

// FuzzChunkReader: whatever the framing, no more bytes come out than were announced,
// and fewer only with an error.
func FuzzChunkReader(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"), int64(5))
	f.Add([]byte("3;chunk-signature=00\r\nhel\r\n2;chunk-signature=00\r\nlo\r\n0;chunk-signature=00\r\n\r\n"), int64(5))
	f.Add([]byte("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"), int64(5))
	f.Add([]byte("0\r\n\r\n"), int64(0))
	f.Add([]byte("-1\r\nx"), int64(1))
	f.Add([]byte("ffffffffffffffff\r\nx"), int64(1))
	f.Fuzz(func(t *testing.T, in []byte, length int64) {
		length = max(0, length)
		n, err := io.Copy(io.Discard, newChunkReader(io.NopCloser(bytes.NewReader(in)), length, nil, newChecksum("X-Amz-Checksum-Crc32"), true))
		if n > length || err == nil && n != length {
			t.Errorf("%d of %d bytes, %v", n, length, err)
		}
	})
}

// TestSharesOfPlaces: what a host, a key and all public keys may hold while they move, so that
// nothing is cut off.
func TestSharesOfPlaces(t *testing.T) {
	var s *slots
	enters := func(key, host string, reader bool) bool {
		r := &request{key: key, host: host, reader: reader, client: &client{}}
		_, ok := s.take(r)
		s.forget(r)
		return ok
	}
	for name, c := range map[string]struct {
		hosts  []string
		reader bool
		keys   int
		places []int // of each key
	}{
		"a reader's host":   {[]string{"a"}, true, 1, []int{1}},
		"a reader":          {[]string{"a", "b", "c"}, true, 1, []int{2}},
		"readers of a host": {[]string{"a"}, true, 9, []int{1, 1, 1, 1, 0, 0, 0, 0, 0}},
		"readers":           {[]string{"a", "b"}, true, 4, []int{2, 2, 0, 0}},
		"a writer":          {[]string{"a", "b"}, false, 1, []int{6}},
		"writers":           {[]string{"a", "b"}, false, 2, []int{6, 2}},
	} {
		s = newSlots(8, time.Minute)
		for k := range c.keys {
			got := 0
			for i := range 10 * len(c.hosts) {
				if enters(fmt.Sprint("key ", k), c.hosts[i%len(c.hosts)], c.reader) {
					got++
				}
			}
			if got != c.places[k] {
				t.Errorf("%s: key %d has %d of 8 places, want %d", name, k, got, c.places[k])
			}
		}
	}
}

// FuzzReadXML: no document panics, and keys come out as they were meant.
func FuzzReadXML(f *testing.F) {
	f.Add("<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object><Object><Key>b&#x1;</Key></Object></Delete>", "a\x01")
	f.Add("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"e\"</ETag></Part></CompleteMultipartUpload>", string(marker))
	f.Fuzz(func(t *testing.T, document, key string) {
		if len(document) > 4<<10 || !utf8.ValidString(key) || key == "" {
			return
		}
		var many deleteRequest
		_ = readXML(strings.NewReader(document), &many)
		var parts completeRequest
		if readXML(strings.NewReader(document), &parts) == nil {
			_, _ = parts.parts(nil)
		}
		var b strings.Builder
		for _, r := range key {
			fmt.Fprintf(&b, "&#x%X;", r)
		}
		if err := readXML(strings.NewReader("<Delete><Object><Key>"+b.String()+"</Key></Object></Delete>"), &many); err != nil {
			t.Fatal(err)
		}
		if got, _ := unescape(many.Objects[len(many.Objects)-1].Key); got != key {
			t.Fatalf("%q came out as %q", key, got)
		}
	})
}

// FuzzAuthenticate: nothing that a stranger sends panics, or passes without the secret.
func FuzzAuthenticate(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "list-type=2", "20260101T000000Z")
	f.Add("", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=key%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00", "")
	s := &Server{}
	if err := s.AddKeys(Key{AccessKey: "key", Secret: "a secret of some length"}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, authorization, raw, date string) {
		today := time.Now().UTC().Format("20060102") // an old request is refused before its signature is looked at
		for _, p := range []*string{&authorization, &raw, &date} {
			*p = strings.ReplaceAll(*p, "20260101", today)
		}
		date = strings.ReplaceAll(date, "T000000Z", time.Now().UTC().Format("T150405Z"))
		r := httptest.NewRequest(http.MethodGet, "/bucket/key", nil)
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", date)
		q, err := parseQuery(raw)
		if err != nil {
			return
		}
		if a, err := s.authenticate(r, q); err == nil {
			t.Fatalf("%q %q passes as %s", authorization, raw, a.accessKey)
		}
		_ = q.hoist(r.Header)
	})
}
