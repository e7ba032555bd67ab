package dashboard

import (
	"fmt"
	"strconv"
	"time"
)

// size writes bytes for people: "512 B", "13.2 KiB".
func size(bytes int64) string {
	x, unit := scaled(bytes)
	if unit == "" {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %siB", x, unit)
}

// compact is size in at most six cells, for columns: "512", "13.2K".
func compact(bytes int64) string {
	x, unit := scaled(bytes)
	if unit == "" {
		return strconv.FormatInt(bytes, 10)
	}
	return fmt.Sprintf("%.1f%s", x, unit)
}

func scaled(bytes int64) (x float64, unit string) {
	const step, limit = 1024, 999.95 // beyond the limit four digits would stand before the point
	x = float64(bytes)
	for _, next := range []string{"K", "M", "G", "T", "P", "E"} {
		if x < limit {
			break
		}
		x, unit = x/step, next
	}
	return x, unit
}

// count writes a whole number with thousands apart: "12,345".
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// fixed writes n with the given decimals, or a dash when it is not known.
func (n Number) fixed(decimals int) string {
	if !n.Known() {
		return "-"
	}
	return strconv.FormatFloat(float64(n), 'f', decimals, 64)
}

// whole writes a rate, rounded: "2,310".
func (n Number) whole() string {
	if !n.Known() {
		return "-"
	}
	return count(int64(n + 0.5))
}

// percent writes a share: "41.2%".
func (n Number) percent() string {
	if !n.Known() {
		return "-"
	}
	return strconv.FormatFloat(100*float64(n), 'f', 1, 64) + "%"
}

// elapsed writes a duration as a clock does: "1m52s", "2h03m".
func elapsed(d time.Duration) string {
	d = max(0, d.Round(time.Second))
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case h > 0:
		return fmt.Sprintf("%dh%02dm", h, m)
	case m > 0:
		return fmt.Sprintf("%dm%02ds", m, s)
	}
	return fmt.Sprintf("%ds", s)
}
