package adamw

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// canary stands behind each slice.
const canary = 12345

// values are n of every size, exact in any arithmetic: no libm, no rounding.
func values(rng *rand.Rand, n int, negative bool) []float32 {
	out := make([]float32, n+1)
	for i := range n {
		out[i] = float32(math.Ldexp(float64(rng.IntN(1<<24)), rng.IntN(100)-90))
		if negative && rng.IntN(2) == 0 {
			out[i] = -out[i]
		}
		if rng.IntN(20) == 0 {
			out[i] = 0
		}
	}
	out[n] = canary
	return out[:n]
}

var step = Step{Clip: 0.75, Decay: 0.9999, FirstDecay: 0.9, First: 0.1, SecondDecay: 0.95, Second: 0.05, Size: 3e-3, Correction: 0.31, Eps: 1e-8}

func moved(seed uint64, n int) [4][]float32 {
	rng := rand.New(rand.NewPCG(seed, 2))
	return [4][]float32{values(rng, n, true), values(rng, n, true), values(rng, n, false), values(rng, n, true)}
}

// Assembly gives the bits of the twin at every length, and changes nothing behind the end.
func TestSameBitsAsTwin(t *testing.T) {
	for n := range 200 {
		want, got := moved(uint64(n), n), moved(uint64(n), n)
		step.generic(want[0], want[1], want[2], want[3])
		step.Do(got[0], got[1], got[2], got[3])
		for k := range want {
			for i := range want[k] {
				if math.Float32bits(got[k][i]) != math.Float32bits(want[k][i]) {
					t.Fatalf("%d values: number %d of row %d is %g, want %g", n, i, k, got[k][i], want[k][i])
				}
			}
			if got[k][:n+1][n] != canary {
				t.Fatalf("%d values: row %d was written behind its end", n, k)
			}
		}
	}
}

// Golden bits, the same on every architecture.
func TestGolden(t *testing.T) {
	r := moved(1, 1000)
	for range 3 {
		step.Do(r[0], r[1], r[2], r[3])
	}
	h := sha256.New()
	for _, row := range r[:3] {
		for _, v := range row {
			_ = binary.Write(h, binary.LittleEndian, v)
		}
	}
	const want = "9c184bb782a67c46"
	if got := hex.EncodeToString(h.Sum(nil)[:8]); got != want {
		t.Errorf("moved to %s, want %s", got, want)
	}
}

func BenchmarkStep(b *testing.B) {
	for _, n := range []int{1 << 12, 1 << 24} { // in the cache, and in memory
		r := moved(1, n)
		run := func(name string, do func()) {
			b.Run(fmt.Sprintf("%s/n=%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(28 * n)) // four reads and three writes
				for b.Loop() {
					do()
				}
			})
		}
		run("vectors", func() { step.Do(r[0], r[1], r[2], r[3]) })
		run("twin", func() { step.generic(r[0], r[1], r[2], r[3]) })
	}
}
