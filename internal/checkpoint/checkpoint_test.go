package checkpoint_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"templar/internal/checkpoint"
	"templar/internal/model"
	"templar/internal/simnet"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

const start = protocol.Window(2)

// state is a state before a window; seed tells parameters apart.
func state(net *simnet.Network, next protocol.Window, seed uint64) checkpoint.State {
	s := checkpoint.State{Start: start, Next: next, Params: model.Init(net.Run.Params.Model, seed)}
	if next > start {
		s.Previous = protocol.Hash{byte(next)}
	}
	return s
}

// private adds a miner's private state.
func private(net *simnet.Network, s checkpoint.State) checkpoint.State {
	s.Momentum, s.Iteration = model.Init(net.Run.Params.Model, 99), 42
	return s
}

func save(t *testing.T, net *simnet.Network, b store.Bucket, s checkpoint.State, by string) string {
	t.Helper()
	prefix, size, err := checkpoint.Save(net.Context(), b, net.Run, s, net.Node(by).Signer)
	if err != nil || size < 4*int64(len(s.Params)) {
		t.Fatalf("%d bytes, %v", size, err)
	}
	return prefix
}

func equal(a, b checkpoint.State) bool {
	return a.Start == b.Start && a.Next == b.Next && a.Previous == b.Previous && a.Iteration == b.Iteration &&
		slices.Equal(a.Params, b.Params) && slices.Equal(a.Momentum, b.Momentum)
}

func TestSaveAndLoad(t *testing.T) {
	simnet.Test(t, simnet.Config{Miners: 1}, func(net *simnet.Network) {
		for _, want := range []checkpoint.State{state(net, start, 1), private(net, state(net, 9, 2))} {
			save(t, net, net.Bucket("miner-0"), want, "miner-0")
			got, err := checkpoint.Load(net.Context(), net.Bucket("miner-0"), net.Run, want.Next, net.Node("miner-0").Signer.Hotkey())
			if err != nil || !equal(got, want) {
				t.Errorf("window %d: another state, %v", want.Next, err)
			}
		}
	})
}

// Whatever is wrong with a checkpoint, Load says so instead of returning it.
func TestLoadRefuses(t *testing.T) {
	put := func(t *testing.T, net *simnet.Network, key string, body []byte) {
		t.Helper()
		if _, err := net.Bucket("miner-0").Put(net.Context(), key, bytes.NewReader(body), int64(len(body)), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	reseal := func(by string, change func(*checkpoint.Manifest)) func(*testing.T, *simnet.Network, string) {
		return func(t *testing.T, net *simnet.Network, prefix string) {
			var m checkpoint.Manifest
			if _, err := wire.Open("templar checkpoint", get(t, net, prefix+"manifest.json"), &m); err != nil {
				t.Fatal(err)
			}
			change(&m)
			b, err := wire.Seal("templar checkpoint", m, net.Node(by).Signer)
			if err != nil {
				t.Fatal(err)
			}
			put(t, net, prefix+"manifest.json", b)
		}
	}
	remove := func(name string) func(*testing.T, *simnet.Network, string) {
		return func(t *testing.T, net *simnet.Network, prefix string) {
			if err := net.Bucket("miner-0").Delete(net.Context(), prefix+name); err != nil {
				t.Fatal(err)
			}
		}
	}
	model := func(change func([]byte) []byte) func(*testing.T, *simnet.Network, string) {
		return func(t *testing.T, net *simnet.Network, prefix string) {
			put(t, net, prefix+"model.safetensors", change(get(t, net, prefix+"model.safetensors")))
		}
	}
	nothing := func(*checkpoint.Manifest) {}
	for name, c := range map[string]struct {
		spoil func(*testing.T, *simnet.Network, string)
		says  string
	}{
		"torn: no manifest": {remove("manifest.json"), "no such object"},
		"torn: no model":    {remove("model.safetensors"), "no such object"},
		"damaged":           {model(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), "damaged"},
		"cut short":         {model(func(b []byte) []byte { return b[:len(b)-4] }), "damaged"},
		"too large":         {model(func(b []byte) []byte { return append(b, make([]byte, 20<<20)...) }), "larger than the limit"},
		"another owner":     {reseal("validator-0", nothing), "signed by"},
		"another run":       {reseal("miner-0", func(m *checkpoint.Manifest) { m.Run[0]++ }), "another run"},
		"another window":    {reseal("miner-0", func(m *checkpoint.Manifest) { m.Next++ }), "another run's or another window's"},
		"before the start":  {reseal("miner-0", func(m *checkpoint.Manifest) { m.Start = m.Next + 1 }), "another run's or another window's"},
		"another state":     {reseal("miner-0", func(m *checkpoint.Manifest) { m.StateHash[0]++ }), "state hash"},
		"no files":          {reseal("miner-0", func(m *checkpoint.Manifest) { m.Files = nil }), "no model"},
		"a file twice":      {reseal("miner-0", func(m *checkpoint.Manifest) { m.Files = append(m.Files, m.Files[0]) }), "more files"},
		"many files":        {reseal("miner-0", func(m *checkpoint.Manifest) { m.Files = slices.Repeat(m.Files, 1000) }), "more files"},
		"a file elsewhere":  {reseal("miner-0", func(m *checkpoint.Manifest) { m.Files[0].Name = "../x" }), "../x"},
		"not even a sealing": {func(t *testing.T, net *simnet.Network, prefix string) {
			put(t, net, prefix+"manifest.json", []byte("{}"))
		}, "manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			simnet.Test(t, simnet.Config{Miners: 1, Validators: 1}, func(net *simnet.Network) {
				c.spoil(t, net, save(t, net, net.Bucket("miner-0"), state(net, 9, 1), "miner-0"))
				_, err := checkpoint.Load(net.Context(), net.Bucket("miner-0"), net.Run, 9, net.Node("miner-0").Signer.Hotkey())
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want an error that says %q", err, c.says)
				}
			})
		})
	}
}

