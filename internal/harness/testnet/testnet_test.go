package testnet_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"templar/internal/checkpoint"
	"templar/internal/harness/testnet"
	"templar/internal/telemetry"
	"templar/protocol"
)

func TestEveryNodeHoldsTheSameModel(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(6)
		net.RequireSameState()
		for w, a := range testnet.Of[telemetry.Applied](net, "validator-1") {
			if len(a.Included) != 3 || len(a.Skipped) != 0 {
				t.Errorf("window %d: included %v, skipped %v", w, a.Included, a.Skipped)
			}
		}
		first, last := trained(net, 0).Loss, trained(net, 5).Loss
		if last > first-0.3 {
			t.Errorf("miner-0's loss went from %.3f to %.3f in six windows", first, last)
		}
	})
}

func trained(net *testnet.Network, i int) telemetry.Trained {
	return testnet.Of[telemetry.Trained](net, "miner-0")[net.Window(i)]
}

// What happens depends on nothing but the configuration: signatures are random, and
// goroutines run in any order.
func TestRunsRepeat(t *testing.T) {
	run := func() (states map[protocol.Window]protocol.Hash, scores map[protocol.Window]telemetry.Scored) {
		testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
			net.Start()
			net.RunWindows(5)
			states, scores = net.States("validator-1"), testnet.Of[telemetry.Scored](net, "validator-1")
		})
		return states, scores
	}
	states, scores := run()
	again, scoresAgain := run()
	if !maps.Equal(states, again) {
		t.Errorf("states %v and %v", states, again)
	}
	requireSameScores(t, scores, scoresAgain)
}

func requireSameScores(t *testing.T, a, b map[protocol.Window]telemetry.Scored) {
	t.Helper()
	if len(a) == 0 || !slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))) {
		t.Errorf("scores of windows %v and %v", slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)))
	}
	for w := range a {
		if !reflect.DeepEqual(a[w], b[w]) {
			t.Errorf("window %d: scores %+v and %+v", w, a[w].Miners, b[w].Miners)
		}
	}
}

func TestMinerJoinsLate(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
		net.Start("miner-2")
		net.RunWindows(6)
		net.Node("miner-2").Start()
		net.RunWindows(9) // until the next peer list is in force
		net.RequireSameState()
		uid := net.Node("miner-2").UID
		if a := testnet.Of[telemetry.Applied](net, "validator-0")[net.Window(14)]; !slices.Contains(a.Included, uid) {
			t.Errorf("window %d: included %v, not the uid %d that joined late", net.Window(14), a.Included, uid)
		}
	})
}

func TestNoGradients(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(3)
		net.Node("miner-0").Stop()
		net.Node("miner-1").Stop()
		net.RunWindows(6)
		net.RequireSameState()
		applied := testnet.Of[telemetry.Applied](net, "validator-1")
		before, last := applied[net.Window(7)], applied[net.Window(8)]
		if len(last.Included) != 0 || last.Aggregate.IsZero() {
			t.Errorf("included %v in %s, want an empty Aggregate", last.Included, last.Aggregate.Short())
		}
		if last.State != before.State || last.Step != before.Step+1 || last.Step != 8 {
			t.Errorf("step %d to %d, state %s to %s: want the step counted and the parameters untouched",
				before.Step, last.Step, before.State.Short(), last.State.Short())
		}
	})
}

func TestWeightsReachTheChain(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(8)
		for _, name := range []string{"validator-0", "validator-1"} {
			set := testnet.Of[telemetry.WeightsSet](net, name)
			if len(set) == 0 {
				t.Errorf("%s set no weights", name)
			}
			for w, s := range set {
				if !s.Accepted {
					t.Errorf("%s, window %d: %s", name, w, s.Reason)
				}
			}
		}
		graph, err := net.Chain.Metagraph(net.Context())
		if err != nil {
			t.Fatal(err)
		}
		incentive := 0
		for _, n := range graph.Neurons {
			incentive += int(n.Incentive)
		}
		if incentive == 0 {
			t.Error("no miner has an incentive")
		}
	})
}

// --test gathers from more peers than the run selects, and the Aggregate still fits.
func TestAllPeers(t *testing.T) {
	few := func(p *protocol.Params) { p.MaxTopKPeers = 1 }
	testnet.Test(t, testnet.Config{Miners: 4, Validators: 1, Params: few}, func(net *testnet.Network) {
		net.Node("aggregator-0").Config.AllPeers = true
		net.Start()
		net.RunWindows(3)
		net.RequireSameState()
		if a := testnet.Of[telemetry.Applied](net, "miner-0")[net.Window(2)]; len(a.Included) != 4 {
			t.Errorf("included %v, want all four", a.Included)
		}
	})
}

// Asked for three windows, every node ends by itself after them. The validators leave
// the result behind, and gathers where they were asked to.
func TestEndOfRun(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 2}, func(net *testnet.Network) {
		names := []string{"miner-0", "miner-1", "validator-0", "validator-1", "aggregator-0"}
		for _, name := range names {
			net.Node(name).Config.Windows = 3
			net.Node(name).Config.StoreGathers = true
		}
		net.Start()
		net.RunWindows(3)
		net.Wait(net.Run.Params.WindowTime())
		net.RequireSameState()
		for _, name := range names {
			if events := net.Events(name); events[len(events)-1].Body != (telemetry.Phase{Name: "done"}) {
				t.Errorf("%s ended with %+v", name, events[len(events)-1])
			}
			if n := len(net.States(name)); n != 3 && name != "aggregator-0" {
				t.Errorf("%s applied %d windows, want 3", name, n)
			}
		}
		for _, name := range []string{"validator-0", "validator-1"} {
			owner := net.Node(name)
			s, err := checkpoint.Load(net.Context(), net.Bucket(name), net.Run, net.Window(3), owner.Signer.Hotkey())
			if err != nil || net.Run.Space.Hash(s.Params) != net.States("miner-0")[net.Window(2)] {
				t.Errorf("%s's checkpoint is not the result: %v", name, err)
			}
			if _, err := owner.Local.Head(net.Context(), protocol.ArchiveKey(net.Window(2), 3)); err != nil {
				t.Errorf("%s kept no gathers: %v", name, err)
			}
		}
	})
}
