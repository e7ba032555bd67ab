//go:build unix

package node

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/harness/testnet"
	"templar/internal/score"
	"templar/internal/store"
	"templar/internal/telemetry"
	eventlog "templar/internal/telemetry/log"
	"templar/internal/telemetry/telemetrytest"
	"templar/protocol"
)

// processor is the processor time of this process so far.
func processor(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// What all sinks together cost a validator of 64 miners, as a share of one core in windows of 1.2
// seconds (those of localnet: the shortest), is logged: it should be below 1 %, while all servers that they send to are silent. Emitting
// never waits for one.
func TestCost(t *testing.T) {
	over := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer silent.Close()
	c := config.Default()
	c.Name, c.DataDir, c.Run = "validator-0", t.TempDir(), filepath.Join(t.TempDir(), "run.json")
	params := testnet.Params()
	if err := writeParams(c.Run, params); err != nil {
		t.Fatal(err)
	}
	c.Telemetry.WandB = config.WandB{Key: store.Secret(strings.Repeat("k", 40)), URL: silent.URL}
	c.Telemetry.InfluxDB = config.InfluxDB{Host: silent.URL, Token: "token", Original: true}
	c.Telemetry.Loki.URL = store.Secret(silent.URL)
	c.Telemetry.OTLP.URL = silent.URL
	log := slog.New(slog.DiscardHandler)
	env, senders, err := exported(t.Context(), c, telemetry.Validator, Env{Log: log, Sink: eventlog.New(log), Clock: clock.Wall{}, Version: "v1"})
	if err != nil || len(senders) != 4 {
		t.Fatal(len(senders), err)
	}
	console, err := openConsole(c, &env)
	if err != nil {
		t.Fatal(err)
	}
	defer console.server.Close()
	ctx, stop := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	for _, send := range senders {
		sending.Go(func() { send(ctx) })
	}
	const windows = 50
	var all []telemetry.Event
	for w := range protocol.Window(windows) {
		for _, e := range telemetrytest.Window(10, 10+w, time.Now()) {
			if s, ok := e.Body.(telemetry.Scored); ok {
				e.Body = telemetry.Scored{Miners: slices.Repeat(s.Miners, 16)}
				for i := range e.Body.(telemetry.Scored).Miners {
					e.Body.(telemetry.Scored).Miners[i].Observation = score.Observation{UID: protocol.UID(i), Hotkey: protocol.Hotkey{byte(i)}}
				}
			}
			if e.Role == telemetry.Validator {
				all = append(all, e)
			}
		}
	}
	began, before := time.Now(), processor(t)
	for _, e := range all {
		env.Sink.Emit(e)
	}
	emitting := time.Since(began) / windows
	time.Sleep(200 * time.Millisecond) // the file of W&B is written elsewhere, in real time
	cost := (processor(t) - before) / windows
	stop()
	close(over)
	sending.Wait()
	t.Logf("a window costs %v of processor time, %.2f %% of 1.2 s; emitting took %v", cost, 100*cost.Seconds()/1.2, emitting)
	if cost > 60*time.Millisecond { // five times 1 %: the race detector and other work count too
		t.Errorf("a window costs %v of processor time", cost)
	}
	if emitting > time.Second { // a server was waited for
		t.Errorf("emitting a window's events took %v", emitting)
	}
}

// The engine's loop reports nothing: no event can cost it time or memory.
func TestEngineReportsNothing(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "templar/internal/engine/...", "templar/internal/kernel/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "templar/internal/telemetry") {
		t.Error("an engine imports telemetry")
	}
}

func writeParams(file string, p protocol.Params) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}
