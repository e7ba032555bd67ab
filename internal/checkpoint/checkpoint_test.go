package checkpoint_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"templar/internal/attest"
	"templar/internal/checkpoint"
	"templar/internal/harness/testnet"
	"templar/internal/model"
	"templar/internal/store"
	"templar/internal/store/fs"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

const start = protocol.Window(2)

// shardBytes cuts the tests' model into several shards.
const shardBytes = 20_000

// state is a state before a window; its parameters depend on the seed.
func state(net *testnet.Network, next protocol.Window, seed uint64) checkpoint.State {
	s := checkpoint.State{Start: start, Next: next, Params: model.Init(net.Run.Params.Model, seed)}
	if next > start {
		s.Previous = protocol.Hash{byte(next)}
	}
	return s
}

// private adds a miner's private state.
func private(net *testnet.Network, s checkpoint.State) checkpoint.State {
	s.Private = []method.Tensor{{Name: "momentum", Values: model.Init(net.Run.Params.Model, 99)}, {Name: "iteration", Scalar: 42}}
	return s
}

func save(t *testing.T, net *testnet.Network, b store.Bucket, s checkpoint.State, by string) string {
	t.Helper()
	prefix, size, err := net.Node(by).Parts().Saver().SaveWith(net.Context(), b, s, checkpoint.Options{ShardBytes: shardBytes})
	if err != nil || size < 4*int64(len(s.Params)) {
		t.Fatalf("%d bytes, %v", size, err)
	}
	return prefix
}

func equal(a, b checkpoint.State) bool {
	return a.Start == b.Start && a.Next == b.Next && a.Previous == b.Previous && slices.Equal(a.Params, b.Params) &&
		slices.EqualFunc(a.Private, b.Private, func(a, b method.Tensor) bool {
			return a.Name == b.Name && a.Scalar == b.Scalar && slices.Equal(a.Values, b.Values)
		})
}

func TestSaveAndLoad(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		for _, want := range []checkpoint.State{state(net, start, 1), private(net, state(net, 9, 2))} {
			save(t, net, net.Bucket("miner-0"), want, "miner-0")
			got, err := checkpoint.LoadOwn(net.Context(), net.Bucket("miner-0"), net.Run, want.Next, net.Node("miner-0").Signer.Hotkey())
			if err != nil || !equal(got, want) {
				t.Errorf("window %d: another state, %v", want.Next, err)
			}
		}
	})
}

const (
	shard1 = "model-00001-of-00003.safetensors"
	shard2 = "model-00002-of-00003.safetensors"
)