func get(t *testing.T, net *simnet.Network, key string) []byte {
	t.Helper()
	body, _, err := net.Bucket("miner-0").Get(net.Context(), key, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Save keeps the last three; a checkpoint is complete before an older one goes.
func TestSavePrunes(t *testing.T) {
	simnet.Test(t, simnet.Config{Miners: 1}, func(net *simnet.Network) {
		b := net.Bucket("miner-0")
		for _, w := range []protocol.Window{4, 8, 9, 10, 100} {
			save(t, net, b, state(net, w, 1), "miner-0")
		}
		if got, err := checkpoint.Windows(net.Context(), b); err != nil || !slices.Equal(got, []protocol.Window{100, 10, 9}) {
			t.Errorf("%v, %v; want 100, 10 and 9", got, err)
		}
		// A Save that fails half way leaves the others as they were.
		if _, _, err := checkpoint.Save(net.Context(), full{b}, net.Run, state(net, 200, 1), net.Node("miner-0").Signer); err == nil {
			t.Fatal("a full bucket took a checkpoint")
		}
		if _, err := checkpoint.Load(net.Context(), b, net.Run, 9, net.Node("miner-0").Signer.Hotkey()); err != nil {
			t.Error(err)
		}
	})
}

// full takes no manifest.
type full struct{ store.Bucket }

func (f full) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if strings.HasSuffix(key, "manifest.json") {
		return store.Info{}, io.ErrShortWrite
	}
	return f.Bucket.Put(ctx, key, body, size, o)
}

// restore is Restore as miner-0, in window 20.
func restore(t *testing.T, net *simnet.Network) (checkpoint.State, error) {
	t.Helper()
	net.CommitAll()
	advance(t, net)
	x := net.Node("miner-0").Exchange()
	if err := x.Directory.Refresh(net.Context()); err != nil {
		t.Fatal(err)
	}
	announced := wire.StartWindow{Run: net.Run.Hash, StartWindow: start, StateHash: net.Run.Codec.StateHash(state(net, start, 1).Params)}
	return checkpoint.Restore(net.Context(), x, net.Node("miner-0").Local, announced, slog.New(slog.DiscardHandler))
}

// advance makes blocks until window 20.
func advance(t *testing.T, net *simnet.Network) {
	t.Helper()
	for {
		b, err := net.Chain.Advance(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if net.Run.Params.WindowOf(b.Number) >= 20 {
			return
		}
	}
}

// sample uploads a validator's sync sample of a window, after which it holds the
// parameters of seed.
func sample(name string, w protocol.Window, seed uint64) func(*testing.T, *simnet.Network) {
	return func(t *testing.T, net *simnet.Network) {
		advance(t, net)
		s := state(net, w+1, seed)
		x := net.Node(name).Exchange()
		if err := x.PutSample(net.Context(), w, 1, s.Previous, s.Params); err != nil {
			t.Fatal(err)
		}
	}
}

// stubs makes a validator's bucket name checkpoints that it does not hold.
func stubs(name string, from, to protocol.Window) func(*testing.T, *simnet.Network) {
	return func(t *testing.T, net *simnet.Network) {
		for w := from; w < to; w++ {
			key := protocol.CheckpointPrefix(w) + "manifest.json"
			if _, err := net.Bucket(name).Put(net.Context(), key, strings.NewReader("x"), 1, store.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Restore takes the newest usable state: seeds tell whose it was.
func TestRestore(t *testing.T) {
	type setup func(*testing.T, *simnet.Network)
	validator := func(name string, next protocol.Window, seed uint64) setup {
		return func(t *testing.T, net *simnet.Network) {
			save(t, net, net.Bucket(name), state(net, next, seed), name)
		}
	}
	own := func(next protocol.Window, seed uint64) setup {
		return func(t *testing.T, net *simnet.Network) {
			save(t, net, net.Node("miner-0").Local, private(net, state(net, next, seed)), "miner-0")
		}
	}
	theta0 := validator("validator-0", start, 1)
	for name, c := range map[string]struct {
		setup    []setup
		next     protocol.Window
		seed     uint64
		momentum bool
		fails    bool
	}{
		"theta_0":                {setup: []setup{theta0}, next: start, seed: 1},
		"nothing":                {fails: true},
		"the newest":             {setup: []setup{theta0, own(8, 2), validator("validator-1", 12, 3), validator("validator-0", 10, 4)}, next: 12, seed: 3, momentum: true},
		"own on a tie":           {setup: []setup{own(8, 2), validator("validator-0", 8, 3)}, next: 8, seed: 2, momentum: true},
		"higher stake on a tie":  {setup: []setup{validator("validator-1", 8, 2), validator("validator-0", 8, 3)}, next: 8, seed: 3},
		"own is newest":          {setup: []setup{theta0, own(9, 2), validator("validator-0", 8, 3)}, next: 9, seed: 2, momentum: true},
		"another theta_0":        {setup: []setup{validator("validator-0", start, 5)}, fails: true},
		"another, then the true": {setup: []setup{validator("validator-0", start, 5), validator("validator-1", start, 1)}, next: start, seed: 1},
		"from the future":        {setup: []setup{theta0, validator("validator-1", 5000, 6)}, next: start, seed: 1},
		"hidden by the future":   {setup: []setup{theta0, validator("validator-1", 9, 6), stubs("validator-1", 5000, 5003)}, next: 9, seed: 6},
		"another start": {setup: []setup{theta0, func(t *testing.T, net *simnet.Network) {
			s := state(net, 9, 7)
			s.Start++
			save(t, net, net.Bucket("validator-1"), s, "validator-1")
		}}, next: start, seed: 1},
		"another's momentum": {setup: []setup{own(8, 2), func(t *testing.T, net *simnet.Network) {
			s := private(net, state(net, 9, 3))
			s.Momentum, s.Iteration = slices.Repeat([]float32{7}, len(s.Momentum)), 1
			save(t, net, net.Bucket("validator-0"), s, "validator-0")
		}}, next: 9, seed: 3, momentum: true},
		"signed by another": {setup: []setup{theta0, func(t *testing.T, net *simnet.Network) {
			save(t, net, net.Bucket("validator-1"), state(net, 9, 8), "miner-0")
		}}, next: start, seed: 1},
		"unreachable": {setup: []setup{theta0, validator("validator-1", 9, 2), func(_ *testing.T, net *simnet.Network) {
			net.Break("validator-1", simnet.Unreachable)
		}}, next: start, seed: 1},
		"hanging": {setup: []setup{theta0, validator("validator-1", 9, 2), func(_ *testing.T, net *simnet.Network) {
			net.Break("validator-1", simnet.Hanging)
		}}, next: start, seed: 1},
		"outvoted":                {setup: []setup{theta0, validator("validator-1", 9, 2), sample("validator-0", 8, 3)}, next: start, seed: 1},
		"too light to contradict": {setup: []setup{theta0, validator("validator-0", 9, 2), sample("validator-1", 8, 3)}, next: 9, seed: 2},
		"confirmed":               {setup: []setup{theta0, validator("validator-1", 9, 2), sample("validator-0", 8, 2)}, next: 9, seed: 2},
		"a thousand lies": {setup: []setup{theta0, stubs("validator-1", 0, 1500), func(t *testing.T, net *simnet.Network) {
			requests := 0
			net.Break("validator-1", func(context.Context) error {
				if requests++; requests > 20 {
					t.Error("each lie was looked at")
				}
				return nil
			})
		}}, next: start, seed: 1},
	} {
		t.Run(name, func(t *testing.T) {
			simnet.Test(t, simnet.Config{Miners: 1, Validators: 2}, func(net *simnet.Network) {
				for _, f := range c.setup {
					f(t, net)
				}
				got, err := restore(t, net)
				if c.fails {
					if err == nil {
						t.Errorf("restored window %d", got.Next)
					}
					return
				}
				want := state(net, c.next, c.seed)
				if c.momentum {
					want = private(net, want)
				}
				if err != nil || !equal(got, want) {
					t.Errorf("restored window %d with iteration %d, %v; want window %d with seed %d", got.Next, got.Iteration, err, c.next, c.seed)
				}
			})
		})
	}
}
