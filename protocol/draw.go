package protocol

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// Draw is a stream of random integers that every node can recompute from a seed, usually
// a block's hash. Page assignments, samples and peer lists are drawn from it.
//
// The stream is ChaCha8 as C2SP's chacha8rand specifies it, keyed with the SHA-256 of
// "templar draw", a zero byte, the purpose, a zero byte, the seed, and each number as
// eight little-endian bytes. The purpose keeps streams of one seed independent.
type Draw struct{ source *rand.ChaCha8 }

// NewDraw starts the stream of a purpose, a seed and further numbers, such as a window and a uid.
func NewDraw(purpose string, seed Hash, numbers ...uint64) *Draw {
	key := append([]byte("templar draw\x00"+purpose+"\x00"), seed[:]...)
	for _, n := range numbers {
		key = binary.LittleEndian.AppendUint64(key, n)
	}
	return &Draw{rand.NewChaCha8(sha256.Sum256(key))}
}

// Uint64 returns the next word of the stream.
func (d *Draw) Uint64() uint64 { return d.source.Uint64() }

// Below returns a uniform integer in [0, n): the next 64-bit value modulo n, where
// values below 2^64 mod n are skipped, since they would bias the result.
// It returns 0 for n = 0.
func (d *Draw) Below(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	reject := -n % n
	for {
		if v := d.source.Uint64(); v >= reject {
			return v % n
		}
	}
}

// Distinct returns k different uniform integers in [0, n) in the order of drawing,
// or all n when k is larger: the first steps of a Fisher-Yates shuffle of 0..n-1.
func (d *Draw) Distinct(n uint64, k int) []uint64 {
	k = int(min(uint64(max(k, 0)), n))
	moved := make(map[uint64]uint64, k) // positions of the shuffle that do not hold themselves
	at := func(i uint64) uint64 {
		if v, ok := moved[i]; ok {
			return v
		}
		return i
	}
	out := make([]uint64, k)
	for i := range out {
		j := uint64(i) + d.Below(n-uint64(i))
		out[i] = at(j)
		moved[j] = at(uint64(i))
	}
	return out
}
