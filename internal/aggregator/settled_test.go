package aggregator_test

import (
	"context"
	"io"
	"sync/atomic"
	"testing"

	"templar/internal/harness/testnet"
	"templar/internal/parts"
	"templar/internal/run"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// outrun is the aggregator bucket of an aggregator that publishes the first Aggregate of a window later than another one.
type outrun struct {
	store.Bucket
	net   *testnet.Network
	late  func(protocol.Key) bool
	ready *atomic.Bool // it has an Aggregate
}

func (o outrun) Put(ctx context.Context, key string, body io.ReaderAt, size int64, opt store.PutOptions) (store.Info, error) {
	if k, _ := protocol.ParseKey(key); k.Kind == protocol.KindAggregate && o.late(k) {
		o.ready.Store(true)
		within(o.net, func() bool { _, err := o.Head(ctx, key); return err == nil })
		return store.Info{}, store.ErrExists
	}
	return o.Bucket.Put(ctx, key, body, size, opt)
}

// within waits until something holds, for some windows at most.
func within(net *testnet.Network, holds func() bool) bool {
	for range 100 {
		if holds() {
			return true
		}
		net.Wait(net.Run.Params.BlockTime() / 4)
	}
	return false
}

// An aggregator lies about a window, and replaces the closing statement by which the keys were revealed by one that leaves a
// miner out. Whichever aggregator makes the window again goes on from the statement that it has seen, not from
// what is in its place.
func TestSettledStatementIsKept(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 2, Aggregators: 2}, func(net *testnet.Network) {
		const about = 3
		liar, rival := net.Node("aggregator-0"), net.Node("aggregator-1")
		liar.Tamper = func(key string, body []byte) (string, []byte) {
			if k, _ := protocol.ParseKey(key); k.Kind == protocol.KindAggregate && k.Window == net.Window(about) && k.Term == 0 {
				a, _, verdict := net.Run.Aggregate(body, k.Window, k.Term)
				if !verdict.OK() {
					t.Fatal(verdict)
				}
				a.LearningRate *= 2
				var err error
				body, err = wire.EncodeAggregate(&a.Aggregate, net.Run.Format(), liar.Signer)
				must(t, err)
			}
			return key, body
		}
		var ready atomic.Bool
		rival.Alter = func(p parts.Parts) parts.Parts {
			p.Aggregator = outrun{p.Aggregator, net, func(k protocol.Key) bool { return k.Window == net.Window(about) && k.Term == 0 }, &ready}
			return p
		}
		net.Start()
		net.RunWindows(about)
		w := net.Window(about)
		if !within(net, func() bool {
			_, err := net.Bucket("aggregator").Head(net.Context(), protocol.AggregateKey(w, 0))
			return err == nil && ready.Load()
		}) {
			t.Fatal("the liar does not publish")
		}
		settled, key := net.Object("aggregator", protocol.ClosingKey(w)), protocol.ClosingKey(w)
		c, _, verdict := net.Run.Closing(settled, w)
		if !verdict.OK() || len(c.Listed) != 2 {
			t.Fatal(verdict, c)
		}
		c.Aggregator, c.Listed = liar.Signer.Hotkey(), c.Listed[1:]
		other, err := wire.EncodeClosing(c, liar.Signer)
		must(t, err)
		net.Upload("aggregator", key, other)
		var made *run.Aggregate
		if !within(net, func() bool {
			for i := range protocol.Term(2) {
				t := protocol.TermFrom(w) + i
				if raw, _, err := store.ReadAll(net.Context(), net.Bucket("aggregator"), protocol.AggregateKey(w, t), -1); err == nil {
					made, _, verdict = net.Run.Aggregate(raw, w, t)
					return verdict.OK()
				}
			}
			return false
		}) {
			t.Fatal("nothing replaces the false Aggregate")
		}
		if made.Closing != wire.ClosingHash(settled) || len(made.Included) != 2 {
			t.Errorf("it is made from another statement, by %s: %v", made.Aggregator, made.Included)
		}
	})
}
