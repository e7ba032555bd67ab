package human

import (
	"math"
	"testing"
	"time"
)

func TestFormats(t *testing.T) {
	for bytes, want := range map[int64][2]string{0: {"0 B", "0"}, 999: {"999 B", "999"}, 1000: {"1.0 KiB", "1.0K"}, 13517: {"13.2 KiB", "13.2K"}, 1 << 20: {"1.0 MiB", "1.0M"}, 1 << 62: {"4.0 EiB", "4.0E"}} {
		if got := [2]string{Size(bytes), Compact(bytes)}; got != want {
			t.Errorf("%d bytes: %q, want %q", bytes, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := Count(n); got != want {
			t.Errorf("count %q, want %q", got, want)
		}
	}
	for seconds, want := range map[int]string{-1: "0s", 59: "59s", 112: "1m52s", 7380: "2h03m"} {
		if got := Elapsed(time.Duration(seconds) * time.Second); got != want {
			t.Errorf("elapsed %q, want %q", got, want)
		}
	}
	for got, want := range map[string]string{
		Fixed(1.25, 1): "1.2", Fixed(math.NaN(), 1): "-", Whole(2309.6): "2,310", Whole(math.Inf(1)): "-", Percent(0.412): "41.2%", Percent(math.NaN()): "-",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