// Load returns an error for each fault of a checkpoint.
func TestLoadRefuses(t *testing.T) {
	put := func(t *testing.T, net *testnet.Network, key string, body []byte) {
		t.Helper()
		if _, err := net.Bucket("miner-0").Put(net.Context(), key, bytes.NewReader(body), int64(len(body)), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	reseal := func(by string, change func(*checkpoint.Manifest)) func(*testing.T, *testnet.Network, string) {
		return func(t *testing.T, net *testnet.Network, prefix string) {
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
	remove := func(name string) func(*testing.T, *testnet.Network, string) {
		return func(t *testing.T, net *testnet.Network, prefix string) {
			if err := net.Bucket("miner-0").Delete(net.Context(), prefix+name); err != nil {
				t.Fatal(err)
			}
		}
	}
	shard := func(change func([]byte) []byte) func(*testing.T, *testnet.Network, string) {
		return func(t *testing.T, net *testnet.Network, prefix string) {
			put(t, net, prefix+shard2, change(get(t, net, prefix+shard2)))
		}
	}
	nothing := func(*checkpoint.Manifest) {}
	for name, c := range map[string]struct {
		spoil func(*testing.T, *testnet.Network, string)
		says  string
	}{
		"torn: no manifest": {remove("manifest.json"), "no such object"},
		"torn: no shard":    {remove(shard2), "no such object"},
		"damaged":           {shard(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), "damaged"},
		"damaged header":    {shard(func(b []byte) []byte { b[9] ^= 1; return b }), "00002-of"},
		"cut short":         {shard(func(b []byte) []byte { return b[:len(b)-4] }), "damaged"},
		"too large":         {shard(func(b []byte) []byte { return append(b, make([]byte, 20<<20)...) }), "damaged"},
		"empty":             {shard(func([]byte) []byte { return nil }), "damaged"},
		"another's shard": {func(t *testing.T, net *testnet.Network, prefix string) {
			put(t, net, prefix+shard2, get(t, net, prefix+shard1))
		}, "damaged"},
		"another owner":    {reseal("validator-0", nothing), "signed by"},
		"another run":      {reseal("miner-0", func(m *checkpoint.Manifest) { m.Run[0]++ }), "another run"},
		"another window":   {reseal("miner-0", func(m *checkpoint.Manifest) { m.Next++ }), "another run's or another window's"},
		"another step":     {reseal("miner-0", func(m *checkpoint.Manifest) { m.Step++ }), "another run's or another window's"},
		"before the start": {reseal("miner-0", func(m *checkpoint.Manifest) { m.Start = m.Next + 1 }), "another run's or another window's"},
		"another state":    {reseal("miner-0", func(m *checkpoint.Manifest) { m.StateHash[0]++ }), "state hash"},
		"no files":         {reseal("miner-0", func(m *checkpoint.Manifest) { m.Files = nil }), "no model"},
		"a shard left out": {reseal("miner-0", func(m *checkpoint.Manifest) {
			m.Files = slices.DeleteFunc(m.Files, func(f checkpoint.File) bool { return f.Name == shard2 })
		}), "missing"},
		"a shard of both": {reseal("miner-0", func(m *checkpoint.Manifest) {
			for i := range m.Files {
				if m.Files[i].Name == shard2 {
					m.Files[i] = checkpoint.File{Name: shard2, Size: m.Files[i-1].Size, SHA256: m.Files[i-1].SHA256}
				}
			}
		}), "the file at"},
		"a file twice": {reseal("miner-0", func(m *checkpoint.Manifest) { m.Files = append(m.Files, m.Files[len(m.Files)-1]) }), "out of order"},
		"many files":   {reseal("miner-0", func(m *checkpoint.Manifest) { m.Files = slices.Repeat(m.Files, 1000) }), "out of order"},
		"large files": {reseal("miner-0", func(m *checkpoint.Manifest) {
			for i := range m.Files {
				m.Files[i].Size += 10 << 20
			}
		}), "larger than the model"},
		"endless files":      {reseal("miner-0", func(m *checkpoint.Manifest) { m.Files[1].Size = math.MaxInt64; m.Files[2].Size = math.MaxInt64 }), "larger than the model"},
		"a negative size":    {reseal("miner-0", func(m *checkpoint.Manifest) { m.Files[0].Size = -1 }), "-1 bytes"},
		"a file elsewhere":   {reseal("miner-0", func(m *checkpoint.Manifest) { m.Files[0].Name = "../x" }), "../x"},
		"another method":     {reseal("miner-0", func(m *checkpoint.Manifest) { m.Method = "other" }), "method"},
		"many tensors":       {reseal("miner-0", func(m *checkpoint.Manifest) { m.Private = slices.Repeat([]checkpoint.Tensor{{Name: "a"}}, 17) }), "at most 16"},
		"a tensor elsewhere": {reseal("miner-0", func(m *checkpoint.Manifest) { m.Private = []checkpoint.Tensor{{Name: "../a"}} }), "is not a valid tensor name"},
		"a tensor twice":     {reseal("miner-0", func(m *checkpoint.Manifest) { m.Private = []checkpoint.Tensor{{Name: "a"}, {Name: "a"}} }), "two tensors"},
		"a tensor of both":   {reseal("miner-0", func(m *checkpoint.Manifest) { m.Private = []checkpoint.Tensor{{Name: "a", Vector: true, Scalar: 1}} }), "both"},
		"a vector left out":  {reseal("miner-0", func(m *checkpoint.Manifest) { m.Private = []checkpoint.Tensor{{Name: "a", Vector: true}} }), "no file of a"},
		"an old manifest": {func(t *testing.T, net *testnet.Network, prefix string) {
			b, err := wire.Seal("templar checkpoint", struct {
				Run   protocol.Hash     `json:"run"`
				Next  protocol.Window   `json:"next_window"`
				Files []checkpoint.File `json:"files"`
			}{Run: net.Run.Hash, Next: 9}, net.Node("miner-0").Signer)
			if err != nil {
				t.Fatal(err)
			}
			put(t, net, prefix+"manifest.json", b)
		}, "canonical"},
		"another signature": {func(t *testing.T, net *testnet.Network, prefix string) {
			b := get(t, net, prefix+"manifest.json")
			b[len(b)-10] ^= 1
			put(t, net, prefix+"manifest.json", b)
		}, "manifest"},
		"not even a sealing": {func(t *testing.T, net *testnet.Network, prefix string) {
			put(t, net, prefix+"manifest.json", []byte("{}"))
		}, "manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
				c.spoil(t, net, save(t, net, net.Bucket("miner-0"), state(net, 9, 1), "miner-0"))
				_, err := checkpoint.LoadOwn(net.Context(), net.Bucket("miner-0"), net.Run, 9, net.Node("miner-0").Signer.Hotkey())
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want an error that says %q", err, c.says)
				}
			})
		})
	}
}

