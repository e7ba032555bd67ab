package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"templar/internal/directory"
	"templar/internal/harness/testnet"
	"templar/internal/parts"
	"templar/protocol"
)

const window = protocol.Window(7)

// standings writes what a tracker knows, a miner a word: "2:inactive since 9, missing".
func standings(t *directory.Tracker) string {
	all := append(t.Active(), t.Inactive()...)
	slices.SortFunc(all, func(a, b directory.Standing) int { return int(a.Peer.UID) - int(b.Peer.UID) })
	words := make([]string, len(all))
	for i, s := range all {
		state := "inactive"
		if s.Active {
			state = "active"
		}
		words[i] = fmt.Sprintf("%d:%s since %d, %v", s.Peer.UID, state, s.Since, s.Reason)
	}
	return strings.Join(words, "; ")
}

// The windows of simnet last 12 s; here one look is due in each, and recent is five.
func tracking(t *testing.T, miners int, f func(net *testnet.Network, tr *directory.Tracker, x parts.Parts)) {
	params := func(p *protocol.Params) { p.ActiveCheckSeconds = 10 }
	testnet.Test(t, testnet.Config{Miners: miners, Validators: 1, Params: params}, func(net *testnet.Network) {
		net.CommitAll()
		x := net.Refreshed("validator-0")
		f(net, directory.NewTracker(x.Directory, x.Clock), x)
	})
}

func TestTracker(t *testing.T) {
	tracking(t, 5, func(net *testnet.Network, tr *directory.Tracker, x parts.Parts) {
		stores := func(w protocol.Window, miners ...int) {
			for _, i := range miners {
				node := fmt.Sprintf("miner-%d", i)
				net.Upload(node, protocol.GradientKey(w, net.Node(node).UID), nil)
			}
		}
		look := func(w protocol.Window, changed int, want string) {
			t.Helper()
			net.Wait(10 * time.Second)
			if got := len(tr.Update(net.Context(), w)); got != changed {
				t.Errorf("window %d: %d changed, want %d", w, got, changed)
			}
			if got := standings(tr); got != want {
				t.Errorf("window %d:\n got %s\nwant %s", w, got, want)
			}
		}
		stores(9, 0, 1, 2)
		net.Break("miner-3", testnet.Hanging)
		net.Break("miner-4", testnet.Denied)
		look(10, 5, "1:active since 10, ok; 2:active since 10, ok; 3:active since 10, ok; 4:active since 10, unreachable; 5:inactive since 10, denied")
		if tr.IsActive(net.Node("miner-4").Signer.Hotkey()) || !tr.IsActive(net.Node("miner-0").Signer.Hotkey()) {
			t.Error("IsActive is not what the sets say")
		}
		// What was active stays so while a gradient is recent, or its store silent.
		net.Break("miner-2", testnet.Unreachable)
		net.Heal("miner-4")
		stores(13, 0, 4)
		look(14, 1, "1:active since 10, ok; 2:active since 10, ok; 3:active since 10, unreachable; 4:active since 10, unreachable; 5:active since 14, ok")
		look(15, 2, "1:active since 10, ok; 2:inactive since 15, missing; 3:active since 10, unreachable; 4:inactive since 15, unreachable; 5:active since 14, ok")
		// A commitment that went bad leaves no bucket; a silent store that is back is asked.
		net.Commit("miner-0", []byte("gone"))
		if err := x.Directory.Refresh(net.Context()); err != nil {
			t.Fatal(err)
		}
		net.Heal("miner-2")
		net.Heal("miner-3")
		stores(16, 2)
		look(17, 1, "1:inactive since 17, no-bucket; 2:inactive since 15, missing; 3:active since 10, ok; 4:inactive since 15, missing; 5:active since 14, ok")
		// A refusal of the right and a refusal of the key give different reasons.
		net.Break("miner-2", testnet.Denied)
		net.Break("miner-3", testnet.Unauthenticated)
		look(18, 1, "1:inactive since 17, no-bucket; 2:inactive since 15, missing; 3:inactive since 18, denied; 4:inactive since 15, unauthenticated; 5:active since 14, ok")
	})
}

func TestTrackerKeepsItsInterval(t *testing.T) {
	tracking(t, 2, func(net *testnet.Network, tr *directory.Tracker, _ parts.Parts) {
		tr.Update(net.Context(), 10)
		net.Upload("miner-0", protocol.GradientKey(9, 1), nil)
		net.Wait(9 * time.Second)
		if tr.Update(net.Context(), 10); len(tr.Active()) > 0 {
			t.Error("it looked before its time")
		}
		net.Wait(time.Second)
		if tr.Update(net.Context(), 10); len(tr.Active()) != 1 {
			t.Error("it did not look in time")
		}
	})
}

// When no store can be reached, the cause is on our side.
func TestTrackerBlamesItselfFirst(t *testing.T) {
	tracking(t, 2, func(net *testnet.Network, tr *directory.Tracker, _ parts.Parts) {
		net.Upload("miner-0", protocol.GradientKey(9, 1), nil)
		tr.Update(net.Context(), 10)
		before := standings(tr)
		for _, node := range []string{"miner-0", "miner-1"} {
			net.Break(node, testnet.Unreachable)
		}
		for w := range protocol.Window(10) {
			net.Wait(10 * time.Second)
			if changed := tr.Update(net.Context(), 11+w); len(changed) > 0 || standings(tr) != before {
				t.Fatalf("window %d: %s, was %s", 11+w, standings(tr), before)
			}
		}
	})
}

// A gradient counts for recent_windows, in its owner's name, once its window is over.
func TestTrackerCountsRecentWindows(t *testing.T) {
	tracking(t, 3, func(net *testnet.Network, tr *directory.Tracker, x parts.Parts) {
		recent := protocol.Window(x.Run.Params.RecentWindows)
		net.Upload("miner-0", protocol.GradientKey(window-1, 1), nil)
		net.Upload("miner-1", protocol.GradientKey(window-recent, 2), nil)
		net.Upload("miner-2", protocol.GradientKey(window-recent-1, 3), nil) // too long ago
		net.Upload("miner-2", protocol.GradientKey(window, 3), nil)          // the window is not over
		net.Upload("miner-2", protocol.GradientKey(window-1, 9), nil)        // another's name
		tr.Update(net.Context(), window)
		if got := standings(tr); got != "1:active since 7, ok; 2:active since 7, ok; 3:inactive since 7, missing" {
			t.Error(got)
		}
		net.Wait(10 * time.Second)
		if tr.Update(net.Context(), 0); len(tr.Active()) > 0 {
			t.Error("active before the first window")
		}
	})
}

// Stores that hang do not delay other miners, and the check ends in time.
func TestTrackerIsNotHeldUp(t *testing.T) {
	const miners = 70
	tracking(t, miners, func(net *testnet.Network, tr *directory.Tracker, x parts.Parts) {
		for i := range miners - 1 {
			net.Break(fmt.Sprintf("miner-%d", i), testnet.Hanging)
		}
		net.Upload(fmt.Sprintf("miner-%d", miners-1), protocol.GradientKey(9, miners), nil)
		began := time.Now()
		tr.Update(net.Context(), 10)
		last := tr.Active()[miners-1]
		if took := time.Since(began); took > x.Run.Params.Gather() || last.Reason != protocol.VerdictOK || last.Seen != 9 {
			t.Errorf("took %v, the last miner is %+v", took, last)
		}
	})
}
