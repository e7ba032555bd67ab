package cometbft

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/internal/versioned"
	"templar/protocol"
)

// committed is weights that a hotkey committed to and must reveal, as they are kept on disk.
// They are secret until then.
type committed struct {
	Genesis protocol.Hash        `json:"genesis"` // of the chain
	Hotkey  protocol.Hotkey      `json:"hotkey"`
	Hash    protocol.Hash        `json:"hash"`
	Block   uint64               `json:"block"` // of the commit; 0 while that is not known
	Reveal  ledger.RevealWeights `json:"reveal"`
}

// commitFile is a committed on disk.
var commitFile = versioned.File{
	Version: 1, Remedy: "run the release that wrote it, or move it away: the weights of this commit are then not revealed",
}

// inBlock names a commit of a hotkey.
type inBlock struct {
	hotkey protocol.Hotkey
	block  uint64
}

// keptDone bounds the commits whose outcome is remembered.
const keptDone = 256

// commits keeps what is to be revealed.
type commits struct {
	dir string // empty: only in memory
	mu  struct {
		sync.Mutex
		open map[protocol.Hash]committed
		busy map[protocol.Hotkey]chan struct{} // holds a token while a reveal is under way
		done map[inBlock]chain.Receipt         // what became of the newest commits
		lose bool                              // by a test: the next commit that is on the chain
	}
}