func get(t *testing.T, net *testnet.Network, key string) []byte {
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
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		b := net.Bucket("miner-0")
		for _, w := range []protocol.Window{4, 8, 9, 10, 100} {
			save(t, net, b, state(net, w, 1), "miner-0")
		}
		if got, err := checkpoint.Windows(net.Context(), b); err != nil || !slices.Equal(got, []protocol.Window{100, 10, 9}) {
			t.Errorf("%v, %v; want 100, 10 and 9", got, err)
		}
		// A Save that fails half way leaves the others as they were.
		x := net.Node("miner-0").Parts()
		if _, _, err := x.Saver().Save(net.Context(), full{b}, state(net, 200, 1)); err == nil {
			t.Fatal("a full bucket took a checkpoint")
		}
		if _, err := checkpoint.LoadOwn(net.Context(), b, net.Run, 9, net.Node("miner-0").Signer.Hotkey()); err != nil {
			t.Error(err)
		}
		// What it left does not count, and the next Save removes it.
		if got, err := checkpoint.Windows(net.Context(), b); err != nil || !slices.Equal(got, []protocol.Window{100, 10, 9}) {
			t.Errorf("%v, %v; want 100, 10 and 9 without the unfinished 200", got, err)
		}
		save(t, net, b, state(net, 101, 1), "miner-0")
		if left, err := b.List(net.Context(), "checkpoint-200-", "", 10); err != nil || len(left) > 0 {
			t.Errorf("%d objects of the unfinished checkpoint are left, %v", len(left), err)
		}
		// Another run's checkpoints of later windows neither count nor go.
		if got, err := checkpoint.Windows(net.Context(), b); err != nil || !slices.Equal(got, []protocol.Window{101, 100, 10}) {
			t.Errorf("%v, %v; want 101, 100 and 10", got, err)
		}
		save(t, net, b, state(net, 50, 1), "miner-0")
		if got, err := checkpoint.Windows(net.Context(), b); err != nil || !slices.Equal(got, []protocol.Window{101, 100, 50, 10}) {
			t.Errorf("%v, %v; want 101, 100, 50 and 10", got, err)
		}
	})
}

// A checkpoint in a bucket is a folder that Hugging Face's transformers loads.
func TestSaveIsAModelFolder(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		want := private(net, state(net, 9, 3))
		prefix, dir := save(t, net, net.Bucket("miner-0"), want, "miner-0"), t.TempDir()
		objects, err := net.Bucket("miner-0").List(net.Context(), prefix, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if err := os.WriteFile(filepath.Join(dir, strings.TrimPrefix(o.Key, prefix)), get(t, net, o.Key), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m, params, err := model.Load(dir)
		if err != nil || m != net.Run.Params.Model || !slices.Equal(params, want.Params) {
			t.Errorf("another model, %v", err)
		}
	})
}

