package codec

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"reflect"
	"slices"
	"testing"

	"templar/protocol"
)

func newSparse(t testing.TB, l protocol.Layout, change ...func(*SparseSpec)) *Sparse {
	t.Helper()
	s := SparseSpec{TargetChunk: 64, TopK: 64, Levels: Levels2, Update: Levels8, MaxPeers: 20}
	for _, f := range change {
		f(&s)
	}
	c, err := NewSparse(l, s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sparse(t testing.TB, c *Sparse, m []float32) *SparseGradient {
	t.Helper()
	g, err := c.Compress(m)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// scaled returns noise of another size.
func scaled(seed uint64, n int, by float32) []float32 {
	x := noise(seed, n)
	for i := range x {
		x[i] *= by
	}
	return x
}

// The mean is the one that its definition gives, parameter by parameter, before its values are rounded to their levels; and each
// value is rounded by less than half a level.
func TestSparseMeanSpecification(t *testing.T) {
	l := small()
	c := newSparse(t, l)
	var gs []*SparseGradient
	var norms []float64
	flat := make([][]float32, 5)
	for i := range flat {
		m := scaled(uint64(i), l.Size(), float32(i+1))
		if i == 4 {
			clear(m) // an empty gradient counts in the divisor, and not in the median
		}
		gs = append(gs, sparse(t, c, m))
		flat[i] = make([]float32, l.Size())
		c.Decode(gs[i], flat[i])
		norm := 0.0
		for _, v := range flat[i] {
			norm += float64(v) * float64(v)
		}
		if norms = append(norms, math.Sqrt(norm)); math.Abs(norms[i]-gs[i].Norm()) > 1e-9*norms[i] {
			t.Errorf("norm %v, want %v", gs[i].Norm(), norms[i])
		}
	}
	sorted := slices.Sorted(slices.Values(norms[:4]))
	median := (sorted[1] + sorted[2]) / 2
	want := make([]float64, l.Size())
	for i, x := range flat {
		for k, v := range x {
			if v != 0 {
				want[k] += float64(v) * min(1, median/norms[i]) / float64(len(flat))
			}
		}
	}
	got := make([]float32, l.Size())
	c.Apply(got, c.Mean(gs), -1)
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	for k, v := range want {
		if math.Abs(float64(got[k])-v) > largest/128 {
			t.Fatalf("parameter %d: %v, want %v", k, got[k], v)
		}
	}
}

// One gradient of a hundred times the others' size moves the mean no more than one of their size.
func TestSparseClipsToMedian(t *testing.T) {
	l := layoutOf([]int{64, 64})
	c := newSparse(t, l)
	size := func(by float32) float64 {
		u := c.Mean([]*SparseGradient{sparse(t, c, noise(1, l.Size())), sparse(t, c, noise(2, l.Size())), sparse(t, c, scaled(3, l.Size(), by))})
		moved, sum := make([]float32, l.Size()), 0.0
		c.Apply(moved, u, -1)
		for _, v := range moved {
			sum += float64(abs(v))
		}
		return sum / float64(u.Values())
	}
	if one, hundred := size(1), size(100); hundred > 1.3*one {
		t.Errorf("mean size %v, %v without the large one", hundred, one)
	}
}

// All that moves parameters has the same bits on every architecture and for any number of workers.
func TestSparseGolden(t *testing.T) {
	l := layoutOf([]int{256, 320}, []int{43, 26}, []int{100}, []int{640, 64}, []int{1})
	for _, levels := range []Levels{Levels1, Levels2, Levels4, Levels8} {
		for _, update := range []Levels{Levels4, Levels8} {
			var first []byte
			for _, workers := range []int{1, 3} {
				c := newSparse(t, l, func(s *SparseSpec) { s.Levels, s.Update = levels, update }).Parallel(workers, goroutines)
				var gs []*SparseGradient
				for i := range 5 {
					gs = append(gs, sparse(t, c, scaled(uint64(i), l.Size(), float32(i+1))))
				}
				u := c.Mean(gs)
				params := noise(99, l.Size())
				c.Apply(params, u, 0.7)
				h := sha256.New()
				h.Write(gs[0].Bytes())
				h.Write(u.Bytes())
				for _, p := range params {
					b := math.Float32bits(p)
					h.Write([]byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)})
				}
				sum := h.Sum(nil)
				if first == nil {
					first = sum
				} else if !slices.Equal(sum, first) {
					t.Errorf("%d workers: other bits", workers)
				}
			}
			if got, want := hex.EncodeToString(first[:8]), goldenSparse[[2]Levels{levels, update}]; got != want {
				t.Errorf("{%d, %d}: %q, want %q", levels, update, got, want)
			}
		}
	}
}

// goldenSparse are the hashes of a gradient, an update and the parameters moved, by the widths of both.
var goldenSparse = map[[2]Levels]string{
	{1, 4}: "446529d211b3e3f4",
	{1, 8}: "96dd458499c0a994",
	{2, 4}: "b0b046a68235b74a",
	{2, 8}: "cefcbc47fcfed06d",
	{4, 4}: "9785ef1d464a40c9",
	{4, 8}: "cffbab0d4ded652d",
	{8, 4}: "ae31ca8875755158",
	{8, 8}: "967c6ad19bd74d9b",
}

// A trial step moves what a decoded gradient says, whatever the ranges in which it is asked for; and what was sent is what is
// subtracted from the error buffer.
func TestSparseDeltasAndSubtract(t *testing.T) {
	l := small()
	c := newSparse(t, l)
	m := noise(1, l.Size())
	g := sparse(t, c, m)
	decoded := make([]float32, l.Size())
	c.Decode(g, decoded)
	deltas := c.Deltas(g, 0.9)
	for _, n := range []int{l.Size(), 1000, 64, 1} {
		got := make([]float32, l.Size())
		for at := 0; at < len(got); at += n {
			deltas(got[at:min(at+n, len(got))], at)
		}
		for i := range got {
			if got[i] != decoded[i]*0.9 {
				t.Fatalf("ranges of %d: parameter %d moves by %v, want %v", n, i, got[i], decoded[i]*0.9)
			}
		}
	}
	rest := slices.Clone(m)
	c.Subtract(rest, g)
	for i := range m {
		if rest[i] != m[i]-decoded[i] {
			t.Fatalf("value %d: %v left of %v, %v was sent", i, rest[i], m[i], decoded[i])
		}
	}
}

// No input makes a body larger than the bound that downloads are limited to.
func TestSparseBound(t *testing.T) {
	if testing.Short() {
		t.Skip("encodes for seconds")
	}
	l := layoutOf([]int{640, 640}, []int{64}, []int{3, 7})
	for _, levels := range []Levels{Levels1, Levels8} {
		c := newSparse(t, l, func(s *SparseSpec) { s.Levels = levels })
		shapes := map[string]func(i int) float32{
			"noise":     func(i int) float32 { return noise(uint64(i/100), 100)[i%100] },
			"first":     func(i int) float32 { return 1 / float32(i%4096+1) },
			"last":      func(i int) float32 { return float32(i%4096 + 1) },
			"every 64":  func(i int) float32 { return float32(min(i%64, 1)) },
			"few":       func(i int) float32 { return float32(max(i%40000, 39990) - 39990) },
			"one chunk": func(i int) float32 { return float32(max(i, 4000) - 4000) },
		}
		for name, f := range shapes {
			m := make([]float32, l.Size())
			for i := range m {
				m[i] = f(i)
			}
			g := sparse(t, c, m)
			if n := int64(len(g.Bytes())); n > c.MaxBody() {
				t.Errorf("%s: %d bytes, bound %d", name, n, c.MaxBody())
			}
			if n := int64(len(c.Mean([]*SparseGradient{g, g}).Bytes())); n > c.MaxUpdate() {
				t.Errorf("%s: update of %d bytes, bound %d", name, n, c.MaxUpdate())
			}
		}
	}
}

func TestSparseRefuses(t *testing.T) {
	l := small()
	for name, change := range map[string]func(*SparseSpec){
		"chunk": func(s *SparseSpec) { s.TargetChunk = 65 }, "top-k": func(s *SparseSpec) { s.TopK = 0 }, "bits": func(s *SparseSpec) { s.Levels = 3 },
		"update bits": func(s *SparseSpec) { s.Update = Levels2 }, "peers": func(s *SparseSpec) { s.MaxPeers = 0 },
	} {
		s := SparseSpec{TargetChunk: 64, TopK: 64, Levels: Levels2, Update: Levels8, MaxPeers: 20}
		change(&s)
		if _, err := NewSparse(l, s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	c, m := newSparse(t, l), noise(1, l.Size())
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), 0x1p101} {
		m[5] = bad
		if _, err := c.Compress(m); err == nil {
			t.Errorf("%v was compressed", bad)
		}
	}
	if _, err := c.Compress(m[1:]); err == nil {
		t.Error("a value too few")
	}
}

// FuzzSparseBody holds the readers of gradients and updates against bytes of any kind, and all that follows a body that
// they let through.
func FuzzSparseBody(f *testing.F) {
	l := small()
	c := newSparse(f, l, func(s *SparseSpec) { s.MaxPeers = 3 })
	g := sparse(f, c, noise(1, l.Size()))
	f.Add(g.Bytes())
	f.Add(c.Mean([]*SparseGradient{g}).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		params := make([]float32, l.Size())
		if u, v := c.ReadUpdate(b); v.OK() {
			c.Apply(params, u, 1)
		}
		if got, v := c.Read(b); v.OK() {
			c.Deltas(got, 1)(params, 0)
			clear(params)
			c.Apply(params, c.Mean([]*SparseGradient{got, g, got}), 1)
		}
		for i, p := range params {
			if !finite(p) {
				t.Fatalf("parameter %d is %v", i, p)
			}
		}
	})
}

