package codec

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"templar/protocol"
)

// normalChunk returns the k largest of size normal values.
func normalChunk(r *rand.Rand, size, k int) (index []uint16, value []float32) {
	x := make([]float32, size)
	for i := range x {
		x[i] = float32(r.NormFloat64()) * 1e-3
	}
	order := make([]int, size)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(math.Copysign(1, float64(abs(x[b])-abs(x[a])))) })
	for _, i := range slices.Sorted(slices.Values(order[:k])) {
		index, value = append(index, uint16(i)), append(value, x[i])
	}
	return index, value
}

// What is written is read again, to the bit, and a full chunk of 4096 at k 64 and two bits takes at most 79
// bytes even where places are uniform.
func TestSparseRoundTrip(t *testing.T) {
	for _, levels := range []Levels{Levels1, Levels2, Levels4, Levels8} {
		r := rand.New(rand.NewPCG(1, uint64(levels)))
		w, read := sparseWriter{levels: levels}, newSparseReader(levels)
		type chunk struct {
			size, keep int
			index      []uint16
			value      []float32
		}
		var chunks []chunk
		add := func(size, keep, n int) {
			index, value := normalChunk(r, size, n)
			w.add(keep, index, value)
			sent, got := w.last()
			chunks = append(chunks, chunk{size, keep, slices.Clone(sent), slices.Clone(got)})
		}
		for range 64 {
			add(4096, 64, 64)
		}
		body := w.piece(nil)
		if each := float64(len(body)) / 64; levels == Levels2 && each > 79 {
			t.Errorf("%.2f bytes a chunk", each)
		}
		for _, c := range []struct{ size, keep, n int }{{64, 1, 1}, {64, 1, 0}, {4096, 4096, 4096}, {4096, 4096, 900}, {4096, 64, 63}, {1, 1, 1}} {
			add(c.size, c.keep, c.n)
		}
		more := w.piece(nil)
		for i, c := range chunks {
			if i == 0 {
				if v := read.piece(body); !v.OK() {
					t.Fatal(v)
				}
			}
			if i == 64 {
				if v := read.finish(); !v.OK() {
					t.Fatal(v)
				}
				if v := read.piece(more); !v.OK() {
					t.Fatal(v)
				}
			}
			index, value, v := read.next(c.size, c.keep)
			if !v.OK() || !slices.Equal(index, c.index) || !slices.Equal(value, c.value) {
				t.Fatalf("%d bits, chunk %d: %v; %d of %d read", levels, i, v, len(index), len(c.index))
			}
		}
		if v := read.finish(); !v.OK() {
			t.Error(v)
		}
	}
}

// A value is off by no more than its scheme's step allows, and none changes its sign.
func TestSparseValues(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	worst := map[Levels]float64{Levels1: 0.35, Levels2: 0.2, Levels4: 0.08, Levels8: 0.01}
	for levels, most := range worst {
		w := sparseWriter{levels: levels}
		var off, all float64
		for range 100 {
			index, value := normalChunk(r, 4096, 64)
			w.add(64, index, value)
			sent, got := w.last()
			if len(sent) != len(index) {
				t.Fatalf("%d bits: %d of %d sent", levels, len(sent), len(index))
			}
			for i, v := range value {
				if math.Signbit(float64(v)) != math.Signbit(float64(got[i])) {
					t.Fatalf("%v became %v", v, got[i])
				}
				off += math.Pow(float64(v-got[i]), 2)
				all += math.Pow(float64(v), 2)
			}
		}
		if e := math.Sqrt(off / all); e > most {
			t.Errorf("%d bits: relative error %.3f, want at most %.3f", levels, e, most)
		}
	}
}

// A chunk too faint to be coded is sent as an empty one; a value that rounds to zero is left out.
func TestSparseLeavesOut(t *testing.T) {
	w := sparseWriter{levels: Levels8}
	w.add(4, []uint16{3}, []float32{0x1p-120})
	if sent, _ := w.last(); len(sent) != 0 {
		t.Errorf("%d values sent", len(sent))
	}
	w.add(4, []uint16{3, 9}, []float32{1, 1e-6})
	sent, got := w.last()
	if !slices.Equal(sent, []uint16{3}) || got[0] != 1 {
		t.Errorf("sent %v: %v", sent, got)
	}
}

// FuzzSparse holds the reader against bytes of any kind: no panic, no index outside, no value that is zero or not
// finite, memory within the chunk's size, and all as the specification says.
func FuzzSparse(f *testing.F) {
	r := rand.New(rand.NewPCG(4, 5))
	for _, levels := range []Levels{Levels1, Levels2, Levels4, Levels8} {
		w := sparseWriter{levels: levels}
		index, value := normalChunk(r, 4096, 64)
		w.add(64, index, value)
		w.add(1, nil, nil)
		f.Add(w.piece(nil), uint8(levels))
	}
	f.Fuzz(func(t *testing.T, b []byte, width uint8) {
		levels := Levels(1 << (width % 4))
		r := newSparseReader(levels)
		if !r.piece(b).OK() {
			return
		}
		reference := &bitReader{b: b}
		m := reference.read(13) + 1
		for _, c := range []struct{ size, keep int }{{4096, 64}, {64, 1}, {4096, 4096}, {1, 1}} {
			index, value, v := r.next(c.size, c.keep)
			wantIndex, want, ok := recordOf(reference, levels, m, c.size, c.keep)
			if v.OK() != ok {
				t.Fatalf("%v, want OK: %v", v, ok)
			}
			if !v.OK() {
				if v != protocol.VerdictMalformed && v != protocol.VerdictBadIndex && v != protocol.VerdictNonFinite {
					t.Fatal(v)
				}
				return
			}
			if len(index) > c.keep || len(index) != len(value) {
				t.Fatalf("%d indices, %d values, at most %d", len(index), len(value), c.keep)
			}
			if len(index) != len(wantIndex) || !slices.Equal(value, want) {
				t.Fatalf("%v at %v, want %v at %v", value, index, want, wantIndex)
			}
			for i, at := range index {
				if int(at) != wantIndex[i] || int(at) >= c.size || (i > 0 && at <= index[i-1]) || value[i] == 0 || !finite(value[i]) {
					t.Fatalf("index %d, value %v", at, value[i])
				}
			}
		}
	})
}

func BenchmarkSparse(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	index, value := normalChunk(r, 4096, 64)
	w := sparseWriter{levels: Levels2}
	var piece []byte
	b.Run("write", func(b *testing.B) {
		b.SetBytes(64 * 4 * 4096)
		b.ReportAllocs()
		for b.Loop() {
			for range 64 {
				w.add(64, index, value)
			}
			piece = w.piece(piece[:0])
		}
		b.ReportMetric(float64(len(piece))/64, "bytes/chunk")
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(64 * 4 * 4096)
		b.ReportAllocs()
		read := newSparseReader(Levels2)
		for b.Loop() {
			read.piece(piece)
			for range 64 {
				read.next(4096, 64)
			}
		}
	})
}