// A checkpoint that was saved counts, also when the older ones cannot be removed.
func TestSaveThatCannotPrune(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		b, x := net.Bucket("miner-0"), net.Node("miner-0").Parts()
		prefix, size, err := x.Saver().Save(net.Context(), noUploads{b}, state(net, 9, 1))
		if !strings.Contains(net.Logs(), "old checkpoints not removed") {
			t.Error("nothing is logged")
		}
		if err != nil || prefix != protocol.CheckpointPrefix(9) || size == 0 {
			t.Errorf("%q, %d bytes, %v", prefix, size, err)
		}
		if _, err := checkpoint.LoadOwn(net.Context(), b, net.Run, 9, x.Signer.Hotkey()); err != nil {
			t.Error(err)
		}
	})
}

// noUploads lists no uploads, as with a key that lacks the right.
type noUploads struct{ store.Bucket }

func (noUploads) Uploads(context.Context, string) ([]store.Upload, error) {
	return nil, store.ErrDenied
}

// full takes no manifest.
type full struct{ store.Bucket }

func (f full) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if strings.HasSuffix(key, "manifest.json") {
		return store.Info{}, io.ErrShortWrite
	}
	return f.Bucket.Put(ctx, key, body, size, o)
}

// Beside the state itself, saving and loading take a few buffers.
func TestMemory(t *testing.T) {
	wide := func(p *protocol.Params) { p.Model.HiddenSize, p.Model.IntermediateSize, p.Model.Layers = 256, 1024, 4 }
	testnet.Test(t, testnet.Config{Miners: 1, Params: wide}, func(net *testnet.Network) {
		files, err := fs.Open(t.TempDir(), fs.Options{})
		if err != nil || files.CreateBucket("state") != nil {
			t.Fatal(err)
		}
		b, x, s := files.Bucket("state"), net.Node("miner-0").Parts(), state(net, 9, 1)
		s.Private = []method.Tensor{{Name: "momentum", Values: slices.Clone(s.Params)}}
		size := 4 * uint64(len(s.Params))
		few := size / 2 // the race detector drops pooled buffers at random
		if got := allocated(func() {
			_, _, err = x.Saver().SaveWith(net.Context(), b, s, checkpoint.Options{ShardBytes: 4 << 20})
		}); err != nil || got > few {
			t.Errorf("saving 2 times %d bytes took %d, %v", size, got, err)
		}
		var back checkpoint.State
		got := allocated(func() { back, err = checkpoint.LoadOwn(net.Context(), b, net.Run, 9, x.Signer.Hotkey()) })
		if err != nil || !equal(back, s) || got > 2*size+few {
			t.Errorf("loading 2 times %d bytes took %d, %v", size, got, err)
		}
	})
}

// allocated is the bytes that f asks of the heap, all in all.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// An interrupted Save is continued: stored files are not sent again.
func TestSaveGoesOn(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		b, x, want := net.Bucket("miner-0"), net.Node("miner-0").Parts(), state(net, 9, 1)
		o := checkpoint.Options{ShardBytes: shardBytes, Large: 1}
		c := &counting{Bucket: b, fail: shard2}
		if _, _, err := x.Saver().SaveWith(net.Context(), c, want, o); err == nil {
			t.Fatal("a shard was lost and nothing was said")
		}
		c.fail, c.stored = "", nil
		if _, _, err := x.Saver().SaveWith(net.Context(), c, want, o); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(c.stored, shard1) || !slices.Contains(c.stored, shard2) {
			t.Errorf("the second Save stored %v: want all but %s", c.stored, shard1)
		}
		if got, err := checkpoint.LoadOwn(net.Context(), b, net.Run, 9, x.Signer.Hotkey()); err != nil || !equal(got, want) {
			t.Errorf("another state, %v", err)
		}
		// Another state of the same window takes nothing over.
		c.stored, want = nil, state(net, 9, 2)
		if _, _, err := x.Saver().SaveWith(net.Context(), c, want, o); err != nil || !slices.Contains(c.stored, shard1) {
			t.Errorf("stored %v, %v", c.stored, err)
		}
		if got, err := checkpoint.LoadOwn(net.Context(), b, net.Run, 9, x.Signer.Hotkey()); err != nil || !equal(got, want) {
			t.Errorf("another state, %v", err)
		}
		if left, err := b.Uploads(net.Context(), ""); err != nil || len(left) > 0 {
			t.Errorf("unfinished uploads: %v, %v", left, err)
		}
	})
}

