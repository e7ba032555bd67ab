package miner_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/engine"
	"templar/internal/harness/testnet"
	"templar/internal/miner"
	"templar/internal/parts"
	"templar/internal/telemetry"
	"templar/protocol"
)

// slow is an engine that takes its time for each sequence.
type slow struct {
	engine.Engine
	perRow time.Duration
}

func (s slow) Accumulate(ctx context.Context, b engine.Batch, scale float32) (engine.Loss, error) {
	if err := (clock.Wall{}).Sleep(ctx, time.Duration(b.Rows)*s.perRow); err != nil {
		return engine.Loss{}, err
	}
	return s.Engine.Accumulate(ctx, b, scale)
}

// The end of a window is predicted from the blocks as they come, not from the run's block time.
func TestPredictsLateBlocks(t *testing.T) {
	if late := miner.Predicted(time.Second, 1100*time.Millisecond, 20, 24); late < 4300*time.Millisecond || late > 4400*time.Millisecond {
		t.Errorf("four blocks of 1.1 s each are predicted in %v", late)
	}
	if stalled := miner.Predicted(time.Second, time.Hour, 20, 24); stalled > 6*time.Second {
		t.Errorf("four blocks of a chain that stalls are predicted in %v", stalled)
	}
}

// A miner ends its training in time for the upload: with batches of a third of a window, the
// last of which would begin just before the window ends; and with batches longer than a window,
// of which it takes a part, and says so. Once it knows how long a batch takes, no window is lost.
func TestStopsInTime(t *testing.T) {
	for name, c := range map[string]struct {
		perRow time.Duration // 4 rows a batch, 12 s a window, uploads until 2 s after it
		tokens int           // at least
		warns  bool
	}{
		"a third of a window": {1250 * time.Millisecond, 64, false},
		"longer than one":     {5 * time.Second, 16, true},
	} {
		t.Run(name, func(t *testing.T) {
			const windows = 8
			pages := func(p *protocol.Params) { p.PagesPerWindow = 8 }
			testnet.Test(t, testnet.Config{Miners: 1, Validators: 1, Params: pages}, func(net *testnet.Network) {
				m := net.Node("miner-0")
				m.Alter = func(p parts.Parts) parts.Parts {
					p.Engine = slow{p.Engine, c.perRow}
					return p
				}
				net.Start()
				net.RunWindows(windows)
				trained, uploaded := testnet.Of[telemetry.Trained](net, m.Name), testnet.Of[telemetry.Uploaded](net, m.Name)
				included := 0
				for i := range windows {
					w := net.Window(i)
					published := testnet.Of[telemetry.Published](net, "aggregator-0")[w]
					if len(published.Included) == 1 {
						included++
					}
					if i < 2 { // the first batch shows how long one takes
						continue
					}
					// A miner that has missed two windows is not waited for in the next: it can be left out, but not be late.
					if _, ok := uploaded[w]; !ok || published.Skipped[m.UID] == protocol.VerdictLate {
						t.Errorf("window %d is lost: %v", w, published.Skipped)
					}
					if got := trained[w].Tokens; got < c.tokens {
						t.Errorf("window %d: trained on %d tokens, want %d or more", w, got, c.tokens)
					}
				}
				if included < windows/2 {
					t.Errorf("%d of %d windows have the miner's gradient", included, windows)
				}
				if warned := strings.Contains(net.Logs(), "a batch takes longer than a window"); warned != c.warns {
					t.Errorf("warned: %v", warned)
				}
			})
		})
	}
}
