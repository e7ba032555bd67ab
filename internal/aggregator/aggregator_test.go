package aggregator_test

import (
	"strings"
	"testing"

	"templar/internal/aggregator"
	"templar/internal/role"
	"templar/internal/simnet"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// A hotkey that the run does not list is refused at once.
func TestUnlistedAggregator(t *testing.T) {
	simnet.Test(t, simnet.Config{Miners: 1}, func(net *simnet.Network) {
		a := aggregator.New(role.Config{}, role.Deps{Exchange: net.Node("miner-0").Exchange()})
		if err := a.Run(net.Context()); err == nil || !strings.Contains(err.Error(), "not among the run's aggregators") {
			t.Error(err)
		}
	})
}

// What an earlier run left in the bucket does not stop this one.
func TestEarlierRun(t *testing.T) {
	simnet.Test(t, simnet.Config{Miners: 1, Validators: 1}, func(net *simnet.Network) {
		if _, err := net.Bucket("aggregator").Put(net.Context(), protocol.AggregateKey(0), strings.NewReader("x"), 1, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		net.Start()
		net.RunWindows(2)
	})
}

// The archive holds exactly the gradients that each Aggregate names, restart or not.
func TestArchive(t *testing.T) {
	simnet.Test(t, simnet.Config{Miners: 2, Validators: 1}, func(net *simnet.Network) {
		net.Start()
		net.RunWindows(1)
		net.Node("aggregator-0").KillWhen(simnet.InPhase(net.Window(4), "publishing"))
		net.RunWindows(5)
		net.RequireSameState()
		x := net.Node("aggregator-0").Exchange()
		for i := range 6 {
			w := net.Window(i)
			a, _, _, verdict := x.FetchAggregate(net.Context(), w, x.Clock.Now().Add(x.Params.Gather()))
			if !verdict.OK() || len(a.Included) != 2 {
				t.Fatalf("window %d: %v", w, verdict)
			}
			for _, in := range a.Included {
				if _, v := x.Archived(net.Context(), w, in); !v.OK() {
					t.Errorf("window %d: uid %d's gradient is %v in the archive", w, in.UID, v)
				}
			}
			other := wire.Included{UID: a.Included[0].UID, Hotkey: a.Included[0].Hotkey}
			if _, v := x.Archived(net.Context(), w, other); v != protocol.VerdictWrongContext {
				t.Errorf("window %d: a gradient that is not named is %v", w, v)
			}
		}
		if s := simnet.Of[telemetry.Published](net, "aggregator-0"); len(s) < 6 {
			t.Errorf("%d windows were published", len(s))
		}
	})
}
