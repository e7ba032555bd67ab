package plot

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const dotsPerInch = 96

func pixels(n float64) vg.Length { return vg.Length(n) * vg.Inch / dotsPerInch }

var (
	ink    = color.NRGBA{R: 0x22, G: 0x28, B: 0x31, A: 0xff}
	rule   = color.NRGBA{R: 0xe3, G: 0xe7, B: 0xec, A: 0xff}
	blue   = color.NRGBA{R: 0x1f, G: 0x5f, B: 0xbf, A: 0xff}
	amber  = color.NRGBA{R: 0xc2, G: 0x5b, B: 0x12, A: 0xff}
	shades = []color.NRGBA{
		{R: 0x7f, G: 0xb8, B: 0x9a, A: 0xff}, {R: 0xb3, G: 0x9c, B: 0xd0, A: 0xff}, {R: 0xd8, G: 0xb4, B: 0x6a, A: 0xff},
		{R: 0x8f, G: 0xb4, B: 0xd9, A: 0xff}, {R: 0xd9, G: 0x9a, B: 0xa5, A: 0xff}, {R: 0xa8, G: 0xa8, B: 0xa8, A: 0xff},
	}
)

func newPlot(unit string) *plot.Plot {
	p := plot.New()
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Tick.Label.Font = sans(18), sans(15)
		a.Label.TextStyle.Color, a.Tick.Label.Color, a.Color, a.Tick.Color = ink, ink, ink, ink
		a.Label.Padding, a.Padding = pixels(8), pixels(6)
	}
	p.Title.TextStyle.Font, p.Title.TextStyle.Color = sans(21), ink
	p.Title.TextStyle.XAlign, p.Title.TextStyle.YAlign = draw.XLeft, draw.YTop
	p.X.Label.Text, p.Y.Label.Text = "window", fmt.Sprintf("loss (nats per %s)", unit)
	p.X.Tick.Marker = plot.TickerFunc(wholeTicks)
	p.Y.Tick.Marker = plot.TickerFunc(lossTicks)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Transparent, rule
	grid.Horizontal.Width = pixels(1)
	p.Add(grid)
	return p
}

func sans(size float64) font.Font {
	f := font.From(plot.DefaultFont, pixels(size))
	f.Variant = "Sans"
	return f
}

// wholeTicks marks whole numbers, lossTicks also tenths, at most about a dozen.
func wholeTicks(low, high float64) []plot.Tick { return ticks(low, high, 1) }

func lossTicks(low, high float64) []plot.Tick { return ticks(low, high, 0.1) }

func ticks(low, high, step float64) []plot.Tick {
	for i := 0; (high-low)/step > 12; i++ {
		step *= []float64{2, 2.5, 2}[i%3] // 1, 2, 5, 10, 20, 50, ...
	}
	decimals := 0
	if step < 1 {
		decimals = 1
	}
	var out []plot.Tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		out = append(out, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'f', decimals, 64)})
	}
	return out
}

// key is one entry of the legend.
type key struct {
	name  string
	thumb plot.Thumbnailer
}

// drawLegend names the curves in one line along the top of c, as far as it reaches.
func drawLegend(c draw.Canvas, keys []key) {
	style := plot.New().Legend.TextStyle
	style.Font, style.Color = sans(15), ink
	style.YAlign = draw.YCenter
	const thumb, gap, between = 30, 8, 26
	height := style.Height("X")
	x, y := c.Min.X, c.Max.Y-height
	for _, k := range keys {
		width := pixels(thumb+gap) + style.Width(k.name)
		if x+width > c.Max.X {
			return
		}
		k.thumb.Thumbnail(&draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: x, Y: y - height/2}, Max: vg.Point{X: x + pixels(thumb), Y: y + height/2},
		}})
		c.FillText(style, vg.Point{X: x + pixels(thumb+gap), Y: y}, k.name)
		x += width + pixels(between)
	}
}
