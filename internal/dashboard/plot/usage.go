package plot

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"templar/internal/dashboard/collect"
)

// usageHeight is the height of the strip under the curves, in pixels.
const usageHeight = 130

// usage is the strip that shows, window by window, the share of the cores that computed, and of each
// miner's time; nil when it is not known. It has the curves' range of windows.
func usage(r collect.Summary, curves *plot.Plot) (*plot.Plot, error) {
	p := newPlot(r.TokenUnit)
	p.X.Label.Text, p.Y.Label.Text = "", "in use"
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = curves.X.Min, curves.X.Max, 0, 1
	p.X.Tick.Marker = plot.TickerFunc(func(float64, float64) []plot.Tick { return nil })
	p.Y.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "0 %"}, {Value: 0.5, Label: "50 %"}, {Value: 1, Label: "100 %"}}
	drawn := false
	add := func(style draw.LineStyle, of func(collect.Window) collect.Measure) error {
		var points plotter.XYs
		for _, w := range r.Windows {
			if u := of(w); u.Known() {
				points = append(points, plotter.XY{X: float64(w.Window), Y: math.Min(1, float64(u))})
			}
		}
		if len(points) == 0 {
			return nil
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.LineStyle, drawn = style, true
		p.Add(line)
		return nil
	}
	for i, node := range trainers(r) {
		style := draw.LineStyle{Color: shades[i%len(shades)], Width: pixels(1.2)}
		if err := add(style, func(w collect.Window) collect.Measure {
			if u, ok := w.MinerUtilisation[node]; ok {
				return u
			}
			return collect.Unknown()
		}); err != nil {
			return nil, err
		}
	}
	err := add(draw.LineStyle{Color: blue, Width: pixels(2.4)}, func(w collect.Window) collect.Measure { return w.Utilisation })
	if err != nil || !drawn {
		return nil, err
	}
	return p, nil
}
