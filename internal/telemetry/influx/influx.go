// Package influx sends events, as numbers, to InfluxDB. docs/ops/metrics.md lists the
// measurements and their fields.
//
// The window is a field and no tag: as a tag it would make one series of every point.
package influx

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/url"

	"templar/internal/clock"
	"templar/internal/telemetry"
	"templar/internal/telemetry/push"
)

// Server is a server with the API of version 2, and the place in it where points go.
type Server struct {
	URL    string // http(s)://host[:port]
	Org    string
	Bucket string
	Token  string
}

// Sink is a telemetry.Sink that sends events to InfluxDB while Run runs.
type Sink struct{ queue *push.Queue }

var _ telemetry.Sink = (*Sink)(nil)

// New returns a sink for a server. Failures of the server are logged in log.
func New(o Server, c clock.Clock, log *slog.Logger) *Sink {
	to := o.URL + "/api/v2/write?" + url.Values{"org": {o.Org}, "bucket": {o.Bucket}, "precision": {"ns"}}.Encode()
	post := func(ctx context.Context, batch [][]byte) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(bytes.Join(batch, nil)))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Token "+o.Token)
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
		return req, nil
	}
	return &Sink{push.New("metrics", post, c, log)}
}

// Emit queues the event's points.
func (s *Sink) Emit(e telemetry.Event) {
	for _, line := range points(e) {
		s.queue.Add(line)
	}
}

// Run sends until ctx ends, and then what is left.
func (s *Sink) Run(ctx context.Context) { s.queue.Run(ctx) }
