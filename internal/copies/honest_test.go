package copies

import (
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"templar/internal/data"
	"templar/internal/engine/cpu"
	"templar/internal/harness"
	"templar/internal/model"
	"templar/internal/run"
	"templar/internal/store/fs"
	"templar/internal/workers"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

var network = flag.String("network", "", "data directory of a localnet whose archived gradients are compared")

// TestHonestPairs measures what honest miners' gradients have in common, on those that a
// localnet's aggregator has archived:
//
//	templar localnet --miners 6 --windows 20 --data-dir net
//	go test ./internal/copies -run HonestPairs -v -network $PWD/net
func TestHonestPairs(t *testing.T) {
	p, c, files := open(t)
	windows := map[protocol.Window][]Upload{}
	for key, err := range files.Keys("aggregator", "archive-", "") {
		if err != nil {
			t.Fatal(err)
		}
		k, _ := protocol.ParseKey(key)
		body, _, err := files.Bucket("aggregator").Get(context.Background(), key, -1)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		body.Close()
		h, _ := wire.Peek(b)
		g, verdict := run.Run{Params: p, Hash: h.Run, Method: c}.Gradient(b, wire.Expect{Run: h.Run, Window: k.Window, UID: k.UID, Hotkey: h.Hotkey})
		if !verdict.OK() {
			t.Fatal(key, verdict)
		}
		windows[k.Window] = append(windows[k.Window], Upload{UID: k.UID, Payload: g.Payload})
	}
	for w, uploads := range windows {
		indices, values := most(screen(samples(c, uploads, protocol.Hash{byte(w)})))
		t.Logf("window %d: %d gradients, at most %.3f of indices and %.3f of values in common", w, len(uploads), indices, values)
		if indices >= p.CopyIndices || values >= p.CopyValues {
			t.Errorf("window %d: honest gradients pass for copies", w)
		}
	}
}

// open reads the run of the given localnet.
func open(t *testing.T) (*protocol.Params, *method.Method, *fs.Store) {
	t.Helper()
	if *network == "" {
		t.Skip("no -network is given")
	}
	raw, err := os.ReadFile(filepath.Join(*network, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := protocol.DecodeParams(raw)
	if err != nil {
		t.Fatal(err)
	}
	c, err := harness.Methods().New(&p, workers.Pool{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Open(filepath.Join(*network, "store"), fs.Options{Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	return &p, c, files
}

// TestSamePages measures, at theta_0, what two miners have in common that train on the same
// pages in one window, after two on different ones, and that train on different ones.
//
//	go test ./internal/copies -run SamePages -v -network $PWD/net
func TestSamePages(t *testing.T) {
	p, c, files := open(t)
	set, err := data.Open(t.Context(), files.Bucket("dataset"), p.DatasetHash)
	if err != nil {
		t.Fatal(err)
	}
	e, err := cpu.New(p.Model, cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Load(t.Context(), model.Init(p.Model, p.Seed)); err != nil {
		t.Fatal(err)
	}
	gradient := func(uid protocol.UID, w protocol.Window) []float32 {
		if err := e.ClearGradient(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range data.Assign(protocol.Hash{9}, uid, w, set.Pages(p.PageTokens), p.PagesPerWindow) {
			tokens, err := set.Page(t.Context(), id, p.PageTokens)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range data.Batches(tokens, p.SequenceLength, p.BatchSize) {
				if _, err := e.Accumulate(t.Context(), b, 1e-3); err != nil {
					t.Fatal(err)
				}
			}
		}
		g, err := e.Gradient(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(g)
	}
	upload := func(uid, now protocol.UID, decay float32) Upload { // uid's pages before, another's now
		first, second, third := gradient(uid, 10), gradient(uid, 11), gradient(now, 12)
		for i := range third {
			third[i] += decay * (second[i] + decay*first[i])
		}
		return Upload{UID: uid, Payload: compress(t, c, third)}
	}
	for _, decay := range []float32{0.5, 0.999} {
		table := screen(samples(c, []Upload{upload(0, 0, decay), upload(1, 0, decay), upload(2, 2, decay)}, protocol.Hash{1}))
		same, sameValues := table.shares(1, 0)
		other, otherValues := table.shares(2, 0)
		t.Logf("momentum %g: same pages %.3f of indices and %.3f of values in common, other pages %.3f and %.3f", decay, same, sameValues, other, otherValues)
	}
}
