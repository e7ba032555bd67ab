package runtime

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/crypto/blake2b"
)

// Hasher is how a map's key becomes part of a storage key, in the metadata's order.
type Hasher uint8

// The hashers. Those with Concat, and Identity, keep the key readable.
const (
	Blake2_128 Hasher = iota
	Blake2_256Hash
	Blake2_128Concat
	Twox128
	Twox256
	Twox64Concat
	Identity
)

var hasherNames = [...]string{"Blake2_128", "Blake2_256", "Blake2_128Concat", "Twox128", "Twox256", "Twox64Concat", "Identity"}

// String is the metadata's name.
func (h Hasher) String() string {
	if int(h) < len(hasherNames) {
		return hasherNames[h]
	}
	return fmt.Sprintf("hasher %d", uint8(h))
}

// size is the length of the hash before the key, and whether the key follows.
func (h Hasher) size() (n int, keyFollows bool) {
	switch h {
	case Blake2_128, Twox128:
		return 16, false
	case Blake2_256Hash, Twox256:
		return 32, false
	case Blake2_128Concat:
		return 16, true
	case Twox64Concat:
		return 8, true
	}
	return 0, true
}

// appendKey appends the hashed key.
func (h Hasher) appendKey(b, key []byte) []byte {
	switch h {
	case Blake2_128, Blake2_128Concat:
		b = append(b, blake2_128(key)...)
	case Blake2_256Hash:
		sum := Blake2_256(key)
		b = append(b, sum[:]...)
	case Twox128:
		b = twox(b, key, 2)
	case Twox256:
		b = twox(b, key, 4)
	case Twox64Concat:
		b = twox(b, key, 1)
	}
	if _, follows := h.size(); follows {
		b = append(b, key...)
	}
	return b
}

// Blake2_256 is Substrate's hash of blocks, extrinsics and long payloads.
func Blake2_256(b []byte) [32]byte { return blake2b.Sum256(b) }

func blake2_128(b []byte) []byte {
	h, err := blake2b.New(16, nil)
	if err != nil { // the size is a constant that it takes
		panic(err)
	}
	h.Write(b)
	return h.Sum(nil)
}

// twox appends words 64-bit xxHashes of data, with the seeds 0, 1, ...
func twox(b, data []byte, words int) []byte {
	for seed := range words {
		d := xxhash.NewWithSeed(uint64(seed))
		_, _ = d.Write(data)
		b = binary.LittleEndian.AppendUint64(b, d.Sum64())
	}
	return b
}
