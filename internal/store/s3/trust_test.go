package s3_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"templar/internal/store"
	"templar/internal/store/server"
)

// large is more than what goes with an MD5.
var large = bytes.Repeat([]byte("0123456789abcdef"), 9<<16)

// sums names what a request's body goes with.
func sums(r *http.Request) string {
	var with []string
	if r.Header.Get("Content-Md5") != "" {
		with = append(with, "md5")
	}
	if r.Header.Get("X-Amz-Content-Sha256") != "UNSIGNED-PAYLOAD" {
		with = append(with, "sha256")
	}
	if r.Header.Get("X-Amz-Checksum-Crc32c") != "" {
		with = append(with, "crc32c")
	}
	return strings.Join(with, "+")
}

// meddler stands between a client and a server. n counts the uploads.
type meddler func(n int, w http.ResponseWriter, r *http.Request, real http.Handler)

// log holds what bodies went with.
type log struct {
	mu   sync.Mutex
	sent []string
}

func (l *log) add(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, s)
	return len(l.sent)
}

func (l *log) want(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.sent, want) {
		t.Errorf("bodies went with %q, want %q", l.sent, want)
	}
}

// past returns the endpoint of real behind m.
func past(t *testing.T, m meddler, real http.Handler) (endpoint string, sent *log) {
	sent = new(log)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			m(sent.add(sums(r)), w, r, real)
		} else {
			real.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, sent
}

// embedded dials an embedded server past m.
func embedded(t *testing.T, m meddler) (store.Bucket, *log) {
	t.Helper()
	key := store.Key{AccessKey: "access", Secret: "hush-hush-secret", Admin: true}
	s, err := server.Open(server.Config{Dir: t.TempDir(), Keys: []server.Key{key}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	endpoint, sent := past(t, m, s.Handler())
	return dial(t, dialer(t), endpoint, "bucket", key.AccessKey, key.Secret), sent
}

func honest(_ int, w http.ResponseWriter, r *http.Request, real http.Handler) { real.ServeHTTP(w, r) }

// mute lets the server answer, but for the checksum.
func mute(w http.ResponseWriter, r *http.Request, real http.Handler) {
	rec := httptest.NewRecorder()
	real.ServeHTTP(rec, r)
	for name, values := range rec.Header() {
		if !strings.HasPrefix(name, "X-Amz-Checksum-") {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(rec.Code)
	io.Copy(w, rec.Body)
}

// damage flips a bit in the middle of a body.
func damage(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		body[len(body)/2] ^= 1
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
}

// uploads are the ways to send a body.
var uploads = map[string]func(*testing.T, store.Bucket) error{
	"put": func(t *testing.T, b store.Bucket) error {
		_, err := b.Put(t.Context(), "key", bytes.NewReader(large), int64(len(large)), store.PutOptions{})
		return err
	},
	"part": func(t *testing.T, b store.Bucket) error {
		u, err := b.CreateUpload(t.Context(), "key")
		if err != nil {
			return err
		}
		p, err := b.PutPart(t.Context(), u, 1, bytes.NewReader(large), int64(len(large)))
		if err != nil {
			return err
		}
		_, err = b.CompleteUpload(t.Context(), u, []store.Part{p}, store.PutOptions{})
		return err
	},
}

// TestTrust: bodies go without the SHA-256 only after the store has shown that it checks
// the CRC-32C, and no longer than it does.
func TestTrust(t *testing.T) {
	for _, c := range []struct {
		name   string
		meddle meddler
		failed []int // uploads that end with a fault worth a retry, of four
		sent   []string
	}{
		{"checks", honest, nil, []string{"sha256+crc32c", "crc32c", "crc32c", "crc32c"}},
		{"ignores it", func(_ int, w http.ResponseWriter, r *http.Request, real http.Handler) { mute(w, r, real) },
			nil, []string{"sha256+crc32c", "sha256", "sha256", "sha256"}},
		{"refuses it", func(_ int, w http.ResponseWriter, r *http.Request, real http.Handler) {
			if r.Header.Get("X-Amz-Checksum-Crc32c") != "" {
				io.Copy(io.Discard, r.Body)
				answer(400, errorBody("InvalidRequest"))(w, r)
				return
			}
			real.ServeHTTP(w, r)
		}, nil, []string{"sha256+crc32c", "sha256", "sha256", "sha256", "sha256"}},
		{"fails at first", func(n int, w http.ResponseWriter, r *http.Request, real http.Handler) {
			if n == 1 {
				panic(http.ErrAbortHandler)
			}
			real.ServeHTTP(w, r)
		}, []int{0}, []string{"sha256+crc32c", "sha256", "sha256", "sha256"}},
		{"checks no more", func(n int, w http.ResponseWriter, r *http.Request, real http.Handler) {
			if n < 3 {
				real.ServeHTTP(w, r)
				return
			}
			mute(w, r, real)
		}, []int{2}, []string{"sha256+crc32c", "crc32c", "crc32c", "sha256"}},
		{"damaged on the way", func(n int, w http.ResponseWriter, r *http.Request, real http.Handler) {
			if n == 3 {
				damage(r)
			}
			real.ServeHTTP(w, r)
		}, []int{2}, []string{"sha256+crc32c", "crc32c", "crc32c", "crc32c"}},
	} {
		for way, upload := range uploads {
			t.Run(c.name+"/"+way, func(t *testing.T) {
				b, sent := embedded(t, c.meddle)
				for i := range 4 {
					err := upload(t, b)
					if slices.Contains(c.failed, i) != (err != nil) || err != nil && !store.Retryable(err) {
						t.Errorf("upload %d: %v", i, err)
					}
				}
				sent.want(t, c.sent...)
				wantLarge(t, b)
			})
		}
	}
}

func wantLarge(t *testing.T, b store.Bucket) {
	t.Helper()
	body, _, err := b.Get(t.Context(), "key", -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, large) {
		t.Errorf("got other bytes than were put: %v", err)
	}
}

// TestDamageStoresNothing: what a CRC-32C gives away is never to be seen.
func TestDamageStoresNothing(t *testing.T) {
	b, sent := embedded(t, func(n int, w http.ResponseWriter, r *http.Request, real http.Handler) {
		if n > 1 {
			damage(r)
		}
		real.ServeHTTP(w, r)
	})
	if err := uploads["put"](t, b); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), "other", bytes.NewReader(large), int64(len(large)), store.PutOptions{}); !store.Retryable(err) {
		t.Errorf("put: %v", err)
	}
	sent.want(t, "sha256+crc32c", "crc32c")
	if _, err := b.Head(t.Context(), "other"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("head: %v", err)
	}
}

// TestSmallBodiesGoWithAnMD5, which every store checks.
func TestSmallBodiesGoWithAnMD5(t *testing.T) {
	b, sent := embedded(t, honest)
	for range 2 {
		if _, err := b.Put(t.Context(), "key", strings.NewReader("small"), 5, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	sent.want(t, "md5", "md5")
}