func openCommits(dir string, genesis protocol.Hash) (*commits, error) {
	c := &commits{dir: dir}
	c.mu.open, c.mu.busy, c.mu.done = map[protocol.Hash]committed{}, map[protocol.Hotkey]chan struct{}{}, map[inBlock]chain.Receipt{}
	if dir == "" {
		return c, nil
	}
	files, err := filepath.Glob(filepath.Join(dir, "weights-*.json"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		var one committed
		if err := commitFile.At(f).Decode(b, &one); versioned.Is(err) {
			return nil, err
		} else if err != nil {
			return nil, fmt.Errorf("%w (remove it, if it is not of a commit of weights)", err)
		}
		if one.Genesis == genesis { // chains may share a folder
			c.mu.open[one.Hash] = one
		}
	}
	return c, nil
}

func (c *commits) file(hash protocol.Hash) string {
	return filepath.Join(c.dir, "weights-"+hash.String()+".json")
}

// keep makes a commit durable.
func (c *commits) keep(one committed) error {
	if c.dir != "" {
		b, err := commitFile.Encode(one)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(c.dir, 0o700); err != nil {
			return err
		}
		if err := versioned.Write(c.file(one.Hash), b); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.open[one.Hash] = one
	if c.mu.lose && one.Block > 0 {
		delete(c.mu.open, one.Hash)
		c.mu.lose = false
	}
	return nil
}

func (c *commits) remove(hash protocol.Hash) {
	c.mu.Lock()
	delete(c.mu.open, hash)
	c.mu.Unlock()
	if c.dir != "" {
		_ = os.Remove(c.file(hash)) // one that stays is decided on the chain, and removed again
	}
}

func (c *commits) outcome(h protocol.Hotkey, block uint64) (r chain.Receipt, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok = c.mu.done[inBlock{h, block}]
	return r, ok
}

func (c *commits) decided(h protocol.Hotkey, r chain.Receipt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.done) >= keptDone {
		clear(c.mu.done)
	}
	c.mu.done[inBlock{h, r.Block}] = r
}

// of lists the commits of a hotkey.
func (c *commits) of(h protocol.Hotkey) (all []committed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.mu.open {
		if one.Hotkey == h {
			all = append(all, one)
		}
	}
	return all
}

// at returns the commit of a hotkey in a block.
func (c *commits) at(h protocol.Hotkey, block uint64) (one committed, ok bool) {
	for _, one := range c.of(h) {
		if one.Block == block {
			return one, true
		}
	}
	return one, false
}

// Pending returns how many commits of a hotkey's weights, of this process or of one before it,
// are still to be revealed, what Settle takes to reveal the oldest, and the last block in which
// any can be.
func (c *Client) Pending(ctx context.Context, h protocol.Hotkey) (n int, next chain.Receipt, end uint64, err error) {
	p, err := c.params(ctx)
	if err != nil {
		return 0, next, 0, err
	}
	for _, one := range c.commits.of(h) {
		if one.Block == 0 {
			continue
		}
		n, end = n+1, max(end, p.RevealUntil(one.Block))
		if n == 1 || one.Block < next.Block {
			next = chain.Receipt{Status: chain.StatusPending, Block: one.Block, EffectiveAt: p.RevealFrom(one.Block)}
		}
	}
	return n, next, end, nil
}

// take lets one caller at a time reveal a hotkey's weights.
func (c *commits) take(ctx context.Context, h protocol.Hotkey) (done func(), err error) {
	c.mu.Lock()
	token := c.mu.busy[h]
	if token == nil {
		token = make(chan struct{}, 1)
		c.mu.busy[h] = token
	}
	c.mu.Unlock()
	select {
	case token <- struct{}{}:
		return func() { <-token }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// SetWeights replaces the weights of the hotkey that signs: at once, or where the chain's
// parameters say so, by a commit that this client reveals later, in the background. What the
// reveal needs is kept in Opts.Dir before the commit is sent.
func (c *Client) SetWeights(ctx context.Context, s protocol.Signer, w chain.Weights) (chain.Receipt, error) {
	p, err := c.params(ctx)
	if err != nil {
		return chain.Receipt{}, fmt.Errorf("set weights: %w", err)
	}
	if p.WeightsReveal == 0 {
		return c.submit(ctx, s, ledger.SetWeights(w))
	}
	// The chain sees the weights only when it is too late to set others.
	if reason, err := c.unfit(ctx, p, w); err != nil || reason != "" {
		return chain.Receipt{Status: chain.StatusFailed, Reason: reason}, err
	}
	reveal := ledger.RevealWeights{Weights: w}
	if _, err := rand.Read(reveal.Salt[:]); err != nil {
		return chain.Receipt{}, err
	}
	one := committed{Genesis: c.genesis.Hash, Hotkey: s.Hotkey(), Reveal: reveal}
	if one.Hash, err = reveal.Hash(c.domain, one.Hotkey); err != nil {
		return chain.Receipt{}, fmt.Errorf("set weights: %w", err)
	}
	if err := c.commits.keep(one); err != nil {
		return chain.Receipt{}, fmt.Errorf("set weights: keep what the reveal needs: %w", err)
	}
	r, err := c.submit(ctx, s, ledger.CommitWeights{Hash: one.Hash})
	if err != nil { // it may be on the chain, but its block is not known
		return chain.Receipt{}, err
	}
	if r.Status == chain.StatusFailed {
		c.commits.remove(one.Hash)
		return r, nil
	}
	one.Block = r.Block
	if err := c.commits.keep(one); err != nil {
		return chain.Receipt{}, fmt.Errorf("set weights: keep what the reveal needs: %w", err)
	}
	r.Status, r.EffectiveAt = chain.StatusPending, p.RevealFrom(r.Block)
	c.settleLater(s, r)
	return r, nil
}

// unfit says why the chain would refuse to reveal weights.
func (c *Client) unfit(ctx context.Context, p ledger.Params, w chain.Weights) (reason string, err error) {
	m, err := c.Metagraph(ctx)
	if err != nil {
		return "", fmt.Errorf("set weights: %w", err)
	}
	for _, e := range w.Entries {
		if int(e.UID) >= len(m.Neurons) {
			return fmt.Sprintf("weight for unknown uid %d", e.UID), nil
		}
	}
	switch {
	case len(w.Entries) < max(1, min(p.MinWeights, len(m.Neurons))):
		return fmt.Sprintf("%d weights are too few", len(w.Entries)), nil
	case w.VersionKey < p.VersionKey:
		return fmt.Sprintf("version key %d is below the network's %d", w.VersionKey, p.VersionKey), nil
	}
	return "", nil
}

// Resume reveals, in the background, what a process before this one left open.
func (c *Client) Resume(s protocol.Signer) {
	for _, one := range c.commits.of(s.Hotkey()) {
		if one.Block == 0 { // of a call whose outcome was never known
			c.commits.remove(one.Hash)
			continue
		}
		c.settleLater(s, chain.Receipt{Status: chain.StatusPending, Block: one.Block, EffectiveAt: one.Block + 1})
	}
}

// Settle reveals weights whose receipt is pending, and returns what became of them.
func (c *Client) Settle(ctx context.Context, s protocol.Signer, r chain.Receipt) (chain.Receipt, error) {
	if r.Status != chain.StatusPending {
		return r, ctx.Err()
	}
	settled, err := c.settle(ctx, s, r)
	if err != nil {
		return chain.Receipt{}, fmt.Errorf("settle weights: %w", err)
	}
	return settled, nil
}

func (c *Client) settle(ctx context.Context, s protocol.Signer, r chain.Receipt) (chain.Receipt, error) {
	p, err := c.params(ctx)
	if err != nil {
		return r, err
	}
	if _, err := c.Wait(ctx, max(r.EffectiveAt, p.RevealFrom(r.Block))-1); err != nil { // the next block may have the reveal
		return r, err
	}
	done, err := c.commits.take(ctx, s.Hotkey())
	if err != nil {
		return r, err
	}
	defer done()
	if known, ok := c.commits.outcome(s.Hotkey(), r.Block); ok {
		return known, nil
	}
	settled, ok, err := c.settled(ctx, s.Hotkey(), r)
	if err != nil {
		return r, err
	}
	one, have := c.commits.at(s.Hotkey(), r.Block)
	switch {
	case ok:
	case !have:
		// Without the weights this process cannot reveal them, and one that has them would
		// have done it.
		settled, err = c.missed(ctx, s.Hotkey(), r, fmt.Sprintf("the weights of block %d were not revealed, and what the reveal needs is not here", r.Block))
	default:
		var out chain.Receipt
		if out, err = c.submit(ctx, s, one.Reveal); err != nil {
			return r, err
		}
		settled = chain.Receipt{Status: chain.StatusIncluded, Block: r.Block, EffectiveAt: out.EffectiveAt}
		if out.Status != chain.StatusIncluded {
			settled, err = c.missed(ctx, s.Hotkey(), r, out.Reason)
		}
	}
	if err == nil {
		c.commits.decided(s.Hotkey(), settled)
		if have {
			c.commits.remove(one.Hash)
		}
	}
	return settled, err
}

// missed looks once more, in a state that has the newest block, before it reports a failure.
func (c *Client) missed(ctx context.Context, h protocol.Hotkey, r chain.Receipt, reason string) (chain.Receipt, error) {
	head, err := c.Head(ctx)
	if err != nil {
		return r, err
	}
	if _, err := c.Wait(ctx, max(head.Number+1, r.EffectiveAt)); err != nil { // a proven state is one block old
		return r, err
	}
	if settled, ok, err := c.settled(ctx, h, r); ok || err != nil {
		return settled, err
	}
	return chain.Receipt{Status: chain.StatusFailed, Block: r.Block, Reason: reason}, nil
}

// settled reads from the neurons whether weights of a block came into effect: they count as set
// in the block of their commit.
func (c *Client) settled(ctx context.Context, h protocol.Hotkey, r chain.Receipt) (out chain.Receipt, ok bool, err error) {
	m, err := c.Metagraph(ctx)
	if err != nil {
		return r, false, err
	}
	n, registered := m.ByHotkey(h)
	failed := chain.Receipt{Status: chain.StatusFailed, Block: r.Block}
	switch {
	case !registered:
		failed.Reason = "the hotkey is not registered any more"
		return failed, true, nil
	case n.LastUpdate == r.Block:
		return chain.Receipt{Status: chain.StatusIncluded, Block: r.Block, EffectiveAt: r.EffectiveAt}, true, nil
	case n.LastUpdate > r.Block:
		failed.Reason = fmt.Sprintf("later weights, of block %d, took their place", n.LastUpdate)
		return failed, true, nil
	}
	return r, false, nil
}

// settleLater reveals weights in the background.
func (c *Client) settleLater(s protocol.Signer, r chain.Receipt) {
	c.wg.Go(func() { chain.Settled(c.running, c, s, r, c.log) })
}

// params returns the chain's parameters as they stand, proven if the client verifies.
func (c *Client) params(ctx context.Context) (p ledger.Params, err error) {
	if c.verify == nil {
		return c.Admin().Params(ctx)
	}
	_, parts, err := c.prove(ctx, ledger.PrefixParams)
	if err != nil {
		return p, fmt.Errorf("parameters: %w", err)
	}
	for _, r := range parts[0] {
		if r.Key == ledger.PrefixParams {
			return ledger.DecodeParams(r.Value)
		}
	}
	return p, errors.New("parameters: the chain has none")
}
