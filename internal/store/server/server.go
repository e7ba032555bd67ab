// Package server is an S3 server for one machine, embedded in the process: several
// can run side by side, each on a directory of its own.
//
// It speaks what S3 clients use: objects with ranges, conditions and metadata,
// lists, copies, multipart uploads that survive a restart, presigned addresses. Addresses
// are path-style. Objects are kept by package fs, durably.
//
// A request passes the check of its signature (sigv4.go), of its key's right (front.go), of
// all that it asks for against one table (operations.go) and of its body's digests (payload.go,
// checksum.go). What the table does not have is refused by name. How long a client may hold up
// the server is bounded in limits.go and connections.go.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"templar/internal/admit"
	"templar/internal/store"
	"templar/internal/store/fs"
	"templar/internal/workers"
)

// Key and Grant are the port's: a credential, and what it may do.
type (
	Key   = store.Key
	Grant = store.Grant
)

// DefaultMaxBody is the largest body of one request, 5 GiB as in S3.
const DefaultMaxBody = 5 << 30

// DefaultMaxRequests that run at once: a megabyte of buffers each, at most.
const DefaultMaxRequests = 1024

// DefaultMaxReads is 1000 for each core. A request takes one some 0.1 ms.
func DefaultMaxReads() int { return 1000 * workers.Cores() }

// DefaultMaxConnections that are open at once.
const DefaultMaxConnections = 4096

const (
	headerTimeout = 10 * time.Second // for a request's header to arrive
	idleTimeout   = time.Minute      // for a connection's next request
	shutdownGrace = 5 * time.Second  // for running requests when Serve is to end
	maxHeader     = 64 << 10

	refusalsPerSecond = 200 // of strangers, before they are delayed
)

// Config of a Server.
type Config struct {
	Dir   string // where the objects are; one server at a time
	Keys  []Key  // who may ask; AddKeys adds more
	Fsync bool   // survive power cuts, not only kills
	// Now gives LastModified; nil is time.Now. Signatures are always checked
	// against the machine's clock.
	Now     func() time.Time
	MaxBody int64 // largest body of a request in bytes; 0 is DefaultMaxBody
	// MaxRequests is how many requests may run at once; others are told to come again. 0
	// is DefaultMaxRequests.
	MaxRequests int
	// MaxConnections is how many may be open at once. 0 is DefaultMaxConnections, and less
	// where the process may not open so many files.
	MaxConnections int
	// MaxReads is how many requests a second the keys that cannot write have together; when they ask for more, each connection that
	// asks has an equal share: such a key is public, and honest nodes read with it too. 0 is DefaultMaxReads.
	MaxReads int
	// BucketBytes and BucketUploads bound what each bucket may hold, and its unfinished
	// uploads; 0 is no bound.
	BucketBytes   int64
	BucketUploads int
	// Patience is how long a client may neither send nor take a byte in the middle of a
	// body; 0 is a minute.
	Patience time.Duration
	// Proxies are reverse proxies in front of the server, which are believed about the address
	// of a client.
	Proxies admit.Proxies
	// MinFree is the part of the disk, in bytes, that uploads leave free. 0 is no bound.
	MinFree int64
	Log     *slog.Logger // faults of this server; nil is silent
}

// Server serves the buckets of a directory. It is safe for concurrent use.
type Server struct {
	files       *fs.Store
	keys        store.Keyring
	operations  []operation
	maxBody     int64
	slots       *slots
	connections *admit.Connections
	patience    time.Duration
	proxies     admit.Proxies
	refusals    *admit.Throttle // of requests without a good signature
	reads       float64         // requests a second with keys that cannot write
	log         *slog.Logger
}

// Open opens the directory, making it if need be, and readies a server for it.
func Open(c Config) (*Server, error) {
	files, err := fs.Open(c.Dir, fs.Options{Fsync: c.Fsync, Now: c.Now, BucketBytes: c.BucketBytes, BucketUploads: c.BucketUploads, MinFree: c.MinFree})
	if err != nil {
		return nil, fmt.Errorf("s3 server: %w", err)
	}
	// A running request may have three files open beside its connection.
	s := &Server{
		files: files, operations: operations(), maxBody: cmp.Or(c.MaxBody, DefaultMaxBody), patience: cmp.Or(c.Patience, time.Minute), proxies: c.Proxies, log: c.Log,
		refusals:    admit.NewThrottle(refusalsPerSecond, refusalsPerSecond),
		reads:       float64(cmp.Or(c.MaxReads, DefaultMaxReads())),
		slots:       newSlots(cmp.Or(c.MaxRequests, min(DefaultMaxRequests, admit.OpenFiles()/8)), cmp.Or(c.Patience, time.Minute)),
		connections: admit.NewConnections(cmp.Or(c.MaxConnections, min(DefaultMaxConnections, admit.OpenFiles()/2))),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.keys.Add(c.Keys...); err != nil {
		return nil, fmt.Errorf("s3 server: %w", err)
	}
	return s, nil
}

// CreateBucket makes the bucket unless it is there.
func (s *Server) CreateBucket(name string) error {
	if err := s.files.CreateBucket(name); err != nil && !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("s3 server: %w", err)
	}
	return nil
}

// AddKeys makes the keys valid; one that is there already gets the new rights.
func (s *Server) AddKeys(keys ...Key) error { return s.keys.Add(keys...) }

// Handler answers S3 requests. Give it the root of a host.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Serve answers requests on l, and closes it, until ctx ends; it returns nil then,
// when all requests have been answered or, after a few seconds, cut off.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	var running sync.WaitGroup
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			running.Add(1)
			defer running.Done()
			s.serve(w, r)
		}),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnState:         s.connections.Changed,
		ConnContext:       s.connections.Remember,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("s3 server: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if srv.Shutdown(grace) != nil {
		srv.Close()
	}
	<-done //nolint:errcheck // it is ErrServerClosed
	running.Wait()
	return nil
}
