package cometbft

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/types"
)

// A stamp is the first transaction of each block: the proposer's clock.
//
//	0xff | time in ns 8, big-endian
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

func newStamp(t time.Time) []byte {
	return binary.BigEndian.AppendUint64([]byte{stampVersion}, uint64(t.UnixNano()))
}

func readStamp(tx []byte) (t time.Time, ok bool) {
	if len(tx) != stampSize || tx[0] != stampVersion {
		return t, false
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(tx[1:]))).UTC(), true
}

// blockTime is the time of a block with this header's time and first transaction.
func blockTime(header time.Time, first []byte) time.Time {
	if t, ok := readStamp(first); ok && t.After(header) {
		return t
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
	txs := [][]byte{newStamp(t)}
	left := r.MaxTxBytes - types.ComputeProtoSizeForTxs([]types.Tx{txs[0]})
	for _, tx := range r.Txs {
		if left -= types.ComputeProtoSizeForTxs([]types.Tx{tx}); left < 0 {
			break
		}
		txs = append(txs, tx)
	}
	return &abci.ResponsePrepareProposal{Txs: txs}, nil
}

// ProcessProposal refuses a block without a stamp, or with one that goes back or is
// ahead of the clock.
func (a *app) ProcessProposal(_ context.Context, r *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	if err := a.checkStamp(r.Txs); err != nil {
		a.log.Warn("refused a block", "height", r.Height, "proposer", fmt.Sprintf("%X", r.ProposerAddress), "err", err)
		return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
	}
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

func (a *app) checkStamp(txs [][]byte) error {
	if len(txs) == 0 {
		return fmt.Errorf("it has no time")
	}
	t, ok := readStamp(txs[0])
	if !ok {
		return fmt.Errorf("it has no time")
	}
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
