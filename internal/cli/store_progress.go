package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"templar/internal/store/transfer"
)

// bar shows a transfer on a terminal, in one line that is rewritten.
type bar struct {
	w     io.Writer
	live  bool
	begin time.Time
	shown time.Time
	moved int64 // bytes, by this run
}

func newBar(w io.Writer) *bar { return &bar{w: w, live: isTerminal(w), begin: time.Now()} }

const barWidth = 30

func (b *bar) show(p transfer.Progress) {
	b.moved = p.Moved
	now, done, total := time.Now(), p.Done, p.Total
	if !b.live || total == 0 || (now.Sub(b.shown) < 100*time.Millisecond && done < total) {
		return
	}
	b.shown = now
	rate := float64(p.Moved) / max(now.Sub(b.begin).Seconds(), 1e-3)
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

// done summarises a transfer in one line.
func (b *bar) done(w io.Writer, what string, size int64) error {
	bytes := fmt.Sprintf("%d bytes", size)
	if b.moved < size {
		bytes += fmt.Sprintf(", %d of them now,", b.moved)
	}
	took := time.Since(b.begin).Seconds()
	_, err := fmt.Fprintf(w, "%s  %s in %.1f s, %s/s\n", keyText(what), bytes, took, bytesText(float64(b.moved)/max(took, 1e-3)))
	return err
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
