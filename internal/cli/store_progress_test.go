package cli

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/store/transfer"
)

// TestRateIsOfThisRun: the rate excludes the bytes that an earlier run moved.
func TestRateIsOfThisRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const mib = 1 << 20
		var line, end bytes.Buffer
		b := newBar(&line)
		b.live = true
		time.Sleep(10 * time.Second)
		b.show(transfer.Progress{Done: 900 * mib, Moved: 50 * mib, Total: 1000 * mib})
		if want := " 90 %  900.0 MiB of 1.0 GiB  5.0 MiB/s  20s left"; !strings.Contains(line.String(), want) {
			t.Errorf("line %q, want %q in it", line.String(), want)
		}
		time.Sleep(20 * time.Second)
		b.show(transfer.Progress{Done: 1000 * mib, Moved: 150 * mib, Total: 1000 * mib})
		if err := b.done(&end, "key", 1000*mib); err != nil {
			t.Fatal(err)
		}
		if want := "key  1048576000 bytes, 157286400 of them now, in 30.0 s, 5.0 MiB/s\n"; end.String() != want {
			t.Errorf("end %q, want %q", end.String(), want)
		}
	})
}
