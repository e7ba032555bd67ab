package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/internal/chain/manual"
	"templar/protocol"
)

// blocks makes the network's blocks on time.
type blocks struct {
	net     *Network
	chain   *manual.Chain
	waiting []waiter        // for a block
	graph   chain.Metagraph // of the newest block
}

// waiter is a task that wants to know of the next block.
type waiter struct {
	node *Node
	wake func()
}

// next makes a block, unless the chain stalls, and comes back a block time later.
func (b *blocks) next() {
	net := b.net
	net.s.after(net.run.Params.BlockTime(), b.next)
	if net.faults.stalled() {
		return
	}
	made, err := b.chain.Advance(net.s.time())
	if err == nil {
		b.graph, err = b.chain.Metagraph(net.ctx)
	}
	if err != nil {
		net.fail(fmt.Errorf("make a block: %w", err))
		return
	}
	net.newBlock(made)
	waiting := b.waiting
	b.waiting = nil
	for _, w := range waiting {
		if w.node.cutFrom(theChain) {
			b.waiting = append(b.waiting, w)
			continue
		}
		net.s.after(w.node.latency(), w.wake)
	}
}

// chainView is the chain as a process sees it. Reads take no time.
type chainView struct {
	*Node
	process *process
}

var _ chain.Chain = chainView{}

var errCut = errors.New("connection refused")

// reach fails, after a while, when the node has no connection to the chain.
func (v chainView) reach(ctx context.Context) error {
	if !v.cutFrom(theChain) {
		return ctx.Err()
	}
	s := v.process.s
	if err := v.process.wait(ctx, func(t *task) { s.after(time.Second, s.waker(t)) }); err != nil {
		return err
	}
	return errCut
}

func (v chainView) Head(ctx context.Context) (chain.Block, error) {
	if err := v.reach(ctx); err != nil {
		return chain.Block{}, err
	}
	return v.net.blocks.chain.Head(ctx)
}

func (v chainView) Block(ctx context.Context, number uint64) (chain.Block, error) {
	if err := v.reach(ctx); err != nil {
		return chain.Block{}, err
	}
	return v.net.blocks.chain.Block(ctx, number)
}

// Wait holds on through a lost connection, as the port demands.
func (v chainView) Wait(ctx context.Context, number uint64) (chain.Block, error) {
	for {
		if !v.cutFrom(theChain) {
			b, err := v.net.blocks.chain.Block(ctx, number)
			if err == nil || !errors.Is(err, chain.ErrFuture) {
				return b, err
			}
		}
		if err := v.nextBlock(ctx); err != nil {
			return chain.Block{}, fmt.Errorf("wait for block %d: %w", number, err)
		}
	}
}

func (v chainView) nextBlock(ctx context.Context) error {
	return v.process.wait(ctx, v.untilBlock)
}

func (v chainView) untilBlock(t *task) {
	v.net.blocks.waiting = append(v.net.blocks.waiting, waiter{v.Node, v.process.s.waker(t)})
}

func (v chainView) Metagraph(ctx context.Context) (chain.Metagraph, error) {
	if err := v.reach(ctx); err != nil {
		return chain.Metagraph{}, err
	}
	return v.net.blocks.graph, nil
}

func (v chainView) Commitments(ctx context.Context) ([]chain.Commitment, error) {
	if err := v.reach(ctx); err != nil {
		return nil, err
	}
	return v.net.blocks.chain.Commitments(ctx)
}

// Randomness holds on as Wait does.
func (v chainView) Randomness(ctx context.Context, block uint64) (protocol.Hash, error) {
	b, err := v.Wait(ctx, block)
	return b.Hash, err
}

func (v chainView) Register(ctx context.Context, s protocol.Signer, r chain.Registration) (chain.Receipt, error) {
	return v.submit(ctx, s, ledger.Register{Hotkey: r.Hotkey, Coldkey: r.Coldkey})
}

func (v chainView) Commit(ctx context.Context, s protocol.Signer, data []byte) (chain.Receipt, error) {
	return v.submit(ctx, s, ledger.Commit{Data: data})
}

func (v chainView) SetWeights(ctx context.Context, s protocol.Signer, w chain.Weights) (chain.Receipt, error) {
	return v.submit(ctx, s, ledger.SetWeights(w))
}

// Settle returns the receipt: no call of this chain is pending.
func (v chainView) Settle(ctx context.Context, _ protocol.Signer, r chain.Receipt) (chain.Receipt, error) {
	return r, ctx.Err()
}

// submit sends the call with the next block and waits for it.
func (v chainView) submit(ctx context.Context, s protocol.Signer, call ledger.Call) (chain.Receipt, error) {
	for {
		if err := v.reach(ctx); err != nil {
			return chain.Receipt{}, fmt.Errorf("submit %T: %w", call, err)
		}
		r, again, err := v.attempt(ctx, s, call)
		if err != nil {
			return chain.Receipt{}, fmt.Errorf("submit %T: %w", call, err)
		}
		if !again {
			return r, nil
		}
	}
}

// attempt is one try. again says that it takes another.
func (v chainView) attempt(ctx context.Context, s protocol.Signer, call ledger.Call) (r chain.Receipt, again bool, err error) {
	var sent *manual.Sent
	var failed error
	err = v.process.wait(ctx, func(t *task) {
		sent, failed = v.net.blocks.chain.Send(s, call)
		v.untilBlock(t)
	})
	if err == nil {
		err = failed
	}
	if sent == nil {
		return chain.Receipt{}, true, err
	}
	if err != nil {
		sent.Withdraw()
		return chain.Receipt{}, false, err
	}
	for {
		r, again, ok := sent.Receipt()
		if ok {
			return r, again, nil
		}
		if err := v.nextBlock(ctx); err != nil {
			sent.Withdraw()
			return chain.Receipt{}, false, err
		}
	}
}
