package validator_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"templar/internal/harness/testnet"
	"templar/internal/report"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
)

var long = flag.Bool("long", false, "restart at every phase of 30 windows, each phase in a run of its own")

// phases are the phases of a validator's window, as it reports them; in "durable" its book is
// saved and not published yet.
var phases = []string{"selecting", "gathering", "comparing", "eval uid", "scoring", "durable", "weights", "applying"}

func phase(e telemetry.Event) string {
	switch b := e.Body.(type) {
	case telemetry.Phase:
		return b.Name
	case telemetry.Scored:
		return "durable"
	}
	return ""
}

// TestRestarts kills the lead validator at the beginning of a phase in every window: at
// another phase in each, or with -long, which takes a minute, at each phase in every
// window. Its book is that of a validator beside it that is never killed, bit for bit;
// there is a report for every window, and every due submission of weights is made.
func TestRestarts(t *testing.T) {
	windows, runs := 15, map[string]func(w protocol.Window, phase string) bool{
		"a phase a window": func(w protocol.Window, phase string) bool {
			return strings.HasPrefix(phase, phases[int(w)%len(phases)])
		},
	}
	if *long {
		windows = 30
		for _, p := range phases {
			runs[p] = func(_ protocol.Window, phase string) bool { return strings.HasPrefix(phase, p) }
		}
	}
	for name, kill := range runs {
		t.Run(name, func(t *testing.T) {
			change := func(p *protocol.Params) { p.CheckpointFrequency = 10 } // keeps all reports
			testnet.Test(t, testnet.Config{Miners: 3, Validators: 2, Params: change}, func(net *testnet.Network) {
				kills := restarting(net, windows, kill)
				t.Logf("%d restarts", kills)
				if kills < windows/7 {
					t.Errorf("killed %d times in %d windows", kills, windows)
				}
				requireSameBooks(t, net, windows)
			})
		})
	}
}

// restarting runs the network for some windows, kills validator-0 where kill says so, once
// a window, and returns how often that was.
func restarting(net *testnet.Network, windows int, kill func(protocol.Window, string) bool) int {
	v, killed := net.Node("validator-0"), make(map[protocol.Window]bool)
	var fired atomic.Bool
	fits := func(e telemetry.Event) bool {
		name := phase(e)
		if name == "" || e.Window == 0 || int(e.Window) > windows || killed[e.Window] || !kill(e.Window, name) {
			return false
		}
		killed[e.Window] = true
		fired.Store(true)
		return true
	}
	v.KillWhen(fits)
	for _, name := range []string{"validator-0", "validator-1"} {
		net.Node(name).Config.Windows = uint64(windows) + 1 // the last one without a kill
	}
	net.Start()
	for range 100 * windows * 12 {
		net.Wait(100 * time.Millisecond)
		if fired.Swap(false) {
			v.KillWhen(fits)
		}
		if applied(net, "validator-0") > windows && applied(net, "validator-1") > windows {
			break
		}
	}
	return len(killed)
}

// applied is the newest window that a node has applied; the run starts at window 1.
func applied(net *testnet.Network, node string) (newest int) {
	for w := range net.States(node) {
		newest = max(newest, int(w))
	}
	return newest
}

// requireSameBooks compares what the validators have written, and what the chain took.
func requireSameBooks(t *testing.T, net *testnet.Network, windows int) {
	t.Helper()
	net.RunWindows(windows + 1)
	net.RequireSameState()
	killed, other := net.Node("validator-0"), net.Node("validator-1")
	if a, b := read(t, net, killed.Local, "scores.json"), read(t, net, other.Local, "scores.json"); !bytes.Equal(a, b) {
		t.Errorf("the book is\n%s\nwithout restarts\n%s", a, b)
	}
	for i := range windows {
		w := net.Window(i)
		if a, b := written(t, net, killed, w), written(t, net, other, w); !bytes.Equal(a, b) {
			t.Errorf("window %d: the report is\n%s\nwithout restarts\n%s", w, a, b)
		}
	}
	a, b := testnet.Of[telemetry.WeightsSet](net, killed.Name), testnet.Of[telemetry.WeightsSet](net, other.Name)
	if len(b) == 0 || !maps.EqualFunc(a, b, func(a, b telemetry.WeightsSet) bool { return a.Accepted && b.Accepted }) {
		t.Errorf("weights were set in windows %v, without restarts %v", a, b)
	}
}

// written is a report but for whose it is.
func written(t *testing.T, net *testnet.Network, v *testnet.Node, w protocol.Window) []byte {
	t.Helper()
	r, by, err := report.Decode(read(t, net, net.Bucket(v.Name), protocol.ReportKey(w, v.UID)), net.Run.Params)
	if err != nil || by != v.Signer.Hotkey() {
		t.Fatalf("window %d: report signed by %v, %v", w, by, err)
	}
	r.UID = 0
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t *testing.T, net *testnet.Network, b store.Reader, key string) []byte {
	t.Helper()
	body, _, err := b.Get(net.Context(), key, -1)
	if err != nil {
		t.Fatal(key, err)
	}
	defer body.Close()
	raw, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
