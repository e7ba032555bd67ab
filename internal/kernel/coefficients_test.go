package kernel

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestFastCoefficientsAreTheGenericOnes(t *testing.T) { eachSet(t, checkCoefficients) }

func checkCoefficients(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for range 3000 {
		checkGaps(t, r)
		checkQuantise(t, r)
		checkDequantise(t, r)
		checkDivide(t, r)
	}
}

func checkGaps(t *testing.T, r *rand.Rand) {
	t.Helper()
	b := make([]byte, r.IntN(60))
	for i := range b {
		b[i] = byte(r.Uint32()) & byte(r.Uint32()<<r.IntN(8)) // some with long runs of zeros
	}
	n, rice, next := r.IntN(40), uint(r.IntN(16)), uint(r.IntN(3))
	below := uint(1) << r.IntN(17)
	got, want := make([]uint16, n+1), make([]uint16, n)
	got[n] = 0xdead
	read, end, after := ReadGaps(got[:n:n], b, rice, 4, next, below)
	least, _, _ := gapsGeneric(want, b, rice, 4, next, below)
	// How far a word reaches near the end is its reader's business; what it says is not.
	padded := append(slices.Clone(b), make([]byte, 8)...)
	wantRead, wantEnd, wantAfter := gapsGeneric(want[:read], padded, rice, 4, next, below)
	if read < least || read != wantRead || end != wantEnd || after != wantAfter ||
		(read > 0 && end > uint(8*len(b))) || !slices.Equal(got[:read], want[:read]) || got[n] != 0xdead {
		t.Fatalf("%x, Rice %d, below %d: read %v to bit %d, %d next, want %v, %d, %d",
			b, rice, below, got[:read], end, after, want[:wantRead], wantEnd, wantAfter)
	}
}

func checkQuantise(t *testing.T, r *rand.Rand) {
	t.Helper()
	x, scale := odd(r.Uint64(), r.IntN(40)), float32(r.Float64()/100+1e-9)
	if r.IntN(2) == 0 { // halves
		scale = 0.25
		for i := range x {
			x[i] = float32(r.IntN(600)-300) / 8
		}
	}
	got, want := make([]byte, len(x)+1), make([]byte, len(x)+1)
	Quantise(got[:len(x)], x, scale)
	quantisedGeneric(want, x, scale)
	if !bytes.Equal(got, want) {
		t.Fatalf("%v in steps of %v: %v, want %v", x, scale, got, want)
	}
}

func checkDequantise(t *testing.T, r *rand.Rand) {
	t.Helper()
	codes, scale := make([]byte, r.IntN(40)), float32(r.NormFloat64())
	for i := range codes {
		codes[i] = byte(1 + r.IntN(127) - 128*r.IntN(2))
		if codes[i] == 0x80 {
			codes[i] = 0x81
		}
	}
	if len(codes) > 0 && r.IntN(2) == 0 {
		codes[r.IntN(len(codes))] = byte(r.IntN(2) * 0x80)
	}
	got, unharmed := guarded(t, len(codes))
	want := make([]float32, len(codes))
	ok, wantOK := Dequantise(got, codes, scale), scaledGeneric(want, codes, scale)
	bad := bytes.IndexByte(codes, 0) >= 0 || bytes.IndexByte(codes, 0x80) >= 0
	if ok != wantOK || ok == bad {
		t.Fatalf("codes %x: %v, want %v", codes, ok, wantOK)
	}
	if ok {
		sameBits(t, "dequantised", got, want)
	}
	unharmed()
}

func checkDivide(t *testing.T, r *rand.Rand) {
	t.Helper()
	x, by := odd(r.Uint64(), r.IntN(40)), r.Float64()+1e-8
	got, unharmed := guarded(t, len(x))
	copy(got, x)
	Divide(got, by)
	for i, v := range x {
		x[i] = float32(float64(v) / by)
	}
	sameBits(t, "divided", got, x)
	unharmed()
}

func TestFastPackChunkIsTheGenericOne(t *testing.T) { eachSet(t, checkPackChunk) }

func checkPackChunk(t *testing.T) {
	for _, apart := range []int{64, 72, 67, 128} {
		for bit := range 9 {
			x := odd(uint64(bit), 4096)
			got, want := make([]byte, 64*apart/8+3), make([]byte, 64*apart/8+3)
			PackChunk(got[:len(got)-1], bit, apart, x, 64)
			for row := range 64 {
				packSignsGeneric(want, bit+row*apart, x[64*row:][:64])
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("rows %d apart from bit %d: %x, want %x", apart, bit, got, want)
			}
		}
	}
}

