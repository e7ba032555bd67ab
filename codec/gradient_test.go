package codec

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"templar/protocol"
)

var schemes = []Scheme{SchemeF32, SchemeF16, SchemeI8}

func TestIndicesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 1<<16).Draw(t, "size")
		index := rapid.SliceOfNDistinct(rapid.Uint16Range(0, uint16(size-1)), 1, min(size, 300), rapid.ID).Draw(t, "index")
		slices.Sort(index)
		tail := []byte{1, 2, 3}
		b := append(writeIndices(nil, index), tail...)
		got, after, fault := readIndices(nil, b, len(index), size)
		if fault != indexOK || !slices.Equal(got, index) || !bytes.Equal(after, tail) {
			t.Fatalf("read %v, %v, %v", got, after, fault)
		}
	})
}

// The reader of whole words must see in any bytes what the reader of bits sees.
func FuzzReadIndices(f *testing.F) {
	f.Add(writeIndices(nil, []uint16{0, 1, 700, 4095}), uint8(4), uint16(4095))
	f.Add([]byte{0x37, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9}, uint8(3), uint16(63))
	f.Fuzz(func(t *testing.T, b []byte, n uint8, last uint16) {
		count, size := 1+int(n), 1+int(last)
		got, after, fault := readIndices(nil, b, count, size)
		r := bitReader{b: b}
		rice := r.read(riceBits)
		want, wantAfter, wantFault := r.indices(nil, count, size, rice, 0)
		if fault != wantFault || (fault == indexOK && (!slices.Equal(got, want) || !bytes.Equal(after, wantAfter))) {
			t.Fatalf("read %v %v, by bits %v %v", got, fault, want, wantFault)
		}
	})
}

// relative error of the values that are sent, by scheme, for a chunk whose values
// are within a factor of two
var precision = map[Scheme]float64{SchemeF32: 1e-7, SchemeF16: 1.0 / 2048, SchemeI8: 1.0 / 127}

func TestSchemesKeepValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		exponent := rapid.IntRange(-110, 120).Draw(t, "exponent")
		values := rapid.SliceOfN(rapid.Float64Range(1, 2), 1, 8).Draw(t, "values")
		coef, index := make([]float32, len(values)), make([]uint16, len(values))
		for i, v := range values {
			coef[i], index[i] = float32(math.Ldexp(v, exponent)), uint16(i)
		}
		for _, s := range schemes {
			w := chunkWriter{scheme: s}
			w.choose(index, coef)
			if len(w.sent) != len(coef) {
				t.Fatalf("%v sends %d of %d values", s, len(w.sent), len(coef))
			}
			for i := range w.sent {
				got, want := float64(s.value(s.code(w.codes, i), w.scale)), float64(coef[i])
				if math.Abs(got-want) > precision[s]*want {
					t.Fatalf("%v: %g becomes %g", s, want, got)
				}
			}
		}
	})
}

func TestErrorFeedbackTakesWhatWasSent(t *testing.T) {
	for _, s := range schemes {
		c := newCodec(t, small(), Spec{TargetChunk: 64, TopK: 32, Scheme: s})
		m := noise(5, c.parameters())
		g := compress(t, c, m)
		left, sent := slices.Clone(m), make([]float32, len(m))
		c.Subtract(left, g)
		c.Decode(g, sent)
		for i := range m {
			if left[i] != m[i]-sent[i] {
				t.Fatalf("%v: value %d: %v of %v are left, but %v were sent", s, i, left[i], m[i], sent[i])
			}
		}
		if before, after := energy(m), energy(left); after >= before {
			t.Errorf("%v: energy went from %g to %g", s, before, after)
		}
	}
}

func energy(x []float32) (e float64) {
	for _, v := range x {
		e += float64(v) * float64(v)
	}
	return e
}

func TestCompressRefuses(t *testing.T) {
	c := newCodec(t, layoutOf([]int{4, 4}, []int{8}), Spec{TargetChunk: 4, TopK: 2})
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat32} {
		m := make([]float32, c.parameters())
		m[17] = float32(v)
		if _, err := c.Compress(m); err == nil || !bytes.Contains([]byte(err.Error()), []byte("tensor b")) {
			t.Errorf("value %v: error is %v, want one that names tensor b", v, err)
		}
	}
	if _, err := c.Compress(make([]float32, 3)); err == nil {
		t.Error("compresses a vector of another size")
	}
}

func TestZeroIsNeverSent(t *testing.T) {
	for _, s := range schemes {
		c := newCodec(t, layoutOf([]int{4}), Spec{TargetChunk: 4, TopK: 4, Scheme: s})
		if g := compress(t, c, make([]float32, 4)); g.Coefficients() != 0 {
			t.Errorf("%v sends %d coefficients of zero", s, g.Coefficients())
		}
	}
	w := chunkWriter{scheme: SchemeI8}
	w.choose([]uint16{0, 1, 2}, []float32{1, 0.003, -0.004})
	if !slices.Equal(w.sent, []uint16{0, 2}) {
		t.Errorf("sent %v: want what rounds to at least one step", w.sent)
	}
}

// f16Chunk is a body of one chunk: scale 1, index 1, value 1.
var f16Chunk = []byte{byte(SchemeF16), 1, 0b0010_0000, 0, 0, 0x80, 0x3f, 0, 0x3c}

func edit(b []byte, at int, v ...byte) []byte {
	b = slices.Clone(b)
	copy(b[at:], v)
	return b
}

