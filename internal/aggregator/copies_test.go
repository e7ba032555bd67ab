package aggregator_test

import (
	"bytes"
	"strings"
	"testing"

	"templar/internal/harness/testnet"
	"templar/internal/run"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// Objects that the store loses are restored a window later, bit for bit, and can be recomputed,
// whether the aggregator runs meanwhile, is stopped, or has just begun to publish.
func TestStoreForgets(t *testing.T) {
	for name, meanwhile := range map[string]func(net *testnet.Network, forget func()){
		"running": func(_ *testnet.Network, forget func()) { forget() },
		"away": func(net *testnet.Network, forget func()) {
			net.Node("aggregator-0").Stop()
			forget()
			net.Wait(2 * net.Run.Params.WindowTime())
			net.Node("aggregator-0").Start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
				net.Start()
				net.RunWindows(5)
				before := contents(t, net)
				meanwhile(net, func() {
					for key := range before {
						if w, _ := protocol.KeyWindow(key); w >= net.Window(2) {
							must(t, net.Bucket("aggregator").Delete(net.Context(), key))
						}
					}
				})
				net.RunWindows(3)
				net.RequireSameState()
				after := contents(t, net)
				for key, b := range before {
					if !bytes.Equal(after[key], b) {
						t.Errorf("%s: %d bytes, were %d, or others", key, len(after[key]), len(b))
					}
				}
			})
		})
	}
}

// An aggregator that has signed an Aggregate signs no other one of that window, even if no node
// has read the first.
func TestSignedOnce(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(2)
		node := net.Node("aggregator-0")
		node.Stop()
		last := newest(t, net)
		w := last + 1
		signed := resigned(t, net, last, func(a *run.Aggregate) {
			x := node.Parts()
			_, hash, _, _ := x.Aggregates().Fetch(net.Context(), last, 0, x.Clock.Now().Add(x.Run.Params.Gather()))
			a.Window, a.Previous, a.Included = w, hash, nil
			a.Set(nil)
			a.LearningRate = x.Run.Method.Rate(x.Run.Params.Step(a.Start, w))
		})
		put(t, node.Local, protocol.AggregateKey(w, 0), signed)
		node.Start()
		net.RunWindows(3)
		net.RequireSameState()
		if !bytes.Equal(contents(t, net)[protocol.AggregateKey(w, 0)], signed) {
			t.Error("another Aggregate was published")
		}
	})
}

// Copies that are not on the chain, or invalid, are not restored, and an error is logged.
func TestNothingToPutBack(t *testing.T) {
	for name, local := range map[string]func(*testing.T, *testnet.Network, protocol.Window) []byte{
		"torn": func(*testing.T, *testnet.Network, protocol.Window) []byte { return []byte("x") },
		"another": func(t *testing.T, net *testnet.Network, w protocol.Window) []byte {
			return resigned(t, net, w, func(a *run.Aggregate) { a.GatherTime++ })
		},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
				node := net.Node("aggregator-0")
				net.Start()
				net.RunWindows(4)
				node.Stop()
				w := net.Window(1)
				put(t, node.Local, protocol.AggregateKey(w, 0), local(t, net, w))
				must(t, net.Bucket("aggregator").Delete(net.Context(), protocol.AggregateKey(w, 0)))
				node.Start()
				net.RunWindows(2)
				net.RequireSameState()
				if _, found := contents(t, net)[protocol.AggregateKey(w, 0)]; found {
					t.Error("something was put back")
				}
				if !strings.Contains(net.Logs(), `level=ERROR msg="aggregates are gone`) {
					t.Errorf("the operator reads\n%s", net.Logs())
				}
			})
		})
	}
}

// Copies are kept for a few windows. Older losses are logged once, and an aggregator that restarts
// with an empty bucket does not start the run again.
func TestCopiesAreBounded(t *testing.T) {
	for name, away := range map[string]bool{"running": false, "away": true} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
				net.Start()
				net.RunWindows(12)
				node := net.Node("aggregator-0")
				kept, err := node.Local.List(net.Context(), "", "", 1000)
				must(t, err)
				if n := len(kept); n < 3*8 || n > 3*9 { // an Aggregate, a closing statement and a gradient a window
					t.Errorf("%d copies of %d windows", n, 8)
				}
				if away {
					node.Stop()
				}
				last, before := newest(t, net), contents(t, net)
				for key := range before {
					must(t, net.Bucket("aggregator").Delete(net.Context(), key))
				}
				node.Start()
				net.RunWindows(3)
				net.RequireSameState()
				after := contents(t, net) // one window may have ended before the aggregator looked
				for key, b := range before {
					if w, _ := protocol.KeyWindow(key); w > last-7 && !bytes.Equal(after[key], b) {
						t.Errorf("%s was not put back", key)
					}
				}
				if n := strings.Count(net.Logs(), "level=ERROR"); n != 1 || !strings.Contains(net.Logs(), "aggregates are gone") {
					t.Errorf("the operator reads\n%s", net.Logs())
				}
			})
		})
	}
}

// newest is the last window that has an Aggregate.
func newest(t *testing.T, net *testnet.Network) (w protocol.Window) {
	t.Helper()
	must(t, store.EachKey(net.Context(), net.Bucket("aggregator"), protocol.KindAggregate.Prefix(), func(_ string, k protocol.Key) { w = max(w, k.Window) }))
	return w
}

// contents are the objects of the aggregator bucket.
func contents(t *testing.T, net *testnet.Network) map[string][]byte {
	t.Helper()
	b := net.Bucket("aggregator")
	all, err := b.List(net.Context(), "", "", 1000)
	must(t, err)
	out := make(map[string][]byte)
	for _, o := range all {
		out[o.Key] = object(net.Context(), t, b, o.Key)
	}
	return out
}

// resigned returns the published Aggregate of w, changed and signed by aggregator-0.
func resigned(t *testing.T, net *testnet.Network, w protocol.Window, change func(*run.Aggregate)) []byte {
	t.Helper()
	x := net.Node("aggregator-0").Parts()
	a, _, _, verdict := x.Aggregates().Fetch(net.Context(), w, 0, x.Clock.Now().Add(x.Run.Params.Gather()))
	if !verdict.OK() {
		t.Fatal(verdict)
	}
	change(a)
	b, err := wire.EncodeAggregate(&a.Aggregate, x.Run.Format(), x.Signer)
	must(t, err)
	return b
}

func put(t *testing.T, b store.Bucket, key string, raw []byte) {
	t.Helper()
	_, err := b.Put(t.Context(), key, bytes.NewReader(raw), int64(len(raw)), store.PutOptions{})
	must(t, err)
}
