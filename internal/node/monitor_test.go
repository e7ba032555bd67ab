package node

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"templar/internal/admin"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/harness"
	"templar/internal/harness/testnet"
	"templar/internal/parts"
	"templar/internal/role"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
)

// worker has the status that a test gives it.
type worker struct{ status role.Status }

func (w *worker) Run(context.Context) error { return nil }
func (w *worker) Status() role.Status       { return w.status }

// A process is ready when each of its nodes is, and reports the earliest of their last windows.
func TestMonitor(t *testing.T) {
	m := NewMonitor("v1", clock.Wall{})
	if h := m.Health(); !h.Live || h.Ready || h.Reason != "starting" {
		t.Errorf("without nodes: %+v", h)
	}
	r := must(run.New(testnet.Params(), harness.Methods()))(t)
	n := &Node{Parts: parts.Parts{Run: r, Traffic: new(store.Counters)}}
	now := time.Now()
	done := func(w protocol.Window, at time.Time) *role.DoneStatus { return &role.DoneStatus{Window: w, Time: at} }
	miner := &worker{role.Status{Node: "miner-0", Role: telemetry.Miner, Phase: "training", Done: done(8, now)}}
	aggregator := &worker{role.Status{Node: "aggregator-0", Role: telemetry.Aggregator, Phase: "waiting", Done: done(9, now.Add(-time.Second))}}
	ended := m.Add(n, miner)
	m.Add(n, aggregator)
	if h := m.Health(); !h.Ready || h.Window != 8 {
		t.Errorf("two nodes at work: %+v", h)
	}
	if s := m.Status(); len(s.Nodes) != 2 || s.Nodes[0].Node != "aggregator-0" || !s.Nodes[0].Ready || s.Version != "v1" {
		t.Errorf("status %+v", s)
	}
	aggregator.status.Done = done(7, now.Add(-4*r.Params.WindowTime()))
	if h := m.Health(); h.Ready || !h.Live || !strings.HasPrefix(h.Reason, "aggregator-0: the last window was done ") || h.Window != 7 {
		t.Errorf("one is behind: %+v", h)
	}
	ended()
	if h := m.Health(); h.Live {
		t.Errorf("one has ended: %+v", h)
	}
}

// A node serves its status from before it can work until its role has ended, and no credential.
func TestConsole(t *testing.T) {
	var log strings.Builder
	env := Env{Log: slog.New(slog.NewTextHandler(&log, nil)), Sink: telemetry.SinkFunc(func(telemetry.Event) {}), Clock: clock.Wall{}, Version: "v1"}
	c := config.Default()
	c.DataDir = t.TempDir()
	console, err := openConsole(c, &env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan struct{})
	go func() { defer close(served); console.run(ctx, env) }()
	remove := console.announce(c.DataDir, env)
	url, err := admin.Find(c.DataDir)
	if err != nil || !strings.Contains(log.String(), url) {
		t.Fatalf("%q, %v, logged %s", url, err, log.String())
	}
	env.Sink.Emit(telemetry.Event{Node: "n", Role: telemetry.Miner, Body: telemetry.Applied{Step: 41}})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	get := func(path string) string {
		resp, err := (&http.Client{Transport: transport}).Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return string(must(io.ReadAll(resp.Body))(t))
	}
	var s ProcessStatus
	if err := json.Unmarshal([]byte(get("/status")), &s); err != nil || s.Version != "v1" || s.Health.Ready {
		t.Error(s, err)
	}
	if text := get("/metrics"); !strings.Contains(text, `templar_step{node="n",role="miner"} 41`) {
		t.Errorf("no metrics of the node's events: %s", text)
	}
	remove()
	stop()
	<-served

	c.Admin.Address = config.AdminOff
	if console, err := openConsole(c, &Env{}); console != nil || err != nil {
		t.Error("a server that is off", console, err)
	}
	c.Admin.Address = httptest.DefaultRemoteAddr
	if _, err := openConsole(c, &Env{Clock: clock.Wall{}, Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("an address without port")
	}
}
