package testnet_test

import (
	"slices"
	"strings"
	"testing"

	"templar/internal/harness/testnet"
	"templar/internal/telemetry"
	"templar/protocol"
)

// Killed on entering any phase, a miner goes on from its own directory: its model stays
// the network's, and it uploads again at the latest in the window after.
func TestMinerRestartsAnywhere(t *testing.T) {
	applied := func(w protocol.Window) func(telemetry.Event) bool {
		return func(e telemetry.Event) bool {
			_, ok := e.Body.(telemetry.Applied)
			return ok && e.Window == w
		}
	}
	uploaded := func(w protocol.Window) func(telemetry.Event) bool {
		return func(e telemetry.Event) bool {
			_, ok := e.Body.(telemetry.Uploaded)
			return ok && e.Window == w
		}
	}
	phase := func(name string) func(protocol.Window) func(telemetry.Event) bool {
		return func(w protocol.Window) func(telemetry.Event) bool { return testnet.InPhase(w, name) }
	}
	for name, kill := range map[string]func(protocol.Window) func(telemetry.Event) bool{
		"training": phase("training"), "waiting": phase("waiting"), "uploading": phase("uploading"),
		"uploaded": uploaded, "aggregate": phase("fetching"), "applied": applied,
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
				net.Start()
				net.RunWindows(1)
				w := net.Window(5)
				net.Node("miner-0").KillWhen(kill(w))
				net.RunWindows(9)
				net.RequireSameState()
				if n := starts(net, "miner-0"); n != 2 {
					t.Fatalf("miner-0 started %d times, want 2", n)
				}
				published := testnet.Of[telemetry.Published](net, "aggregator-0")
				for later := w + 1; later < net.Window(10); later++ {
					if uid := net.Node("miner-0").UID; !slices.Contains(published[later].Included, uid) {
						t.Errorf("window %d includes %v, not uid %d that was restarted in window %d", later, published[later].Included, uid, w)
					}
				}
			})
		})
	}
}

// starts counts the instances of a node.
func starts(net *testnet.Network, node string) (n int) {
	for _, e := range net.Events(node) {
		if p, ok := e.Body.(telemetry.Phase); ok && p.Name == "starting" {
			n++
		}
	}
	return n
}

// A validator that is killed between closing the books on a window and applying it
// neither scores the window twice nor forgets it.
func TestValidatorRestartsWithItsScores(t *testing.T) {
	run := func(kill bool) (scores map[protocol.Window]telemetry.Scored) {
		testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
			net.Start()
			net.RunWindows(1)
			if kill {
				net.Node("validator-1").KillWhen(testnet.InPhase(net.Window(4), "applying"))
			}
			net.RunWindows(8)
			net.RequireSameState()
			if n := starts(net, "validator-1"); kill != (n == 2) {
				t.Fatalf("validator-1 started %d times", n)
			}
			scores = testnet.Of[telemetry.Scored](net, "validator-1")
		})
		return scores
	}
	requireSameScores(t, run(true), run(false))
}

func TestAggregatorIsAway(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(2)
		net.Node("aggregator-0").Stop()
		net.Wait(4 * net.Run.Params.WindowTime())
		if n := provisional(net, "miner-0"); n < 3 {
			t.Errorf("miner-0 applied %d updates of its own in 4 windows without an aggregator", n)
		}
		net.Node("aggregator-0").Start()
		net.RunWindows(8)
		net.RequireSameState()

		var order []protocol.Window
		for _, e := range net.Events("aggregator-0") {
			if p, ok := e.Body.(telemetry.Published); ok {
				order = append(order, e.Window)
				if len(p.Included) != 3 {
					t.Errorf("window %d includes %v: the miners stopped uploading", e.Window, p.Included)
				}
			}
		}
		for i, w := range order {
			if w != net.Window(i) {
				t.Fatalf("published windows %v: want each once and in order", order)
			}
		}
		// The lead selected peers once when they were due, however often it had to wait.
		lists, err := net.Bucket("validator-0").List(net.Context(), protocol.PeersPrefix, "", 100)
		windows := len(testnet.Of[telemetry.Scored](net, "validator-0"))
		if due := (windows-1)/int(net.Run.Params.PeerReplacementFrequency) + 1; err != nil || len(lists) > due {
			t.Errorf("%d peer lists in %d windows, want at most %d; %v", len(lists), windows, due, err)
		}
		for w, s := range testnet.Of[telemetry.Scored](net, "validator-1") {
			for _, m := range s.Miners {
				if strings.Contains(strings.Join(m.Notes(), " "), "sample") {
					t.Errorf("window %d: uid %d pays for the aggregator's absence: %v", w, m.UID, m.Reasons)
				}
			}
		}
	})
}

func provisional(net *testnet.Network, node string) (n int) {
	for _, e := range net.Events(node) {
		if a, ok := e.Body.(telemetry.Applied); ok && a.Provisional {
			n++
		}
	}
	return n
}

func TestStandbyAggregator(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 1, Aggregators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(3)
		net.Node("aggregator-0").Stop() // the other goes on alone
		net.RunWindows(4)
		net.RequireSameState()
		one, two := testnet.Of[telemetry.Published](net, "aggregator-0"), testnet.Of[telemetry.Published](net, "aggregator-1")
		for i := range 7 {
			w := net.Window(i)
			if one[w].Ours == two[w].Ours {
				t.Errorf("window %d: ours is %v at the one and %v at the other, want exactly one Aggregate", w, one[w].Ours, two[w].Ours)
			}
			if !one[w].Hash.IsZero() && one[w].Hash != two[w].Hash {
				t.Errorf("window %d: %s and %s", w, one[w].Hash.Short(), two[w].Hash.Short())
			}
		}
	})
}

// The lead validator, which has less than half of the stake, vanishes with its bucket: miners go on, and
// newcomers still find the run.
func TestLeadValidatorVanishes(t *testing.T) {
	for name, fault := range map[string]testnet.Fault{"unreachable": testnet.Unreachable, "hanging": testnet.Hanging} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 3, Validators: 4}, func(net *testnet.Network) {
				net.Start("miner-2")
				net.RunWindows(5)
				net.Node("validator-0").Stop()
				net.Break("validator-0", fault)
				net.Node("miner-2").Start()
				net.RunWindows(6)
				net.RequireSameState()
				if a := testnet.Of[telemetry.Published](net, "aggregator-0")[net.Window(10)]; len(a.Included) != 3 {
					t.Errorf("window %d includes %v, want three", net.Window(10), a.Included)
				}
			})
		})
	}
}
