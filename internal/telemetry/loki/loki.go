// Package loki sends log lines to Loki.
package loki

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"templar/internal/clock"
	"templar/internal/telemetry/push"
)

// Writer sends log lines to Loki while Run runs. It is the io.Writer of a slog.JSONHandler,
// which writes a line at a time.
type Writer struct {
	queue *push.Queue
	clock clock.Clock
}

// New returns a writer to the Loki server at an address, http(s)://[user:password@]host[:port][/path];
// without a path the default of Loki is used. labels identify the node. With metadata, what a line
// says of window, uid and phase is sent as structured metadata, which servers before Loki 3 refuse.
// Failures of the server are logged in log, which must not write here.
func New(address string, labels map[string]string, metadata bool, c clock.Clock, log *slog.Logger) (*Writer, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the address of the Loki server is not a URL") // which may hold a password
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/loki/api/v1/push"
	}
	post := func(ctx context.Context, batch [][]byte) (*http.Request, error) {
		body, err := streams(labels, metadata, batch)
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		return req, nil
	}
	return &Writer{push.New("log lines", post, c, log), c}, nil
}

// streams is the body of a push: one stream, whose values are time, line and, if it is wanted,
// metadata.
func streams(labels map[string]string, metadata bool, batch [][]byte) ([]byte, error) {
	type stream struct {
		Labels map[string]string   `json:"stream"`
		Values [][]json.RawMessage `json:"values"`
	}
	s := stream{Labels: labels}
	for _, line := range batch {
		at, text, _ := bytes.Cut(line, []byte(" "))
		quoted, err := json.Marshal(string(text))
		if err != nil {
			return nil, err
		}
		value := []json.RawMessage{[]byte(strconv.Quote(string(at))), quoted}
		if metadata {
			about, err := json.Marshal(metadataOf(text))
			if err != nil {
				return nil, err
			}
			value = append(value, about)
		}
		s.Values = append(s.Values, value)
	}
	return json.Marshal(map[string][]stream{"streams": {s}})
}

// metadataOf is what a line in JSON says of its window, uid and phase, as texts.
func metadataOf(line []byte) map[string]string {
	var about struct {
		Window, UID json.Number
		Phase       string
	}
	_ = json.Unmarshal(line, &about) // a line of another form has none
	out := map[string]string{"window": about.Window.String(), "uid": about.UID.String(), "phase": about.Phase}
	maps.DeleteFunc(out, func(_, v string) bool { return v == "" })
	return out
}

// Write queues a line, with the time of now.
func (w *Writer) Write(line []byte) (int, error) {
	queued := strconv.AppendInt(nil, w.clock.Now().UnixNano(), 10)
	queued = append(append(queued, ' '), bytes.TrimSuffix(line, []byte("\n"))...)
	w.queue.Add(queued)
	return len(line), nil
}

// Run sends until ctx ends, and then what is left.
func (w *Writer) Run(ctx context.Context) { w.queue.Run(ctx) }
