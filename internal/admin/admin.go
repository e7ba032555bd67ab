// Package admin is the HTTP server by which an operator watches a node: metrics, health, status,
// profiles and a page. It is read-only and serves no credential.
//
// Any page that a browser on the same machine shows can send requests to a loopback address. The
// server therefore refuses names that it does not know (a page of another site that points its own
// name to 127.0.0.1 would otherwise count as the same site), and requests that a page of
// another origin made.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"golang.org/x/net/netutil"
)

const (
	maxConnections = 128
	maxHeader      = 16 << 10
	patience       = 10 * time.Second // for a request's header, and for answers other than streams
	profileTime    = 2 * time.Minute  // for a profile, which its client may ask for over a minute
	farewell       = 2 * time.Second  // for answers under way at the end
)

// Health is whether a node works. Ready implies that it takes part in its run and keeps up.
type Health struct {
	Live   bool   `json:"live"`
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"` // why it is not ready
	// Window is the last window that the node has done; Ago is how long ago that was, in seconds.
	Window uint64  `json:"window"`
	Ago    float64 `json:"seconds_ago"`
}

// Options are what a server shows. What is nil is not served.
type Options struct {
	Metrics http.Handler  // at /metrics
	Status  func() any    // at /status, as JSON
	Health  func() Health // at /healthz and /livez
	Page    http.Handler  // at all other paths
	Profile bool          // /debug/pprof

	// Hosts are names of the server besides localhost and addresses, for a server behind a
	// proxy or a name in DNS.
	Hosts []string
	Log   *slog.Logger
}

// Server is a server on its address. Run serves; Close is for one that is not run.
type Server struct {
	listener net.Listener
	handler  http.Handler
	log      *slog.Logger
}

// Listen opens a server at host:port; port 0 is a free one. An address that other machines can
// reach is logged: the server asks for no password.
func Listen(addr string, o Options) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("admin server: %w", err)
	}
	host, _, _ := net.SplitHostPort(addr) // Listen has parsed it
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		o.Log.Warn("the admin server can be reached from other machines, and asks for no password", "address", l.Addr().String())
	}
	return &Server{listener: netutil.LimitListener(l, maxConnections), handler: Handler(o), log: o.Log}, nil
}

// Handler is what a server answers with.
func Handler(o Options) http.Handler {
	mux := http.NewServeMux()
	if o.Metrics != nil {
		mux.Handle("/metrics", timely(o.Metrics, patience))
	}
	if o.Status != nil {
		mux.Handle("/status", timely(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, o.Status()) }), patience))
	}
	if o.Health != nil {
		mux.Handle("/healthz", timely(health(o.Health, func(h Health) bool { return h.Ready }), patience))
		mux.Handle("/livez", timely(health(o.Health, func(h Health) bool { return h.Live }), patience))
	}
	if o.Profile {
		mux.Handle("/debug/pprof/", timely(http.HandlerFunc(pprof.Index), patience))
		for name, h := range map[string]http.HandlerFunc{"cmdline": pprof.Cmdline, "profile": pprof.Profile, "symbol": pprof.Symbol, "trace": pprof.Trace} {
			mux.Handle("/debug/pprof/"+name, timely(h, profileTime))
		}
	}
	if o.Page != nil {
		mux.Handle("/", o.Page) // its streams set deadlines of their own
	}
	return guarded(mux, o.Hosts)
}

// timely ends an answer that its client does not read.
func timely(h http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit)) // a recorder in tests has none
		h.ServeHTTP(w, r)
	})
}

func health(of func() Health, good func(Health) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		h, code := of(), http.StatusOK
		if !good(h) {
			code = http.StatusServiceUnavailable
		}
		writeJSON(w, code, h)
	}
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n')) // a client that went away is no fault
}

// URL is where the server answers: http://host:port.
func (s *Server) URL() string {
	host, port, _ := net.SplitHostPort(s.listener.Addr().String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Close releases the address of a server that is not run.
func (s *Server) Close() error { return s.listener.Close() }

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	answering, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	h := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: patience, ReadTimeout: patience, IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader,
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return answering },
	}
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stop() // streams end with their requests' contexts; Shutdown would wait for them
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer cancel()
		if err := h.Shutdown(closing); err != nil {
			err = h.Close()
			ended <- err
			return
		}
		ended <- nil
	}()
	if err := h.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin server: %w", err)
	}
	return <-ended
}
