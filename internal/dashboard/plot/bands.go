package plot

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"templar/internal/dashboard/collect"
)

// Bands are curves, each with the range of its repetitions.
type Bands struct {
	Title  string
	X, Y   string // what the axes show
	Curves []Band
}

// Band is one curve.
type Band struct {
	Name   string
	Points []Range // ascending X
}

// Range is the values at one place.
type Range struct{ X, Low, Mid, High float64 }

// palette has colours that colour-blind people can distinguish (Okabe and Ito 2008); the curves beyond them are dashed.
var palette = []color.NRGBA{
	{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}, {R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}, {R: 0x00, G: 0x9e, B: 0x73, A: 0xff}, {R: 0xcc, G: 0x79, B: 0xa7, A: 0xff},
	{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}, {R: 0x56, G: 0xb4, B: 0xe9, A: 0xff}, {R: 0x22, G: 0x28, B: 0x31, A: 0xff},
}

// Write writes a PNG of Width x Height, with more height for long legends.
func (b Bands) Write(path string) error {
	return collect.WriteFile(path, func(w io.Writer) error { return b.draw(w) })
}

func (b Bands) draw(w io.Writer) error {
	p := newPlot("")
	p.X.Label.Text, p.Y.Label.Text = b.X, b.Y
	p.X.Tick.Marker = plot.TickerFunc(roundTicks)
	var keys []key
	for i, c := range b.Curves {
		line, err := c.add(p, i)
		if err != nil {
			return fmt.Errorf("plot: %s: %w", c.Name, err)
		}
		if line != nil {
			keys = append(keys, key{c.Name, line})
		}
	}
	b.zoom(p)
	const margin, strip, row = 18, 30, 24
	rows := legendRows(keys, pixels(Width-2*margin))
	img := vgimg.NewWith(vgimg.UseWH(pixels(Width), pixels(Height+row*float64(len(rows)-1))), vgimg.UseDPI(dotsPerInch))
	page := draw.New(img)
	page = draw.Crop(page, pixels(margin), -pixels(margin+6), pixels(margin), -pixels(margin))
	page.FillText(p.Title.TextStyle, vg.Point{X: page.Min.X, Y: page.Max.Y}, b.Title)
	for i, keys := range rows {
		drawLegend(draw.Crop(page, 0, 0, 0, -pixels(strip+4+row*float64(i))), keys)
	}
	p.Draw(draw.Crop(page, 0, 0, 0, -pixels(2*strip+6+row*float64(max(0, len(rows)-1)))))
	_, err := vgimg.PngCanvas{Canvas: img}.WriteTo(w)
	return err
}

// add draws the range and the curve.
func (c Band) add(p *plot.Plot, i int) (*plotter.Line, error) {
	var mid, outline plotter.XYs
	for _, r := range c.Points {
		mid = append(mid, plotter.XY{X: r.X, Y: r.Mid})
		outline = append(outline, plotter.XY{X: r.X, Y: r.Low})
	}
	if len(mid) == 0 {
		return nil, nil
	}
	for k := len(c.Points) - 1; k >= 0; k-- {
		outline = append(outline, plotter.XY{X: c.Points[k].X, Y: c.Points[k].High})
	}
	colour := palette[i%len(palette)]
	area, err := plotter.NewPolygon(outline)
	if err != nil {
		return nil, err
	}
	shade := colour
	shade.A = 0x30
	area.Color, area.LineStyle.Width = shade, 0
	line, err := plotter.NewLine(mid)
	if err != nil {
		return nil, err
	}
	line.LineStyle = draw.LineStyle{Color: colour, Width: pixels(2.4)}
	if round := i / len(palette); round > 0 {
		line.Dashes = []vg.Length{pixels(10 / float64(round)), pixels(5)}
	}
	p.Add(area, line)
	return line, nil
}

// zoom leaves out the beginning, where all curves fall alike: the vertical axis ends at the loss that the
// curves have in the mean a tenth of the way.
func (b Bands) zoom(p *plot.Plot) {
	sum, n, end := 0.0, 0, 0.0
	for _, c := range b.Curves {
		for _, r := range c.Points {
			end = max(end, r.X)
		}
	}
	for _, c := range b.Curves {
		for _, r := range c.Points {
			if r.X >= end/10 {
				sum, n = sum+r.Mid, n+1
				break
			}
		}
	}
	if n > 0 {
		p.Y.Max = min(p.Y.Max, sum/float64(n)+0.3)
	}
}

// legendRows puts the entries of a legend in rows that are not wider than width.
func legendRows(keys []key, width vg.Length) (rows [][]key) {
	style := plot.New().Legend.TextStyle
	style.Font = sans(15)
	const thumb, gap, between = 30, 8, 26
	at := vg.Length(0)
	for _, k := range keys {
		need := pixels(thumb+gap+between) + style.Width(k.name)
		if len(rows) == 0 || at+need > width {
			rows, at = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], k)
		at += need
	}
	return rows
}

// roundTicks marks round numbers, large ones with a unit.
func roundTicks(low, high float64) (out []plot.Tick) {
	step := math.Pow(10, math.Floor(math.Log10(max(high-low, 1e-9)/4)))
	for i := 0; (high-low)/step > 8; i++ {
		step *= []float64{2, 2.5, 2}[i%3]
	}
	for i := math.Ceil(low / step); i*step <= high; i++ {
		out = append(out, plot.Tick{Value: i * step, Label: compact(i * step)})
	}
	return out
}

func compact(x float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(x) >= u.size {
			return strconv.FormatFloat(x/u.size, 'g', 4, 64) + u.name
		}
	}
	return strconv.FormatFloat(x, 'g', 4, 64)
}
