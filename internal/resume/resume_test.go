package resume_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"templar/internal/checkpoint"
	"templar/internal/clock"
	"templar/internal/harness/testnet"
	"templar/internal/model"
	"templar/internal/replica"
	"templar/internal/resume"
	"templar/internal/role"
	"templar/protocol"
	"templar/state"
	"templar/wire"
)

// A node whose state cannot be continued restores another, as often as it takes; other faults end it.
func TestRecover(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		other := errors.New("another fault")
		for name, ends := range map[string][]error{
			"well":          {nil},
			"another fault": {other},
			"contradicted":  {replica.ErrContradicted, nil},
			"void, twice":   {replica.ErrVoid, replica.ErrVoid, nil},
			"stranded":      {replica.ErrStranded, replica.ErrContradicted, other},
			"pruned":        {replica.ErrPruned, replica.ErrPruned, replica.ErrPruned, nil},
		} {
			x := net.Node("miner-0").Parts()
			runs := 0
			err := resume.Recover(net.Context(), x.Schedule(), x.Log, func(context.Context) error {
				runs++
				if err := ends[runs-1]; resume.Lost(err) {
					return fmt.Errorf("window 7: %w", err)
				}
				return ends[runs-1]
			})
			if err != ends[len(ends)-1] || runs != len(ends) {
				t.Errorf("%s: %v after %d runs", name, err, runs)
			}
		}
	})
}

// A contradicted node does not go on with the next window.
func TestRepeatEndsWhenContradicted(t *testing.T) {
	d := role.Loop{Log: slog.New(slog.DiscardHandler), Fatal: resume.Lost}
	err := d.Repeat(t.Context(), func() bool { return true }, func(context.Context) error { return replica.ErrContradicted })
	if !errors.Is(err, replica.ErrContradicted) {
		t.Error(err)
	}
}

func hashOf(t *testing.T, params []float32) protocol.Hash {
	t.Helper()
	m := testnet.Params().Model
	space, err := state.New(m.Layout())
	if err != nil {
		t.Fatal(err)
	}
	return space.Hash(params)
}

// An imported theta_0 that is temporarily unavailable is waited for, with a limit.
func TestRestoreIsPatient(t *testing.T) {
	for name, late := range map[string]int{"comes": 2, "never comes": 100} {
		t.Run(name, func(t *testing.T) {
			theta := model.Init(testnet.Params().Model, 77) // not the one that the seed draws
			imported := func(p *protocol.Params) { p.Theta0 = hashOf(t, theta) }
			testnet.Test(t, testnet.Config{Miners: 1, Validators: 1, Params: imported}, func(net *testnet.Network) {
				net.CommitAll()
				v, x := net.Node("validator-0").Parts(), net.Node("miner-0").Parts()
				if err := x.Directory.Refresh(net.Context()); err != nil {
					t.Fatal(err)
				}
				theta0 := checkpoint.State{Params: theta}
				window := net.Run.Params.WindowTime()
				go func() {
					if clk := (clock.Wall{}); clk.Sleep(net.Context(), time.Duration(late)*window-time.Second) == nil {
						_, _, _ = v.Saver().Save(net.Context(), v.Own, theta0)
					}
				}()
				began := time.Now()
				m, _, err := resume.Restore(net.Context(), x.Finder(), x.Events, wire.StartWindow{Run: net.Run.Hash, StartWindow: 1, StateHash: net.Run.Space.Hash(theta0.Params)}, resume.Any)
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
