// Package otlp sends traces to a collector of OpenTelemetry, by OTLP over HTTP in its JSON encoding: what
// each node did in a window, phase by phase.
//
// A window has one trace, whose id follows from the run and the window (Trace): the spans of
// all nodes that send to one collector meet there. Spans are made of the events that all sinks get.
package otlp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"templar/internal/clock"
	"templar/internal/telemetry"
	"templar/internal/telemetry/push"
	"templar/protocol"
)

// Collector is where spans go.
type Collector struct {
	URL     string // http(s)://host[:port][/path], to which /v1/traces is added
	Headers string // name=value,name=value, as in OTEL_EXPORTER_OTLP_HEADERS: values are percent-encoded
}

// Resource is the node that spans are of.
type Resource struct {
	Node    string // empty: by its spans only
	Role    telemetry.Role
	Version string // of the program
	Run     protocol.Hash
}

// Sink is a telemetry.Sink of one node that sends spans while Run runs.
type Sink struct {
	queue *push.Queue
	clock clock.Clock

	mu       sync.Mutex
	recorder recorder
}

var _ telemetry.Sink = (*Sink)(nil)

// New returns a sink for a collector. Failures of the collector are logged in log.
func New(c Collector, r Resource, clk clock.Clock, log *slog.Logger) (*Sink, error) {
	address, err := c.address()
	if err != nil {
		return nil, err
	}
	headers, err := c.headers()
	if err != nil {
		return nil, err
	}
	head, err := r.head()
	if err != nil {
		return nil, err
	}
	post := func(ctx context.Context, batch [][]byte) (*http.Request, error) {
		body := slices.Concat(head, bytes.Join(batch, []byte(",")), []byte("]}]}]}"))
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header = headers.Clone()
		req.Header.Set("Content-Type", "application/json")
		return req, nil
	}
	s := &Sink{queue: push.New("spans", post, clk, log), clock: clk, recorder: recorder{run: r.Run}}
	s.recorder.send = s.send
	return s, nil
}

// CheckURL and CheckHeaders report what is wrong with a part of a Collector.
func CheckURL(address string) error {
	_, err := Collector{URL: address}.address()
	return err
}

func CheckHeaders(text string) error {
	_, err := Collector{Headers: text}.headers()
	return err
}

func (c Collector) address() (string, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("want http(s)://host[:port][/path], like http://127.0.0.1:4318; a password belongs in the headers") // it may hold one: not quoted
	}
	return u.JoinPath("v1", "traces").String(), nil
}

func (c Collector) headers() (http.Header, error) {
	h := http.Header{}
	for pair := range strings.SplitSeq(c.Headers, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, text, ok := strings.Cut(pair, "=")
		text, err := url.PathUnescape(strings.TrimSpace(text))
		name = strings.TrimSpace(name)
		if !ok || err != nil || !isToken(name) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, errors.New("want headers as name=value,name=value, values percent-encoded") // they hold secrets: not quoted
		}
		h.Set(name, text)
	}
	return h, nil
}

// isToken reports whether a name can be that of a header.
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

// head is what stands in a request before its spans.
func (r Resource) head() ([]byte, error) {
	name := func(key, text string) attribute { return attribute{key, value{Text: &text}} }
	all := []attribute{name("service.namespace", "templar"), name("service.name", "templar-"+string(r.Role)), name("service.version", r.Version), name("templar.run", r.Run.String())}
	if r.Node != "" {
		all = append(all, name("service.instance.id", r.Node))
	}
	about, err := json.Marshal(all)
	return fmt.Appendf(nil, `{"resourceSpans":[{"resource":{"attributes":%s},"scopeSpans":[{"scope":{"name":"templar"},"spans":[`, about), err
}

// Emit takes an event. It never waits.
func (s *Sink) Emit(e telemetry.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Visit(&s.recorder)
}

func (s *Sink) send(of span) {
	if b, err := encode(of); err == nil { // a span has nothing that JSON lacks
		s.queue.Add(b)
	}
}

// Run sends until ctx ends, and then what is left, with the spans that are open.
func (s *Sink) Run(ctx context.Context) {
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, func() {
		s.finish()
		stop()
	})()
	s.queue.Run(sending)
}

// finish ends the open spans.
func (s *Sink) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recorder.close(s.clock.Now())
}
