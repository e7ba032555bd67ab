package prom

import (
	"io"
	"math"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"templar/internal/telemetry"
	"templar/internal/telemetry/telemetrytest"
	"templar/protocol"
)

// scrape returns the exposition of a registry that has seen two windows.
func scrape(t *testing.T) (*Registry, string) {
	t.Helper()
	r := New("v1.2.3")
	for w := range 2 {
		for _, e := range telemetrytest.Window(10, 10+protocol.Window(w), time.Unix(1000, 0)) {
			r.Emit(e)
		}
	}
	r.Emit(telemetry.Event{Node: "miner-0", Role: telemetry.Miner, UID: 1, Window: 12, Body: telemetry.Applied{Provisional: true}})
	r.Emit(telemetry.Event{Node: "miner-0", Role: telemetry.Miner, UID: 1, Window: 12, Body: telemetry.Trained{Loss: math.NaN(), Tokens: 1}})
	return r, expose(t, r)
}

func expose(t *testing.T, r *Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	b, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatal(w.Code, err)
	}
	return string(b)
}

// Every metric of the list has a value after a window of each role, and no other exists.
func TestEveryMetricHasValues(t *testing.T) {
	_, text := scrape(t)
	for _, m := range All() {
		if !strings.Contains(text, "\n"+m.Name+"{") && !strings.Contains(text, "\n"+m.Name+"_bucket{") {
			t.Errorf("no value of %s", m.Name)
		}
		if !strings.Contains(text, "# TYPE "+m.Name+" "+string(m.Type)+"\n") {
			t.Errorf("%s is no %s", m.Name, m.Type)
		}
	}
	listed := map[string]bool{}
	for _, m := range All() {
		listed[m.Name] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (templar_\S+)`).FindAllStringSubmatch(text, -1) {
		if !listed[m[1]] {
			t.Errorf("%s is not in the list", m[1])
		}
	}
}

func TestValues(t *testing.T) {
	_, text := scrape(t)
	for _, want := range []string{
		`templar_build_info{goversion="go`, `version="v1.2.3"} 1`,
		`templar_window{node="miner-0",role="miner"} 11`, `templar_step{node="aggregator-0",role="aggregator"} 1`,
		`templar_peers_skipped_total{node="aggregator-0",role="aggregator",uid="2",verdict="late"} 2`,
		`templar_trained_tokens_total{node="miner-0",role="miner"} 6145`,
		`templar_training_loss{node="miner-0",role="miner"} NaN`,
		`templar_provisional{node="miner-0",role="miner"} 1`,
		`templar_phase{node="validator-0",phase="applying",role="validator"} 1`,
		`templar_phase{node="validator-0",phase="gathering",role="validator"} 0`,
		`templar_miner_weight{node="validator-0",role="validator",uid="1"} 0.6`,
		`templar_miner_penalties_total{node="validator-0",role="validator",uid="2"} 2`,
		`templar_gather_seconds_count{node="aggregator-0",role="aggregator"} 2`,
		`templar_held_out_bpb{node="evaluator-0",role="evaluator"} 3.46`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
}

// Two registries of one process share nothing.
func TestRegistriesAreSeparate(t *testing.T) {
	scrape(t)
	if text := expose(t, New("")); strings.Contains(text, `node="miner-0"`) {
		t.Error("a new registry has another's metrics")
	}
}

// promtool, where it is installed, finds no fault in names, types and help.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: apt install prometheus)")
	}
	_, text := scrape(t)
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

// An event costs few allocations, since nodes emit them beside their work.
func BenchmarkEmit(b *testing.B) {
	r, events := New(""), telemetrytest.Window(10, 11, time.Unix(1000, 0))
	b.ReportAllocs()
	for b.Loop() {
		for _, e := range events {
			r.Emit(e)
		}
	}
}
