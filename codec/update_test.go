package codec

import (
	"math"
	"slices"
	"testing"

	"templar/protocol"
)

// halfSent is a codec of two chunks of four values, and an update that moves the
// second chunk only: + + - -.
func halfSent(t testing.TB) (*Codec, *Update) {
	c := newCodec(t, layoutOf([]int{8}), Spec{TargetChunk: 4, TopK: 1, Scheme: SchemeF32})
	g := gradient(t, c, []Chunk{{}, {Index: []uint16{1}, Value: []float32{3}}})
	return c, c.Aggregate([]*Gradient{g})
}

func TestAggregateFlagsEmptyChunks(t *testing.T) {
	c, u := halfSent(t)
	var signs []int
	for i := range 8 {
		signs = append(signs, c.Sign(u, i))
	}
	if want := []int{0, 0, 0, 0, 1, 1, -1, -1}; !slices.Equal(signs, want) {
		t.Errorf("signs are %v, want %v", signs, want)
	}
	if want := []byte{0b01, 0b0011_0000}; !slices.Equal(u.Bytes(), want) {
		t.Errorf("update is %08b, want %08b", u.Bytes(), want)
	}
}

func TestAggregateOfNothingIsNil(t *testing.T) {
	c, _ := halfSent(t)
	if u := c.Aggregate(nil); u != nil {
		t.Errorf("update is %v", u)
	}
}

func TestAggregateAveragesOverSenders(t *testing.T) {
	// Both peers send coefficient 0, only the first coefficient 1; norms are equal.
	c := newCodec(t, layoutOf([]int{4}), Spec{TargetChunk: 4, TopK: 2, Scheme: SchemeF32})
	a := gradient(t, c, []Chunk{{Index: []uint16{0, 1}, Value: []float32{3, 4}}})
	b := gradient(t, c, []Chunk{{Index: []uint16{0}, Value: []float32{5}}})
	index, value := newMean(c, []*Gradient{a, b}).next(&c.tensors[0], 0)
	if !slices.Equal(index, []uint16{0, 1}) {
		t.Fatalf("indices are %v", index)
	}
	for i, want := range []float64{(0.6 + 1) / 2, 0.8} {
		if math.Abs(float64(value[i])-want) > 1e-7 {
			t.Errorf("mean %d is %v, want %v", i, value[i], want)
		}
	}
}

func TestOppositePeersCancelToTheClearBit(t *testing.T) {
	c := newCodec(t, layoutOf([]int{4}), Spec{TargetChunk: 4, TopK: 1, Scheme: SchemeF32})
	a := gradient(t, c, []Chunk{{Index: []uint16{2}, Value: []float32{2}}})
	b := gradient(t, c, []Chunk{{Index: []uint16{2}, Value: []float32{-2}}})
	u := c.Aggregate([]*Gradient{a, b})
	for i := range 4 {
		if got := c.Sign(u, i); got != -1 {
			t.Errorf("sign %d of a zero mean is %d, want -1", i, got)
		}
	}
}

func TestApply(t *testing.T) {
	c, u := halfSent(t)
	p := []float32{1, 2, 3, 4, 1, 2, 3, 4}
	c.Apply(p, u, 0.5, 0.5)
	if want := []float32{1, 2, 3, 4, 0.25, 1, 2.75, 3.5}; !slices.Equal(p, want) {
		t.Errorf("parameters are %v, want %v", p, want)
	}
	before := slices.Clone(p)
	c.Apply(p, nil, 0.5, 0.5)
	if !slices.Equal(p, before) {
		t.Error("a nil update changes parameters")
	}
}

func TestSignAgreesWithApply(t *testing.T) {
	c := newCodec(t, small(), Spec{TargetChunk: 64, TopK: 8})
	u := c.Aggregate(peers(t, c, 2))
	p := make([]float32, c.parameters())
	c.Apply(p, u, 1, 0)
	for i, v := range p {
		if int(v) != -c.Sign(u, i) {
			t.Fatalf("parameter %d moves by %v, its sign is %d", i, v, c.Sign(u, i))
		}
	}
}

func TestReadUpdateVerdicts(t *testing.T) {
	c, u := halfSent(t)
	for name, tc := range map[string]struct {
		body []byte
		want protocol.Verdict
	}{
		"as made":               {u.Bytes(), protocol.VerdictOK},
		"short":                 {u.Bytes()[:1], protocol.VerdictBadShape},
		"long":                  {append(slices.Clone(u.Bytes()), 0), protocol.VerdictBadShape},
		"flag of no chunk":      {edit(u.Bytes(), 0, 0b101), protocol.VerdictMalformed},
		"sign in an empty one":  {edit(u.Bytes(), 1, 0b0011_0001), protocol.VerdictMalformed},
		"all signs are allowed": {edit(u.Bytes(), 0, 0, 0xff), protocol.VerdictOK},
	} {
		if _, got := c.ReadUpdate(tc.body); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func FuzzReadUpdate(f *testing.F) {
	c, u := halfSent(f)
	f.Add(u.Bytes())
	f.Add([]byte{0, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		u, v := c.ReadUpdate(b)
		if !v.OK() {
			return
		}
		p := make([]float32, c.parameters())
		c.Apply(p, u, 1, 0)
		for i := range p {
			if int(p[i]) != -c.Sign(u, i) {
				t.Fatalf("parameter %d: moved %v, sign %d", i, p[i], c.Sign(u, i))
			}
		}
	})
}