// counting notes what is stored, and loses the object of a name.
type counting struct {
	store.Bucket
	fail   string
	stored []string
}

func (c *counting) CompleteUpload(ctx context.Context, u store.Upload, parts []store.Part, o store.PutOptions) (store.Info, error) {
	name := u.Key[strings.Index(u.Key, "/")+1:]
	if name == c.fail {
		return store.Info{}, io.ErrClosedPipe
	}
	c.stored = append(c.stored, name)
	return c.Bucket.CompleteUpload(ctx, u, parts, o)
}

// An interrupted download continues at the next start, and leaves no files behind.
func TestRestoreGoesOn(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
		want, scratch := state(net, 9, 2), filepath.Join(t.TempDir(), "downloads")
		save(t, net, net.Bucket("validator-0"), want, "validator-0")
		net.CommitAll()
		sample("validator-0", 8, 2)(t, net)
		x := net.Node("miner-0").Parts()
		if err := x.Directory.Refresh(net.Context()); err != nil {
			t.Fatal(err)
		}
		f := x.Finder()
		f.Scratch = scratch
		restore := func(ctx context.Context) (checkpoint.State, error) {
			return f.Restore(ctx, wire.StartWindow{Run: net.Run.Hash, StartWindow: start}, math.MaxUint64)
		}
		ctx, cancel := context.WithCancel(net.Context())
		requests := 0
		count := func(ctx context.Context) error {
			if requests++; requests == 7 { // the list, the charges, the manifest, a sample, and a shard and a half
				cancel()
			}
			return ctx.Err()
		}
		net.Break("validator-0", count)
		if _, err := restore(ctx); err == nil {
			t.Fatal("restored without the store")
		}
		if files, err := os.ReadDir(scratch); err != nil || len(files) == 0 {
			t.Fatalf("%d files are kept, %v", len(files), err)
		}
		requests = 7 // never again
		got, err := restore(net.Context())
		if err != nil || !equal(got, want) {
			t.Fatalf("another state, %v", err)
		}
		whole := requests - 7
		requests = 7
		if _, err := os.Stat(scratch); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("downloads are left: %v", err)
		}
		if _, err := restore(net.Context()); err != nil || requests-7 <= whole {
			t.Errorf("a restore from nothing took %d requests, the one that went on %d: %v", requests-7, whole, err)
		}
	})
}

// A full disk is this node's own fault: no checkpoint is called refused for it, and none is looked for elsewhere.
func TestRestoreOnAFullDisk(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
		save(t, net, net.Bucket("validator-0"), state(net, 9, 2), "validator-0")
		net.CommitAll()
		sample("validator-0", 8, 2)(t, net)
		requests := 0
		net.Break("validator-0", func(context.Context) error {
			if requests++; requests > 6 { // the list, the charges, the manifest, a sample, and a shard's beginning
				return fmt.Errorf("write downloads/shard: %w", syscall.ENOSPC)
			}
			return nil
		})
		if _, err := restore(t, net); !errors.Is(err, syscall.ENOSPC) || errors.Is(err, checkpoint.ErrNone) {
			t.Errorf("%v, want the fault of the disk", err)
		}
	})
}

// restore is Restore as miner-0, in window 20.
func restore(t *testing.T, net *testnet.Network) (checkpoint.State, error) {
	t.Helper()
	net.CommitAll()
	advance(t, net)
	x := net.Node("miner-0").Parts()
	if err := x.Directory.Refresh(net.Context()); err != nil {
		t.Fatal(err)
	}
	announced := wire.StartWindow{Run: net.Run.Hash, StartWindow: start, StateHash: net.Run.Space.Hash(state(net, start, 1).Params)}
	return x.Finder().Restore(net.Context(), announced, math.MaxUint64)
}

