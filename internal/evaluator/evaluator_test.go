package evaluator_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"

	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/evaluator"
	"templar/internal/harness/testnet"
	"templar/internal/telemetry"
	"templar/protocol"
)

// watched runs an evaluator on a spare node's parts, and returns what it measured, by window,
// and how it ended.
func watched(t *testing.T, net *testnet.Network, cfg evaluator.Config, before func(*evaluator.Deps)) (e *evaluator.Evaluator, heldOut func() map[protocol.Window][]telemetry.HeldOut, done <-chan error) {
	t.Helper()
	p := net.Node("miner-2").Parts()
	computes, err := cpu.New(p.Run.Params.Model, cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	p.Engine, p.Tokenizer = computes, data.Bytes{}
	if p.Data, err = data.Open(net.Context(), net.Bucket("dataset"), p.Run.Params.DatasetHash); err != nil {
		t.Fatal(err)
	}
	d := p.ForEvaluator()
	var mu sync.Mutex
	measured := map[protocol.Window][]telemetry.HeldOut{}
	d.Events.Sink = telemetry.SinkFunc(func(e telemetry.Event) {
		if h, ok := e.Body.(telemetry.HeldOut); ok {
			mu.Lock()
			defer mu.Unlock()
			measured[e.Window] = append(measured[e.Window], h)
		}
	})
	if before != nil {
		before(&d)
	}
	e = evaluator.New(cfg, d)
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(e.Run(net.Context()), computes.Close()) }()
	return e, func() map[protocol.Window][]telemetry.HeldOut {
		mu.Lock()
		defer mu.Unlock()
		return measured
	}, ended
}

// An evaluator measures theta_0 and each following state, and ends with the parameters of all
// other nodes.
func TestMeasuresEachWindow(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 1}, func(net *testnet.Network) {
		net.Start("miner-2")
		const windows = 6
		e, heldOut, done := watched(t, net, evaluator.Config{Windows: windows, Batches: 2}, nil)
		net.RunWindows(windows + 2)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		got := heldOut()
		first, last := net.Window(0)-1, net.Window(windows-1)
		if len(got) != windows+1 || len(got[first]) != 1 || len(got[last]) != 2 {
			t.Errorf("measured %v, want %d windows from %d on, and the last twice", got, windows+1, first)
		}
		if a, b := got[first][0], got[last][1]; !(b.Loss < a.Loss) || a.Tokens != b.Tokens || a.Bytes != int64(a.Tokens) {
			t.Errorf("%+v before the run and %+v after it", a, b)
		}
		if s := e.Status(); s.Done.Window != last || s.Done.Step != windows-1 || s.HeldOut.Window != last || float64(s.HeldOut.Loss) != got[last][1].Loss || s.Phase != "done" {
			t.Errorf("status %+v", s)
		}
		if h := net.Run.Space.Hash(e.Model()); h != net.States("validator-0")[last] {
			t.Errorf("the evaluator's state is %s, the validator's %s", h.Short(), net.States("validator-0")[last].Short())
		}
	})
}

// One that joins late goes on from the newest final checkpoint, of step 4, and measures what it is
// asked to, that state too, and the last one.
func TestMeasuresEveryOther(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 1}, func(net *testnet.Network) {
		net.Start("miner-2")
		net.RunWindows(5)
		_, heldOut, done := watched(t, net, evaluator.Config{Windows: 9, Every: 4}, nil)
		net.RunWindows(7)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		var windows []protocol.Window
		for w := range heldOut() {
			windows = append(windows, w-net.Window(0)+1)
		}
		slices.Sort(windows)
		if want := []protocol.Window{4, 8, 9}; !slices.Equal(windows, want) {
			t.Errorf("measured after steps %v, want %v", windows, want)
		}
	})
}

// broken is an engine that fails once.
type broken struct {
	engine.Engine
	failed bool
}

func (b *broken) Loss(ctx context.Context, batch engine.Batch) (engine.Loss, error) {
	if !b.failed {
		b.failed = true
		return engine.Loss{}, errors.New("the device is away")
	}
	return b.Engine.Loss(ctx, batch)
}

// Without the dataset's tokenizer there are no bits a byte, and an engine that fails is
// reported.
func TestFaults(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 1}, func(net *testnet.Network) {
		net.Start("miner-2")
		net.RunWindows(2)
		_, heldOut, done := watched(t, net, evaluator.Config{Windows: 4, Batches: 1}, func(d *evaluator.Deps) { d.Tokenizer = nil })
		net.RunWindows(4)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for w, all := range heldOut() {
			if !math.IsNaN(all[0].BitsPerByte()) {
				t.Errorf("window %d: %v bits a byte", w, all[0].BitsPerByte())
			}
		}
		_, _, done = watched(t, net, evaluator.Config{Windows: 4}, func(d *evaluator.Deps) { d.Engine = &broken{Engine: d.Engine} })
		if err := <-done; err == nil {
			t.Error("an engine that fails was not reported")
		}
	})
}
