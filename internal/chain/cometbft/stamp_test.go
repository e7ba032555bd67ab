package cometbft

import (
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
)

// An authority puts its clock into a block, and refuses others' blocks whose time goes
// back, or runs ahead of the clock.
func TestStamp(t *testing.T) {
	a := begun(t)
	_, now := a.mu.ledger.Block()
	a.now = func() time.Time { return now.Add(time.Hour) }
	r, err := a.PrepareProposal(t.Context(), &abci.RequestPrepareProposal{MaxTxBytes: 100, Txs: [][]byte{{1}, make([]byte, 100), {2}}, Time: now})
	if err != nil || len(r.Txs) != 2 {
		t.Fatalf("%x, %v", r.Txs, err)
	}
	if at := blockTime(now, r.Txs[0]); !at.Equal(now.Add(time.Hour)) {
		t.Errorf("time %v", at)
	}
	for name, c := range map[string]struct {
		txs [][]byte
		ok  bool
	}{
		"own":         {r.Txs, true},
		"a bit ahead": {[][]byte{newStamp(a.now().Add(maxAhead))}, true},
		"late":        {[][]byte{newStamp(now.Add(time.Second))}, true},
		"ahead":       {[][]byte{newStamp(a.now().Add(maxAhead + 1))}, false},
		"back":        {[][]byte{newStamp(now.Add(-1))}, false},
		"second":      {[][]byte{{1}, newStamp(now)}, false},
		"none":        {nil, false},
	} {
		p, err := a.ProcessProposal(t.Context(), &abci.RequestProcessProposal{Txs: c.txs})
		if err != nil || (p.Status == abci.ResponseProcessProposal_ACCEPT) != c.ok {
			t.Errorf("%s: %v, %v", name, p.Status, err)
		}
	}
	if c, _ := a.CheckTx(t.Context(), &abci.RequestCheckTx{Tx: newStamp(now)}); c.Code == 0 {
		t.Error("the mempool takes stamps from anybody")
	}
}
