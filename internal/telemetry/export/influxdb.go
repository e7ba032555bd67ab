package export

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/url"

	"templar/internal/clock"
	"templar/internal/telemetry"
)

// InfluxDB says where a server with the API of version 2 is, and where in it points go.
type InfluxDB struct {
	URL    string // http(s)://host[:port]
	Org    string
	Bucket string
	Token  string
}

// Metrics is a telemetry.Sink that sends events to InfluxDB while Run runs.
type Metrics struct{ queue *queue }

var _ telemetry.Sink = (*Metrics)(nil)

// NewMetrics returns a sink for a server. log is told when the server does not take points.
func NewMetrics(o InfluxDB, c clock.Clock, log *slog.Logger) *Metrics {
	q := newQueue("metrics", c, log)
	to := o.URL + "/api/v2/write?" + url.Values{"org": {o.Org}, "bucket": {o.Bucket}, "precision": {"ns"}}.Encode()
	q.post = func(ctx context.Context, batch [][]byte) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(bytes.Join(batch, nil)))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Token "+o.Token)
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
		return req, nil
	}
	return &Metrics{q}
}

// Emit queues the event's points.
func (m *Metrics) Emit(e telemetry.Event) {
	for _, line := range points(e) {
		m.queue.add(line)
	}
}

// Run sends until ctx ends, and then what is left.
func (m *Metrics) Run(ctx context.Context) { m.queue.run(ctx) }
