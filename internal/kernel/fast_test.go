package kernel

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/cpu"
)

const canary = 0x7fc0dead // a NaN that no arithmetic makes

// guarded returns n values with canaries before and after, and a check that they live.
func guarded(t *testing.T, n int) ([]float32, func()) {
	t.Helper()
	const margin = 16
	all := make([]float32, n+2*margin)
	for i := range all {
		all[i] = math.Float32frombits(canary)
	}
	return all[margin : margin+n : margin+n], func() {
		t.Helper()
		for i := range margin {
			for _, at := range []int{i, margin + n + i} {
				if math.Float32bits(all[at]) != canary {
					t.Fatalf("value %d of %d is overwritten", at-margin, n)
				}
			}
		}
	}
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: value %d is %x, want %x", what, i, got[i], want[i])
		}
	}
}

// odd returns values of all sorts: zeros of both signs, subnormals, far apart.
func odd(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 2))
	x := make([]float32, n)
	for i := range x {
		switch r.IntN(8) {
		case 0:
		case 1:
			x[i] = float32(math.Copysign(0, -1))
		case 2:
			x[i] = math.Float32frombits(r.Uint32()&(1<<31) | r.Uint32()>>9)
		case 3:
			x[i] = float32(math.Ldexp(r.NormFloat64(), r.IntN(160)-100))
		default:
			x[i] = float32(r.NormFloat64())
		}
	}
	return x
}

// eachSet runs a test with all instructions that are here, and without AVX-512.
func eachSet(t *testing.T, f func(t *testing.T)) {
	t.Run("all", f)
	if cpu.X86.HasAVX512F {
		cpu.X86.HasAVX512F = false
		defer func() { cpu.X86.HasAVX512F = true }()
		t.Run("AVX2", f)
	}
}

func TestFastTransformsAreTheGenericOnes(t *testing.T) { eachSet(t, checkTransforms) }

func checkTransforms(t *testing.T) {
	tr := NewTransform(64, 64)
	for seed := range uint64(40) {
		apart := 64 + int(seed%3)*21
		flat := odd(seed, 64*apart)
		got, forwardOK := guarded(t, 4096)
		a, aOK := guarded(t, 4096)
		b, bOK := guarded(t, 4096)
		s := &Scratch{a: a, b: b}
		if !tr.forwardFast(got, Rows{flat, apart}, Rows{flat, apart}, s) {
			t.Skip("no assembly here")
		}
		want := make([]float32, 4096)
		for r := range 64 {
			copy(want[64*r:][:64], flat[r*apart:])
		}
		tr.forwardGeneric(want, NewScratch(4096))
		sameBits(t, "forward", got, want)

		copy(s.a, flat)
		tr.inverseFast(got, s)
		generic := NewScratch(4096)
		copy(generic.a, flat)
		tr.inverseGeneric(want, generic)
		sameBits(t, "inverse", got, want)
		forwardOK()
		aOK()
		bOK()
	}
}

func TestFastStepAndSignsAreTheGenericOnes(t *testing.T) { eachSet(t, checkStepAndSigns) }

func checkStepAndSigns(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	for range 500 {
		n, bit := r.IntN(200), r.IntN(20)
		x := odd(r.Uint64(), n)
		signs := make([]byte, (bit+n+7)/8)
		for i := range signs {
			signs[i] = byte(r.Uint32())
		}
		got, ok := guarded(t, n)
		copy(got, x)
		want := slices.Clone(x)
		Step(got, signs, bit, 0.999, 1e-3)
		stepGeneric(want, signs, bit, 0.999, 1e-3)
		sameBits(t, "step", got, want)
		ok()

		packed, wantPacked := make([]byte, len(signs)+2), make([]byte, len(signs)+2)
		packed[len(signs)], wantPacked[len(signs)] = 0xa5, 0xa5
		PackSigns(packed[:len(signs)], bit, x)
		packSignsGeneric(wantPacked[:len(signs)], bit, x)
		if !slices.Equal(packed, wantPacked) {
			t.Fatalf("signs of %d values from bit %d: %08b, want %08b", n, bit, packed, wantPacked)
		}
	}
}

