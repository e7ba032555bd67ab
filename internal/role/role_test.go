package role_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"templar/internal/checkpoint"
	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/model"
	"templar/internal/replica"
	"templar/internal/role"
	"templar/internal/simnet"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/wire"
)

// A window that fails costs a pause of a block, and ends nothing.
func TestRepeat(t *testing.T) {
	simnet.Test(t, simnet.Config{Miners: 1}, func(net *simnet.Network) {
		d := role.Deps{Exchange: net.Node("miner-0").Exchange(), Log: slog.New(slog.DiscardHandler)}
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
	simnet.Test(t, simnet.Config{Miners: 1}, func(net *simnet.Network) {
		d := role.Deps{Exchange: net.Node("miner-0").Exchange(), Log: slog.New(slog.DiscardHandler)}
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

// Who waits for the run to be announced says so once, and again when the reason changes.
func TestWaitingSaysEachReasonOnce(t *testing.T) {
	var out bytes.Buffer
	d := role.Deps{Log: slog.New(slog.NewTextHandler(&out, nil))}
	waiting := d.Waiting()
	for _, why := range []error{store.ErrNotFound, store.ErrNotFound, errors.New("store is away"), store.ErrNotFound} {
		waiting(why)
	}
	if lines := strings.Count(out.String(), "\n"); lines != 3 || !strings.Contains(out.String(), "store is away") {
		t.Errorf("%d lines, want 3:\n%s", lines, out.String())
	}
}

// fast is a clock that is ahead of everybody's.
type fast struct {
	clock.Wall
	by time.Duration
}

func (c fast) Now() time.Time { return c.Wall.Now().Add(c.by) }

// A node whose clock is too far from the chain's and the store's hears of it when it enters; one
// whose clock is right hears nothing.
func TestEnterWarnsOfSkew(t *testing.T) {
	for by, want := range map[time.Duration]int{0: 0, time.Minute: 2, -time.Minute: 2} {
		simnet.Test(t, simnet.Config{Miners: 1}, func(net *simnet.Network) {
			net.Start("miner-0")
			x := net.Node("miner-0").Exchange()
			x.Clock = fast{by: by}
			reading := simnet.Location("miner-0", false)
			committed, err := net.Store.Dial(reading)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			d := role.Deps{
				Exchange: x, Committed: committed, Log: slog.New(slog.NewTextHandler(&out, nil)),
				Bucket: directory.Commitment{Role: telemetry.Miner, Location: reading},
			}
			if err := d.Enter(net.Context()); err != nil {
				t.Fatal(err)
			}
			if warnings := strings.Count(out.String(), "level=WARN"); warnings != want {
				t.Errorf("clock ahead by %v: %d warnings, want %d:\n%s", by, warnings, want, out.String())
			}
		})
	}
}

// Who holds other parameters than the network restores once more, and no more than that;
// who has fallen behind what is kept, as often as need be.
func TestRecover(t *testing.T) {
	simnet.Test(t, simnet.Config{Miners: 1}, func(net *simnet.Network) { testRecover(t, net) })
}

func testRecover(t *testing.T, net *simnet.Network) {
	pruned := fmt.Errorf("window 7: %w", replica.ErrPruned)
	contradicted := fmt.Errorf("after window 7: %w", replica.ErrContradicted)
	other := errors.New("another fault")
	for name, c := range map[string]struct {
		ends  []error
		wants error
	}{
		"well":               {[]error{nil}, nil},
		"another fault":      {[]error{other}, other},
		"contradicted":       {[]error{contradicted, nil}, nil},
		"contradicted again": {[]error{contradicted, contradicted}, contradicted},
		"pruned":             {[]error{pruned, pruned, pruned, nil}, nil},
		"both":               {[]error{contradicted, pruned, contradicted}, contradicted},
	} {
		d := role.Deps{Exchange: net.Node("miner-0").Exchange(), Log: slog.New(slog.DiscardHandler)}
		runs := 0
		err := d.Recover(net.Context(), func(context.Context) error {
			runs++
			return c.ends[runs-1]
		})
		if err != c.wants || runs != len(c.ends) {
			t.Errorf("%s: %v after %d runs", name, err, runs)
		}
	}
}

// A contradicted node does not go on with the next window.
func TestRepeatEndsWhenContradicted(t *testing.T) {
	d := role.Deps{Log: slog.New(slog.DiscardHandler)}
	err := d.Repeat(t.Context(), func() bool { return true }, func(context.Context) error { return replica.ErrContradicted })
	if !errors.Is(err, replica.ErrContradicted) {
		t.Error(err)
	}
}

// A checkpoint that cannot be had at once is waited for, and not for ever.
func TestRestoreIsPatient(t *testing.T) {
	for name, late := range map[string]int{"comes": 2, "never comes": 100} {
		t.Run(name, func(t *testing.T) {
			simnet.Test(t, simnet.Config{Miners: 1, Validators: 1}, func(net *simnet.Network) {
				net.CommitAll()
				v, x := net.Node("validator-0").Exchange(), net.Node("miner-0").Exchange()
				if err := x.Directory.Refresh(net.Context()); err != nil {
					t.Fatal(err)
				}
				theta0 := checkpoint.State{Start: 1, Next: 1, Params: model.Init(net.Run.Params.Model, 1)}
				window := net.Run.Params.WindowTime()
				go func() {
					if clk := (clock.Wall{}); clk.Sleep(net.Context(), time.Duration(late)*window-time.Second) == nil {
						_, _, _ = checkpoint.Save(net.Context(), v, v.Own, theta0)
					}
				}()
				d := role.Deps{Exchange: x, Local: net.Node("miner-0").Local, Log: slog.New(slog.DiscardHandler), Report: telemetry.Reporter{Clock: x.Clock, Sink: net.Node("miner-0")}}
				began := time.Now()
				m, _, err := d.Restore(net.Context(), wire.StartWindow{Run: net.Run.Hash, StartWindow: 1, StateHash: net.Run.Codec.StateHash(theta0.Params)})
				switch took := time.Since(began); {
				case late == 2 && (err != nil || m.Next() != 1 || took != 2*window):
					t.Errorf("%v after %v", err, took)
				case late == 100 && (!errors.Is(err, checkpoint.ErrNone) || took != 4*window):
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}
