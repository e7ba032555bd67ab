package scores

import (
	"image/color"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"templar/internal/adversary"
)

// drawn are the kinds that the plot shows: the hardest to detect, and one of the others.
var drawn = []string{
	string(adversary.Huge), string(adversary.Collude), string(adversary.WrongPages), string(adversary.CopycatEvasive), string(adversary.Stale),
}

// colours are distinguishable with most colour vision deficiencies (Okabe and Ito 2008).
var colours = []color.RGBA{{213, 94, 0, 255}, {204, 121, 167, 255}, {0, 114, 178, 255}, {0, 158, 115, 255}, {0, 0, 0, 255}}

// plotAreas draws the area under the curve, honest against each kind, after each evaluation.
func plotAreas(t *testing.T, runs []result, file string) {
	t.Helper()
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "evaluations", "area under the curve"
	p.Y.Min, p.Y.Max = 0, 1.02
	p.Legend.YOffs = vg.Centimeter
	all := outcomes(t, runs, rule{})
	wanted := plotter.NewFunction(func(float64) float64 { return 0.95 })
	wanted.Color, wanted.Dashes = color.Gray{160}, []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(wanted)
	for i, kind := range drawn {
		f := all[kind]
		if f == nil {
			continue
		}
		points := make(plotter.XYs, len(f.curves))
		for w, c := range f.curves {
			points[w] = plotter.XY{X: float64(w + 1), Y: c.area()}
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			t.Fatal(err)
		}
		line.Color, line.Width = colours[i], vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(kind, line)
	}
	if err := p.Save(16*vg.Centimeter, 9*vg.Centimeter, file); err != nil {
		t.Fatal(err)
	}
}
