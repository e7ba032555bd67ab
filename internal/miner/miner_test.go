package miner_test

import (
	"context"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"templar/internal/checkpoint"
	"templar/internal/clock"
	"templar/internal/data"
	"templar/internal/harness/testnet"
	"templar/internal/parts"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/method"
	"templar/method/dctsign"
	"templar/protocol"
)

// trained runs one miner for a window and returns its private state after it. With
// fail, nothing can be uploaded at the window's end.
func trained(t *testing.T, warmup int, fail bool) (s checkpoint.State, sent method.Payload, run run.Run) {
	t.Helper()
	params := func(p *protocol.Params) { p.Method = p.Method.With("momentum_warmup", warmup) }
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1, Params: params}, func(net *testnet.Network) {
		m := net.Node("miner-0")
		net.Start()
		for len(testnet.Of[telemetry.Trained](net, m.Name)) == 0 {
			net.Wait(time.Second)
		}
		w := net.Window(0)
		if fail {
			net.Break(m.Name, testnet.Unreachable)
			net.Wait(2 * net.Run.Params.WindowTime())
			net.Heal(m.Name)
		}
		net.RunWindows(1)
		m.Stop()
		var err error
		if s, err = checkpoint.LoadOwn(net.Context(), m.Local, net.Run, w+1, m.Signer.Hotkey()); err != nil {
			t.Fatal(err)
		}
		if !fail {
			sent = payload(t, net, w)
		}
		run = net.Run
	})
	return s, sent, run
}

func payload(t *testing.T, net *testnet.Network, w protocol.Window) method.Payload {
	t.Helper()
	m := net.Node("miner-0")
	g := net.Gradient(m.Name, w)
	if g == nil {
		t.FailNow()
	}
	if len(g.Pages) != net.Run.Params.PagesPerWindow || g.Tokens != uint64(len(g.Pages)*net.Run.Params.PageTokens) {
		t.Errorf("pages %v, %d tokens", g.Pages, g.Tokens)
	}
	return g.Payload
}

// What was sent is subtracted from the momentum, but not in the first iterations, and
// not when the store did not take it.
func TestErrorFeedback(t *testing.T) {
	whole, sent, run := trained(t, 1, false)
	rest, again, _ := trained(t, 0, false)
	failed, _, _ := trained(t, 0, true)

	if !slices.Equal(sent.Bytes(), again.Bytes()) {
		t.Fatal("the same miner sent another gradient")
	}
	for _, s := range []checkpoint.State{whole, rest, failed} {
		if _, iteration := private(t, s); iteration != 1 {
			t.Errorf("iteration %d; want 1", iteration)
		}
	}
	all, _ := private(t, whole)
	left, _ := private(t, rest)
	if kept, _ := private(t, failed); !slices.Equal(kept, all) {
		t.Error("what was not uploaded was subtracted")
	}
	var p dctsign.Params
	if err := run.Params.Method.Decode(&p); err != nil {
		t.Fatal(err)
	}
	exact, err := dctsign.NewExact(run.Space.Layout(), p)
	if err != nil {
		t.Fatal(err)
	}
	decoded := make([]float32, len(all))
	exact.Decode(sent, decoded)
	for i := range all {
		all[i] -= decoded[i]
	}
	if !slices.Equal(left, all) {
		t.Error("the momentum is not what is left of it when what was sent is subtracted")
	}
}

// private is the momentum and the iteration that were saved.
func private(t *testing.T, s checkpoint.State) (momentum []float32, iteration uint64) {
	t.Helper()
	v, n, err := method.Unpack(s.Private, len(s.Params), []string{"momentum"}, []string{"iteration"})
	if err != nil {
		t.Fatal(err)
	}
	return v["momentum"], n["iteration"]
}

// The first momentum is lr times the gradient of the mean loss: its size follows the
// learning rate.
func TestMomentumFollowsTheRate(t *testing.T) {
	s, _, run := trained(t, 1, false)
	lr, norm := run.Method.StepSize(0), 0.0
	momentum, _ := private(t, s)
	for _, v := range momentum {
		norm += float64(v) * float64(v)
	}
	// The gradient of a mean cross-entropy near its start: neither a sum over tokens nor
	// unscaled.
	if g := math.Sqrt(norm) / lr; g < 0.05 || g > 20 {
		t.Errorf("the gradient's norm is %v at learning rate %v", g, lr)
	}
}

