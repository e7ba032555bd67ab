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
	"templar/wire"
)

// A node whose parameters differ from the network's restores once more and then fails; a node that
// has fallen behind the retention of Aggregates restores as often as needed.
func TestRecover(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) { testRecover(t, net) })
}

func testRecover(t *testing.T, net *testnet.Network) {
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
		x := net.Node("miner-0").Parts()
		runs := 0
		err := resume.Recover(net.Context(), x.Schedule(), x.Log, func(context.Context) error {
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
	d := role.Loop{Log: slog.New(slog.DiscardHandler), Fatal: resume.Lost}
	err := d.Repeat(t.Context(), func() bool { return true }, func(context.Context) error { return replica.ErrContradicted })
	if !errors.Is(err, replica.ErrContradicted) {
		t.Error(err)
	}
}

// A checkpoint that is temporarily unavailable is waited for, with a limit.
func TestRestoreIsPatient(t *testing.T) {
	for name, late := range map[string]int{"comes": 2, "never comes": 100} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
				net.CommitAll()
				v, x := net.Node("validator-0").Parts(), net.Node("miner-0").Parts()
				if err := x.Directory.Refresh(net.Context()); err != nil {
					t.Fatal(err)
				}
				theta0 := checkpoint.State{Start: 1, Next: 1, Params: model.Init(net.Run.Params.Model, 1)}
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
