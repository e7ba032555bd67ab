package enginetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"templar/internal/engine"
	"templar/protocol"
)

// Compressing returns an engine that has a Compressor, of the plainest code, beside what e has. It copies what is
// loaded, as an engine on a device does.
func Compressing(e engine.Engine) engine.Engine {
	return &compressing{Engine: e, buffer: make([]float32, e.Layout().Size())}
}

type compressing struct {
	engine.Engine
	trial         int // counts trial steps
	stands        int // the one that stands; 0: none
	begun         bool
	how           engine.Compression
	buffer, start []float32
	chosen        engine.Chosen
}

func (c *compressing) Compressor() engine.Compressor { return c }

func (c *compressing) Load(ctx context.Context, params []float32) error {
	return c.Engine.Load(ctx, slices.Clone(params))
}

func (c *compressing) Try(ctx context.Context, step engine.Step) (func(context.Context) error, error) {
	undo, err := c.Engine.Try(ctx, step)
	if err != nil {
		return nil, err
	}
	c.trial++
	number := c.trial
	c.stands = number
	return func(ctx context.Context) error {
		if c.stands == number {
			c.stands = 0
		}
		return undo(ctx)
	}, nil
}

// ready asks the engine for what it would refuse too.
func (c *compressing) ready(ctx context.Context, changes bool) error {
	if _, err := c.Engine.Gradient(ctx); err != nil {
		return err
	}
	if changes && c.stands != 0 {
		return engine.ErrTrial
	}
	return nil
}

func (c *compressing) Begin(ctx context.Context, how engine.Compression) error {
	if err := c.ready(ctx, true); err != nil {
		return err
	}
	if err := how.Check(c.Layout()); err != nil {
		return err
	}
	start := make([]float32, len(c.buffer))
	if how.Steps {
		if err := c.Params(ctx, start); err != nil {
			return err
		}
	}
	c.begun, c.how, c.start, c.chosen = true, how, start, engine.Chosen{}
	return nil
}

func (c *compressing) Compress(ctx context.Context, decay, scale float32) (engine.Chosen, error) {
	if err := c.ready(ctx, true); err != nil {
		return engine.Chosen{}, err
	}
	if !c.begun {
		return engine.Chosen{}, engine.ErrNotBegun
	}
	add, err := c.Gradient(ctx)
	if c.how.Steps {
		add = make([]float32, len(c.buffer))
		if err = c.Params(ctx, add); err == nil {
			for i := range add {
				add[i] = c.start[i] - add[i]
			}
		}
	}
	if err != nil {
		return engine.Chosen{}, err
	}
	c.begun = false
	for i, d := range add {
		c.buffer[i] = decay*c.buffer[i] + scale*d
	}
	chunks(c.Layout(), c.how, func(k engine.Chunking, places []int) {
		x := transform(c.how, k, c.buffer, places)
		index := largest(x, k.Keep)
		unsound := slices.ContainsFunc(x, func(v float64) bool { return v-v != 0 })
		for _, i := range index {
			v := float32(x[i])
			if unsound {
				v = float32(math.NaN())
			}
			c.chosen.Index, c.chosen.Value = append(c.chosen.Index, uint16(i)), append(c.chosen.Value, v)
		}
	})
	return c.chosen, nil
}

func (c *compressing) Subtract(ctx context.Context, values []float32) error {
	if err := c.ready(ctx, false); err != nil {
		return err
	}
	if c.chosen.Index == nil {
		return engine.ErrNothingChosen
	}
	if len(values) != len(c.chosen.Index) {
		return fmt.Errorf("subtract: %d values at %d places", len(values), len(c.chosen.Index))
	}
	subtract(c.Layout(), c.how, c.buffer, c.chosen.Index, values)
	c.chosen = engine.Chosen{}
	return nil
}

func (c *compressing) Buffer(ctx context.Context, dst []float32) error {
	if len(dst) != len(c.buffer) {
		return fmt.Errorf("read the buffer: %d places for %d", len(dst), len(c.buffer))
	}
	copy(dst, c.buffer)
	return c.ready(ctx, false)
}

func (c *compressing) SetBuffer(ctx context.Context, src []float32) error {
	if len(src) != len(c.buffer) {
		return fmt.Errorf("set the buffer: %d values for %d", len(src), len(c.buffer))
	}
	if err := c.ready(ctx, false); err != nil {
		return err
	}
	copy(c.buffer, src)
	c.chosen = engine.Chosen{}
	return nil
}

