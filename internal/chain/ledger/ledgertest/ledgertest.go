// Package ledgertest is what tests of chains that drive the ledger share: a genesis, and
// how the conformance suite of the port runs on it.
package ledgertest

import (
	"testing"

	"templar/internal/chain"
	"templar/internal/chain/chaintest"
	"templar/internal/chain/ledger"
	"templar/protocol"
)

// Genesis returns a genesis and its validator. The authority is chaintest.Key(0), the
// founders are Key(1), the validator, and Key(2). It leaves the time open.
func Genesis(t testing.TB) (ledger.Genesis, protocol.Signer) {
	t.Helper()
	g := ledger.DefaultGenesis("chaintest")
	g.Authorities = []protocol.Hotkey{chaintest.Key(t, 0).Hotkey()}
	g.Founders = []ledger.Founder{{Hotkey: chaintest.Key(t, 1).Hotkey(), Stake: 1000}, {Hotkey: chaintest.Key(t, 2).Hotkey()}}
	g.Tempo, g.WeightsRateLimit, g.CommitRateLimit, g.MaxRegistrations = 4, 1, 0, 4
	return g, chaintest.Key(t, 1)
}

// Subject returns the subject of the conformance suite for a chain with that genesis.
func Subject(t testing.TB, c chain.Chain) chaintest.Subject {
	t.Helper()
	g, validator := Genesis(t)
	return chaintest.Subject{Chain: c, Validator: validator, MaxCommitment: g.CommitmentSize, Epoch: g.Tempo}
}
