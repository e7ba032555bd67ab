package codec

import (
	"math"
	"testing"
)

const halfInfinity = 0x7c00

func TestHalfIsExact(t *testing.T) {
	for h := range uint32(1 << 16) {
		v := halfToFloat(uint16(h))
		if h&halfInfinity == halfInfinity {
			if finite(v) {
				t.Fatalf("half %#x is %v", h, v)
			}
			continue
		}
		if back := halfFromFloat(v); back != uint16(h) && v != 0 {
			t.Fatalf("half %#x is %v, which comes back as %#x", h, v, back)
		}
	}
}

func TestHalfRoundsToEven(t *testing.T) {
	for h := uint16(0); h < halfInfinity-1; h++ {
		low, high := halfToFloat(h), halfToFloat(h+1)
		middle := (low + high) / 2
		even := h + h&1
		if got := halfFromFloat(middle); got != even {
			t.Fatalf("%v, between %#x and %#x, becomes %#x", middle, h, h+1, got)
		}
		if got := halfFromFloat(math.Nextafter32(middle, high)); got != h+1 {
			t.Fatalf("just above the middle of %#x and %#x becomes %#x", h, h+1, got)
		}
	}
}
