package s3_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"templar/internal/store"
	"templar/internal/store/server"
)

// The embedded server reports the milliseconds of dates everywhere. The writer of an object cannot choose them, and
// a header that contradicts Last-Modified is not believed.
func TestDatesHaveMilliseconds(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 987_654_321, time.UTC)
	e := serve(t, server.Config{Dir: t.TempDir(), Now: func() time.Time { return now }, Keys: []server.Key{{AccessKey: "key", Secret: "secret", Admin: true}}})
	b := dial(t, dialer(t), e, "bucket", "key", "secret")
	if err := store.PutBytes(t.Context(), b, "object", []byte("x"), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	dates := map[string]func() (store.Info, error){
		"head": func() (store.Info, error) { return b.Head(t.Context(), "object") },
		"get": func() (store.Info, error) {
			_, info, err := store.ReadAll(t.Context(), b, "object", 10)
			return info, err
		},
		"list": func() (store.Info, error) {
			all, err := b.List(t.Context(), "", "", 1)
			return append(all, store.Info{})[0], err
		},
	}
	for name, ask := range dates {
		if info, err := ask(); err != nil || !info.LastModified.Equal(now.Truncate(time.Millisecond)) {
			t.Errorf("%s: %v, %v", name, info.LastModified, err)
		}
	}
}

func TestContradictingDateIsIgnored(t *testing.T) {
	whole := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for fine, want := range map[string]time.Time{
		"2026-11-29T12:00:00.250Z": whole.Add(250 * time.Millisecond),
		"2026-11-29T11:59:59.250Z": whole,
		"2026-11-29T12:00:01.000Z": whole,
		"yesterday":                whole,
		"":                         whole,
	} {
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Last-Modified", whole.Format(http.TimeFormat))
			w.Header().Set("X-Templar-Last-Modified", fine)
			w.Header().Set("ETag", `"`+strings.Repeat("0", 32)+`"`)
			w.Header().Set("Content-Length", "0")
		}))
		info, err := dial(t, dialer(t), front.URL, "bucket", "key", "secret").Head(t.Context(), "object")
		if err != nil || !info.LastModified.Equal(want) {
			t.Errorf("%q: %v, %v, want %v", fine, info.LastModified, err, want)
		}
		front.Close()
	}
}
