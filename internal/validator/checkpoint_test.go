package validator_test

import (
	"strings"
	"testing"
	"time"

	"templar/internal/checkpoint"
	"templar/internal/harness/testnet"
	"templar/internal/model"
	"templar/internal/replica"
	"templar/internal/telemetry"
	"templar/internal/validator"
	"templar/protocol"
	"templar/wire"
)

// A last checkpoint that cannot be saved fails the validator; one that can after a while
// does not.
func TestSettle(t *testing.T) {
	for name, away := range map[string]time.Duration{"back in time": 5 * time.Second, "gone": time.Hour} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Validators: 1}, func(net *testnet.Network) {
				x := net.Node("validator-0").Parts()
				m := replica.New(net.Run, wire.StartWindow{StartWindow: 3}, replica.Head{Next: 9, Previous: protocol.Hash{1}}, model.Init(net.Run.Params.Model, 1))
				net.Break("validator-0", testnet.Unreachable)
				time.AfterFunc(away, func() { net.Heal("validator-0") })
				err := validator.Settle(net.Context(), x.ForValidator(), m)
				if gone := away == time.Hour; gone != (err != nil) || (gone && !strings.Contains(err.Error(), "last checkpoint not saved")) {
					t.Fatal(err)
				}
				if err == nil {
					_, err = checkpoint.Load(net.Context(), net.Bucket("validator-0"), net.Run, 9, x.Signer.Hotkey())
				}
				if away < time.Hour && err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A validator that comes back after a long time catches up in one go, and judges again.
func TestComesBackAfterLong(t *testing.T) {
	rare := func(p *protocol.Params) { p.CheckpointFrequency = 12 }
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 2, Params: rare}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(2)
		net.Node("validator-1").Stop()
		net.RunWindows(21)
		net.Node("validator-1").Start()
		net.RunWindows(6)
		net.RequireSameState()
		if !strings.Contains(net.Logs(), "catching up") {
			t.Error("the catch-up was not reported")
		}
		scored := testnet.Of[telemetry.Scored](net, "validator-1")
		if _, ok := scored[net.Window(28)]; !ok {
			t.Errorf("validator-1 scored %d windows, not the last", len(scored))
		}
	})
}

// A validator that comes back to windows whose gradients are past their retention applies their Aggregates
// without a charge and without a signature.
func TestGradientsAreGone(t *testing.T) {
	short := func(p *protocol.Params) { p.PayloadWindows = p.LeastPayloadWindows() }
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 1, Params: short}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(7)
		v := net.Node("validator-0")
		v.Stop()
		net.Wait(12 * net.Run.Params.WindowTime())
		v.Start()
		net.RunWindows(15)
		net.RequireSameState()
		if !strings.Contains(net.Logs(), "gradients of a window are past their retention") {
			t.Error("every gradient was there still")
		}
		if _, err := net.Bucket("validator-0").Head(net.Context(), protocol.ChargesKey()); err == nil {
			t.Error("deleted gradients were charged")
		}
	})
}
