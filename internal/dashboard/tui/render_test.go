package tui

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/collect/collecttest"
)

// scriptFrame is the view in the middle of a window of the script.
func scriptFrame(width, height int) frame {
	c := collecttest.Played(9)
	s := c.State()
	s.Windows = 25
	return frame{State: s, now: s.BlockSeen.Add(300 * time.Millisecond), width: width, height: height}
}

func TestRenderGolden(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 30}, {40, 10}, {60, 12}} {
		golden(t, fmt.Sprintf("live_%dx%d.txt", size[0], size[1]), []byte(render(scriptFrame(size[0], size[1]))+"\n"))
	}
	waiting := frame{State: collect.NewCollector(collecttest.Meta(25)).State(), now: collecttest.Begin, width: 80, height: 14, stopping: true}
	golden(t, "live_waiting.txt", []byte(render(waiting)+"\n"))
}

func TestRenderFitsEveryTerminal(t *testing.T) {
	f := scriptFrame(0, 0)
	f.Notes = append(f.Notes, collect.Note{Level: slog.LevelError, Text: strings.Repeat("世界", 100)})
	for _, colour := range []bool{false, true} {
		f.palette = newPalette(colour)
		for width := 0; width <= 130; width += 13 {
			for height := 0; height <= 40; height += 3 {
				f.width, f.height = width, height
				fits(t, render(f), width, height)
			}
		}
	}
}

func fits(t *testing.T, text string, width, height int) {
	t.Helper()
	if text == "" {
		return
	}
	lines := strings.Split(text, "\n")
	if len(lines) > height {
		t.Fatalf("%d lines on %dx%d", len(lines), width, height)
	}
	for _, l := range lines {
		if lipgloss.Width(l) > width {
			t.Fatalf("line of %d cells on %dx%d: %q", lipgloss.Width(l), width, height, l)
		}
	}
}

func TestSparkline(t *testing.T) {
	for _, c := range []struct {
		values []float64
		width  int
		want   string
	}{
		{nil, 5, ""}, {[]float64{1}, 5, "▁"}, {[]float64{2, 2}, 5, "▁▁"}, {[]float64{8, 1, 4.5}, 5, "█▁▅"},
		{[]float64{9, 3, 2, 1}, 3, "█▅▁"}, {[]float64{1, 2}, 0, ""}, {[]float64{1, 2}, -3, ""},
	} {
		if got := sparkline(c.values, c.width); got != c.want {
			t.Errorf("%v in %d: %q, want %q", c.values, c.width, got, c.want)
		}
	}
}
