package vectors

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"templar/method"
	"templar/method/dctsign"
	"templar/protocol"
)

// chunkSplit is the identifying field of that form: sides by dimension and target.
func chunkSplit(b []byte) bool {
	var sides map[string]map[string]int
	return json.Unmarshal(b, &sides) == nil && len(sides) > 0
}

func verifyChunkSplit(b []byte) ([]Case, error) {
	var sides map[string]map[string]int
	if err := json.Unmarshal(b, &sides); err != nil {
		return nil, err
	}
	var cases []Case
	for dimension, targets := range sides {
		for target, want := range targets {
			d, err := strconv.Atoi(dimension)
			n, err2 := strconv.Atoi(target)
			if err := errors.Join(err, err2); err != nil {
				return nil, err
			}
			if d < 1 || n < 1 {
				return nil, fmt.Errorf("dimension %d, target %d: want positive numbers", d, n)
			}
			cases = append(cases, within(fmt.Sprintf("%d by at most %d", d, n), math.Abs(float64(dctsign.Side(d, n)-want)), 0))
		}
	}
	slices.SortFunc(cases, func(a, b Case) int { return len(a.Case) - len(b.Case) })
	return cases, nil
}

// tensor is what cases of tensors have in common.
type tensor struct {
	Shape       []int `json:"shape"`
	TargetChunk int   `json:"target_chunk"`
	TopK        int   `json:"topk"`
}

// exact returns the method for the one tensor, which must have so many values, that keeps
// up to k coefficients a chunk.
func (t *tensor) exact(k, values int) (dctsign.Exact, error) {
	if size, ok := sizeOf(t.Shape); !ok || size != values {
		return dctsign.Exact{}, fmt.Errorf("shape %v and %d values", t.Shape, values)
	}
	return dctsign.NewExact(protocol.Layout{{Name: "tensor", Shape: t.Shape}},
		dctsign.Params{TargetChunk: t.TargetChunk, TopK: k, LearningRate: 1, TMax: 1, EvalLRFactor: 1})
}

func (t *tensor) name(i int) string {
	return fmt.Sprintf("%d: %v, chunk %d, top %d", i, t.Shape, t.TargetChunk, t.TopK)
}

type dctCase struct {
	tensor
	X            []float32 `json:"x"`
	Coefficients []float32 `json:"coefficients"`
	Indices      []uint16  `json:"indices"`
	Values       []float32 `json:"values"`
	Decoded      []float32 `json:"decoded"`
}

func verifyDCT(b []byte) ([]Case, error) {
	var vectors []dctCase
	if err := json.Unmarshal(b, &vectors); err != nil {
		return nil, err
	}
	var cases []Case
	for i := range vectors {
		found, err := vectors[i].verify(vectors[i].name(i))
		if err != nil {
			found = []Case{failed(vectors[i].name(i), err)}
		}
		cases = append(cases, found...)
	}
	return cases, nil
}

func (v *dctCase) verify(name string) ([]Case, error) {
	c, err := v.exact(v.TopK, len(v.X))
	if err != nil {
		return nil, err
	}
	all, err := v.coefficients()
	if err != nil {
		return nil, err
	}
	g, err := c.Encode(v.X)
	if err != nil {
		return nil, err
	}
	index, value := sent(c, g)
	decoded := make([]float32, len(v.X))
	c.Decode(g, decoded)
	return []Case{
		within(name+": coefficients", largestError(all, v.Coefficients), tensorTolerance),
		v.kept(name+": indices", c, index),
		within(name+": values", largestError(byMagnitude(value), byMagnitude(v.Values)), tensorTolerance),
		within(name+": decoded", largestError(decoded, v.Decoded), tensorTolerance),
	}, nil
}

// coefficients is the whole transform, chunk by chunk: what a codec sends that keeps
// all of them.
func (v *dctCase) coefficients() ([]float32, error) {
	c, err := v.exact(1<<16, len(v.X))
	if err != nil {
		return nil, err
	}
	g, err := c.Encode(v.X)
	if err != nil {
		return nil, err
	}
	all, size := make([]float32, len(v.X)), len(v.X)/c.Count()
	chunk := 0
	c.Chunks(g, func(ch method.Chunk) {
		for i, at := range ch.Index {
			all[chunk*size+int(at)] = ch.Value[i]
		}
		chunk++
	})
	return all, nil
}

