package userfile

import "testing"

func TestQuantity(t *testing.T) {
	for text, want := range map[string]float64{"300M": 3e8, "300 Mb/s": 3e8, "1e8": 1e8, "1.5Gbit/s": 1.5e9, "100": 100, "1T": 1e12, "2k": 2e3} {
		if got, err := Quantity(text, "b/s"); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "NaN", "Inf", "M", "fast", "1e400", "3 M M"} {
		if got, err := Quantity(text, "b/s"); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
