package plot

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"testing"

	"gonum.org/v1/plot/plotter"

	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/collect/collecttest"
)

func plotted(t *testing.T, r collect.Summary) image.Image {
	t.Helper()
	path := t.TempDir() + "/loss.png"
	if err := Write(path, r); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if s := img.Bounds().Size(); s.X != Width || s.Y != Height {
		t.Fatalf("picture of %v", s)
	}
	return img
}

// census counts the pixels of each colour.
func census(img image.Image) map[color.NRGBA]int {
	flat := image.NewNRGBA(img.Bounds())
	draw.Draw(flat, flat.Bounds(), img, image.Point{}, draw.Src)
	n := map[color.NRGBA]int{}
	for i := 0; i < len(flat.Pix); i += 4 {
		n[color.NRGBA{flat.Pix[i], flat.Pix[i+1], flat.Pix[i+2], flat.Pix[i+3]}]++
	}
	return n
}

func TestPlotShowsTheCurves(t *testing.T) {
	pixels := census(plotted(t, collecttest.Played(20).Summary()))
	for name, c := range map[string]color.NRGBA{"held-out": blue, "entropy": amber, "miner-0": shades[0], "miner-2": shades[2]} {
		if n := pixels[c]; n < 20 {
			t.Errorf("%s: %d pixels", name, n)
		}
	}
}

func TestPlotOfLittle(t *testing.T) {
	for name, r := range map[string]collect.Summary{"one window": collecttest.Played(1).Summary(), "nothing": {}} {
		if n := census(plotted(t, r))[ink]; n == 0 {
			t.Errorf("%s: no axes", name)
		}
	}
}

func TestEntropyCorner(t *testing.T) {
	line := func(y ...float64) (c plotter.XYs) {
		for i, v := range y {
			c = append(c, plotter.XY{X: float64(i), Y: v})
		}
		return c
	}
	for name, c := range map[string]struct {
		curve       plotter.XYs
		left, below bool
	}{
		"ends near":  {line(5, 4, 3.5, 3.2), true, true},
		"ends under": {line(3.5, 3, 2.5, 1), false, false},
		"stays over": {line(4, 4.5, 5, 6), false, true},
		"nothing":    {nil, false, false},
	} {
		if left, below := entropyCorner(c.curve, 3.16); left != c.left || below != c.below {
			t.Errorf("%s: left %v, below %v", name, left, below)
		}
	}
}

func TestTicksAreFew(t *testing.T) {
	for _, high := range []float64{1, 7, 30, 999, 1e6, 1e12} {
		got := wholeTicks(0, high)
		if len(got) < 2 || len(got) > 13 {
			t.Errorf("0 to %v: %d ticks", high, len(got))
		}
	}
}
