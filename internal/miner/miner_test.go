package miner_test

import (
	"io"
	"math"
	"slices"
	"testing"
	"time"

	"templar/codec"
	"templar/internal/checkpoint"
	"templar/internal/simnet"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// trained runs one miner for a window and returns its private state after it. With
// fail, nothing can be uploaded at the window's end.
func trained(t *testing.T, warmup int, fail bool) (s checkpoint.State, sent *codec.Gradient, run *protocol.Params, c *codec.Codec) {
	t.Helper()
	params := func(p *protocol.Params) { p.MomentumWarmup = warmup }
	simnet.Test(t, simnet.Config{Miners: 1, Validators: 1, Params: params}, func(net *simnet.Network) {
		m := net.Node("miner-0")
		net.Start()
		for len(simnet.Of[telemetry.Trained](net, m.Name)) == 0 {
			net.Wait(time.Second)
		}
		w := net.Window(0)
		if fail {
			net.Break(m.Name, simnet.Unreachable)
			net.Wait(2 * net.Run.Params.WindowTime())
			net.Heal(m.Name)
		}
		net.RunWindows(1)
		m.Stop()
		var err error
		if s, err = checkpoint.Load(net.Context(), m.Local, net.Run, w+1, m.Signer.Hotkey()); err != nil {
			t.Fatal(err)
		}
		if !fail {
			sent = payload(t, net, w)
		}
		run, c = net.Run.Params, net.Run.Codec
	})
	return s, sent, run, c
}

func payload(t *testing.T, net *simnet.Network, w protocol.Window) *codec.Gradient {
	t.Helper()
	m := net.Node("miner-0")
	body, _, err := net.Bucket(m.Name).Get(net.Context(), protocol.GradientKey(w, m.UID), -1)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	g, verdict := wire.DecodeGradient(raw, net.Run.Codec, wire.Expect{Run: net.Run.Hash, Window: w, UID: m.UID, Hotkey: m.Signer.Hotkey()})
	if !verdict.OK() {
		t.Fatal(verdict)
	}
	if len(g.Pages) != net.Run.Params.PagesPerWindow || g.Tokens != uint64(len(g.Pages)*net.Run.Params.PageTokens) {
		t.Errorf("pages %v, %d tokens", g.Pages, g.Tokens)
	}
	return g.Body
}

// What was sent is subtracted from the momentum, but not in the first iterations, and
// not when the store did not take it.
func TestErrorFeedback(t *testing.T) {
	whole, sent, _, c := trained(t, 1, false)
	rest, again, _, _ := trained(t, 0, false)
	failed, _, _, _ := trained(t, 0, true)

	if !slices.Equal(sent.Bytes(), again.Bytes()) {
		t.Fatal("the same miner sent another gradient")
	}
	if whole.Iteration != 1 || rest.Iteration != 1 || failed.Iteration != 1 {
		t.Errorf("iterations %d, %d, %d; want 1 of each", whole.Iteration, rest.Iteration, failed.Iteration)
	}
	if !slices.Equal(failed.Momentum, whole.Momentum) {
		t.Error("what was not uploaded was subtracted")
	}
	c.Subtract(whole.Momentum, sent)
	if !slices.Equal(rest.Momentum, whole.Momentum) {
		t.Error("the momentum is not what is left of it when what was sent is subtracted")
	}
}

// The first momentum is lr times the gradient of the mean loss: its size follows the
// learning rate.
func TestMomentumFollowsTheRate(t *testing.T) {
	s, _, p, _ := trained(t, 1, false)
	lr, norm := p.LearningRateAt(0), 0.0
	for _, v := range s.Momentum {
		norm += float64(v) * float64(v)
	}
	// The gradient of a mean cross-entropy near its start: neither a sum over tokens nor
	// unscaled.
	if g := math.Sqrt(norm) / lr; g < 0.05 || g > 20 {
		t.Errorf("the gradient's norm is %v at learning rate %v", g, lr)
	}
}
