package codec

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"templar/internal/kernel"
)

// choices are what an engine would choose of m: as many of each chunk as are kept, zeros among them.
func choices(c *Codec, m []float32, values func(l *tile, t *tensor, chunk int) []float32) (index []uint16, value []float32) {
	l := c.newTile()
	for i := range c.tensors {
		t := &c.tensors[i]
		for n := range t.chunks() {
			x := values(l, t, n)
			places, _ := kernel.TopK(nil, x, t.keep, l.keys, l.found)
			for at := uint16(0); len(places) < t.keep; at++ {
				if !slices.Contains(places, at) {
					places = append(places, at)
				}
			}
			slices.Sort(places)
			for _, at := range places {
				index, value = append(index, at), append(value, x[at])
			}
		}
	}
	return index, value
}

// some is values, of which the first chunk has few that are not zero.
func some(n int) []float32 {
	m := make([]float32, n)
	for i := range m {
		if i > 64 || i%31 == 0 {
			m[i] = float32(math.Sin(float64(i*i))) / float32(1+i%17)
		}
	}
	return m
}

// What an engine chooses gives the body that Compress does, and what was sent is what readers see.
func TestCodeOfWhatWasChosen(t *testing.T) {
	layout := layoutOf([]int{40, 24}, []int{24}, []int{7})
	c := newCodec(t, layout, Spec{TargetChunk: 8, TopK: 5})
	m := some(c.parameters())
	index, value := choices(c, m, func(l *tile, t *tensor, chunk int) []float32 { return l.forward(m, t, chunk) })
	got, err := c.Code(index, value)
	if err != nil {
		t.Fatal(err)
	}
	want := compress(t, c, m)
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Error("another body than Compress gives")
	}
	sent := make([]float32, len(index))
	if err := c.Sent(got, index, sent); err != nil {
		t.Fatal(err)
	}
	at := 0
	c.Each(got, func(ch Chunk) {
		keep := c.tensors[ch.Tensor].keep
		same(t, index[at:at+keep], sent[at:at+keep], ch)
		at += keep
	})
	listed(t, c, index, sent, c.Chosen, got)
	refusedChoices(t, index, value, func(i []uint16, v []float32) error { _, err := c.Code(i, v); return err })
	if c.Sent(got, index, sent[1:]) == nil {
		t.Error("sent to too few places")
	}
}

func TestSparseCodeOfWhatWasChosen(t *testing.T) {
	layout := layoutOf([]int{40, 24}, []int{24}, []int{7})
	for _, levels := range []Levels{Levels1, Levels2, Levels4, Levels8} {
		c, err := NewSparse(layout, SparseSpec{TargetChunk: 8, TopK: 5, Levels: levels, Update: Levels8, MaxPeers: 3})
		if err != nil {
			t.Fatal(err)
		}
		m := some(c.grid.parameters())
		index, value := choices(c.grid, m, func(l *tile, t *tensor, chunk int) []float32 { return l.rows(t, m, chunk) })
		got, err := c.Code(index, value)
		if err != nil {
			t.Fatal(err)
		}
		want, err := c.Compress(m)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want.Bytes()) || got.Norm() != want.Norm() {
			t.Errorf("%d bits: another body than Compress gives", levels)
		}
		sent := make([]float32, len(index))
		if err := c.Sent(got, index, sent); err != nil {
			t.Fatal(err)
		}
		at := 0
		c.Each(got, func(ch Chunk) {
			keep := c.grid.tensors[ch.Tensor].keep
			same(t, index[at:at+keep], sent[at:at+keep], ch)
			at += keep
		})
		listed(t, c.grid, index, sent, c.Chosen, got)
		refusedChoices(t, index, value, func(i []uint16, v []float32) error { _, err := c.Code(i, v); return err })
	}
}

// listed compares the list of a gradient's values with what was sent at places.
func listed[G any](t *testing.T, c *Codec, index []uint16, sent []float32, list func(G) ([]uint16, []float32), g G) {
	t.Helper()
	places, values := list(g)
	at := 0
	for i := range c.tensors {
		for range c.tensors[i].chunks() {
			seen := map[uint16]float32{}
			for k := at; k < at+c.tensors[i].keep; k++ {
				if _, twice := seen[places[k]]; twice || int(places[k]) >= c.tensors[i].chunk.Size() {
					t.Fatalf("place %d is listed twice, or outside a chunk", places[k])
				}
				seen[places[k]] = values[k]
			}
			for k := at; k < at+c.tensors[i].keep; k++ {
				if seen[index[k]] != sent[k] {
					t.Fatalf("%g is listed at %d, want %g", seen[index[k]], index[k], sent[k])
				}
			}
			at += c.tensors[i].keep
		}
	}
	if at != len(places) || at != len(values) {
		t.Fatalf("%d places and %d values are listed, want %d", len(places), len(values), at)
	}
}

// same compares what was sent of a chunk's choices with what a reader sees.
func same(t *testing.T, index []uint16, sent []float32, ch Chunk) {
	t.Helper()
	seen := map[uint16]float32{}
	for i, at := range ch.Index {
		seen[at] = ch.Value[i]
	}
	for i, at := range index {
		if sent[i] != seen[at] {
			t.Fatalf("chunk %d: %g at %d was sent, want %g", ch.Chunk, sent[i], at, seen[at])
		}
		delete(seen, at)
	}
	if len(seen) > 0 {
		t.Fatalf("chunk %d: %v was sent at places that were not chosen", ch.Chunk, seen)
	}
}

func refusedChoices(t *testing.T, index []uint16, value []float32, code func([]uint16, []float32) error) {
	t.Helper()
	for name, spoil := range map[string]func(index []uint16, value []float32){
		"a NaN":         func(_ []uint16, value []float32) { value[7] = float32(math.NaN()) },
		"an infinity":   func(_ []uint16, value []float32) { value[7] = float32(math.Inf(1)) },
		"disorder":      func(index []uint16, _ []float32) { index[0], index[1] = index[1], index[0] },
		"a place twice": func(index []uint16, _ []float32) { index[1] = index[0] },
		"past a chunk":  func(index []uint16, _ []float32) { index[4] = 64 },
	} {
		i, v := slices.Clone(index), slices.Clone(value)
		spoil(i, v)
		if code(i, v) == nil {
			t.Errorf("%s is coded", name)
		}
	}
	if code(index[1:], value[1:]) == nil {
		t.Error("too few choices are coded")
	}
}
