package cometbft

import (
	"crypto/sha256"
	"errors"

	"templar/internal/chain/ledger"
)

// txHash names a transaction.
type txHash [sha256.Size]byte

// keptOutcomes is for how many blocks a node remembers what became of transactions. A
// client asks within a transaction's lifetime.
const keptOutcomes = 2 * lifetime

// outcome is the result of a transaction in a block.
type outcome struct {
	Known  bool   `json:"known"` // the node has the block's outcomes; otherwise read the block
	Found  bool   `json:"found"`
	Code   uint32 `json:"code"`
	Reason string `json:"reason"`
}

// keepOutcomes needs the lock.
func (a *app) keepOutcomes(height int64, txs [][]byte, results []ledger.Result) {
	all := make(map[txHash]ledger.Result, len(txs))
	for i, tx := range txs {
		all[sha256.Sum256(tx)] = results[i]
	}
	a.mu.outcomes[height] = all
	delete(a.mu.outcomes, height-keptOutcomes)
}

// outcome returns a transaction's result by its hash, so that clients need not fetch a full block.
func (v *view) outcome(height int64, hash []byte) (*outcome, error) {
	if len(hash) != sha256.Size {
		return nil, errors.New("a transaction's hash has 32 bytes")
	}
	all, known := v.outcomes[height]
	if !known {
		return &outcome{}, nil
	}
	r, found := all[txHash(hash)]
	return &outcome{Known: true, Found: found, Code: uint32(r.Code), Reason: r.Reason}, nil
}
