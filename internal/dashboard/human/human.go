// Package human writes quantities for people, in few characters.
package human

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Size writes bytes: "512 B", "13.2 KiB".
func Size(bytes int64) string {
	x, unit := scaled(bytes)
	if unit == "" {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %siB", x, unit)
}

// Compact is Size in at most six cells, for columns: "512", "13.2K".
func Compact(bytes int64) string {
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

// Count writes a whole number with thousands apart: "12,345".
func Count(n int64) string {
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

// Fixed writes x with the given decimals, or a dash when it is not finite.
func Fixed[T ~float64](x T, decimals int) string {
	if !finite(x) {
		return "-"
	}
	return strconv.FormatFloat(float64(x), 'f', decimals, 64)
}

// Whole writes a rate, rounded: "2,310", or a dash when it is not finite.
func Whole[T ~float64](x T) string {
	if !finite(x) {
		return "-"
	}
	return Count(int64(x + 0.5))
}

// Percent writes a share: "41.2%", or a dash when it is not finite.
func Percent[T ~float64](x T) string {
	if !finite(x) {
		return "-"
	}
	return strconv.FormatFloat(100*float64(x), 'f', 1, 64) + "%"
}

func finite[T ~float64](x T) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }

// Elapsed writes a duration as a clock does: "1m52s", "2h03m".
func Elapsed(d time.Duration) string {
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
