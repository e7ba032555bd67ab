package kernel

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"testing"
)

// The cosines of lengths 1 to 256. A change here splits the network.
const goldenBasis = "9996c0754a9824dc1384f4d42bd942c0d47e8e30f0a912bff057942bc904a8f1"

func TestBasisIsGolden(t *testing.T) {
	h := sha256.New()
	for n := 1; n <= 256; n++ {
		for k := range 4 * n {
			h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(entry(k, n))))
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != goldenBasis {
		t.Errorf("SHA-256 of the cosines is %s, want %s", got, goldenBasis)
	}
}

func TestCosQuarter(t *testing.T) {
	for n := 1; n <= 256; n++ {
		for k := range 8 * n {
			got, want := cosQuarter(k, n), math.Cos(float64(k)/float64(n)*math.Pi/2)
			if math.Abs(got-want) > 1e-14 {
				t.Fatalf("cos(%d/%d * pi/2) = %v, want %v", k, n, got, want)
			}
		}
	}
}

func TestCosQuarterIsExactAtTheAxes(t *testing.T) {
	for n := 1; n <= 64; n++ {
		for k, want := range []float64{1, 0, -1, 0, 1} {
			if got := cosQuarter(k*n, n); math.Abs(got) != math.Abs(want) || got*want < 0 {
				t.Fatalf("cos(%d * pi/2) = %v, want %v", k, got, want)
			}
		}
	}
}