func (c *compressing) TrySent(ctx context.Context, s engine.Sent) (func(context.Context) error, error) {
	if err := s.Check(c.Layout()); err != nil {
		return nil, err
	}
	deltas := decoded(c.Layout(), s)
	return c.Try(ctx, func(dst []float32, at int) { copy(dst, deltas[at:]) })
}

// decoded is what a step takes from the parameters.
func decoded(l protocol.Layout, s engine.Sent) []float32 {
	out := make([]float32, l.Size())
	subtract(l, s.Compression, out, s.Chosen.Index, s.Chosen.Value)
	at := 0
	chunks(l, s.Compression, func(k engine.Chunking, places []int) {
		sent := slices.ContainsFunc(s.Chosen.Value[at:at+k.Keep], func(v float32) bool { return v != 0 })
		at += k.Keep
		for _, p := range places {
			switch v := -out[p]; {
			case !s.Compression.Signs:
				out[p] = s.Size * v
			case !sent:
				out[p] = 0
			case v > 0:
				out[p] = s.Size
			default:
				out[p] = -s.Size
			}
		}
	})
	return out
}

// chunks calls f for every chunk with the offsets of its values in the flat memory.
func chunks(l protocol.Layout, c engine.Compression, f func(k engine.Chunking, places []int)) {
	for i, t := range l {
		k := c.Chunks[i]
		cols := t.Shape[len(t.Shape)-1]
		for top := 0; top < t.Size()/cols; top += k.Rows {
			for left := 0; left < cols; left += k.Cols {
				var places []int
				for r := range k.Rows {
					for c := range k.Cols {
						places = append(places, t.Offset+(top+r)*cols+left+c)
					}
				}
				f(k, places)
			}
		}
	}
}

// wave is the orthonormal DCT-II of length n: frequency u at place i.
func wave(u, i, n int) float64 {
	return math.Sqrt(float64(min(u, 1)+1)/float64(n)) * math.Cos(math.Pi*float64(u*(2*i+1))/float64(2*n))
}

// transform is what is compressed of a chunk.
func transform(c engine.Compression, k engine.Chunking, b []float32, places []int) []float64 {
	x := make([]float64, len(places))
	for i, at := range places {
		x[i] = float64(b[at])
	}
	if !c.Cosine {
		return x
	}
	return turned(k, x, func(from, to, n int) float64 { return wave(to, from, n) })
}

// turned multiplies columns and rows of a chunk by matrices.
func turned(k engine.Chunking, x []float64, by func(from, to, n int) float64) []float64 {
	down, out := make([]float64, len(x)), make([]float64, len(x))
	for u := range k.Rows {
		for r := range k.Rows {
			for c := range k.Cols {
				down[u*k.Cols+c] += by(r, u, k.Rows) * x[r*k.Cols+c]
			}
		}
		for v := range k.Cols {
			for c := range k.Cols {
				out[u*k.Cols+v] += by(c, v, k.Cols) * down[u*k.Cols+c]
			}
		}
	}
	return out
}

// largest are the places of the n largest magnitudes, ascending.
func largest(x []float64, n int) []int {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(math.Abs(x[b]), math.Abs(x[a])) })
	order = order[:n]
	slices.Sort(order)
	return order
}

// subtract takes values at places, as Chosen has them, from b.
func subtract(l protocol.Layout, c engine.Compression, b []float32, index []uint16, values []float32) {
	at := 0
	chunks(l, c, func(k engine.Chunking, places []int) {
		x := make([]float64, len(places))
		for range k.Keep {
			x[index[at]] = float64(values[at])
			at++
		}
		if c.Cosine {
			x = turned(k, x, func(from, to, n int) float64 { return wave(from, to, n) })
		}
		for i, p := range places {
			b[p] -= float32(x[i])
		}
	})
}

// compression cuts a layout into chunks of sides up to target, and keeps some of each.
func compression(l protocol.Layout, target, keep int) (c engine.Compression) {
	side := func(n int) int {
		for s := min(n, target); ; s-- {
			if n%s == 0 {
				return s
			}
		}
	}
	for _, t := range l {
		k := engine.Chunking{Rows: 1, Cols: side(t.Shape[len(t.Shape)-1])}
		if len(t.Shape) == 2 {
			k.Rows = side(t.Shape[0])
		}
		k.Keep = min(keep, k.Rows*k.Cols)
		c.Chunks = append(c.Chunks, k)
	}
	return c
}

