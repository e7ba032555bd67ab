package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// The page docs/spec/sparse.md, statement by statement: what the fast code is compared with.

// recordOf reads a record.
func recordOf(r *bitReader, levels Levels, m uint, size, keep int) (index []int, value []float32, ok bool) {
	n := uint(keep)
	if r.read(1) == 0 {
		n = r.read(uint(bits.Len(uint(keep - 1))))
		if n >= uint(keep) || n == 0 {
			return nil, nil, n == 0 && !r.short
		}
	}
	magnitude := math.Float32frombits(uint32(r.read(12)) << 19)
	ratio := float32(0)
	if levels == Levels2 {
		ratio = float32(r.read(6)+1) / 64
	}
	if !finite(magnitude) || magnitude < 0x1p-100 || magnitude >= 0x1p100 {
		return nil, nil, false
	}
	at := -1
	for range n {
		quotient := r.unary(1 << 13)
		rest := uint(0)
		if m > 1 {
			w := uint(bits.Len(m - 1))
			s := uint(1)<<w - m
			if rest = r.read(w - 1); rest >= s {
				rest = 2*rest + r.read(1) - s
			}
		}
		if at += int(quotient*m+rest) + 1; at >= size || r.short {
			return nil, nil, false
		}
		index = append(index, at)
	}
	for range n {
		code := r.read(uint(levels))
		l, v := float32(code>>1), magnitude
		switch levels {
		case Levels2:
			if l == 0 {
				v *= ratio
			}
		case Levels4:
			v *= (l + 1) / 8
		case Levels8:
			v *= (l + 1) / 128
		}
		if code&1 == 1 {
			v = -v
		}
		value = append(value, v)
	}
	return index, value, !r.short
}

// bodyOf makes an update of means: one map from index to mean a chunk.
func bodyOf(c *Sparse, means []map[int]float32) []byte {
	var body []byte
	var pieces [][]byte
	levels := int(1) << (c.spec.Update - 1)
	for _, p := range c.grid.pieces {
		type record struct {
			tensor      *tensor
			magnitude   uint32
			index, code []int
		}
		var records []record
		total, count := 0, 0
		for i, n := range c.grid.chunksOf(p) {
			t := &c.grid.tensors[i]
			r := record{tensor: t}
			largest := float32(0)
			for _, v := range means[t.first+n] {
				largest = max(largest, abs(v))
			}
			if largest >= 0x1p-100 {
				r.magnitude = (math.Float32bits(largest) + 1<<19 - 1) >> 19
				step := math.Float32frombits(r.magnitude<<19) / float32(levels)
				at := -1
				for i := range t.chunk.Size() {
					v := means[t.first+n][i]
					level := int(math.RoundToEven(float64(abs(v) / step)))
					if level == 0 {
						continue
					}
					code := 2 * (min(level, levels) - 1)
					if v < 0 {
						code++
					}
					r.index, r.code = append(r.index, i), append(r.code, code)
					total, count, at = total+i-at-1, count+1, i
				}
			}
			records = append(records, r)
		}
		m, fewest := uint(1), uint(math.MaxUint)
		size := func(n, m uint) uint {
			w := uint(bits.Len(m - 1))
			switch {
			case m == 1:
				return n + 1
			case n%m < 1<<w-m:
				return n/m + w
			}
			return n/m + w + 1
		}
		if count > 0 {
			for _, share := range []float64{0.3, 0.45, 0.55, 0.62, 0.69, 0.78} {
				d := uint(min(max(float64(share*(float64(total)/float64(count)))+0.5, 1), 1<<13))
				sum := uint(0)
				for _, r := range records {
					at := -1
					for _, i := range r.index {
						sum, at = sum+size(uint(i-at-1), d), i
					}
				}
				if sum < fewest {
					m, fewest = d, sum
				}
			}
		}
		w := bitWriter{}
		w.write(uint64(m-1), 13)
		for _, r := range records {
			keep := c.keepUpdate(r.tensor)
			if len(r.index) == keep {
				w.write(1, 1)
			} else {
				w.write(0, 1)
				w.write(uint64(len(r.index)), uint(bits.Len(uint(keep-1))))
			}
			if len(r.index) == 0 {
				continue
			}
			w.write(uint64(r.magnitude), 12)
			at := -1
			for _, i := range r.index {
				n := uint(i - at - 1)
				at = i
				w.zeros(n / m)
				w.write(1, 1)
				if m > 1 {
					width := uint(bits.Len(m - 1))
					if s := 1<<width - m; n%m < s {
						w.write(uint64(n%m), width-1)
					} else {
						w.write(uint64((n%m+s)>>1), width-1)
						w.write(uint64((n%m+s)&1), 1)
					}
				}
			}
			for _, code := range r.code {
				w.write(uint64(code), uint(c.spec.Update))
			}
		}
		pieces = append(pieces, w.flush())
	}
	for _, p := range pieces {
		body = binary.LittleEndian.AppendUint32(body, uint32(len(p)))
	}
	return append(body, slices.Concat(pieces...)...)
}