func TestFastLevelsAreTheGenericOnes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	for range 2000 {
		checkGolomb(t, r)
		checkTake(t, r)
		checkRound(t, r)
		checkUnpack(t, r)
	}
}

func checkGolomb(t *testing.T, r *rand.Rand) {
	t.Helper()
	b := make([]byte, r.IntN(60))
	for i := range b {
		b[i] = byte(r.Uint32()) & byte(r.Uint32()<<r.IntN(8)) // some with long runs of zeros
	}
	n, divisor, next := r.IntN(40), uint(2+r.IntN(2+1<<r.IntN(14))), uint(r.IntN(3))
	below := uint(1) << r.IntN(17)
	got, want := make([]uint16, n+1), make([]uint16, n)
	got[n] = 0xdead
	read, end, after := ReadGolomb(got[:n:n], b, divisor, 4, next, below)
	least, _, _ := golombGeneric(want, b, divisor, 4, next, below)
	padded := append(slices.Clone(b), make([]byte, 8)...)
	wantRead, wantEnd, wantAfter := golombGeneric(want[:read], padded, divisor, 4, next, below)
	if read < least || read != wantRead || end != wantEnd || after != wantAfter ||
		(read > 0 && end > uint(8*len(b))) || !slices.Equal(got[:read], want[:read]) || got[n] != 0xdead {
		t.Fatalf("%x, divisor %d, below %d: read %v to bit %d, %d next, want %v, %d, %d",
			b, divisor, below, got[:read], end, after, want[:wantRead], wantEnd, wantAfter)
	}
}

func checkTake(t *testing.T, r *rand.Rand) {
	t.Helper()
	x := odd(r.Uint64(), r.IntN(80))
	for i := range x {
		if r.IntN(3) > 0 {
			x[i] = 0
		}
	}
	var wantIndex []uint16
	var want []float32
	most := float32(0)
	for i, v := range x {
		if v != 0 {
			wantIndex, want = append(wantIndex, uint16(i)), append(want, v)
			most = max(most, float32(math.Abs(float64(v))))
		}
	}
	index := make([]uint16, len(x))
	value, unharmed := guarded(t, len(x))
	n, largest := TakeNonzero(index, value, x)
	if n != len(want) || largest != most || !slices.Equal(index[:n], wantIndex) {
		t.Fatalf("%d values, %v at most, at %v; want %v and %v", n, largest, index[:n], most, wantIndex)
	}
	sameBits(t, "taken", value[:n], want)
	for i, v := range x {
		if math.Float32bits(v)&^(1<<31) != 0 {
			t.Fatalf("value %d is left", i)
		}
	}
	unharmed()
}

func checkRound(t *testing.T, r *rand.Rand) {
	t.Helper()
	x, by, step := make([]float32, r.IntN(40)), float32(1+r.IntN(20)), float32(1+r.IntN(31))/1024
	for i := range x {
		x[i] = float32(r.NormFloat64())
		if r.IntN(2) == 0 { // halves of a step
			x[i] = by * step * float32(r.IntN(40)-20) / 2
		}
	}
	most := 1 + r.IntN(128)
	var want []uint16
	var wantCode []byte
	from := make([]uint16, len(x))
	for i, v := range x {
		from[i] = uint16(r.Uint32())
		if level := int(math.RoundToEven(float64(float32(v/by) / step))); level != 0 {
			code := byte(2 * (min(max(level, -level), most) - 1))
			if level < 0 {
				code++
			}
			want, wantCode = append(want, from[i]), append(wantCode, code)
		}
	}
	index, code := make([]uint16, len(x)), make([]byte, len(x))
	if n := Round(index, code, from, x, by, step, most); !slices.Equal(index[:n], want) || !bytes.Equal(code[:n], wantCode) {
		t.Fatalf("%v/%v in steps of %v: %v, want %v", x, by, step, code[:n], wantCode)
	}
}

func checkUnpack(t *testing.T, r *rand.Rand) {
	t.Helper()
	n, at, width := r.IntN(70), uint(r.IntN(30)), uint(1+r.IntN(2))
	b := make([]byte, (at+uint(n)*width+7)/8)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	table := [4]float32{1, -1, 2, -2}
	if width == 1 {
		table = [4]float32{1, -1, 1, -1}
	}
	got, unharmed := guarded(t, n)
	want := make([]float32, n)
	Unpack(got, b, at, width, &table)
	unpackGeneric(want, b, at, width, &table)
	sameBits(t, "unpacked", got, want)
	unharmed()
}
