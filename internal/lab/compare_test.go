package lab

import (
	"math"
	"strings"
	"testing"

	"templar/internal/dashboard/collect"
)

func result(variant string, seed uint64, size int64, losses ...float64) *Result {
	r := &Result{Variant: variant, Seed: seed, Build: "b", Utilise: collect.Unknown()}
	for i, loss := range losses {
		n := int64(i)
		r.Points = append(r.Points, Point{Window: i, Tokens: 100 * n, Up: size * n, Down: size * n, Loss: loss})
	}
	return r
}

// Of two variants of different length and size, losses are compared where both are.
func TestCompare(t *testing.T) {
	variants := []Variant{{Name: "long"}, {Name: "short"}, {Name: "silent", Baseline: &Baseline{Kind: Solo}}}
	c := compare(variants, [][]*Result{
		{result("long", 1, 1000, 5, 4, 3, 2), result("long", 2, 1000, 5, 4, 3, 2.2)},
		{result("short", 1, 500, 5, 3.5, 2.9), result("short", 2, 500, 5, 3.5, 3)},
		{result("silent", 1, 0, 5, 3, 2, 1), result("silent", 2, 0, 5, 3, 2, 1)},
	})
	if c.Tokens != 200 || c.Windows != 2 || c.Bytes != 2000 {
		t.Errorf("compared at %v tokens, %v windows, %v bytes", c.Tokens, c.Windows, c.Bytes)
	}
	long, short, silent := c.Variants[0], c.Variants[1], c.Variants[2]
	near(t, "long at tokens", long.AtTokens.Mean, 3)
	near(t, "long at bytes", long.AtBytes.Mean, 4)
	near(t, "short at bytes", short.AtBytes.Mean, 2.95)
	near(t, "long at the end", long.Final.Mean, 2.1)
	near(t, "its deviation", long.Final.SD, math.Sqrt(0.02))
	near(t, "its interval", long.Final.Half, 12.706*math.Sqrt(0.02)/math.Sqrt2)
	near(t, "difference of pairs", short.Against.Mean, 0.85)
	near(t, "its deviation", short.Against.SD, 0.05*math.Sqrt2)
	if silent.AtBytes.N != 0 || long.Up.Mean != 1000 {
		t.Errorf("silent %+v, long %+v", silent, long.Up)
	}
	var text, page strings.Builder
	if err := c.Table(&text); err != nil {
		t.Fatal(err)
	}
	if err := c.Markdown(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"variant", "at 200 tokens", "at 2 windows", "at 2.0 KiB", "+0.8500 ±0.6353", "sd 0.1414"} {
		if !strings.Contains(text.String(), want) || !strings.Contains(page.String(), want) {
			t.Errorf("no %q in\n%s\n%s", want, text.String(), page.String())
		}
	}
	if strings.Contains(text.String(), "utilisation") || strings.Contains(text.String(), "pay") {
		t.Errorf("columns without values:\n%s", text.String())
	}
}

func near(t *testing.T, what string, got collect.Measure, want float64) {
	t.Helper()
	if math.Abs(float64(got)-want) > 1e-9 {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// A difference smaller than its interval is chance, and so is that of one seed.
func TestChance(t *testing.T) {
	for _, c := range []struct {
		values []collect.Measure
		chance bool
	}{{[]collect.Measure{0.1}, true}, {[]collect.Measure{0.1, 0.11, 0.09}, false}, {[]collect.Measure{0.1, -0.1, 0.2}, true}} {
		if got := stat(c.values).Chance(); got != c.chance {
			t.Errorf("%v: chance is %v", c.values, got)
		}
	}
}