// meanOf is the update of gradients.
func meanOf(t testing.TB, c *Sparse, gs []*SparseGradient) []byte {
	means := make([]map[int]float32, c.grid.chunks)
	scales := clipToMedian(gs)
	for i := range means {
		means[i] = map[int]float32{}
	}
	for k, g := range gs {
		for p, piece := range c.grid.pieces {
			r := &bitReader{b: g.piece(p)}
			m := r.read(13) + 1
			for i, n := range c.grid.chunksOf(piece) {
				s := &c.grid.tensors[i]
				index, value, ok := recordOf(r, c.spec.Levels, m, s.chunk.Size(), s.keep)
				if !ok {
					t.Fatalf("gradient %d, piece %d: a record is not in order", k, p)
				}
				for i, at := range index {
					means[s.first+n][at] += float32(value[i] * scales[k])
				}
			}
		}
	}
	for i := range c.grid.tensors {
		s := &c.grid.tensors[i]
		for n := range s.chunks() {
			sum := means[s.first+n]
			var order []int
			for at := range sum {
				order = append(order, at)
			}
			slices.SortFunc(order, func(a, b int) int {
				if x, y := abs(sum[a]), abs(sum[b]); x != y {
					return int(math.Copysign(1, float64(y)-float64(x)))
				}
				return a - b
			})
			for i, at := range order {
				if sum[at] /= float32(len(gs)); i >= c.keepUpdate(s) {
					delete(sum, at)
				}
			}
		}
	}
	return bodyOf(c, means)
}

// FuzzSparseMean holds the fast mean against the specification, for gradients of values of many sizes, many of which are equal, opposite or zero.
func FuzzSparseMean(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(seed, uint8(seed), uint8(seed*5))
	}
	f.Fuzz(func(t *testing.T, seed uint64, kind, many uint8) {
		r := rand.New(rand.NewPCG(seed, 7))
		l := layoutOf([]int{64, 128}, []int{43, 26}, []int{100}, []int{1}) // few chunks, of all forms: more inputs in the time
		c := newSparse(t, l, func(s *SparseSpec) {
			s.Levels, s.Update = Levels(1)<<(kind%4), Levels4<<(kind>>2&1)
			s.TopK, s.MaxPeers = 1<<r.IntN(13), 1+r.IntN(20)
		})
		var gs []*SparseGradient
		for range 1 + many%16 {
			m := make([]float32, l.Size())
			few, size := r.IntN(4), float32(math.Ldexp(1, r.IntN(30)-20))
			for i := range m {
				if m[i] = size * float32(r.NormFloat64()); few == 0 {
					m[i] = size * float32(r.IntN(5)-2) * float32(max(r.IntN(40), 38)-38)
				}
			}
			gs = append(gs, sparse(t, c, m))
		}
		u := c.Mean(gs)
		if want := meanOf(t, c, gs); !bytes.Equal(u.Bytes(), want) {
			t.Fatalf("%+v, %d gradients: %d bytes, want %d, or others", c.spec, len(gs), len(u.Bytes()), len(want))
		}
		if read, v := c.ReadUpdate(u.Bytes()); !v.OK() || read.count != u.count {
			t.Fatalf("%v: %d values, want %d", v, read.count, u.count)
		}
	})
}