// advance makes blocks until window 20.
func advance(t *testing.T, net *testnet.Network) {
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
func sample(name string, w protocol.Window, seed uint64) func(*testing.T, *testnet.Network) {
	return func(t *testing.T, net *testnet.Network) {
		advance(t, net)
		s := state(net, w+1, seed)
		x := net.Node(name).Parts()
		held := attest.State{Window: w, Step: 1, Issue: wire.Issue{Window: w, Content: s.Previous}, Hash: net.Run.Space.Hash(s.Params), Params: s.Params}
		if err := x.Samples().Post(net.Context(), x.Outbox(), held); err != nil {
			t.Fatal(err)
		}
	}
}

// stubs makes a validator's bucket name checkpoints that it does not hold.
func stubs(name string, from, to protocol.Window) func(*testing.T, *testnet.Network) {
	return func(t *testing.T, net *testnet.Network) {
		for w := from; w < to; w++ {
			key := protocol.CheckpointPrefix(w) + "manifest.json"
			if _, err := net.Bucket(name).Put(net.Context(), key, strings.NewReader("x"), 1, store.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Restore returns the newest final state: seeds identify its owner. Of the stake, validator-0 has two
// thirds. A checkpoint without the signatures of more than half of the stake is passed over, no matter which node made
// it, so that none is ahead of what is signed.
func TestRestore(t *testing.T) {
	type setup func(*testing.T, *testnet.Network)
	validator := func(name string, next protocol.Window, seed uint64) setup {
		return func(t *testing.T, net *testnet.Network) {
			save(t, net, net.Bucket(name), state(net, next, seed), name)
		}
	}
	own := func(next protocol.Window, seed uint64) setup {
		return func(t *testing.T, net *testnet.Network) {
			save(t, net, net.Node("miner-0").Local, private(net, state(net, next, seed)), "miner-0")
		}
	}
	signed := func(next protocol.Window, seed uint64) setup { return sample("validator-0", next-1, seed) }
	known := func(next protocol.Window, seed uint64) setup { // final by the node's own record
		return func(t *testing.T, net *testnet.Network) {
			list := checkpoint.Finals{Run: net.Run.Hash, Finals: []attest.Mark{{Next: next, Hash: net.Run.Space.Hash(state(net, next, seed).Params)}}}
			if err := store.SaveFile(net.Context(), net.Node("miner-0").Local, checkpoint.FinalsFile, list); err != nil {
				t.Fatal(err)
			}
		}
	}
	const theta0 = 1 // the seed, of the run as well
	for name, c := range map[string]struct {
		setup   []setup
		next    protocol.Window
		seed    uint64
		private bool
	}{
		"nothing":                     {next: start, seed: theta0},
		"signed":                      {setup: []setup{validator("validator-1", 9, 2), signed(9, 2)}, next: 9, seed: 2},
		"a validator is ahead":        {setup: []setup{validator("validator-0", 12, 4), validator("validator-1", 9, 2), signed(9, 2)}, next: 9, seed: 2},
		"nothing is signed":           {setup: []setup{own(8, 2), validator("validator-1", 12, 3), validator("validator-0", 10, 4)}, next: start, seed: theta0, private: true},
		"less than half has signed":   {setup: []setup{validator("validator-1", 9, 2), sample("validator-1", 8, 2)}, next: start, seed: theta0},
		"another state is signed":     {setup: []setup{validator("validator-1", 9, 2), signed(9, 3)}, next: start, seed: theta0},
		"own, signed":                 {setup: []setup{own(9, 2), signed(9, 2)}, next: 9, seed: 2, private: true},
		"own, contradicted":           {setup: []setup{own(9, 2), signed(9, 3)}, next: start, seed: theta0, private: true},
		"own, known to be final":      {setup: []setup{own(9, 2), known(9, 2)}, next: 9, seed: 2, private: true},
		"own, another is known":       {setup: []setup{own(9, 2), known(9, 3)}, next: start, seed: theta0, private: true},
		"the newest that is signed":   {setup: []setup{own(8, 2), signed(8, 2), validator("validator-1", 12, 3), signed(12, 3)}, next: 12, seed: 3, private: true},
		"from the future":             {setup: []setup{validator("validator-1", 5000, 6)}, next: start, seed: theta0},
		"hidden by the future":        {setup: []setup{validator("validator-1", 9, 6), signed(9, 6), stubs("validator-1", 5000, 5003)}, next: 9, seed: 6},
		"a chosen theta_0":            {setup: []setup{validator("validator-0", start, 5)}, next: start, seed: theta0},
		"unreachable":                 {setup: []setup{validator("validator-1", 9, 2), signed(9, 2), func(_ *testing.T, net *testnet.Network) { net.Break("validator-1", testnet.Unreachable) }}, next: start, seed: theta0},
		"hanging":                     {setup: []setup{validator("validator-1", 9, 2), signed(9, 2), func(_ *testing.T, net *testnet.Network) { net.Break("validator-1", testnet.Hanging) }}, next: start, seed: theta0},
		"the signers are away, known": {setup: []setup{own(9, 2), known(9, 2), func(_ *testing.T, net *testnet.Network) { net.Break("validator-0", testnet.Unreachable) }}, next: 9, seed: 2, private: true},
		"a false aggregate before it": {setup: []setup{validator("validator-1", 9, 2), signed(9, 2), charged(8)}, next: start, seed: theta0},
		"a false aggregate after it":  {setup: []setup{validator("validator-1", 9, 2), signed(9, 2), charged(9)}, next: 9, seed: 2},
		"charged by less than half":   {setup: []setup{validator("validator-1", 9, 2), signed(9, 2), chargedBy("validator-1", 8)}, next: 9, seed: 2},
		"another start": {setup: []setup{func(t *testing.T, net *testnet.Network) {
			s := state(net, 9, 7)
			s.Start++
			save(t, net, net.Bucket("validator-1"), s, "validator-1")
		}, signed(9, 7)}, next: start, seed: theta0},
		"another's momentum": {setup: []setup{own(8, 2), func(t *testing.T, net *testnet.Network) {
			s := private(net, state(net, 9, 3))
			s.Private = []method.Tensor{{Name: "momentum", Values: slices.Repeat([]float32{7}, len(s.Params))}, {Name: "iteration", Scalar: 1}}
			save(t, net, net.Bucket("validator-0"), s, "validator-0")
		}, signed(9, 3)}, next: 9, seed: 3, private: true},
		"signed by another": {setup: []setup{func(t *testing.T, net *testnet.Network) {
			save(t, net, net.Bucket("validator-1"), state(net, 9, 8), "miner-0")
		}, signed(9, 8)}, next: start, seed: theta0},
		"torn, then the older": {setup: []setup{validator("validator-1", 9, 6), signed(9, 6), validator("validator-1", 12, 7), signed(12, 7), func(t *testing.T, net *testnet.Network) {
			if err := net.Bucket("validator-1").Delete(net.Context(), protocol.CheckpointPrefix(12)+shard2); err != nil {
				t.Fatal(err)
			}
		}}, next: 9, seed: 6},
		"a thousand false entries": {setup: []setup{stubs("validator-1", 1, 1500), func(t *testing.T, net *testnet.Network) {
			requests := 0
			net.Break("validator-1", func(context.Context) error {
				if requests++; requests > 20 {
					t.Error("each entry was read")
				}
				return nil
			})
		}}, next: start, seed: theta0},
	} {
		t.Run(name, func(t *testing.T) {
			kept := func(p *protocol.Params) { p.CheckpointFrequency = 5 } // the first Aggregate is still there
			testnet.Test(t, testnet.Config{Miners: 1, Validators: 2, Params: kept}, func(net *testnet.Network) {
				for _, f := range c.setup {
					f(t, net)
				}
				got, err := restore(t, net)
				want := state(net, c.next, c.seed)
				if c.private {
					want = private(net, want)
				}
				if err != nil || !equal(got, want) {
					t.Errorf("restored window %d with %d private tensors, %v; want window %d with seed %d", got.Next, len(got.Private), err, c.next, c.seed)
				}
			})
		})
	}
}

// charged makes the validator with most of the stake call the Aggregate of a window false.
func charged(w protocol.Window) func(*testing.T, *testnet.Network) {
	return chargedBy("validator-0", w)
}

func chargedBy(name string, w protocol.Window) func(*testing.T, *testnet.Network) {
	return func(t *testing.T, net *testnet.Network) {
		b, err := wire.Seal(wire.DomainCharges, wire.Charges{Run: net.Run.Hash, Charges: []wire.Charge{{Window: w, Reason: wire.ReasonUpdate}}, Voids: []wire.Void{{Window: w}}}, net.Node(name).Signer)
		if err != nil {
			t.Fatal(err)
		}
		net.Upload(name, protocol.ChargesKey(), b)
	}
}
