package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options() Options {
	return Options{
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "metrics") }),
		Status:  func() any { return map[string]int{"window": 7} },
		Health:  func() Health { return Health{Live: true, Reason: "behind", Window: 7} },
		Page:    http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "page") }),
		Log:     slog.New(slog.DiscardHandler),
	}
}

// Who may ask, and what is answered.
func TestAnswers(t *testing.T) {
	o := options()
	o.Hosts = []string{"node.example"}
	h := Handler(o)
	for _, c := range []struct {
		name, method, host, path string
		header                   map[string]string
		code                     int
		body                     string
	}{
		{"metrics", "GET", "127.0.0.1:9", "/metrics", nil, 200, "metrics"},
		{"status", "GET", "localhost:9", "/status", nil, 200, `"window": 7`},
		{"not ready", "GET", "[::1]:9", "/healthz", nil, 503, `"reason": "behind"`},
		{"live", "GET", "192.0.2.1", "/livez", nil, 200, `"live": true`},
		{"page", "GET", "node.EXAMPLE:9", "/", nil, 200, "page"},
		{"profiles are off", "GET", "localhost", "/debug/pprof/", nil, 200, "page"},
		{"rebinding", "GET", "evil.example:9", "/status", nil, 421, "does not answer"},
		{"no host", "GET", "", "/status", nil, 421, "does not answer"},
		{"host in disguise", "GET", "127.0.0.1.evil.example", "/status", nil, 421, "does not answer"},
		{"post", "POST", "localhost", "/status", nil, 405, "read-only"},
		{"foreign fetch", "GET", "localhost:9", "/status", map[string]string{"Origin": "http://evil.example"}, 403, "refused"},
		{"another port", "GET", "localhost:9", "/status", map[string]string{"Origin": "http://localhost:8"}, 403, "refused"},
		{"opaque origin", "GET", "localhost:9", "/status", map[string]string{"Origin": "null"}, 403, "refused"},
		{"foreign image", "GET", "localhost:9", "/status", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403, "refused"},
		{"foreign frame", "GET", "localhost:9", "/", map[string]string{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403, "refused"},
		{"link on a page", "GET", "localhost:9", "/", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200, "page"},
		{"own page", "GET", "localhost:9", "/status", map[string]string{"Origin": "http://localhost:9", "Sec-Fetch-Site": "same-origin"}, 200, "window"},
	} {
		r := httptest.NewRequest(c.method, "http://x"+c.path, nil)
		r.Host = c.host
		for k, v := range c.header {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s: %d %q, want %d %q", c.name, w.Code, w.Body, c.code, c.body)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: headers %v", c.name, w.Header())
		}
	}
	o.Profile = true
	r := httptest.NewRequest("GET", "http://localhost/debug/pprof/", nil)
	w := httptest.NewRecorder()
	Handler(o).ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), "goroutine") {
		t.Errorf("no profiles: %s", w.Body)
	}
}

// The end of the context ends streams too, and the address is announced while the server runs.
func TestRun(t *testing.T) {
	o := options()
	o.Page = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "open\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	s, err := Listen("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := Find(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("before it was announced: %v", err)
	}
	remove, err := s.Announce(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	url, err := Find(dir)
	if err != nil || url != s.URL() {
		t.Fatal(url, err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	resp, err := http.Get(url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	var health Health
	if err := json.NewDecoder(resp.Body).Decode(&health); err != nil || health.Window != 7 {
		t.Error(health, err)
	}
	resp.Body.Close()
	stream, err := http.Get(url + "/")
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stream.Body).ReadString('\n'); line != "open\n" {
		t.Fatal(line, err)
	}
	began := time.Now()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took >= farewell {
		t.Errorf("an open stream held the server for %v", took)
	}
	stream.Body.Close()
	remove()
	if _, err := Find(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}

func TestListenFaults(t *testing.T) {
	s, err := Listen("127.0.0.1:0", options())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, addr := range []string{"127.0.0.1", strings.TrimPrefix(s.URL(), "http://")} {
		if _, err := Listen(addr, options()); err == nil || !strings.HasPrefix(err.Error(), "admin server: ") {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// A folder with one data directory, such as an image's volume, has that one's address.
func TestFindNear(t *testing.T) {
	dir := t.TempDir()
	announce := func(name string) string {
		s, err := Listen("127.0.0.1:0", options())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.listener.Close() })
		place := filepath.Join(dir, name)
		if err := os.MkdirAll(place, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Announce(place); err != nil {
			t.Fatal(err)
		}
		return s.URL()
	}
	for _, at := range []string{dir, filepath.Join(dir, "none")} {
		if _, err := FindNear(at); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), at) {
			t.Errorf("nothing runs in %s: %v", at, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "run.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	net := announce("net")
	for _, at := range []string{dir, filepath.Join(dir, "net")} {
		if got, err := FindNear(at); got != net || err != nil {
			t.Errorf("%s: %q, %v, want %s", at, got, err, net)
		}
	}
	announce("other")
	if _, err := FindNear(dir); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "other")) {
		t.Errorf("two data directories: %v", err)
	}
	own := announce(".")
	if got, err := FindNear(dir); got != own || err != nil {
		t.Errorf("the folder's own comes first: %q, %v", got, err)
	}
}
