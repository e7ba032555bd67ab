package cometbft

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/cometbft/cometbft/mempool"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/protocol"
)

const (
	// lifetime is how many blocks a transaction may wait. After that many it is known
	// that it will never take effect.
	lifetime = 32
	// attempts bounds how often a call is signed anew because another call of the same
	// hotkey came first.
	attempts = 32
)

// submit signs a call, sends it, and waits until a block includes it. A call that the
// chain refuses gives StatusFailed. When the answer to sending is lost, the blocks up
// to the transaction's expiry show its outcome; only a context that ends before
// leaves the outcome open.
func (c *Client) submit(ctx context.Context, s protocol.Signer, call ledger.Call) (chain.Receipt, error) {
	for range attempts {
		r, again, err := c.attempt(ctx, s, call)
		if err != nil {
			return chain.Receipt{}, fmt.Errorf("submit %T: %w", call, err)
		}
		if !again {
			return r, nil
		}
		// The other call is decided with the next block.
		if _, err := c.Wait(ctx, r.Block+1); err != nil {
			return chain.Receipt{}, fmt.Errorf("submit %T: %w", call, err)
		}
	}
	return chain.Receipt{Status: chain.StatusFailed, Reason: "other calls of the hotkey always came first"}, nil
}

// attempt asks for another one, after Receipt.Block, when the nonce was taken.
func (c *Client) attempt(ctx context.Context, s protocol.Signer, call ledger.Call) (r chain.Receipt, again bool, err error) {
	head, err := c.Head(ctx)
	if err != nil {
		return r, false, err
	}
	nonce, err := c.nonce(ctx, s.Hotkey())
	if err != nil {
		return r, false, err
	}
	p := pendingTx{client: c, from: head.Number + 1, expiry: head.Number + lifetime}
	if p.tx, err = ledger.NewTx(s, c.domain, nonce, p.expiry, call); err != nil {
		return r, false, err
	}
	if _, err := ledger.DecodeTx(p.tx); err != nil { // too large: no server would take it
		return chain.Receipt{Status: chain.StatusFailed, Reason: err.Error()}, false, nil
	}
	code, r, err := p.settle(ctx)
	if err != nil {
		return r, false, err
	}
	if again = code == uint32(codeBusy) || code == uint32(ledger.CodeBusy) || code == uint32(ledger.CodeNonce); again && r.Block == 0 {
		r.Block = head.Number
	}
	return r, again, nil
}

// pendingTx is a signed transaction on its way into a block.
type pendingTx struct {
	client       *Client
	tx           []byte
	from, expiry uint64 // the blocks that may include it

	accepted bool   // a server said that it has it
	turn     uint64 // that server's: after it another one is asked too
	doubtful bool   // the server may have it
}

// settle sends the transaction and checks each block until its outcome is known.
func (p *pendingTx) settle(ctx context.Context) (code uint32, r chain.Receipt, err error) {
	for block := p.from; block <= p.expiry; block++ {
		if _, turn := p.client.rpc.current(); !p.accepted || turn != p.turn {
			p.doubtful = p.doubtful || p.accepted // another server may refuse what it has from the first
			if code, reason := p.broadcast(ctx); code != 0 && !p.doubtful {
				return code, chain.Receipt{Status: chain.StatusFailed, Reason: reason}, nil
			}
		}
		if _, err = p.client.Wait(ctx, block); err != nil {
			return 0, r, p.unknown(err)
		}
		code, r, found, err := p.find(ctx, block)
		if err != nil {
			return 0, r, p.unknown(err)
		}
		if found {
			return code, r, nil
		}
	}
	reason := fmt.Sprintf("no block up to %d included it, and none can any more", p.expiry)
	return 0, chain.Receipt{Status: chain.StatusFailed, Reason: reason}, nil
}

func (p *pendingTx) unknown(err error) error {
	return fmt.Errorf("the outcome is open until block %d: %w", p.expiry, err)
}

// broadcast returns a code other than 0 when the mempool refused the transaction.
func (p *pendingTx) broadcast(ctx context.Context) (code uint32, reason string) {
	_, p.turn = p.client.rpc.current()
	var r ctypes.ResultBroadcastTx
	err := p.client.rpc.call(ctx, "broadcast_tx_sync", map[string]any{"tx": p.tx}, &r)
	switch {
	case err == nil && r.Code != 0:
		return r.Code, r.Log
	case err == nil, strings.Contains(err.Error(), mempool.ErrTxInCache.Error()):
		p.accepted = true
	case !refused(err): // the answer was lost, perhaps not the request
		p.doubtful = true
	}
	return 0, "" // a mempool that is full may have room after the next block
}

// find learns what became of the transaction in a block.
func (p *pendingTx) find(ctx context.Context, block uint64) (code uint32, r chain.Receipt, found bool, err error) {
	if p.client.verify == nil {
		hash := sha256.Sum256(p.tx)
		var o outcome
		params := map[string]any{"height": int64(block), "hash": hash[:]}
		if err := p.client.rpc.persist(ctx, methodOutcome, params, &o); err != nil {
			return 0, r, false, err
		}
		if o.Known {
			return o.Code, receipt(block, o.Code, o.Reason), o.Found, nil
		}
	}
	return p.search(ctx, block)
}

// search looks for the transaction in a block, and at its result there.
func (p *pendingTx) search(ctx context.Context, block uint64) (code uint32, r chain.Receipt, found bool, err error) {
	height := map[string]any{"height": int64(block)}
	var b ctypes.ResultBlock
	if err := p.client.rpc.persist(ctx, "block", height, &b); err != nil {
		return 0, r, false, err
	}
	if p.client.verify != nil {
		if err := p.client.checkBlock(ctx, b.Block, int64(block)); err != nil {
			return 0, r, false, err
		}
	}
	at := -1
	if b.Block != nil {
		for i, tx := range b.Block.Txs {
			if bytes.Equal(tx, p.tx) {
				at = i
			}
		}
	}
	if at < 0 {
		return 0, r, false, nil
	}
	var results ctypes.ResultBlockResults
	if err := p.client.rpc.persist(ctx, "block_results", height, &results); err != nil {
		return 0, r, false, err
	}
	if at >= len(results.TxsResults) || results.TxsResults[at] == nil {
		return 0, r, false, fmt.Errorf("the server has no result for transaction %d of block %d", at, block)
	}
	if p.client.verify != nil {
		if err := p.client.checkResults(ctx, &results, int64(block)); err != nil {
			return 0, r, false, err
		}
	}
	res := results.TxsResults[at]
	return res.Code, receipt(block, res.Code, res.Log), true, nil
}

func receipt(block uint64, code uint32, reason string) chain.Receipt {
	if code != 0 {
		return chain.Receipt{Status: chain.StatusFailed, Block: block, Reason: reason}
	}
	return chain.Receipt{Status: chain.StatusIncluded, Block: block, EffectiveAt: block}
}
