package aggregator_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"templar/internal/harness/testnet"
	"templar/internal/telemetry"
	"templar/protocol"
)

// after is how long after T the Aggregate of w was stored.
func after(t *testing.T, net *testnet.Network, w protocol.Window) time.Duration {
	t.Helper()
	x := net.Node("aggregator-0").Parts()
	info, err := net.Bucket("aggregator").Head(net.Context(), protocol.AggregateKey(w, 0))
	must(t, err)
	a, _, _, verdict := x.Aggregates().Fetch(net.Context(), w, 0, x.Clock.Now().Add(time.Second))
	if !verdict.OK() {
		t.Fatal(verdict)
	}
	return info.LastModified.Sub(a.UploadFrom)
}

// oneList keeps the peers of the beginning.
func oneList(p *protocol.Params) { p.PeerReplacementFrequency = 1000 }

// A window whose peers are all in is closed at once: D is a bound, not a wait. A peer that stops is waited for in two
// windows, and not from then on, until it is back: then it is included at once, and waited for again.
func TestEarlyClose(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 1, Params: oneList}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(3)
		delta := net.Run.Params.Delta()
		for i := range 3 {
			if d := after(t, net, net.Window(i)); d > delta/4 {
				t.Errorf("window %d: all peers are in, and it took %v", i, d)
			}
		}
		net.Node("miner-2").Stop()
		net.RunWindows(5)
		waits := 0
		for i := 3; i < 8; i++ {
			d := after(t, net, net.Window(i))
			if d >= delta {
				waits++
			}
			if i >= 6 && d > delta/4 {
				t.Errorf("window %d: a peer that was absent twice is waited for: %v", i, d)
			}
		}
		if waits < 1 || waits > 2 {
			t.Errorf("an absent peer was waited for in %d windows, want at most 2", waits)
		}
		net.Node("miner-2").Start()
		net.RunWindows(3)
		last := testnet.Of[telemetry.Published](net, "aggregator-0")[net.Window(10)]
		if len(last.Included) != 3 {
			t.Errorf("a peer that is back is not included: %v, skipped %v", last.Included, last.Skipped)
		}
		net.RequireSameState()
	})
}

// A restart of the aggregator does not change for whom it waits.
func TestAbsentPeersSurviveRestart(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 1, Params: oneList}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(2)
		net.Node("miner-2").Stop()
		net.RunWindows(4)
		net.Node("aggregator-0").KillWhen(testnet.InPhase(net.Window(7), "waiting"))
		net.RunWindows(3)
		for i := 6; i < 9; i++ {
			if d := after(t, net, net.Window(i)); d >= net.Run.Params.Delta() {
				t.Errorf("window %d: took %v", i, d)
			}
		}
	})
}

// An aggregator that is killed after it has published, before it has archived, archives when it is back: from its
// disk, or, if that is empty, from the miners' buckets.
func TestArchivedAfterCrash(t *testing.T) {
	for name, lose := range map[string]bool{"from its disk": false, "from the miners": true} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
				net.Start()
				net.RunWindows(1)
				node, w := net.Node("aggregator-0"), net.Window(3)
				node.KillWhen(testnet.InPhase(w, "archiving"))
				net.RunWindows(2)
				if lose {
					all, err := node.Local.List(net.Context(), "archive-", "", 1000)
					must(t, err)
					for _, o := range all {
						must(t, node.Local.Delete(net.Context(), o.Key))
					}
				}
				net.RunWindows(3)
				x := node.Parts()
				a, _, _, verdict := x.Aggregates().Fetch(net.Context(), w, 0, x.Clock.Now().Add(time.Second))
				if !verdict.OK() || len(a.Included) != 2 {
					t.Fatal(verdict, a)
				}
				for _, in := range a.Included {
					if _, v := x.Aggregates().Archived(net.Context(), w, in); !v.OK() {
						t.Errorf("uid %d's gradient is %v in the archive", in.UID, v)
					}
				}
				if strings.Contains(net.Logs(), "the aggregate is wrong") {
					t.Error("a validator blames the aggregator")
				}
			})
		})
	}
}

// The Aggregate is out before its gradients are archived.
func TestPublishedBeforeArchived(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
		node := net.Node("aggregator-0")
		var mu sync.Mutex // gradients are archived at the same time
		var order []string
		node.Tamper = func(key string, body []byte) (string, []byte) {
			mu.Lock()
			defer mu.Unlock()
			if k, ok := protocol.ParseKey(key); ok && k.Window == 2 {
				order = append(order, string(k.Kind))
			}
			return key, body
		}
		net.Start()
		net.RunWindows(3)
		if got := strings.Join(order, " "); !strings.Contains(got, "aggregator archive archive") {
			t.Errorf("stored %q", got)
		}
	})
}
