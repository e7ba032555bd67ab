package kernel

import "math"

// key orders values by magnitude.
func key(v float32) uint32 { return math.Float32bits(v) &^ (1 << 31) }

// tooLarge is the key of 2^127.
const tooLarge = 254 << 23

// topKGeneric is TopK.
func topKGeneric(dst []uint16, x []float32, k int, keys []uint32) (_ []uint16, ok bool) {
	least, ties, ok := threshold(x, k, keys[:len(x)])
	if !ok {
		return dst, false
	}
	if least == 0 { // fewer than k values are not zero
		ties = 0
	}
	for i, v := range x {
		switch at := key(v); {
		case at > least:
			dst = append(dst, uint16(i))
		case at == least && ties > 0:
			dst = append(dst, uint16(i))
			ties--
		}
	}
	return dst, true
}

// threshold finds the k-th largest key, and how many values with just that key are
// among the k largest, by radix selection: eight bits a round, keeping only the keys
// that can still be it.
func threshold(x []float32, k int, keys []uint32) (least uint32, ties int, ok bool) {
	for i, v := range x {
		keys[i] = key(v)
	}
	for shift := 23; ; shift -= 8 {
		down := max(shift, 0)
		var count [256]int
		for _, at := range keys {
			count[at>>down&255]++
		}
		if shift == 23 && count[254]+count[255] > 0 { // the digit is the exponent: 2^127 and above
			return 0, 0, false
		}
		digit := uint32(255)
		for ; count[digit] < k; digit-- {
			k -= count[digit]
		}
		least |= digit << down
		if shift < 0 {
			return least, k, true
		}
		keys = keep(keys, down, digit)
	}
}

func keep(keys []uint32, shift int, digit uint32) []uint32 {
	n := 0
	for _, at := range keys {
		keys[n] = at
		if at>>shift&255 == digit {
			n++
		}
	}
	return keys[:n]
}
