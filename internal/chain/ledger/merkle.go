package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"templar/protocol"
)

// root is the RFC 6962 Merkle tree hash over the records in order of key. A leaf is
//
//	uvarint(len key) | key | uvarint(32) | SHA-256(value)
//
// as in CometBFT's key/value proofs, which therefore prove our records.
func (s *state) root() protocol.Hash {
	leaves := make([]protocol.Hash, 0, len(s.records))
	var b []byte
	for k, v := range s.sorted() {
		sum := sha256.Sum256(v)
		b = append(b[:0], 0)
		b = binary.AppendUvarint(b, uint64(len(k)))
		b = append(b, k...)
		b = append(b, sha256.Size)
		leaves = append(leaves, sha256.Sum256(append(b, sum[:]...)))
	}
	return treeHash(leaves)
}

func treeHash(leaves []protocol.Hash) protocol.Hash {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	default:
		split := 1 << (bits.Len(uint(n-1)) - 1) // the largest power of two below n
		l, r := treeHash(leaves[:split]), treeHash(leaves[split:])
		var b [1 + 2*sha256.Size]byte
		b[0] = 1
		copy(b[1:], l[:])
		copy(b[1+sha256.Size:], r[:])
		return sha256.Sum256(b[:])
	}
}
