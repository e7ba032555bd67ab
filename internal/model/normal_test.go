package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"templar/protocol"
)

// vectors is what an independent program drew: testkit/theta0/README.md.
type vectors struct {
	Normal []struct{ Word, Value string } // bits of uint64 and float64, in hex
	Draws  []struct {
		Tensor string
		Seed   uint64
		Block  int
		Std    float64
		First  []string // bits of float32
		SHA256 string   // of all values of the block, little-endian
	}
}

func bits(t *testing.T, s string) uint64 {
	t.Helper()
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectors(t *testing.T) {
	text, err := os.ReadFile("../../testkit/theta0/theta0.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil || len(v.Normal) < 100 || len(v.Draws) < 3 {
		t.Fatalf("%d values, %d draws, %v", len(v.Normal), len(v.Draws), err)
	}
	for _, c := range v.Normal {
		if got, want := math.Float64bits(normal(bits(t, c.Word))), bits(t, c.Value); got != want {
			t.Errorf("word %s becomes %x, want %x", c.Word, got, want)
		}
	}
	for _, c := range v.Draws {
		dst := make([]float32, drawBlock)
		draw(dst, c.Tensor, c.Seed, c.Block, c.Std)
		for i, w := range c.First {
			if got := uint64(math.Float32bits(dst[i])); got != bits(t, w) {
				t.Errorf("%s: value %d is %x, want %s", c.Tensor, i, got, w)
			}
		}
		if got := hashOf(dst); got != c.SHA256 {
			t.Errorf("%s: block %d hashes to %s, want %s", c.Tensor, c.Block, got, c.SHA256)
		}
	}
}

func hashOf(values []float32) string {
	h := sha256.New()
	for _, v := range values {
		_ = binary.Write(h, binary.LittleEndian, v)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Golden: theta_0 of a whole model, by any number of threads.
func TestGoldenInit(t *testing.T) {
	m := protocol.Model{
		VocabSize: 300, HiddenSize: 64, Layers: 2, Heads: 2, KVHeads: 1, IntermediateSize: 96,
		MaxPositions: 16, RopeTheta: 500, NormEps: 1e-5, InitStd: 0.02,
	}
	const want = "d96d5f0ccee4eeae7814678d296e27ac3487b673519700b04ece86b447775513"
	for _, threads := range []int{1, 3} {
		was := runtime.GOMAXPROCS(threads)
		got := hashOf(Init(m, 7))
		runtime.GOMAXPROCS(was)
		if got != want {
			t.Errorf("%d threads: theta_0 hashes to %s, want %s", threads, got, want)
		}
	}
}

// The values are the quantiles, over the whole range and to the ends, and symmetric to the bit.
func TestNormalIsTheQuantile(t *testing.T) {
	check := func(k uint64) {
		got, other := normal(k<<12), normal((1<<52-1-k)<<12)
		if got != -other {
			t.Fatalf("%d: %g and %g are not symmetric", k, got, other)
		}
		// As erfc is accurate in its tail, the probability below is compared, on the lower side.
		u := (2*float64(k) + 1) * 0x1p-53
		want := -math.Sqrt2 * math.Erfcinv(2*u)
		if math.Abs(got-want) > 4e-7*math.Abs(want) {
			t.Fatalf("the quantile of %g is %.10g, want %.10g", u, got, want)
		}
	}
	for k := range uint64(1000) { // the far tail
		check(k)
	}
	for e := range 51 { // every power of two, and about it
		for d := range uint64(50) {
			check(1<<e + d)
		}
	}
	last := math.Inf(-1)
	for k := uint64(1 << 37); k < 1<<51; k += 1 << 51 / 100_003 {
		check(k)
		if v := normal(k << 12); v < last-1e-7 {
			t.Fatalf("the quantile falls from %g to %g", last, v)
		} else {
			last = v
		}
	}
	if lo, hi := normal(0), normal(math.MaxUint64); lo < -8.3 || lo > -8.2 || hi != -lo {
		t.Errorf("values are in [%g, %g]", lo, hi)
	}
}

// The moments and tails of a large sample are those of the normal distribution, within five
// standard errors. The sample is fixed.
func TestNormalDistribution(t *testing.T) {
	const n = 1 << 22
	values := make([]float32, n)
	for b := 0; b < n; b += drawBlock {
		draw(values[b:b+drawBlock], "sample", 1, b/drawBlock, 1)
	}
	var sums [5]float64
	var beyond [6]float64
	for _, v := range values {
		x := 1.0
		for k := range sums {
			sums[k] += x
			x *= float64(v)
		}
		for k := range beyond {
			if math.Abs(float64(v)) > float64(k) {
				beyond[k]++
			}
		}
	}
	for k, want := range []float64{1, 0, 1, 0, 3} { // moments
		variance := []float64{0, 1, 2, 15, 96}[k] // of x^k
		if got := sums[k] / n; math.Abs(got-want) > 5*math.Sqrt(variance/n) {
			t.Errorf("moment %d is %.6f, want %g", k, got, want)
		}
	}
	for k, got := range beyond {
		p := math.Erfc(float64(k) / math.Sqrt2)
		if math.Abs(got-n*p) > 5*math.Sqrt(n*p)+1e-9 {
			t.Errorf("%v values beyond %d, expected %.1f", got, k, n*p)
		}
	}
	// Kolmogorov-Smirnov: 1.95/sqrt(n) is exceeded once in a thousand samples.
	slices.Sort(values)
	worst := 0.0
	for i, v := range values {
		worst = max(worst, math.Abs(math.Erfc(-float64(v)/math.Sqrt2)/2-(float64(i)+0.5)/n))
	}
	if worst > 1.95/math.Sqrt(n) {
		t.Errorf("the distribution is off by %g", worst)
	}
	t.Logf("mean %.5f, variance %.5f, skewness %.5f, kurtosis %.5f, beyond 1 to 5: %v", sums[1]/n, sums[2]/n, sums[3]/n, sums[4]/n, beyond[1:])
}

func BenchmarkInit(b *testing.B) {
	m := protocol.Model{
		VocabSize: 32000, HiddenSize: 512, Layers: 4, Heads: 4, KVHeads: 4, IntermediateSize: 2048,
		MaxPositions: 16, RopeTheta: 500, NormEps: 1e-5, InitStd: 0.02,
	}
	for b.Loop() {
		Init(m, 1)
	}
	b.ReportMetric(float64(m.Layout().Size())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mvalues/s")
}