func TestReadGradientVerdicts(t *testing.T) {
	c := newCodec(t, layoutOf([]int{4}), Spec{TargetChunk: 4, TopK: 2})
	f32 := []byte{byte(SchemeF32), 1, 0b0010_0000, 0, 0, 0x80, 0x3f}
	i8 := []byte{byte(SchemeI8), 1, 0b0010_0000, 0, 0, 0x80, 0x3f, 5}
	for name, tc := range map[string]struct {
		body []byte
		want protocol.Verdict
	}{
		"f32":                    {f32, protocol.VerdictOK},
		"f16":                    {f16Chunk, protocol.VerdictOK},
		"i8":                     {i8, protocol.VerdictOK},
		"no coefficient":         {[]byte{byte(SchemeI8), 0}, protocol.VerdictOK},
		"nothing":                {nil, protocol.VerdictMalformed},
		"no chunk":               {f32[:1], protocol.VerdictMalformed},
		"unknown scheme":         {edit(f32, 0, 9), protocol.VerdictMalformed},
		"scheme zero":            {edit(f32, 0, 0), protocol.VerdictMalformed},
		"more than top-k":        {edit(f32, 1, 3), protocol.VerdictMalformed},
		"no indices":             {f32[:2], protocol.VerdictMalformed},
		"cut in the indices":     {[]byte{byte(SchemeF32), 2, 0b0000_1111}, protocol.VerdictMalformed},
		"cut in the value":       {f32[:6], protocol.VerdictMalformed},
		"cut in the scale":       {i8[:5], protocol.VerdictMalformed},
		"bytes after the end":    {append(slices.Clone(f32), 0), protocol.VerdictMalformed},
		"padding not zero":       {edit(f32, 2, 0b1010_0000), protocol.VerdictMalformed},
		"index outside":          {edit(f32, 2, 0b0000_0000, 0b0000_0001), protocol.VerdictBadIndex},
		"remainder outside":      {edit(f32, 2, 0b1001_0011, 0b1), protocol.VerdictBadIndex},
		"value is NaN":           {edit(f32, 3, 0, 0, 0xc0, 0x7f), protocol.VerdictNonFinite},
		"value is infinite":      {edit(f32, 3, 0, 0, 0x80, 0xff), protocol.VerdictNonFinite},
		"half is infinite":       {edit(f16Chunk, 7, 0, 0x7c), protocol.VerdictNonFinite},
		"scale is NaN":           {edit(i8, 3, 0, 0, 0xc0, 0x7f), protocol.VerdictNonFinite},
		"scale is infinite":      {edit(i8, 3, 0, 0, 0x80, 0x7f), protocol.VerdictNonFinite},
		"scale times code":       {edit(i8, 3, 0, 0, 0x7f, 0x7f), protocol.VerdictNonFinite},
		"scale is zero":          {edit(i8, 3, 0, 0, 0, 0), protocol.VerdictMalformed},
		"scale is negative":      {edit(i8, 3, 0, 0, 0x80, 0xbf), protocol.VerdictMalformed},
		"scale is subnormal":     {edit(i8, 3, 1, 0, 0, 0), protocol.VerdictMalformed},
		"value is zero":          {edit(f32, 3, 0, 0, 0, 0), protocol.VerdictMalformed},
		"value is negative zero": {edit(f32, 3, 0, 0, 0, 0x80), protocol.VerdictMalformed},
		"code is zero":           {edit(i8, 7, 0), protocol.VerdictMalformed},
		"code is -128":           {edit(i8, 7, 0x80), protocol.VerdictMalformed},
	} {
		if _, got := c.ReadGradient(tc.body); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestBodyFitsItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target, k := rapid.IntRange(1, 24).Draw(t, "target"), rapid.IntRange(1, 600).Draw(t, "k")
		c, err := New(layoutOf([]int{24, 24}, []int{12}), Spec{TargetChunk: target, TopK: k, Scheme: SchemeF32})
		if err != nil {
			t.Fatal(err)
		}
		g, err := c.Compress(noise(rapid.Uint64().Draw(t, "seed"), c.parameters()))
		if err != nil {
			t.Fatal(err)
		}
		if size, bound := int64(len(g.Bytes())), c.MaxBody(); size > bound {
			t.Fatalf("%d bytes, over the bound %d", size, bound)
		}
	})
}

func FuzzReadGradient(f *testing.F) {
	c := newCodec(f, layoutOf([]int{8, 8}, []int{6}), Spec{TargetChunk: 8, TopK: 4})
	for _, s := range schemes {
		sender := newCodec(f, c.layout, Spec{TargetChunk: 8, TopK: 4, Scheme: s})
		f.Add(compress(f, sender, noise(1, c.parameters())).Bytes())
	}
	f.Add(f16Chunk)
	f.Add([]byte{byte(SchemeI8), 0, 0})
	dst := make([]float32, c.parameters())
	f.Fuzz(func(t *testing.T, b []byte) {
		g, v := c.ReadGradient(b)
		if !v.OK() {
			if g != nil || !v.Invalid() {
				t.Fatalf("gradient %v with verdict %v", g, v)
			}
			return
		}
		c.Each(g, func(ch Chunk) { checkChunk(t, &c.tensors[ch.Tensor], ch) })
		c.Decode(g, dst)
		c.Aggregate([]*Gradient{g, g})
	})
}

func checkChunk(t *testing.T, tensor *tensor, ch Chunk) {
	t.Helper()
	for i, at := range ch.Index {
		if int(at) >= tensor.chunk.Size() || (i > 0 && at <= ch.Index[i-1]) {
			t.Fatalf("indices %v", ch.Index)
		}
		if v := ch.Value[i]; v == 0 || !finite(v) {
			t.Fatalf("value %v", v)
		}
	}
	if len(ch.Index) > tensor.keep {
		t.Fatalf("%d coefficients, at most %d", len(ch.Index), tensor.keep)
	}
}
