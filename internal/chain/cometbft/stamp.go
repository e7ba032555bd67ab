package cometbft

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/types"
)

// A stamp is the first transaction of each block: the proposer's clock, and the randomness of
// the block before (beacon.go).
//
//	0xff | time in ns 8, big-endian | (index of an authority 2, big-endian | proof 80)*
//
// A header carries the time of the votes on the block before, so that its own block is
// a whole interval later, or a whole standstill. The time of a block is the later one of
// header and stamp: a proposer can choose within that, and no further.
const (
	stampVersion = 0xff
	stampSize    = 1 + 8
	// maxAhead is how far a proposer's clock may be ahead of another authority's. There
	// is no limit to the other side, which must accept a block again later.
	maxAhead = 2 * time.Second
)

// stamp is what the first transaction says.
type stamp struct {
	time  time.Time
	parts []part
}

func newStamp(t time.Time, parts ...part) []byte {
	return appendParts(binary.BigEndian.AppendUint64([]byte{stampVersion}, uint64(t.UnixNano())), parts)
}

func readStamp(tx []byte) (s stamp, ok bool) {
	if len(tx) < stampSize || tx[0] != stampVersion {
		return s, false
	}
	s.time = time.Unix(0, int64(binary.BigEndian.Uint64(tx[1:]))).UTC()
	s.parts, ok = readParts(tx[stampSize:])
	return s, ok
}

// blockTime is the time of a block with this header's time and first transaction.
func blockTime(header time.Time, first []byte) time.Time {
	if s, ok := readStamp(first); ok && s.time.After(header) {
		return s.time
	}
	return header
}

// PrepareProposal puts the stamp before what the mempool has.
func (a *app) PrepareProposal(_ context.Context, r *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	a.mu.Lock()
	_, last := a.mu.ledger.Block()
	a.mu.Unlock()
	t := a.now()
	for _, least := range []time.Time{last, r.Time} {
		if t.Before(least) {
			t = least
		}
	}
	var parts []part
	if a.lottery != nil {
		parts = a.lottery.parts(r.LocalLastCommit.Votes)
	}
	txs := [][]byte{newStamp(t, parts...)}
	left := r.MaxTxBytes - types.ComputeProtoSizeForTxs([]types.Tx{txs[0]})
	for _, tx := range r.Txs {
		if left -= types.ComputeProtoSizeForTxs([]types.Tx{tx}); left < 0 {
			break
		}
		txs = append(txs, tx)
	}
	return &abci.ResponsePrepareProposal{Txs: txs}, nil
}

// ProcessProposal refuses a block without a stamp, or with one that goes back, is ahead of the
// clock, or does not have the randomness that belongs to the votes.
func (a *app) ProcessProposal(_ context.Context, r *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	if err := a.checkStamp(r); err != nil {
		a.log.Warn("refused a block", "height", r.Height, "proposer", fmt.Sprintf("%X", r.ProposerAddress), "err", err)
		return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
	}
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

func (a *app) checkStamp(r *abci.RequestProcessProposal) error {
	if len(r.Txs) == 0 {
		return fmt.Errorf("it has no time")
	}
	s, ok := readStamp(r.Txs[0])
	if !ok {
		return fmt.Errorf("it has no time")
	}
	if a.lottery != nil {
		if err := a.lottery.checkParts(r.Height, r.ProposedLastCommit.Votes, s.parts); err != nil {
			return err
		}
	} else if len(s.parts) > 0 {
		return fmt.Errorf("it has randomness, and this chain has none")
	}
	t := s.time
	a.mu.Lock()
	_, last := a.mu.ledger.Block()
	a.mu.Unlock()
	if t.Before(last) {
		return fmt.Errorf("its time %v is before %v of the block before", t, last)
	}
	if now := a.now(); t.After(now.Add(maxAhead)) {
		return fmt.Errorf("its time is %v ahead of this machine's clock", t.Sub(now))
	}
	return nil
}