// compresses holds a Compressor against plain code, for two windows of each kind.
func compresses(t *testing.T, open New, m protocol.Model) {
	for name, change := range map[string]func(*engine.Compression){
		"values of steps":          func(c *engine.Compression) { c.Steps = true },
		"coefficients of gradient": func(c *engine.Compression) { c.Cosine = true },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, open, m, 2, 2, 9)
			c := engine.CompressorOf(f.Engine)
			if c == nil {
				t.Skip("the engine has no Compressor")
			}
			how := compression(f.Layout(), 8, 5)
			change(&how)
			want := make([]float32, len(f.params))
			for range 2 {
				f.compressOnce(t, c, how, want)
			}
			f.restored(t, c, how, want)
			f.triesSent(t, c, how)
		})
	}
}

// compressOnce trains, and compresses the result. want is the buffer, which moves.
func (f fixture) compressOnce(t *testing.T, c engine.Compressor, how engine.Compression, want []float32) {
	t.Helper()
	ctx := t.Context()
	const decay, scale = 0.75, 0.5
	f.load(t, f.params)
	if err := c.Begin(ctx, how); err != nil {
		t.Fatal(err)
	}
	add, _ := f.gradient(t, part{f.batch, 1})
	if how.Steps {
		f.step(t, settings)
		add = f.now(t)
		for i, p := range f.params {
			add[i] = p - add[i]
		}
	}
	for i, d := range add {
		want[i] = decay*want[i] + scale*d
	}
	chosen, err := c.Compress(ctx, decay, scale)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Compress(ctx, decay, scale); !errors.Is(err, engine.ErrNotBegun) {
		t.Errorf("compressed again: %v", err)
	}
	got := buffer(t, c, len(want))
	alike(t, "the buffer", got, want)
	f.isLargest(t, how, got, chosen)
	// Some of it is sent, roughly.
	sent := make([]float32, len(chosen.Value))
	for i, v := range chosen.Value {
		if i%3 > 0 {
			sent[i] = float32(math.Round(float64(v)*64) / 64)
		}
	}
	subtract(f.Layout(), how, want, chosen.Index, sent)
	if err := c.Subtract(ctx, sent[1:]); err == nil {
		t.Error("values for other places are subtracted")
	}
	if err := c.Subtract(ctx, sent); err != nil {
		t.Fatal(err)
	}
	alike(t, "what is left", buffer(t, c, len(want)), want)
	if err := c.Subtract(ctx, sent); !errors.Is(err, engine.ErrNothingChosen) {
		t.Errorf("subtracted again: %v", err)
	}
}

// isLargest compares what was chosen with the buffer: the largest of each chunk, but for what rounding makes of ties.
func (f fixture) isLargest(t *testing.T, how engine.Compression, b []float32, chosen engine.Chosen) {
	t.Helper()
	at := 0
	chunks(f.Layout(), how, func(k engine.Chunking, places []int) {
		x := transform(how, k, b, places)
		norm := 0.0
		for _, v := range x {
			norm = math.Hypot(norm, v)
		}
		tolerance := 1e-5 * norm
		index := chosen.Index[at : at+k.Keep]
		kept, left := math.Inf(1), 0.0 // the smallest kept, and the largest not kept
		for i, v := range x {
			n, ok := slices.BinarySearch(index, uint16(i))
			if !ok {
				left = max(left, math.Abs(v))
				continue
			}
			kept = min(kept, math.Abs(v))
			if got := float64(chosen.Value[at+n]); !(math.Abs(got-v) <= tolerance) {
				t.Fatalf("value %d of a chunk is %g, want %g", i, got, v)
			}
		}
		if kept < left-tolerance || !slices.IsSorted(index) || len(slices.Compact(slices.Clone(index))) != k.Keep {
			t.Fatalf("kept %v of a chunk: %g is kept, and %g is not", index, kept, left)
		}
		at += k.Keep
	})
	if at != len(chosen.Index) || at != len(chosen.Value) {
		t.Fatalf("%d places and %d values, want %d", len(chosen.Index), len(chosen.Value), at)
	}
}

