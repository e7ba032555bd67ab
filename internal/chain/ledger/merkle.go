package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"templar/protocol"
)

// Tree is the state after a block as a Merkle tree. It does not change.
type Tree struct {
	records []Record // ascending by key
	leaves  []protocol.Hash
	root    protocol.Hash
}

// Record is one key of the state with its value.
type Record struct {
	Key   string
	Value []byte
}

// Tree returns the tree of the newest block, in time proportional to the state.
func (l *Ledger) Tree() *Tree {
	n := len(l.state.records)
	t := &Tree{records: make([]Record, 0, n), leaves: make([]protocol.Hash, 0, n)}
	for k, v := range l.state.sorted() {
		t.records = append(t.records, Record{k, v})
		h, ok := l.state.leaves[k]
		if !ok {
			h = leafHash(k, sha256.Sum256(v))
			l.state.leaves[k] = h
		}
		t.leaves = append(t.leaves, h)
	}
	t.root = treeHash(t.leaves)
	return t
}

// Root is the RFC 6962 Merkle tree hash over the records in order of key.
func (t *Tree) Root() protocol.Hash { return t.root }

// leafHash is of
//
//	uvarint(len key) | key | uvarint(32) | SHA-256(value)
//
// as in CometBFT's key/value proofs, which therefore prove our records.
func leafHash(key string, value protocol.Hash) protocol.Hash {
	b := binary.AppendUvarint([]byte{0}, uint64(len(key)))
	b = append(b, key...)
	b = append(b, sha256.Size)
	return sha256.Sum256(append(b, value[:]...))
}

func treeHash(leaves []protocol.Hash) protocol.Hash {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	default:
		split := splitOf(n)
		return innerHash(treeHash(leaves[:split]), treeHash(leaves[split:]))
	}
}

// splitOf is the largest power of two below n.
func splitOf(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

func innerHash(l, r protocol.Hash) protocol.Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], l[:])
	copy(b[1+sha256.Size:], r[:])
	return sha256.Sum256(b[:])
}

// Len is the number of records.
func (t *Tree) Len() int { return len(t.records) }
