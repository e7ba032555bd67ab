package userfile_test

import (
	"testing"

	"templar/internal/userfile"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{
		"": 0, "0": 0, "1000000": 1e6, "24GiB": 24 << 30, "16g": 16 << 30, " 800 MB ": 800e6, "1.5GiB": 3 << 29, "64k": 64 << 10, "2TB": 2e12, "7b": 7,
	} {
		if got, err := userfile.Size(text); got != want || err != nil {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, bad := range []string{"lots", "GiB", "-1g", "1e30", "24 Gib/s", "NaN", "inf", "0x10", "9223372036854775807t"} {
		if got, err := userfile.Size(bad); err == nil {
			t.Errorf("%q is taken as %d", bad, got)
		}
	}
}