func BenchmarkSparseCodec(b *testing.B) {
	l := layoutOf([]int{2048, 8192})
	c := newSparse(b, l).Parallel(2, goroutines)
	m := noise(1, l.Size())
	g := sparse(b, c, m)
	b.Run("compress", func(b *testing.B) {
		b.SetBytes(int64(4 * len(m)))
		for b.Loop() {
			sparse(b, c, m)
		}
		b.ReportMetric(float64(len(g.Bytes()))/float64(c.Chunks()), "bytes/chunk")
	})
	var gs []*SparseGradient
	for i := range 15 {
		gs = append(gs, sparse(b, c, noise(uint64(i), l.Size())))
	}
	b.Run("mean of 15", func(b *testing.B) {
		b.SetBytes(int64(4 * len(m)))
		var u *SparseUpdate
		for b.Loop() {
			u = c.Mean(gs)
		}
		b.ReportMetric(float64(len(u.Bytes()))/float64(c.Chunks()), "bytes/chunk")
	})
	u := c.Mean(gs)
	b.Run("apply", func(b *testing.B) {
		b.SetBytes(int64(4 * len(m)))
		for b.Loop() {
			c.Apply(m, u, 1)
		}
	})
}

// A gradient and an update that were made here are the same as when they are read: norm, number and size of the values are those that readers add up.
func TestSparseIsReadAsWritten(t *testing.T) {
	for _, levels := range []Levels{Levels1, Levels2, Levels4, Levels8} {
		for _, peers := range []int{1, 20} { // fewer than gradients, and more
			c := newSparse(t, small(), func(s *SparseSpec) { s.Levels, s.Update, s.MaxPeers = levels, Levels4<<(levels>>3), peers })
			var gs []*SparseGradient
			for i := range 5 {
				m := scaled(uint64(i), small().Size(), 1e-3*float32(i+1))
				if i == 3 {
					clear(m[len(m)/3:])
				}
				g := sparse(t, c, m)
				if read, v := c.Read(g.Bytes()); !v.OK() || !reflect.DeepEqual(read, g) {
					t.Fatalf("%d bits: %v; norm %v and %d values, read %v and %d", levels, v, g.norm, g.count, read.norm, read.count)
				}
				gs = append(gs, g)
			}
			u := c.Mean(gs)
			if read, v := c.ReadUpdate(u.Bytes()); !v.OK() || !reflect.DeepEqual(read, u) || u.count == 0 {
				t.Fatalf("%d bits: %v; %d values, read %d", levels, v, u.count, read.count)
			}
		}
	}
}
