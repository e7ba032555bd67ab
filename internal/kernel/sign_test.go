package kernel

import (
	"math"
	"slices"
	"testing"
)

func TestPackSigns(t *testing.T) {
	negativeZero := float32(math.Copysign(0, -1))
	x := []float32{1, -1, 0, negativeZero, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, math.MaxFloat32, -math.MaxFloat32, 2}
	dst := make([]byte, 3)
	PackSigns(dst, 6, x)
	if want := []byte{0b01000000, 0b01010100, 0}; !slices.Equal(dst, want) {
		t.Errorf("signs are %08b, want %08b", dst, want)
	}
}

func TestStep(t *testing.T) {
	p := []float32{1, 1, 1, 1}
	Step(p, []byte{0b00100000}, 4, 0.75, 0.5)
	if want := []float32{1.25, 0.25, 1.25, 1.25}; !slices.Equal(p, want) {
		t.Errorf("parameters are %v, want %v", p, want)
	}
}

func TestStepRoundsTheProduct(t *testing.T) {
	// (1 + 2^-23)^2 is 1 + 2^-22 + 2^-46; a fused multiply-add would keep the last bit.
	p := []float32{1 + 0x1p-23}
	Step(p, []byte{1}, 0, 1+0x1p-23, 1)
	if p[0] != 0x1p-22 {
		t.Errorf("step gives %x, want 2^-22", p[0])
	}
}
