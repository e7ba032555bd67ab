package role_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"templar/internal/role"
	"templar/internal/simnet"
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
