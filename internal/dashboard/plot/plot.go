// Package plot draws the loss curves of a run.
package plot

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/human"
)

// The picture's size in pixels.
const (
	Width  = 1200
	Height = 700
)

// Write writes the run's loss curves to path as a PNG of Width x Height.
func Write(path string, r collect.Summary) error {
	return collect.WriteFile(path, func(w io.Writer) error { return drawPlot(w, r) })
}

func drawPlot(w io.Writer, r collect.Summary) error {
	p, keys, err := curves(r)
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	img := vgimg.NewWith(vgimg.UseWH(pixels(Width), pixels(Height)), vgimg.UseDPI(dotsPerInch))
	page := draw.New(img)
	const margin, strip = 18, 30 // the legend has a strip of its own under the title
	page = draw.Crop(page, pixels(margin), -pixels(margin+6), pixels(margin), -pixels(margin))
	title := p.Title.TextStyle
	page.FillText(title, vg.Point{X: page.Min.X, Y: page.Max.Y}, headline(r))
	drawLegend(draw.Crop(page, 0, 0, 0, -pixels(strip+4)), keys)
	body := draw.Crop(page, 0, 0, 0, -pixels(2*strip+6))
	low, err := usage(r, p)
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	if low != nil {
		upper, lower := draw.Crop(body, 0, 0, pixels(usageHeight), 0), draw.Crop(body, 0, 0, 0, pixels(usageHeight)-(body.Max.Y-body.Min.Y))
		plots := [][]*plot.Plot{{p}, {low}} // aligned at their axes
		tiles := plot.Align(plots, draw.Tiles{Rows: 2, Cols: 1}, body)
		upper.Min.X, upper.Max.X, lower.Min.X, lower.Max.X = tiles[0][0].Min.X, tiles[0][0].Max.X, tiles[1][0].Min.X, tiles[1][0].Max.X
		low.Draw(lower)
		body = upper
	}
	p.Draw(body)
	_, err = vgimg.PngCanvas{Canvas: img}.WriteTo(w)
	return err
}

func headline(r collect.Summary) string {
	s := fmt.Sprintf("Templar %s, seed %d, on %s", r.Preset, r.Seed, r.Corpus)
	if r.FinalLoss.Known() {
		s += fmt.Sprintf(": held-out loss %s to %s", human.Fixed(r.InitialLoss, 2), human.Fixed(r.FinalLoss, 2))
	}
	if r.Utilisation.Known() {
		s += fmt.Sprintf(", cores %s in use (below)", human.Percent(float64(r.Utilisation)))
	}
	return s
}

func curves(r collect.Summary) (*plot.Plot, []key, error) {
	p := newPlot(r.TokenUnit)
	var keys []key
	add := func(name string, points plotter.XYs, style draw.LineStyle) error {
		if len(points) == 0 {
			return nil
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.LineStyle = style
		p.Add(line)
		keys = append(keys, key{name, line})
		return nil
	}
	for i, node := range trainers(r) {
		style := draw.LineStyle{Color: shades[i%len(shades)], Width: pixels(1.8)}
		if err := add(node+" on its pages", trainingLoss(r, node), style); err != nil {
			return nil, nil, err
		}
	}
	heldOut := heldOutLoss(r)
	if err := add("held-out text", heldOut, draw.LineStyle{Color: blue, Width: pixels(3)}); err != nil {
		return nil, nil, err
	}
	if err := addDots(p, heldOut); err != nil {
		return nil, nil, err
	}
	if n := len(keys); n > 0 && len(heldOut) > 0 { // drawn last, above the others, but named first
		keys = slices.Concat(keys[n-1:], keys[:n-1])
	}
	if r.UnigramEntropy.Known() {
		return p, keys, addEntropy(p, heldOut, float64(r.UnigramEntropy))
	}
	return p, keys, nil
}

// trainers lists the nodes that have a training loss, by name.
func trainers(r collect.Summary) []string {
	names := map[string]bool{}
	for _, w := range r.Windows {
		for n := range w.TrainingLoss {
			names[n] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// heldOutLoss is the curve of the loss after each window. The initial loss is what
// the window before the first would have left.
func heldOutLoss(r collect.Summary) plotter.XYs {
	var points plotter.XYs
	if r.InitialLoss.Known() && len(r.Windows) > 0 {
		points = append(points, plotter.XY{X: float64(r.Windows[0].Window) - 1, Y: float64(r.InitialLoss)})
	}
	for _, w := range r.Windows {
		if w.HeldOutLoss.Known() {
			points = append(points, plotter.XY{X: float64(w.Window), Y: float64(w.HeldOutLoss)})
		}
	}
	return points
}

func trainingLoss(r collect.Summary, node string) plotter.XYs {
	var points plotter.XYs
	for _, w := range r.Windows {
		if loss, ok := w.TrainingLoss[node]; ok && loss.Known() {
			points = append(points, plotter.XY{X: float64(w.Window), Y: float64(loss)})
		}
	}
	return points
}

// addDots marks the single measurements, unless they would run together.
func addDots(p *plot.Plot, points plotter.XYs) error {
	const most = 80
	if len(points) == 0 || len(points) > most {
		return nil
	}
	dots, err := plotter.NewScatter(points)
	if err != nil {
		return err
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: blue, Radius: pixels(4.5), Shape: draw.CircleGlyph{}}
	p.Add(dots)
	return nil
}

// addEntropy draws the corpus's unigram entropy as a dashed line from edge to edge,
// named where the held-out curve leaves room.
func addEntropy(p *plot.Plot, curve plotter.XYs, entropy float64) error {
	level := plotter.NewFunction(func(float64) float64 { return entropy })
	level.Samples = 2
	level.LineStyle = draw.LineStyle{Color: amber, Width: pixels(1.8), Dashes: []vg.Length{pixels(9), pixels(6)}}
	p.Y.Min, p.Y.Max = min(p.Y.Min, entropy), max(p.Y.Max, entropy) // a Function has no range of its own
	if len(curve) == 0 {
		p.X.Min, p.X.Max = 0, 1
	}
	at := plotter.XY{X: p.X.Max, Y: entropy}
	style, rise := p.X.Tick.Label, 5.0
	style.Color, style.XAlign, style.YAlign = amber, draw.XRight, draw.YBottom
	left, below := entropyCorner(curve, entropy)
	if left {
		at.X, style.XAlign = p.X.Min, draw.XLeft
	}
	if below {
		style.YAlign, rise = draw.YTop, -rise
	}
	text, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{at}, Labels: []string{"unigram entropy " + human.Fixed(entropy, 2)}})
	if err != nil {
		return err
	}
	text.TextStyle[0], text.Offset = style, vg.Point{Y: pixels(rise)}
	p.Add(level, text)
	return nil
}

// entropyCorner says at which end of the entropy's line, and on which side of it, the
// curve is farther away.
func entropyCorner(curve plotter.XYs, entropy float64) (left, below bool) {
	if len(curve) == 0 {
		return false, false
	}
	const share = 6 // the text takes about a sixth of the width
	n := (len(curve) + share - 1) / share
	distance := func(part plotter.XYs) (least, signed float64) {
		least = math.Inf(1)
		for _, p := range part {
			least = min(least, math.Abs(p.Y-entropy))
			signed += p.Y - entropy
		}
		return least, signed
	}
	first, above := distance(curve[:n])
	last, signed := distance(curve[len(curve)-n:])
	if first > last {
		return true, above > 0
	}
	return false, signed > 0
}
