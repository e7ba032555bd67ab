// Package web is the page of the admin server: one node, or a whole network, in a browser. The page
// is TypeScript without a framework, and uPlot for curves; esbuild bundles it, and the bundle is
// committed, so that a build needs Go only. It asks no other server for anything.
//
// The page gets a view of the whole run when it connects, and then once a second what changed, as
// server-sent events. It holds no state that the server needs: a page that reconnects begins anew.
package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"templar/internal/clock"
	"templar/internal/dashboard/collect"
	"templar/protocol"
)

//go:generate go tool esbuild ui/src/app.ts ui/src/app.css --bundle --minify --format=esm --target=es2022 --outdir=ui/dist --legal-comments=eof --charset=utf8

//go:embed ui/index.html ui/icon.svg ui/dist/app.js ui/dist/app.css
var files embed.FS

const (
	interval   = time.Second      // between two updates
	heartbeat  = 15 * time.Second // between two signs of life, for proxies that end idle connections
	patience   = 10 * time.Second // for a page that does not read
	maxStreams = 32
)

// Options describe a page.
type Options struct {
	Title   string // what is shown: a network or a node
	Version string // of the program
	Closed  bool   // the run has ended: nothing changes any more
}

// Server serves the page. It is an http.Handler.
type Server struct {
	collector *collect.Collector
	clock     clock.Clock
	title     string
	version   string
	closed    bool
	handler   http.Handler

	mu struct {
		sync.Mutex
		streams int
		at      time.Time // of the shared update
		update  []byte    // as an event
	}
}

// New returns the page of a collector.
func New(c *collect.Collector, clk clock.Clock, o Options) *Server {
	s := &Server{collector: c, clock: clk, title: o.Title, version: o.Version, closed: o.Closed}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/stream", s.stream)
	mux.HandleFunc("GET /api/view", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.look(false)) })
	mux.HandleFunc("GET /api/miner", s.miner)
	for address, name := range map[string]string{"/{$}": "ui/index.html", "/app.js": "ui/dist/app.js", "/app.css": "ui/dist/app.css", "/icon.svg": "ui/icon.svg"} {
		mux.Handle("GET "+address, assetOf(name))
	}
	s.handler = mux
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// policy lets the page load its own script, style, icon and data, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// asset is a file of the page.
type asset struct {
	plain, packed []byte
	tag, kind     string
}

func assetOf(name string) asset {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(err) // a file that the build has embedded
	}
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // a level that exists
	_, _ = z.Write(b)                                          // into memory
	_ = z.Close()
	sum := sha256.Sum256(b)
	kinds := map[string]string{".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
	return asset{b, packed.Bytes(), `"` + hex.EncodeToString(sum[:8]) + `"`, kinds[path.Ext(name)] + "; charset=utf-8"}
}

func (a asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-cache") // a new build has another tag
	h.Set("ETag", a.tag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == a.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.kind)
	body := a.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = a.packed
	}
	_, _ = w.Write(body) // a page that went away is no fault
}

func writeJSON(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b)
}

// miner answers with the last scores of a miner.
func (s *Server) miner(w http.ResponseWriter, r *http.Request) {
	uid, err := strconv.ParseUint(r.URL.Query().Get("uid"), 10, 16)
	if err != nil {
		http.Error(w, "want ?uid=0 to 65535", http.StatusBadRequest)
		return
	}
	writeJSON(w, s.collector.Scores(protocol.UID(uid)))
}

func uidText(uid protocol.UID) string { return strconv.Itoa(int(uid)) }

// event is a server-sent event with a value.
func event(name string, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, b), nil
}

// enter counts a stream, unless there are too many.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.streams >= maxStreams {
		return false
	}
	s.mu.streams++
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.streams--
}

// latest is the update of this second, which all streams share.
func (s *Server) latest() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if s.mu.update == nil || now.Sub(s.mu.at) >= interval/2 {
		b, err := event("update", s.look(true))
		if err != nil {
			return nil, err
		}
		s.mu.update, s.mu.at = b, now
	}
	return s.mu.update, nil
}

// stream sends a view, and then what changes, until the page goes away.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer s.leave()
	first, err := event("view", s.look(false))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // a proxy must not hold events back
	out := sender{w, http.NewResponseController(w)}
	if !out.send([]byte("retry: 1000\n\n"), first) || s.closed {
		if s.closed {
			<-r.Context().Done() // an end would make the page connect again
		}
		return
	}
	s.follow(r.Context(), out, first)
}

// follow sends each update that differs from the one before.
func (s *Server) follow(ctx context.Context, out sender, before []byte) {
	quiet := time.Duration(0)
	for s.clock.Sleep(ctx, interval) == nil {
		b, err := s.latest()
		if err != nil {
			return
		}
		if quiet += interval; bytes.Equal(b, before) {
			if quiet >= heartbeat {
				quiet = 0
				b = []byte(": alive\n\n")
			} else {
				continue
			}
		} else {
			quiet, before = 0, b
		}
		if !out.send(b) {
			return
		}
	}
}

// sender writes to a page that may have stopped reading.
type sender struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (s sender) send(parts ...[]byte) bool {
	_ = s.control.SetWriteDeadline(time.Now().Add(patience)) // a recorder in tests has none
	for _, p := range parts {
		if _, err := s.Write(p); err != nil {
			return false
		}
	}
	return s.control.Flush() == nil
}
