package s3_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"templar/internal/store"
	"templar/internal/store/s3"
)

// against dials a server that answers as h does.
func against(t *testing.T, h http.HandlerFunc) store.Bucket {
	t.Helper()
	return againstWith(t, s3.Options{}, h)
}

func againstWith(t *testing.T, o s3.Options, h http.HandlerFunc) store.Bucket {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	d := s3.NewDialer(o)
	t.Cleanup(func() { d.Close() })
	return dial(t, d, s.URL, "bucket", "access", "hush-hush-secret")
}

func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// A server of another owner cannot make a node hold headers of megabytes.
func TestLargeHeadersAreRefused(t *testing.T) {
	b := against(t, answer(http.StatusOK, "x", "X-Amz-Meta-Long", strings.Repeat("x", 1<<20)))
	if o, err := b.Head(t.Context(), "key"); err == nil || !strings.Contains(err.Error(), "exceeded") {
		t.Errorf("%+v, %v", o, err)
	}
}

func errorBody(code string) string {
	return "<Error><Code>" + code + "</Code><Message>as it is</Message></Error>"
}

func TestStatusesBecomeThePortsErrors(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   error // nil: a fault worth a retry
	}{
		{404, "NoSuchKey", store.ErrNotFound}, {404, "NoSuchBucket", store.ErrNotFound}, {404, "", store.ErrNotFound},
		{401, "Unauthorized", store.ErrUnauthenticated}, {401, "", store.ErrUnauthenticated},
		{403, "InvalidAccessKeyId", store.ErrUnauthenticated}, {403, "SignatureDoesNotMatch", store.ErrUnauthenticated},
		{403, "AccessDenied", store.ErrDenied}, {403, "", store.ErrDenied},
		{403, "RequestTimeTooSkewed", store.ErrInvalid}, {412, "PreconditionFailed", store.ErrExists},
		{413, "EntityTooLarge", store.ErrTooLarge}, {400, "EntityTooLarge", store.ErrTooLarge},
		{400, "InvalidArgument", store.ErrInvalid}, {411, "MissingContentLength", store.ErrInvalid},
		{501, "NotImplemented", store.ErrInvalid}, {302, "Moved", store.ErrInvalid}, {307, "", store.ErrInvalid},
		{400, "ClientDisconnect", nil}, {400, "IncompleteBody", nil}, {400, "BadDigest", nil},
		{408, "RequestTimeout", nil}, {409, "ConditionalRequestConflict", nil}, {429, "TooManyRequests", nil},
		{500, "InternalError", nil}, {502, "", nil}, {503, "SlowDown", nil}, {507, "InsufficientStorage", nil},
	} {
		body := ""
		if c.code != "" {
			body = errorBody(c.code)
		}
		b := against(t, answer(c.status, body, "Location", "http://127.0.0.1:1/"))
		_, err := b.Put(t.Context(), "key", strings.NewReader("x"), 1, store.PutOptions{})
		if c.want == nil && !store.Retryable(err) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%d %q: %v, want %v", c.status, c.code, err, c.want)
		}
		if errors.Is(err, store.ErrUnauthenticated) != (c.want == store.ErrUnauthenticated) {
			t.Errorf("%d %q: %v, want %v and no more", c.status, c.code, err, c.want)
		}
	}
}

// TestHeadTellsWhy: an answer to HEAD says no more than 403.
func TestHeadTellsWhy(t *testing.T) {
	for code, want := range map[string]error{"InvalidAccessKeyId": store.ErrUnauthenticated, "SignatureDoesNotMatch": store.ErrUnauthenticated, "AccessDenied": store.ErrDenied} {
		_, err := against(t, answer(403, errorBody(code))).Head(t.Context(), "key")
		if !errors.Is(err, want) || errors.Is(err, store.ErrUnauthenticated) != (want == store.ErrUnauthenticated) {
			t.Errorf("%s: %v, want %v", code, err, want)
		}
	}
	b := against(t, func(w http.ResponseWriter, r *http.Request) { // a right that was given in between
		if r.Method == http.MethodHead {
			w.WriteHeader(403)
		} else {
			answer(200, "whole", "Content-Length", "5")(w, r)
		}
	})
	if info, err := b.Head(t.Context(), "key"); err != nil || info.Size != 5 || info.Key != "key" {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for code, c := range map[string]struct {
		status int
		hint   string
	}{"RequestTimeTooSkewed": {403, "clock"}, "PermanentRedirect": {301, "endpoint and region"}} {
		_, _, err := against(t, answer(c.status, errorBody(code))).Get(t.Context(), "key", 1)
		if err == nil || !strings.Contains(err.Error(), c.hint) || !regexp.MustCompile(`^get 127\.0\.0\.1:\d+/bucket/key: `).MatchString(err.Error()) {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// TestRedirectsAreNotFollowed: a peer's store cannot send us to an address of its
// choice, and our credential with us.
func TestRedirectsAreNotFollowed(t *testing.T) {
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed the redirect") }))
	defer inner.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		b := against(t, answer(status, "", "Location", inner.URL+"/bucket/key"))
		if _, err := b.Head(t.Context(), "key"); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("head, %d: %v", status, err)
		}
		if _, _, err := b.Get(t.Context(), "key", 10); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("get, %d: %v", status, err)
		}
	}
}

func TestShortBody(t *testing.T) {
	b := against(t, answer(200, "half", "Content-Length", "8"))
	body, info, err := b.Get(t.Context(), "key", 8)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if info.Size != 8 || string(got) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v, announced %d", got, err, info.Size)
	}
}