// restored replaces the buffer by one that a file kept, and by one that is not finite.
func (f fixture) restored(t *testing.T, c engine.Compressor, how engine.Compression, saved []float32) {
	t.Helper()
	ctx := t.Context()
	if err := c.SetBuffer(ctx, slices.Clone(saved)); err != nil {
		t.Fatal(err)
	}
	sameFloats(t, buffer(t, c, len(saved)), saved)
	if err := c.Subtract(ctx, nil); !errors.Is(err, engine.ErrNothingChosen) {
		t.Errorf("subtracted from a restored buffer: %v", err)
	}
	if how.Steps {
		return
	}
	if err := f.ClearGradient(ctx); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(-1))} {
		spoilt := slices.Clone(saved)
		spoilt[0] = bad // in the first chunk
		if err := c.SetBuffer(ctx, spoilt); err != nil {
			t.Fatal(err)
		}
		if err := c.Begin(ctx, how); err != nil {
			t.Fatal(err)
		}
		chosen, err := c.Compress(ctx, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range chosen.Value {
			if (v == v) != (i >= how.Chunks[0].Keep) {
				t.Fatalf("value %d is %g, with %g in the first chunk", i, v, bad)
			}
		}
	}
	for name, spoil := range map[string]func(*engine.Compression){
		"a tensor less":        func(c *engine.Compression) { c.Chunks = c.Chunks[1:] },
		"a side that does not": func(c *engine.Compression) { c.Chunks[0].Cols = 9 },
		"nothing kept":         func(c *engine.Compression) { c.Chunks[0].Keep = 0 },
		"too much kept":        func(c *engine.Compression) { c.Chunks[0].Keep = 65 },
	} {
		other := how
		other.Chunks = slices.Clone(how.Chunks)
		spoil(&other)
		if err := c.Begin(ctx, other); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// triesSent takes steps of the values that a payload has, and undoes them.
func (f fixture) triesSent(t *testing.T, c engine.Compressor, how engine.Compression) {
	t.Helper()
	f.load(t, f.params)
	rng := rand.New(rand.NewPCG(7, 8))
	s := engine.Sent{Compression: how, Size: 0.125}
	for range 2 {
		s.Compression.Signs, s.Chosen = !s.Compression.Signs, engine.Chosen{}
		n := 0
		chunks(f.Layout(), how, func(k engine.Chunking, places []int) {
			n++
			for i, at := range rng.Perm(len(places))[:k.Keep] {
				v := float32(0) // every third chunk has none
				if n%3 > 0 && i > 0 {
					v = float32(rng.NormFloat64() / 8)
				}
				s.Chosen.Index, s.Chosen.Value = append(s.Chosen.Index, uint16(at)), append(s.Chosen.Value, v)
			}
		})
		before := f.loss(t, f.batch)
		undo, err := c.TrySent(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		want, off := decoded(f.Layout(), s), 0
		for i, v := range f.now(t) {
			switch d := f.params[i] - v; {
			case want[i] == 0 && math.Float32bits(v) != math.Float32bits(f.params[i]):
				t.Fatalf("parameter %d moved by %g though nothing was sent", i, d)
			case math.Abs(float64(d-want[i])) > 1e-5:
				off++
			}
		}
		if off > len(want)/1000 { // the sign of what is nearly zero may be another
			t.Errorf("signs %t: %d of %d parameters did not move as far as they should", s.Compression.Signs, off, len(want))
		}
		if f.loss(t, f.batch) == before {
			t.Error("the step does not change the loss")
		}
		if err := undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		sameFloats(t, f.now(t), f.params)
	}
	s.Chosen.Value = s.Chosen.Value[1:]
	if _, err := c.TrySent(t.Context(), s); err == nil {
		t.Error("a step with too few values is taken")
	}
}

func buffer(t *testing.T, c engine.Compressor, n int) []float32 {
	t.Helper()
	out := make([]float32, n)
	if err := c.Buffer(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	return out
}

// alike compares vectors by the distance over the norm.
func alike(t *testing.T, what string, got, want []float32) {
	t.Helper()
	var d, n float64
	for i := range want {
		d = math.Hypot(d, float64(got[i])-float64(want[i]))
		n = math.Hypot(n, float64(want[i]))
	}
	if !(d <= 1e-5*n) {
		t.Errorf("%s is %g off, of a norm of %g", what, d, n)
	}
}