// kept compares the index sets chunk by chunk. Where they differ, the coefficients
// must tie within the tolerance: the error is how far the smallest of theirs is from
// ours.
func (v *dctCase) kept(name string, c dctsign.Exact, index [][]uint16) Case {
	size, worst, rest := len(v.X)/c.Count(), 0.0, v.Indices
	if len(v.Coefficients) != len(v.X) {
		return failed(name, errors.New("the numbers of coefficients and values differ"))
	}
	for chunk, ours := range index {
		n := min(len(ours), len(rest))
		theirs := slices.Sorted(slices.Values(rest[:n]))
		rest = rest[n:]
		if n != len(ours) || (len(theirs) > 0 && int(theirs[n-1]) >= size) {
			return failed(name, errors.New("the number of indices differs, or one is outside its chunk"))
		}
		least := func(index []uint16) float64 {
			least := math.Inf(1)
			for _, at := range index {
				least = min(least, math.Abs(float64(v.Coefficients[chunk*size+int(at)])))
			}
			return least
		}
		if !slices.Equal(ours, theirs) {
			worst = max(worst, math.Abs(least(ours)-least(theirs)))
		}
	}
	if worst > 0 {
		worst /= magnitude(v.Coefficients)
	}
	return within(name, worst, tensorTolerance)
}

func sent(c dctsign.Exact, g method.Payload) (index [][]uint16, value []float32) {
	c.Chunks(g, func(ch method.Chunk) {
		index, value = append(index, slices.Clone(ch.Index)), append(value, ch.Value...)
	})
	return index, value
}

// byMagnitude makes values comparable whose order and ties may differ.
func byMagnitude(x []float32) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = max(v, -v)
	}
	slices.Sort(out)
	return out
}

type aggregateCase struct {
	tensor
	Peers []struct {
		Indices []uint16  `json:"indices"`
		Values  []float32 `json:"values"`
	} `json:"peers"`
	Mean []float32 `json:"mean_gradient"`
	Bits []int     `json:"sign_bits_lsb_first"`
}

func verifyAggregate(b []byte) ([]Case, error) {
	var vectors []aggregateCase
	if err := json.Unmarshal(b, &vectors); err != nil {
		return nil, err
	}
	var cases []Case
	for i := range vectors {
		name := fmt.Sprintf("%s, %d peers", vectors[i].name(i), len(vectors[i].Peers))
		found, err := vectors[i].verify(name)
		if err != nil {
			found = []Case{failed(name, err)}
		}
		cases = append(cases, found...)
	}
	return cases, nil
}

func (v *aggregateCase) verify(name string) ([]Case, error) {
	c, err := v.exact(v.TopK, len(v.Mean))
	if err != nil {
		return nil, err
	}
	var gs []method.Payload
	for i := range v.Peers {
		g, err := pack(c, v.Peers[i].Indices, v.Peers[i].Values)
		if err != nil {
			return nil, fmt.Errorf("peer %d: %w", i, err)
		}
		gs = append(gs, g)
	}
	if len(v.Bits) != (len(v.Mean)+7)/8 {
		return nil, errors.New("the number of signs differs from the tensor's size")
	}
	mean := make([]float32, len(v.Mean))
	c.Mean(gs, mean)
	return []Case{
		within(name+": mean", largestError(mean, v.Mean), tensorTolerance),
		v.signs(name+": signs", c, c.Reduce(gs)),
	}, nil
}

// maxValues bounds a shape that a file names.
const maxValues = 1 << 28

func sizeOf(shape []int) (size int, ok bool) {
	size = 1
	for _, d := range shape {
		if d < 1 || d > maxValues/size {
			return 0, false
		}
		size *= d
	}
	return size, true
}

// pack makes a gradient of as many coefficients for every chunk.
func pack(c dctsign.Exact, index []uint16, value []float32) (method.Payload, error) {
	keep := len(index) / c.Count()
	if len(index) != keep*c.Count() || len(value) != len(index) {
		return nil, errors.New("chunks have different numbers of coefficients")
	}
	var chunks []method.Chunk
	for at := 0; at < len(index); at += keep {
		ch := method.Chunk{}
		for _, i := range ascending(index[at : at+keep]) {
			ch.Index, ch.Value = append(ch.Index, index[at+i]), append(ch.Value, value[at+i])
		}
		chunks = append(chunks, ch)
	}
	return c.Pack(chunks)
}

func ascending(index []uint16) []int {
	order := make([]int, len(index))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(index[a]) - int(index[b]) })
	return order
}

// signs compares the bits wherever the mean is clear of zero; the error is the largest
// relative mean whose bit differs.
func (v *aggregateCase) signs(name string, c dctsign.Exact, u method.Update) Case {
	largest, worst := magnitude(v.Mean), 0.0
	moved := make([]float32, len(v.Mean))
	c.Apply(moved, u, 1) // down by one where the sign is positive
	for i, m := range v.Mean {
		if got, want := moved[i] < 0, v.Bits[i/8]>>(i%8)&1 == 1; got != want {
			worst = max(worst, math.Abs(float64(m))/largest)
		}
	}
	return within(name, worst, tensorTolerance)
}
