package validator_test

import (
	"context"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/harness/testnet"
	"templar/internal/report"
	"templar/protocol"
)

// reports returns a validator's reports of the first windows.
func reports(t *testing.T, net *testnet.Network, name string, windows int) (out []*report.Report) {
	t.Helper()
	v := net.Node(name)
	for i := range windows {
		r, _, err := report.Decode(read(t, net, net.Bucket(name), protocol.ReportKey(net.Window(i), v.UID)), net.Run.Params)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func miner(t *testing.T, net *testnet.Network, r *report.Report, name string) *report.Miner {
	t.Helper()
	i := slices.IndexFunc(r.Miners, func(m report.Miner) bool { return m.UID == net.Node(name).UID })
	if i < 0 {
		t.Fatalf("window %d: the report does not know %s", r.Window, name)
	}
	return &r.Miners[i]
}

// uneven answers each request after another time, up to most.
func uneven(most time.Duration) testnet.Fault {
	var n atomic.Uint64
	return func(ctx context.Context) error {
		wait := time.Duration(n.Add(1)*7919%97) * most / 97
		return clock.Wall{}.Sleep(ctx, wait) // virtual
	}
}

// Two validators that see their peers at different times end with the same state, draw the same
// miners and measure the same losses: they measure what the Aggregate names, whatever each could
// read.
func TestValidatorsAgree(t *testing.T) {
	const windows = 8
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
		for i, name := range []string{"miner-0", "miner-1", "miner-2"} {
			net.Break(name, uneven(time.Duration(i+1)*time.Second/4))
		}
		net.Start()
		net.RunWindows(windows)
		net.RequireSameState()
		a, b := reports(t, net, "validator-0", windows), reports(t, net, "validator-1", windows)
		measured := 0
		for i := range a {
			if a[i].State != b[i].State || a[i].Aggregate != b[i].Aggregate {
				t.Errorf("window %d: measured from %s and %s", a[i].Window, a[i].State.Short(), b[i].State.Short())
			}
			for k := range a[i].Miners {
				x, y := &a[i].Miners[k], &b[i].Miners[k]
				if (x.Losses == nil) != (y.Losses == nil) {
					t.Errorf("window %d: uid %d was measured by one validator only", a[i].Window, x.UID)
				} else if x.Losses != nil {
					measured++
					if !reflect.DeepEqual(x.Losses, y.Losses) {
						t.Errorf("window %d: uid %d: losses %v and %v", a[i].Window, x.UID, *x.Losses, *y.Losses)
					}
				}
			}
		}
		if measured < 2*windows {
			t.Errorf("only %d losses to compare", measured)
		}
	})
}

// A store that fails after the aggregator has read it costs its miner nothing: the archive
// has the gradient.
func TestArchiveStandsIn(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 1}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(3)
		vanish(net, "miner-1", net.Window(8))
		net.RunWindows(6)
		all := reports(t, net, "validator-0", 9)
		m := miner(t, net, all[8], "miner-1")
		if !m.Verdict.OK() || !m.Included {
			t.Errorf("window %d: miner-1's gradient, which is in the Aggregate, is %v", all[8].Window, m.Verdict)
		}
	})
}

// vanish deletes a miner's gradient of w as soon as the Aggregate of w is out.
func vanish(net *testnet.Network, node string, w protocol.Window) {
	go func() {
		for (clock.Wall{}).Sleep(net.Context(), time.Second/4) == nil {
			if _, err := net.Bucket("aggregator").Head(net.Context(), protocol.AggregateKey(w, 0)); err == nil {
				_ = net.Bucket(node).Delete(net.Context(), protocol.GradientKey(w, net.Node(node).UID))
				return
			}
		}
	}()
}

// Without a closing statement nothing can be opened: a validator judges no miner by that window, and logs it.
func TestNobodyIsJudgedWithoutStatement(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 1}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(2)
		net.Break("aggregator", testnet.Unreachable)
		net.Wait(4 * net.Run.Params.WindowTime())
		net.Heal("aggregator")
		net.RunWindows(7)
		net.RequireSameState()
		alone, unlisted := 0, 0
		for _, r := range reports(t, net, "validator-0", 9) {
			if r.Aggregate.IsZero() {
				alone++
				m := miner(t, net, r, "miner-0")
				if m.Verdict.OK() { // the statement came when it was judged, and its Aggregate later
					continue
				}
				unlisted++
				if m.Verdict != protocol.VerdictUnlisted || m.Included || m.Penalties() > 0 || m.Losses != nil {
					t.Errorf("window %d: miner-0's gradient is %v, included: %v", r.Window, m.Verdict, m.Included)
				}
			}
		}
		if alone == 0 || unlisted == 0 {
			t.Errorf("%d windows were judged without an Aggregate, %d without a statement", alone, unlisted)
		}
	})
}
