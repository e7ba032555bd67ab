package otlp

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"templar/internal/clock"
	"templar/internal/telemetry"
	"templar/internal/telemetry/telemetrytest"
	"templar/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// request is what a collector reads: the fields of ExportTraceServiceRequest that are sent, and no others.
type request struct {
	ResourceSpans []struct {
		Resource   struct{ Attributes []attribute }
		ScopeSpans []struct {
			Scope struct{ Name string }
			Spans []span
		}
	}
}

// collector takes what is sent to it.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	spans    []span
}

func collect(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		dec := json.NewDecoder(r.Body)
		dec.DisallowUnknownFields()
		var got request
		if err := dec.Decode(&got); err != nil {
			t.Error(err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.requests = append(c.requests, r)
		for _, s := range got.ResourceSpans[0].ScopeSpans[0].Spans {
			s.Attributes = append(s.Attributes, got.ResourceSpans[0].Resource.Attributes...)
			c.spans = append(c.spans, s)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (s span) text(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key && a.Value.Text != nil {
			return *a.Value.Text
		}
	}
	return ""
}

func unix(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var theRun = protocol.Hash{7}

// node returns a sink, and a function that sends what it has.
func node(t *testing.T, c Collector, name string, role telemetry.Role, log *slog.Logger) (*Sink, func()) {
	t.Helper()
	s, err := New(c, Resource{Node: name, Role: role, Version: "v1", Run: theRun}, clock.Wall{}, log)
	if err != nil {
		t.Fatal(err)
	}
	return s, func() {
		ctx, stop := context.WithCancel(t.Context())
		stop()
		s.Run(ctx)
	}
}

// The spans of all nodes of a window meet in one trace: each node has one, and in it one for each phase.
func TestTracesOfWindows(t *testing.T) {
	server := collect(t)
	sinks, ends := map[string]*Sink{}, []func(){}
	begin := time.Unix(1_700_000_000, 0)
	for w := range protocol.Window(3) {
		for _, e := range telemetrytest.Window(100, 100+w, begin.Add(time.Duration(w)*time.Minute)) {
			if e.Role == "" {
				continue
			}
			s := sinks[e.Node]
			if s == nil {
				var end func()
				s, end = node(t, Collector{URL: server.URL + "/", Headers: "authorization=Bearer%20secret, x-scope=a"}, e.Node, e.Role, slog.New(slog.DiscardHandler))
				sinks[e.Node], ends = s, append(ends, end)
			}
			s.Emit(e)
		}
	}
	for _, end := range ends {
		end()
	}
	for _, r := range server.requests {
		if r.URL.Path != "/v1/traces" || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("X-Scope") != "a" {
			t.Errorf("%s %s with %v", r.Method, r.URL, r.Header)
		}
	}
	ids, traces := map[string]span{}, map[string][]string{}
	for _, s := range server.spans {
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(s.Trace) || !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(s.ID) {
			t.Errorf("ids %q %q", s.Trace, s.ID)
		}
		if _, twice := ids[s.ID]; twice {
			t.Errorf("the id of %s occurs twice", s.Name)
		}
		ids[s.ID] = s
		traces[s.Trace] = append(traces[s.Trace], s.text("templar.node")+" "+s.Name)
	}
	for _, s := range server.spans {
		if unix(t, s.End) < unix(t, s.Start) {
			t.Errorf("%s ends before it begins", s.Name)
		}
		if s.Parent == "" {
			continue
		}
		p, ok := ids[s.Parent]
		if !ok || p.Trace != s.Trace || unix(t, p.Start) > unix(t, s.Start) || unix(t, p.End) < unix(t, s.End) || p.text("templar.node") != s.text("templar.node") {
			t.Errorf("%s is not within its parent %+v", s.Name, p)
		}
	}
	want := []string{
		"aggregator-0 aggregator window", "aggregator-0 gathering", "miner-0 fetching", "miner-0 miner window", "miner-0 starting", "miner-0 training", "miner-0 uploading",
		"validator-0 applying", "validator-0 evaluating", "validator-0 gathering", "validator-0 selecting", "validator-0 validator window",
	}
	for w := range protocol.Window(3) {
		id := Trace(theRun, 100+w)
		got := traces[hex.EncodeToString(id[:])]
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("window %d: %q", 100+w, got)
		}
	}
	if len(traces) != 3 || Trace(theRun, 100) == Trace(protocol.Hash{8}, 100) {
		t.Errorf("%d traces", len(traces))
	}
	i := slices.IndexFunc(server.spans, func(s span) bool { return s.Name == "evaluating" })
	if s := server.spans[i]; s.text("templar.subject") != "1" || s.text("service.name") != "templar-validator" || s.text("service.instance.id") != "validator-0" ||
		s.Status == nil || s.Status.Code != statusError || s.Status.Message != "weights refused: too soon" || len(s.Events) < 5 || s.Events[0].Name != "evaluated" {
		t.Errorf("%+v", s)
	}
}

// A span has a bounded number of events, a clock that is set back makes no negative length, and
// nothing is open after the last phase.
func TestBounds(t *testing.T) {
	server := collect(t)
	s, end := node(t, Collector{URL: server.URL}, "", telemetry.Miner, slog.New(slog.DiscardHandler))
	at := time.Unix(1_700_000_000, 0)
	emit := func(at time.Time, b telemetry.Body) {
		s.Emit(telemetry.Event{Time: at, Node: "m", Role: telemetry.Miner, Window: 5, Body: b})
	}
	emit(at, telemetry.Trained{}) // before any phase
	emit(at, telemetry.Phase{Name: "training"})
	for range maxEvents + 3 {
		emit(at, telemetry.Uploaded{Key: strings.Repeat("k", 10_000)})
	}
	emit(at.Add(-time.Hour), telemetry.Applied{Provisional: true})
	emit(at.Add(-time.Hour), telemetry.Phase{Name: "done"})
	emit(at, telemetry.Trained{})
	end()
	if len(server.spans) != 2 {
		t.Fatalf("%d spans", len(server.spans))
	}
	for _, s := range server.spans {
		if s.Start != s.End || s.Status == nil || s.text("service.instance.id") != "" {
			t.Errorf("%s from %s to %s, %v", s.Name, s.Start, s.End, s.Status)
		}
	}
	if s := server.spans[0]; len(s.Events) != maxEvents || s.Dropped != 4 || len(*s.Events[0].Attributes[1].Value.Text) != maxReason {
		t.Errorf("%d events, %d dropped", len(s.Events), s.Dropped)
	}
}

// A collector that is dead, refuses or answers nonsense costs its own data only; its answers and the
// headers are not logged.
func TestBadCollectors(t *testing.T) {
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	answers := map[string]http.HandlerFunc{
		"dead":    nil,
		"refuses": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) },
		"moved": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/traces" {
				t.Error("a redirect was followed")
			}
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"lies": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"partialSuccess":{"rejectedSpans":"-1","errorMessage":"hunter2`+strings.Repeat("x", 1<<20))
		},
		"breaks off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			address := dead.URL
			if answer != nil {
				server := httptest.NewServer(answer)
				defer server.Close()
				address = server.URL
			}
			var said strings.Builder
			s, end := node(t, Collector{URL: address, Headers: "key=hunter2"}, "m", telemetry.Miner, slog.New(slog.NewTextHandler(&said, nil)))
			for w := range protocol.Window(3) {
				for _, e := range telemetrytest.Window(1, 1+w, time.Now()) {
					if e.Role == telemetry.Miner {
						s.Emit(e)
					}
				}
			}
			end()
			if strings.Contains(said.String(), "hunter2") || (name == "lies") == strings.Contains(said.String(), "not delivered") {
				t.Errorf("log: %s", &said)
			}
		})
	}
}

// Addresses and headers are checked before a node starts, and not repeated: they may hold secrets.
func TestCheck(t *testing.T) {
	for _, c := range []Collector{
		{URL: "collector:4318"}, {URL: "ftp://x"}, {URL: "http://me:hunter2@x"}, {URL: "http://x?key=hunter2"}, {URL: "http://"}, {URL: "http://x", Headers: "hunter2"},
		{URL: "http://x", Headers: "a b=hunter2"}, {URL: "http://x", Headers: "=hunter2"}, {URL: "http://x", Headers: "a=hunter2%0d%0ab:c"}, {URL: "http://x", Headers: "a=%zhunter2"},
	} {
		err := errors.Join(CheckURL(c.URL), CheckHeaders(c.Headers))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v", c, err)
		}
		if _, err := New(c, Resource{}, clock.Wall{}, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	for address, want := range map[string]string{
		"http://x:4318": "http://x:4318/v1/traces", "https://x/": "https://x/v1/traces", "http://x/a/b/": "http://x/a/b/v1/traces", "http://[::1]:4318": "http://[::1]:4318/v1/traces",
	} {
		if got, err := (Collector{URL: address}).address(); err != nil || got != want {
			t.Errorf("%s: %s, %v", address, got, err)
		}
	}
}
