package scores

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
)

// spearman is the rank correlation; values that are equal share their mean rank.
func spearman(x, y []float64) float64 { return stat.Correlation(ranks(x), ranks(y), nil) }

func ranks(values []float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		below, equal := 0, 0
		for _, u := range values {
			switch {
			case u < v:
				below++
			case u == v:
				equal++
			}
		}
		out[i] = float64(below) + float64(equal+1)/2
	}
	return out
}

// pairs counts how often a good value is above a bad one; a tie is half. The quotient is the
// area under the curve of the true against the false positives.
type pairs struct{ above, all float64 }

func (p *pairs) add(good, bad []float64) {
	for _, g := range good {
		for _, b := range bad {
			p.all++
			switch {
			case g > b:
				p.above++
			case g == b:
				p.above += 0.5
			}
		}
	}
}

func (p pairs) area() float64 { return p.above / p.all }

func TestStatistics(t *testing.T) {
	if got := spearman([]float64{1, 2, 4, 4, 8, 8}, []float64{1, 2, 3, 4, 5, 6}); math.Abs(got-0.9710) > 1e-4 {
		t.Errorf("rank correlation %v", got)
	}
	if got := ranks([]float64{3, 1, 3}); !slices.Equal(got, []float64{2.5, 1, 2.5}) {
		t.Errorf("ranks %v", got)
	}
	var p pairs
	p.add([]float64{1, 2}, []float64{0, 1, 3})
	if got := p.area(); math.Abs(got-3.5/6) > 1e-12 {
		t.Errorf("area %v", got)
	}
}