// While a late joiner catches up the network goes on: it follows until it is there.
func TestCatchesUpWithAMovingTarget(t *testing.T) {
	rare := func(p *protocol.Params) { p.CheckpointFrequency = 100 }
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 1, Params: rare}, func(net *testnet.Network) {
		net.Start("miner-1")
		net.RunWindows(20)
		// Its own bucket is so slow that the samples alone cost windows.
		net.Break("miner-1", func(ctx context.Context) error { return clock.Wall{}.Sleep(ctx, 5*time.Second) })
		net.Node("miner-1").Start()
		net.Wait(6 * net.Run.Params.WindowTime())
		net.Heal("miner-1")
		net.RunWindows(12)
		net.RequireSameState()
		caughtUp := 0
		for line := range strings.Lines(net.Logs()) {
			if strings.Contains(line, `msg="catching up" node=miner-1`) {
				caughtUp++
			}
		}
		if caughtUp < 2 {
			t.Errorf("miner-1 caught up %d times: the target did not move", caughtUp)
		}
		if _, ok := testnet.Of[telemetry.Uploaded](net, "miner-1")[net.Window(31)]; !ok {
			t.Error("miner-1 does not train")
		}
	})
}

// An operator may train on less than what is assigned; what is not trained on is not claimed.
func TestBatches(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
		net.Node("miner-0").Config.Batches = 1
		net.Start()
		net.RunWindows(2)
		for w, trained := range testnet.Of[telemetry.Trained](net, "miner-0") {
			if trained.Batches != 1 || len(trained.Pages) != 1 {
				t.Errorf("window %d: %d batches of pages %v, want one of one", w, trained.Batches, trained.Pages)
			}
		}
	})
}

// A stored gradient is not replaced: its date decides which of two equal gradients is the copy.
func TestUploadsOnce(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
		m := net.Node("miner-0")
		net.Start()
		for len(testnet.Of[telemetry.Trained](net, m.Name)) == 0 {
			net.Wait(time.Second)
		}
		key, before := protocol.GradientKey(net.Window(0), m.UID), "from before a restart"
		if _, err := net.Bucket(m.Name).Put(net.Context(), key, strings.NewReader(before), int64(len(before)), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		net.RunWindows(2)
		body, _, err := net.Bucket(m.Name).Get(net.Context(), key, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		if got, err := io.ReadAll(body); err != nil || string(got) != before {
			t.Errorf("%d bytes stand there now, %v", len(got), err)
		}
		if len(testnet.Of[telemetry.Uploaded](net, m.Name)) == 0 {
			t.Error("no later window was uploaded")
		}
	})
}

// onRead is a store that calls a function for each part of an object that is read.
type onRead struct {
	store.Reader
	read func()
}

func (r onRead) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	r.read()
	return r.Reader.GetRange(ctx, key, offset, n, etag)
}

// The pages of a window are read while the miner waits for the Aggregate of the one before:
// after the first window, training waits for no store.
func TestReadsAhead(t *testing.T) {
	const windows = 6
	shards := testnet.Params().PageTokens // so that each page is read separately
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1, ShardTokens: shards}, func(net *testnet.Network) {
		m, during := net.Node("miner-0"), map[string]int{}
		read := func() {
			var now telemetry.Phase
			for _, e := range net.Events(m.Name) {
				if p, ok := e.Body.(telemetry.Phase); ok {
					now = p
				}
			}
			during[now.Name]++
		}
		m.Alter = func(d parts.Parts) parts.Parts {
			text, err := net.Store.Dial(testnet.Location("dataset", false))
			if err == nil {
				d.Data, err = data.Open(net.Context(), onRead{text, read}, net.Run.Params.DatasetHash)
			}
			if err != nil {
				t.Error(err)
			}
			return d
		}
		net.Start()
		net.RunWindows(windows)
		m.Stop()
		first := 2 * net.Run.Params.PagesPerWindow // a page may reach into the next shard
		if during["training"] > first || during["fetching"]+during["revealing"] < windows {
			t.Errorf("parts of the dataset read, by phase: %v; want at most %d in training", during, first)
		}
	})
}
