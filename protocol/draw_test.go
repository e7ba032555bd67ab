package protocol

import (
	"slices"
	"testing"
)

// Streams are part of the protocol: another Go release or a refactoring must not
// change one of these numbers.
func TestDrawIsPinned(t *testing.T) {
	d := NewDraw("test", Hash{1, 2, 3}, 7, 9)
	var got []uint64
	for range 4 {
		got = append(got, d.Below(1000))
	}
	got = append(got, d.Distinct(1<<40, 2)...)
	want := []uint64{762, 321, 178, 316, 215315331694, 1096895267382}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDrawSeparatesStreams(t *testing.T) {
	first := func(d *Draw) uint64 { return d.Below(1 << 63) }
	base := first(NewDraw("a", Hash{}, 1))
	for name, other := range map[string]*Draw{
		"purpose": NewDraw("b", Hash{}, 1), "seed": NewDraw("a", Hash{1}, 1),
		"number": NewDraw("a", Hash{}, 2), "count": NewDraw("a", Hash{}, 1, 0),
	} {
		if first(other) == base {
			t.Errorf("another %s gives the same stream", name)
		}
	}
}

func TestBelowIsUniform(t *testing.T) {
	const n, rounds = 7, 70_000
	var counts [n]float64
	d := NewDraw("test", Hash{})
	for range rounds {
		counts[d.Below(n)]++
	}
	var chi float64
	for _, c := range counts {
		chi += (c - rounds/n) * (c - rounds/n) / (rounds / n)
	}
	if chi > 22.5 { // 6 degrees of freedom, p = 0.001
		t.Errorf("chi-square %.1f over %v", chi, counts)
	}
	if d.Below(0) != 0 || d.Below(1) != 0 {
		t.Error("Below(0) and Below(1) must be 0")
	}
}

func TestDistinct(t *testing.T) {
	for _, c := range []struct {
		n    uint64
		k    int
		want int
	}{{0, 3, 0}, {5, 0, 0}, {5, -1, 0}, {5, 3, 3}, {5, 5, 5}, {5, 9, 5}, {1 << 62, 100, 100}} {
		got := NewDraw("test", Hash{4}).Distinct(c.n, c.k)
		slices.Sort(got)
		if len(got) != c.want || len(slices.Compact(slices.Clone(got))) != c.want {
			t.Errorf("Distinct(%d, %d) = %v", c.n, c.k, got)
		}
		if c.want > 0 && got[c.want-1] >= c.n {
			t.Errorf("Distinct(%d, %d) = %v is out of range", c.n, c.k, got)
		}
	}
}

// Every ordered triple of 0..4 must be as likely as any other.
func TestDistinctIsUniform(t *testing.T) {
	const rounds, kinds = 60_000, 60
	counts := map[[3]uint64]float64{}
	d := NewDraw("test", Hash{5})
	for range rounds {
		counts[[3]uint64(d.Distinct(5, 3))]++
	}
	var chi float64
	for _, c := range counts {
		chi += (c - rounds/kinds) * (c - rounds/kinds) / (rounds / kinds)
	}
	if len(counts) != kinds || chi > 98.3 { // 59 degrees of freedom, p = 0.001
		t.Errorf("%d kinds, chi-square %.1f", len(counts), chi)
	}
}