// Rows are copied together, and nothing beside them is written; the last chunk has none after it.
func TestCollect(t *testing.T) { eachSet(t, checkCollect) }

func checkCollect(t *testing.T) {
	const stride = 192
	x := odd(5, 64*stride)
	for at := 0; at <= 128; at += 64 {
		got, unharmed := guarded(t, 4096)
		next := Rows{}
		if at < 128 {
			next = Rows{x[at+64:], stride}
		}
		Collect(got, 64, 64, Rows{x[at:], stride}, next)
		unharmed()
		for r := range 64 {
			sameBits(t, "row", got[64*r:][:64], x[at+r*stride:][:64])
		}
	}
}

func TestFastTopKIsTheGenericOne(t *testing.T) { eachSet(t, checkTopKs) }

func checkTopKs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	for range 300 {
		n, k := 64*(1+r.IntN(64)), 1+r.IntN(140)
		x := odd(r.Uint64(), n)
		switch r.IntN(3) {
		case 0: // many ties
			for i := range x {
				x[i] = float32(r.IntN(7) - 3)
			}
		case 1: // a few, among the largest
			for i := range x {
				x[i] = float32(math.Round(8*r.NormFloat64()) / 8)
			}
		}
		if r.IntN(4) == 0 { // mostly zero
			clear(x[:n-r.IntN(64)])
		}
		if r.IntN(8) == 0 { // a NaN, an infinity, 2^127 or just below
			x[r.IntN(n)] = math.Float32frombits(0x7f000000 + [...]uint32{1 << 23, 0xc00000, 0, 1<<32 - 1}[r.IntN(4)])
		}
		checkTopK(t, x, k)
	}
}

func checkTopK(t *testing.T, x []float32, k int) {
	t.Helper()
	keys, found := make([]uint32, len(x)), make([]uint16, len(x)+1)
	found[len(x)] = 0xdead
	got, ok := TopK(nil, x, k, keys, found[:len(x)])
	want, wantOK := topKGeneric(nil, x, min(k, len(x)), keys)
	if ok != wantOK || (ok && !slices.Equal(got, want)) {
		t.Fatalf("top %d of %d: %v %v, want %v %v", k, len(x), got, ok, want, wantOK)
	}
	if found[len(x)] != 0xdead {
		t.Fatal("scratch is overwritten")
	}
}

// floats reads values from fuzzed bytes, as many as are there up to n, then zeros.
func floats(b []byte, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		if len(b) >= 4 {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b))
			b = b[4:]
		}
	}
	return x
}

func FuzzTopK(f *testing.F) {
	f.Add([]byte{0, 0, 128, 63, 0, 0, 128, 191}, uint8(3))
	f.Add([]byte{0, 0, 192, 127}, uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, k uint8) {
		checkTopK(t, floats(b, 128), 1+int(k))
	})
}

func FuzzInverse(f *testing.F) {
	f.Add([]byte{0, 0, 128, 63, 0, 0, 128, 191}, uint16(77))
	tr := NewTransform(64, 64)
	f.Fuzz(func(t *testing.T, b []byte, step uint16) {
		x := floats(b, min(len(b)/4, 64))
		fast, generic := NewScratch(4096), NewScratch(4096)
		for i, v := range x {
			if v-v == 0 { // finite: a decoder lets nothing else through
				at := (i * (1 + int(step))) & 4095
				fast.a[at], generic.a[at] = v, v
			}
		}
		got, want := make([]float32, 4096), make([]float32, 4096)
		if !tr.inverseFast(got, fast) {
			t.Skip("no assembly here")
		}
		tr.inverseGeneric(want, generic)
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) && want[i] == want[i] {
				t.Fatalf("value %d is %x, want %x", i, got[i], want[i])
			}
		}
	})
}
