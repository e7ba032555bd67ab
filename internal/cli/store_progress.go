package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// bar shows a transfer on a terminal, in one line that is written again.
type bar struct {
	w     io.Writer
	live  bool
	begin time.Time
	shown time.Time
}

func newBar(w io.Writer) *bar { return &bar{w: w, live: isTerminal(w), begin: time.Now()} }

const barWidth = 30

func (b *bar) show(done, total int64) {
	now := time.Now()
	if !b.live || total == 0 || now.Sub(b.shown) < 100*time.Millisecond && done < total {
		return
	}
	b.shown = now
	rate := float64(done) / max(now.Sub(b.begin).Seconds(), 1e-3)
	left := time.Duration(float64(total-done) / max(rate, 1) * float64(time.Second))
	full := int(barWidth * done / total)
	fmt.Fprintf(b.w, "\r[%s%s] %3d %%  %s of %s  %s/s  %s left\x1b[K", strings.Repeat("#", full), strings.Repeat(".", barWidth-full),
		100*done/total, bytesText(float64(done)), bytesText(float64(total)), bytesText(rate), left.Round(time.Second))
}

// end clears the line.
func (b *bar) end() {
	if b.live {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// bytesText is a number of bytes for people.
func bytesText(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1000 {
			if unit == "B" {
				return fmt.Sprintf("%.0f B", n)
			}
			return fmt.Sprintf("%.1f %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.1f TiB", n)
}
