package aggregator_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"templar/internal/aggregator"
	"templar/internal/chain"
	"templar/internal/harness/testnet"
	"templar/internal/role"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// A hotkey that the run does not list is refused at once.
func TestUnlistedAggregator(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		a := aggregator.New(role.Config{}, net.Node("miner-0").Parts().ForAggregator())
		if err := a.Run(net.Context()); err == nil || !strings.Contains(err.Error(), "not among the run's aggregators") {
			t.Error(err)
		}
	})
}

// What an earlier run left in the bucket does not stop this one.
func TestEarlierRun(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
		if _, err := net.Bucket("aggregator").Put(net.Context(), protocol.AggregateKey(0, 0), strings.NewReader("x"), 1, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		net.Start()
		net.RunWindows(2)
	})
}

// The archive holds exactly the gradients that each Aggregate names, restart or not.
func TestArchive(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(1)
		net.Node("aggregator-0").KillWhen(testnet.InPhase(net.Window(4), "publishing"))
		net.RunWindows(5)
		net.RequireSameState()
		x := net.Node("aggregator-0").Parts()
		for i := range 6 {
			w := net.Window(i)
			a, _, _, verdict := x.Aggregates().Fetch(net.Context(), w, 0, x.Clock.Now().Add(x.Run.Params.Gather()))
			if !verdict.OK() || len(a.Included) != 2 {
				t.Fatalf("window %d: %v", w, verdict)
			}
			for _, in := range a.Included {
				if _, v := x.Aggregates().Archived(net.Context(), w, in); !v.OK() {
					t.Errorf("window %d: uid %d's gradient is %v in the archive", w, in.UID, v)
				}
			}
			other := wire.Included{UID: a.Included[0].UID, Hotkey: a.Included[0].Hotkey}
			if _, v := x.Aggregates().Archived(net.Context(), w, other); v != protocol.VerdictWrongContext {
				t.Errorf("window %d: a gradient that is not named is %v", w, v)
			}
		}
		if s := testnet.Of[telemetry.Published](net, "aggregator-0"); len(s) < 6 {
			t.Errorf("%d windows were published", len(s))
		}
	})
}

// alone runs aggregator-0 with another view of the chain beside a network without one.
func alone(net *testnet.Network, look func(chain.Chain) chain.Chain) {
	x := net.Node("aggregator-0").Parts()
	x.Chain = look(x.Chain)
	a := aggregator.New(role.Config{}, x.ForAggregator())
	go func() { _ = a.Run(net.Context()) }() // it ends with the test
}

// Missing data on the chain does not stop the aggregator: T is estimated from a newer block or
// from the clock, and the last known peers are used.
func TestChainThatTellsLittle(t *testing.T) {
	for name, look := range map[string]func(chain.Chain) chain.Chain{
		"forgets":  func(c chain.Chain) chain.Chain { return forgetful{c} },
		"no times": func(c chain.Chain) chain.Chain { return timeless{c} },
		"no peers": func(c chain.Chain) chain.Chain { return peerless{c} },
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
				net.Start("aggregator-0")
				alone(net, look)
				net.RunWindows(4)
				net.RequireSameState()
				x := net.Node("miner-0").Parts()
				for i := range 4 {
					w := net.Window(i)
					a, _, _, verdict := x.Aggregates().Fetch(net.Context(), w, 0, x.Clock.Now().Add(time.Second))
					end, err := x.Schedule().EndOf(net.Context(), w)
					if !verdict.OK() || err != nil || len(a.Included) != 2 {
						t.Fatalf("window %d: %v, %v, %v", w, verdict, err, a)
					}
					if off := a.UploadFrom.Sub(end.Time).Abs(); off > net.Run.Params.BlockTime() {
						t.Errorf("window %d: T is %v off", w, off)
					}
				}
			})
		})
	}
}

// forgetful has no headers of the past.
type forgetful struct{ chain.Chain }

func (c forgetful) Wait(ctx context.Context, n uint64) (chain.Block, error) {
	if _, err := c.Chain.Wait(ctx, n); err != nil {
		return chain.Block{}, err
	}
	return chain.Block{}, errors.New("pruned")
}

// timeless is a chain without block times.
type timeless struct{ chain.Chain }

func (c timeless) Wait(ctx context.Context, n uint64) (chain.Block, error) {
	b, err := c.Chain.Wait(ctx, n)
	b.Time = time.Time{}
	return b, err
}

func (c timeless) Head(ctx context.Context) (chain.Block, error) {
	b, err := c.Chain.Head(ctx)
	b.Time = time.Time{}
	return b, err
}

// peerless is a chain that returns the peers only at the start of the run.
type peerless struct{ chain.Chain }

func (c peerless) Metagraph(ctx context.Context) (chain.Metagraph, error) {
	b, err := c.Chain.Head(ctx)
	if err == nil && b.Number > 30 {
		err = errors.New("overloaded")
	}
	if err != nil {
		return chain.Metagraph{}, err
	}
	return c.Chain.Metagraph(ctx)
}

// An aggregator that starts while its store is away begins when it is back.
func TestStartsWithoutItsStore(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
		net.Break("aggregator", testnet.Unreachable)
		net.Start()
		net.Wait(3 * net.Run.Params.WindowTime())
		net.Heal("aggregator")
		net.RunWindows(5)
		net.RequireSameState()
	})
}
