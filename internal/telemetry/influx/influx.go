// Package influx sends events, as numbers, to InfluxDB and to servers with one of its write
// interfaces. docs/ops/metrics.md lists the measurements and their fields.
//
// The window is a field and no tag: as a tag it would make one series of every point.
package influx

import (
	"bytes"
	"compress/gzip"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"sync"

	"templar/internal/clock"
	"templar/internal/telemetry"
	"templar/internal/telemetry/push"
)

// Write interfaces.
const (
	V1 = "v1"
	V2 = "v2"
	V3 = "v3"
)

// Server is a server, and the place in it where points go.
type Server struct {
	API    string // V1, V2 or V3
	URL    string // http(s)://host[:port]
	Org    string // of V2
	Bucket string // of V1 and V3 the database
	User   string // of V1; empty: the token, if there is one, is a bearer's
	Token  string // of V1 the password
	// Original also writes the original's measurements. CompatTags makes their window and
	// global_step tags.
	Original, CompatTags bool
}

// Tag is a tag of the original's measurements.
type Tag struct{ Name, Value string }

// Sink is a telemetry.Sink that sends events to InfluxDB while Run runs.
type Sink struct {
	queue *push.Queue

	mu       sync.Mutex
	original *original // nil: not wanted
}

var _ telemetry.Sink = (*Sink)(nil)

// New returns a sink for a server. The tags are those of the original's measurements. Failures of
// the server are logged in log.
func New(o Server, tags []Tag, c clock.Clock, log *slog.Logger) *Sink {
	s := &Sink{queue: push.New("metrics", o.request, c, log)}
	if o.Original {
		s.original = &original{tags: tags, compat: o.CompatTags}
	}
	return s
}

// request is the request that delivers a batch of points.
func (o Server) request(ctx context.Context, batch [][]byte) (*http.Request, error) {
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	for _, line := range batch {
		_, _ = z.Write(line) // into memory
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	path, query, scheme := "/api/v2/write", url.Values{"org": {o.Org}, "bucket": {o.Bucket}, "precision": {"ns"}}, "Token "
	switch o.API {
	case V1:
		path, query, scheme = "/write", url.Values{"db": {o.Bucket}, "precision": {"ns"}}, "Bearer "
	case V3:
		path, query, scheme = "/api/v3/write_lp", url.Values{"db": {o.Bucket}, "precision": {"nanosecond"}}, "Bearer "
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.URL+path+"?"+query.Encode(), &body)
	if err != nil {
		return nil, err
	}
	if o.API == V1 && o.User != "" {
		req.SetBasicAuth(o.User, o.Token)
	} else if o.Token != "" {
		req.Header.Set("Authorization", scheme+o.Token)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("Content-Encoding", "gzip")
	return req, nil
}

// Emit queues the event's points.
func (s *Sink) Emit(e telemetry.Event) {
	for _, line := range Points(e) {
		s.queue.Add(line)
	}
	if s.original == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Visit(s.original)
	for _, line := range s.original.take() {
		s.queue.Add(line)
	}
}

// Run sends until ctx ends, and then what is left.
func (s *Sink) Run(ctx context.Context) { s.queue.Run(ctx) }
