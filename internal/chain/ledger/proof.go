package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"strings"

	"templar/internal/chain"
	"templar/protocol"
)

// A proof shows all records whose key begins with a prefix, and that there are no
// others: the records stand side by side in the tree, and the leaf on either side has
// a key outside the prefix. Integers are big-endian:
//
//	leaves of the tree 4 | index of the first record 4 | number of records 4
//	left neighbour  | right neighbour    if there is one: key length 2 | key | SHA-256(value)
//	(key length 2 | key | value length 4 | value)*
//	hash 32 *        of the largest subtrees without any of the above, left to right
const (
	proofHeader = 3 * 4
	maxLeaves   = 1 << 20
)

var errProof = errors.New("proof does not hold")

// Prove returns the proof for a prefix.
func (t *Tree) Prove(prefix string) []byte {
	first := sort.Search(len(t.records), func(i int) bool { return t.records[i].Key >= prefix })
	end := first
	for end < len(t.records) && strings.HasPrefix(t.records[end].Key, prefix) {
		end++
	}
	var b []byte
	for _, n := range []int{len(t.records), first, end - first} {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	lo, hi := max(first-1, 0), min(end+1, len(t.records))
	if lo < first {
		b = t.records[lo].appendLeaf(b)
	}
	if hi > end {
		b = t.records[end].appendLeaf(b)
	}
	for _, r := range t.records[first:end] {
		b = r.append(b)
	}
	return t.appendAudit(b, 0, len(t.leaves), lo, hi)
}

func (r Record) appendLeaf(b []byte) []byte {
	sum := sha256.Sum256(r.Value)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(r.Key))), r.Key...)
	return append(b, sum[:]...)
}

func (r Record) append(b []byte) []byte {
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(r.Key))), r.Key...)
	return append(binary.BigEndian.AppendUint32(b, uint32(len(r.Value))), r.Value...)
}

// appendAudit walks the subtree over leaves [from, to) and writes the hashes of what
// is outside [lo, hi).
func (t *Tree) appendAudit(b []byte, from, to, lo, hi int) []byte {
	if from >= hi || to <= lo {
		h := treeHash(t.leaves[from:to])
		return append(b, h[:]...)
	}
	if to-from <= 1 {
		return b
	}
	split := from + splitOf(to-from)
	b = t.appendAudit(b, from, split, lo, hi)
	return t.appendAudit(b, split, to, lo, hi)
}

// Verify returns the records with the prefix in the state whose root it is, or an
// error when the proof does not show that these are all.
func Verify(root protocol.Hash, prefix string, proof []byte) ([]Record, error) {
	p, err := parseProof(prefix, proof)
	if err != nil {
		return nil, err
	}
	got, ok := p.hash(0, p.total)
	if !ok || len(p.audit) != 0 || got != root {
		return nil, errProof
	}
	return p.records, nil
}

// parsedProof covers the leaves from lo on.
type parsedProof struct {
	total, lo int
	leaves    []protocol.Hash
	records   []Record
	audit     []byte
}

func parseProof(prefix string, b []byte) (*parsedProof, error) {
	if len(b) < proofHeader {
		return nil, errProof
	}
	total, first, count := int(binary.BigEndian.Uint32(b)), int(binary.BigEndian.Uint32(b[4:])), int(binary.BigEndian.Uint32(b[8:]))
	b = b[proofHeader:]
	if total < 1 || total > maxLeaves || first > total || count > total-first {
		return nil, errProof
	}
	p := &parsedProof{total: total, lo: first}
	var last *protocol.Hash
	if first > 0 {
		key, leaf, rest, ok := cutLeaf(b)
		if !ok || key >= prefix {
			return nil, errProof
		}
		p.lo, p.leaves, b = first-1, append(p.leaves, leaf), rest
	}
	if first+count < total {
		key, leaf, rest, ok := cutLeaf(b)
		if !ok || key <= prefix || strings.HasPrefix(key, prefix) {
			return nil, errProof
		}
		last, b = &leaf, rest
	}
	for range count {
		key, rest, ok := cut(b, 2)
		value, rest, ok2 := cut(rest, 4)
		if !ok || !ok2 || !strings.HasPrefix(string(key), prefix) {
			return nil, errProof
		}
		p.records = append(p.records, Record{string(key), value})
		p.leaves, b = append(p.leaves, leafHash(string(key), sha256.Sum256(value))), rest
	}
	if last != nil {
		p.leaves = append(p.leaves, *last)
	}
	p.audit = b
	return p, nil
}

func cutLeaf(b []byte) (key string, leaf protocol.Hash, rest []byte, ok bool) {
	k, rest, ok := cut(b, 2)
	if !ok || len(rest) < sha256.Size {
		return "", leaf, nil, false
	}
	key = string(k)
	return key, leafHash(key, protocol.Hash(rest[:sha256.Size])), rest[sha256.Size:], true
}

// hash is the root of the subtree over leaves [from, to).
func (p *parsedProof) hash(from, to int) (h protocol.Hash, ok bool) {
	hi := p.lo + len(p.leaves)
	if from >= hi || to <= p.lo {
		if len(p.audit) < len(h) {
			return h, false
		}
		h, p.audit = protocol.Hash(p.audit[:len(h)]), p.audit[len(h):]
		return h, true
	}
	if to-from == 1 {
		return p.leaves[from-p.lo], true
	}
	split := from + splitOf(to-from)
	l, ok := p.hash(from, split)
	if !ok {
		return h, false
	}
	r, ok := p.hash(split, to)
	return innerHash(l, r), ok
}

// Prefixes for proofs that clients ask for.
const (
	PrefixNeurons     = keyNeuron
	PrefixCommitments = keyCommitment
	PrefixParams      = keyParams
	PrefixWork        = keyWork
)

// Prefixes lists those that a node proves: the kinds of records.
func Prefixes() []string {
	return []string{keyAccount, keyCommitment, keyHotkey, keyNeuron, keyWeights, keyBonds, keyRetired, keyVote, keySealed, keyWork, keyParams, keyClock, keyGenesis}
}

// ReadMetagraph reads the records of PrefixNeurons.
func ReadMetagraph(block uint64, neurons []Record) (chain.Metagraph, error) {
	s, err := stateOf(neurons)
	if err != nil {
		return chain.Metagraph{}, err
	}
	return s.metagraph(block), nil
}

// ReadCommitments reads the records of PrefixNeurons and PrefixCommitments.
func ReadCommitments(neurons, commitments []Record) ([]chain.Commitment, error) {
	s, err := stateOf(neurons, commitments)
	if err != nil {
		return nil, err
	}
	return s.commitments(), nil
}

func stateOf(parts ...[]Record) (state, error) {
	records := map[string][]byte{}
	for _, part := range parts {
		for _, r := range part {
			if err := checkRecord(r.Key, r.Value); err != nil {
				return state{}, fmt.Errorf("state: %w", err)
			}
			records[r.Key] = r.Value
		}
	}
	return newState(records), nil
}