func TestUnannouncedLengthIsRefused(t *testing.T) {
	b := against(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.(http.Flusher).Flush()
		io.WriteString(w, "some")
	})
	if _, _, err := b.Get(t.Context(), "key", 8); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("get: %v", err)
	}
}

func TestHugeAnswersAreCut(t *testing.T) {
	endless := func(status int, head string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, head)
			filler := strings.Repeat("x", 1<<16)
			for r.Context().Err() == nil { // until the client hangs up
				io.WriteString(w, filler)
			}
		}
	}
	if _, _, err := against(t, endless(500, "<Error><Message>")).Get(t.Context(), "key", 1); err == nil || len(err.Error()) > 2000 {
		t.Errorf("get: error of %d bytes", len(fmt.Sprint(err)))
	}
	if _, err := against(t, endless(200, "<ListBucketResult><Contents><Key>")).List(t.Context(), "", "", 10); err == nil {
		t.Error("list: no error")
	}
	b := against(t, answer(200, strings.Repeat("x", 1000)))
	if _, _, err := b.Get(t.Context(), "key", 999); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("get over the limit: %v", err)
	}
}

func TestIgnoredRange(t *testing.T) {
	b := against(t, answer(200, "0123456789", "Content-Length", "10"))
	for _, n := range []int64{3, 20} {
		if _, err := b.GetRange(t.Context(), "key", 2, n, ""); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("range of %d from a server that sends the whole: %v", n, err)
		}
	}
	b = against(t, answer(206, "012", "Content-Length", "3", "Content-Range", "bytes 0-2/10"))
	if _, err := b.GetRange(t.Context(), "key", 2, 3, ""); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a range that begins elsewhere: %v", err)
	}
}

func TestUnorderedList(t *testing.T) {
	b := against(t, answer(200, `<ListBucketResult><Contents><Key>b</Key></Contents><Contents><Key>a</Key></Contents></ListBucketResult>`))
	if _, err := b.List(t.Context(), "", "", 10); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("list: %v", err)
	}
}

func TestSilentServerTimesOut(t *testing.T) {
	b := againstWith(t, s3.Options{HeaderTimeout: 300 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	_, err := b.Head(t.Context(), "key")
	if !store.Retryable(err) || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("head: %v", err)
	}
}

// TestFailuresAreToldAtOnce: whoever retries decides how long to wait.
func TestFailuresAreToldAtOnce(t *testing.T) {
	plain, gone := httptest.NewServer(nil), httptest.NewServer(nil)
	defer plain.Close()
	gone.Close()
	for name, b := range map[string]store.Bucket{
		"503":        against(t, answer(503, errorBody("SlowDown"))),
		"hangs up":   against(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		"page":       against(t, answer(200, "<html>", "Content-Type", "text/html")),
		"nobody":     dial(t, dialer(t), gone.URL, "bucket", "access", "secret"),
		"wrong port": dial(t, dialer(t), "https"+strings.TrimPrefix(plain.URL, "http"), "bucket", "access", "secret"),
	} {
		const calls, most = 30, 1500 * time.Millisecond // half of what the library's waits come to
		began := time.Now()
		for range calls {
			if _, err := b.List(t.Context(), "", "", 10); !store.Retryable(err) || strings.Contains(err.Error(), "context") {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if took := time.Since(began); took > most {
			t.Errorf("%s: %d calls took %v", name, calls, took)
		}
	}
}

func TestDialRefuses(t *testing.T) {
	d := dialer(t)
	for _, endpoint := range []string{"", "host", "ftp://host", "http://", "http://user:pw@host", "http://host/path", "http://host?q", "http://ho st", "://"} {
		if _, err := d.Dial(store.Location{Endpoint: endpoint, Bucket: "bucket", AccessKey: "k", Secret: "s"}); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("endpoint %q: %v", endpoint, err)
		}
	}
	if _, err := d.Dial(store.Location{Endpoint: "http://host", Bucket: "no/bucket"}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("bucket no/bucket: %v", err)
	}
}
