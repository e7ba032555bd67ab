package codec

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// tolerance is relative to the largest value of a tensor.
const tolerance = 2e-5

func readVectors(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "testkit", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func TestVectorsChunkSplit(t *testing.T) {
	var cases map[string]map[string]int
	readVectors(t, "chunk_split.json", &cases)
	for dimension, targets := range cases {
		for target, want := range targets {
			d, _ := strconv.Atoi(dimension)
			n, _ := strconv.Atoi(target)
			if got := Side(d, n); got != want {
				t.Errorf("Side(%d, %d) = %d, want %d", d, n, got, want)
			}
		}
	}
}

type dctCase struct {
	Shape       []int
	TargetChunk int `json:"target_chunk"`
	TopK        int
	X           []float32
	Coef        []float32 `json:"coefficients"`
	Indices     []uint16
	Values      []float32
	Decoded     []float32
}

func TestVectorsDCT(t *testing.T) {
	var cases []dctCase
	readVectors(t, "dct_topk.json", &cases)
	for _, tc := range cases {
		c := newCodec(t, layoutOf(tc.Shape), Spec{tc.TargetChunk, tc.TopK, SchemeF32})
		checkCoefficients(t, c, &tc)
		g := compress(t, c, tc.X)
		checkKept(t, c, g, &tc)
		decoded := make([]float32, len(tc.X))
		c.Decode(g, decoded)
		checkClose(t, "decoded", decoded, tc.Decoded)
	}
}

func checkCoefficients(t *testing.T, c *Codec, tc *dctCase) {
	t.Helper()
	var coef []float32
	l, tensor := c.newTile(), &c.tensors[0]
	for n := range tensor.chunks() {
		coef = append(coef, l.forward(tc.X, tensor, n)...)
	}
	checkClose(t, "coefficients", coef, tc.Coef)
}

func checkKept(t *testing.T, c *Codec, g *Gradient, tc *dctCase) {
	t.Helper()
	var index []uint16
	var value []float32
	c.Each(g, func(ch Chunk) {
		index, value = append(index, ch.Index...), append(value, ch.Value...)
	})
	// No case has coefficients that tie within the tolerance at the threshold.
	if !slices.Equal(index, tc.Indices) {
		t.Errorf("%v: indices differ", tc.Shape)
	}
	checkClose(t, "values", value, tc.Values)
}

func checkClose(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	largest, worst := 0.0, 0.0
	for i := range want {
		largest = max(largest, math.Abs(float64(want[i])))
		worst = max(worst, math.Abs(float64(got[i])-float64(want[i])))
	}
	if !(worst <= tolerance*largest) {
		t.Errorf("%s: off by %g of the largest value", what, worst/largest)
	}
}

type aggregateCase struct {
	Shape       []int
	TargetChunk int `json:"target_chunk"`
	TopK        int
	Peers       []struct {
		Indices []uint16
		Values  []float32
	}
	Mean  []float32 `json:"mean_gradient"`
	Signs []int     `json:"sign_bits_lsb_first"`
}

func TestVectorsAggregate(t *testing.T) {
	var cases []aggregateCase
	readVectors(t, "aggregate.json", &cases)
	for _, tc := range cases {
		c := newCodec(t, layoutOf(tc.Shape), Spec{tc.TargetChunk, tc.TopK, SchemeF32})
		var gs []*Gradient
		for _, p := range tc.Peers {
			var chunks []Chunk
			keep := c.tensors[0].keep
			for i := 0; i < len(p.Indices); i += keep {
				chunks = append(chunks, Chunk{Index: p.Indices[i:][:keep], Value: p.Values[i:][:keep]})
			}
			gs = append(gs, gradient(t, c, chunks))
		}
		checkMean(t, c, gs, &tc)
		checkSigns(t, c, c.Aggregate(gs), &tc)
	}
}

func checkMean(t *testing.T, c *Codec, gs []*Gradient, tc *aggregateCase) {
	t.Helper()
	got := make([]float32, len(tc.Mean))
	c.Mean(gs, got)
	checkClose(t, "mean gradient", got, tc.Mean)
}

func checkSigns(t *testing.T, c *Codec, u *Update, tc *aggregateCase) {
	t.Helper()
	largest := 0.0
	for _, v := range tc.Mean {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i, v := range tc.Mean {
		want := tc.Signs[i/8]>>(i%8)&1 == 1
		if got := c.Sign(u, i) > 0; got != want && math.Abs(float64(v)) > tolerance*largest {
			t.Errorf("%v: sign bit %d is %v, want %v (mean %g)", tc.Shape, i, got, want, v)
		}
	}
}
