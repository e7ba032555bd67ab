package role_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"templar/internal/bulletin"
	"templar/internal/clock"
	"templar/internal/harness/testnet"
	"templar/internal/role"
	"templar/internal/telemetry"
)

// loop is a loop that only its context ends.
func loop(net *testnet.Network) role.Loop {
	return role.Loop{Schedule: net.Node("miner-0").Parts().Schedule(), Log: slog.New(slog.DiscardHandler), Fatal: func(error) bool { return false }}
}

// After a failed window the loop pauses for a block and continues.
func TestRepeat(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		d := loop(net)
		began, calls := time.Now(), 0
		err := d.Repeat(net.Context(), func() bool { return calls < 5 }, func(context.Context) error {
			if calls++; calls%2 == 0 {
				return errors.New("a fault")
			}
			return nil
		})
		if want := 2 * net.Run.Params.BlockTime(); err != nil || calls != 5 || time.Since(began) != want {
			t.Errorf("%v after %d calls and %v; want 5 and %v", err, calls, time.Since(began), want)
		}
	})
}

func TestRepeatEndsWithItsContext(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		d := loop(net)
		for name, pause := range map[string]time.Duration{"in a window": 0, "in a pause": time.Second} {
			ctx, cancel := context.WithCancel(net.Context())
			err := d.Repeat(ctx, func() bool { return true }, func(context.Context) error {
				if pause > 0 {
					time.AfterFunc(pause, cancel)
				} else {
					cancel()
				}
				return errors.New("a fault")
			})
			cancel()
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A node that waits for the announcement of the run logs it once, and again when the reason changes.
func TestWaitingSaysEachReasonOnce(t *testing.T) {
	var out bytes.Buffer
	waiting := role.Waiting(slog.New(slog.NewTextHandler(&out, nil)), telemetry.Reporter{})
	for _, why := range []error{bulletin.ErrNotAnnounced, bulletin.ErrNotAnnounced, errors.New("store is away"), bulletin.ErrNotAnnounced} {
		waiting(why)
	}
	if lines := strings.Count(out.String(), "\n"); lines != 3 || !strings.Contains(out.String(), "store is away") {
		t.Errorf("%d lines, want 3:\n%s", lines, out.String())
	}
}

// fast is a clock that is ahead of all others.
type fast struct {
	clock.Wall
	by time.Duration
}

func (c fast) Now() time.Time { return c.Wall.Now().Add(c.by) }

// A node logs a warning at its start when its clock is too far from the chain's and the store's,
// and none when its clock is right.
func TestEnterWarnsOfSkew(t *testing.T) {
	for by, want := range map[time.Duration]int{0: 0, time.Minute: 2, -time.Minute: 2} {
		testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
			net.Start("miner-0")
			x := net.Node("miner-0").Parts()
			x.Clock = fast{by: by}
			var out bytes.Buffer
			x.Log = slog.New(slog.NewTextHandler(&out, nil))
			if err := x.Entry().Enter(net.Context()); err != nil {
				t.Fatal(err)
			}
			if warnings := strings.Count(out.String(), "level=WARN"); warnings != want {
				t.Errorf("clock ahead by %v: %d warnings, want %d:\n%s", by, warnings, want, out.String())
			}
		})
	}
}
