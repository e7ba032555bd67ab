package bittensor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"templar/internal/chain"
	"templar/internal/chain/bittensor/rules"
	"templar/internal/chain/bittensor/runtime"
	"templar/internal/versioned"
	"templar/protocol"
)

// open is a commit of weights by hash that is still to be revealed, as it is kept on
// disk: the weights and the salt are needed to reveal it.
type open struct {
	Genesis protocol.Hash   `json:"genesis"`
	NetUID  uint16          `json:"netuid"`
	Hotkey  protocol.Hotkey `json:"hotkey"`
	Hash    protocol.Hash   `json:"hash"`
	Weights rules.Weights   `json:"weights"`
	Salt    []uint16        `json:"salt"`
	First   uint64          `json:"first_block"` // of the reveal epoch, as foreseen
	End     uint64          `json:"end_block"`
	Sent    uint64          `json:"sent_by_block"` // later than this it is on the chain or never will be
}

// reveals keeps what is to be revealed.
type reveals struct {
	dir string
	mu  struct {
		sync.Mutex
		open   map[protocol.Hash]open
		busy   map[protocol.Hash]chan struct{} // closed when the reveal that is under way is over
		looked map[look]uint64                 // last block that was searched for a reveal
	}
}

// look identifies a pending receipt.
type look struct {
	hotkey             protocol.Hotkey
	block, effectiveAt uint64
}

// keepLooks bounds the receipts whose search is remembered.
const keepLooks = 256

// from returns the block from which on the reveal of a receipt is searched.
func (r *reveals) from(l look) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(l.effectiveAt, r.mu.looked[l]+1)
}

// undecided notes that the reveal of a receipt is not decided by a block.
func (r *reveals) undecided(l look, block uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.mu.looked) >= keepLooks {
		clear(r.mu.looked)
	}
	r.mu.looked[l] = max(r.mu.looked[l], block)
}

// commitFile is an open on disk.
var commitFile = versioned.File{
	Version: 1, Remedy: "run the release that wrote it, or move it away: the weights of this commit are then not revealed",
}

const maxReveals = 1 << 20 // bytes of a file

func openReveals(dir string) (*reveals, error) {
	r := &reveals{dir: dir}
	r.mu.open, r.mu.busy, r.mu.looked = map[protocol.Hash]open{}, map[protocol.Hash]chan struct{}{}, map[look]uint64{}
	if dir == "" {
		return r, nil
	}
	files, err := filepath.Glob(filepath.Join(dir, "commit-*.json"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil || info.Size() > maxReveals {
			return nil, errors.Join(fmt.Errorf("%s: not a commit of weights", f), err)
		}
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		var o open
		if err := commitFile.At(f).Decode(b, &o); versioned.Is(err) {
			return nil, err
		} else if err != nil {
			return nil, fmt.Errorf("%w (remove it, if it is not of a commit of weights)", err)
		}
		r.mu.open[o.Hash] = o
	}
	return r, nil
}

func (r *reveals) file(h protocol.Hash) string {
	return filepath.Join(r.dir, "commit-"+h.String()+".json")
}

// add makes a commit durable.
func (r *reveals) add(o open) error {
	if r.dir == "" {
		return errors.New("no folder for it was given")
	}
	b, err := commitFile.Encode(o)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	if err := versioned.Write(r.file(o.Hash), b); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.open[o.Hash] = o
	return nil
}

func (r *reveals) remove(h protocol.Hash) error {
	r.mu.Lock()
	delete(r.mu.open, h)
	r.mu.Unlock()
	if r.dir == "" {
		return nil
	}
	if err := os.Remove(r.file(h)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// of lists the commits of a hotkey on one subnet of one chain: networks may share a folder.
func (r *reveals) of(genesis protocol.Hash, netuid uint16, h protocol.Hotkey) (list []open) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.mu.open {
		if o.Hotkey == h && o.Genesis == genesis && o.NetUID == netuid {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b open) int { return cmp.Compare(a.First, b.First) })
	return list
}

// settleLater reveals weights and sees what became of them, in the background.
func (c *Client) settleLater(s protocol.Signer, r chain.Receipt) {
	c.wg.Go(func() { chain.Settled(c.running, c, s, r, c.log) })
}

// Resume reveals, in the background, what a process before this one left open.
func (c *Client) Resume(s protocol.Signer) {
	for _, o := range c.reveal.of(c.Genesis(), c.opts.NetUID, s.Hotkey()) {
		c.begin(s, o)
	}
}

// begin reveals a commit in the background, unless that is under way, and returns a channel
// that is closed when it is over. A caller that stops waiting does not interrupt the reveal:
// a second one would be sent beside the first.
func (c *Client) begin(s protocol.Signer, o open) <-chan struct{} {
	c.reveal.mu.Lock()
	defer c.reveal.mu.Unlock()
	if done := c.reveal.mu.busy[o.Hash]; done != nil {
		return done
	}
	done := make(chan struct{})
	c.reveal.mu.busy[o.Hash] = done
	c.wg.Go(func() {
		if err := c.revealOne(c.running, s, o); err != nil && c.running.Err() == nil {
			c.log.Warn("weights could not be revealed", "hotkey", s.Hotkey(), "err", err)
		}
		c.reveal.mu.Lock()
		defer c.reveal.mu.Unlock()
		delete(c.reveal.mu.busy, o.Hash)
		close(done)
	})
	return done
}

// Pending returns how many commits of a hotkey's weights by hash, of this process or of one
// before it, are still to be revealed, what Settle takes to reveal them, and the last block in
// which it can.
func (c *Client) Pending(_ context.Context, h protocol.Hotkey) (n int, next chain.Receipt, end uint64, err error) {
	first := uint64(0)
	for _, o := range c.reveal.of(c.Genesis(), c.opts.NetUID, h) {
		n, first, end = n+1, max(first, o.First), max(end, o.End)
	}
	return n, chain.Receipt{Status: chain.StatusPending, Block: first, EffectiveAt: first}, end, nil
}

// Settle says what became of weights whose receipt is pending, by the events of the blocks
// in which they were to be revealed, and reveals them where that is the signer's duty.
func (c *Client) Settle(ctx context.Context, s protocol.Signer, r chain.Receipt) (chain.Receipt, error) {
	if r.Status != chain.StatusPending {
		return r, nil
	}
	for _, o := range c.reveal.of(c.Genesis(), c.opts.NetUID, s.Hotkey()) {
		if o.First > r.EffectiveAt {
			continue
		}
		select {
		case <-c.begin(s, o):
		case <-ctx.Done():
			return chain.Receipt{}, fmt.Errorf("settle weights: %w", ctx.Err())
		}
	}
	l := look{s.Hotkey(), r.Block, r.EffectiveAt}
	for n := c.reveal.from(l); ; n++ {
		b, err := c.wait(ctx, n)
		if err != nil {
			return chain.Receipt{}, fmt.Errorf("settle weights: %w", err)
		}
		shown, over, err := c.revealedIn(ctx, b, s.Hotkey(), r.EffectiveAt)
		if err != nil {
			return chain.Receipt{}, fmt.Errorf("settle weights: block %d: %w", n, err)
		}
		if shown {
			return chain.Receipt{Status: chain.StatusIncluded, Block: r.Block, EffectiveAt: n}, nil
		}
		if over {
			return chain.Receipt{Status: chain.StatusFailed, Block: r.Block, Reason: fmt.Sprintf("the weights of block %d were not revealed in the epoch from block %d to block %d", r.Block, r.EffectiveAt, n)}, nil
		}
		c.reveal.undecided(l, n)
	}
}

// revealEvents are the events of a runtime that report a reveal of weights.
var revealEvents = map[string]bool{"WeightsRevealed": true, "WeightsBatchRevealed": true, "TimelockedWeightsRevealed": true, "CRV3WeightsRevealed": true}

// revealedIn looks for the reveal of a hotkey's weights in a block. over: the epoch that
// began with block first is over after this block.
func (c *Client) revealedIn(ctx context.Context, b block, h protocol.Hotkey, first uint64) (shown, over bool, err error) {
	err = c.persist(ctx, func(l *link) error {
		shown, over = false, false
		rt, err := c.runtimeAt(ctx, l, b.parent)
		if err != nil {
			return err
		}
		events, err := eventsAt(ctx, l, rt.Metadata, b.hash)
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Pallet == module && revealEvents[e.Name] && mentions(e.Value, c.opts.NetUID, h) {
				shown = true
			}
		}
		s := &state{l: l, rt: rt, at: b}
		e, _, err := s.epochs(ctx, c.opts.NetUID)
		if err != nil || b.number <= first {
			return err
		}
		if !e.Stateful {
			length := e.Tempo + 1
			over = (b.number+1+e.NetUID+1)/length > (first+e.NetUID+1)/length
			return nil
		}
		then, err := c.wait(ctx, first)
		if err != nil {
			return err
		}
		s.at = then
		began, err := s.number(ctx, module, "SubnetEpochIndex", c.opts.NetUID)
		over = e.Index > began
		return err
	})
	return shown, over, err
}

// mentions reports whether an event is about a hotkey on a subnet.
func mentions(v any, netuid uint16, h protocol.Hotkey) bool {
	list, ok := v.([]any)
	if f, isStruct := v.(runtime.Struct); isStruct {
		for _, x := range f {
			list = append(list, x)
		}
		ok = true
	}
	if !ok {
		return false
	}
	subnet, hotkey := false, false
	for _, x := range list {
		if n, err := runtime.U64(x); err == nil && n == uint64(netuid) {
			subnet = true
		}
		if k, isKey := x.(protocol.Hotkey); isKey && k == h {
			hotkey = true
		}
	}
	return subnet && hotkey
}

// openOnChain asks whether the chain has a commit open, and in which blocks it may be
// revealed, where the runtime keeps that.
func (c *Client) openOnChain(ctx context.Context, o open) (first, last uint64, ok bool, err error) {
	err = c.read(ctx, func(s *state) error {
		ok = false
		v, err := s.value(ctx, module, "WeightCommits", o.NetUID, o.Hotkey)
		if err != nil {
			return err
		}
		list, _ := v.([]any)
		for _, x := range list {
			parts, _ := x.([]any)
			if len(parts) == 0 {
				continue
			}
			hash, _ := parts[0].([]byte)
			if string(hash) != string(o.Hash[:]) {
				continue
			}
			ok = true
			if len(parts) == 4 { // hash, block of the commit, first and last block of the reveal
				first, _ = runtime.U64(parts[2])
				last, _ = runtime.U64(parts[3])
			}
		}
		return nil
	})
	return first, last, ok, err
}

// revealOne waits for a commit's epoch and reveals it. It is not an error that it was
// revealed before, or cannot be any more: Settle looks what the chain says.
func (c *Client) revealOne(ctx context.Context, s protocol.Signer, o open) error {
	for {
		if _, err := c.wait(ctx, max(o.First, 1)-1); err != nil {
			return err
		}
		again, err := c.tryReveal(ctx, s, o)
		if err != nil || !again {
			return err
		}
		if _, err := c.nextFinal(ctx); err != nil {
			return err
		}
	}
}

// tryReveal reveals a commit once. again: its time has not come.
func (c *Client) tryReveal(ctx context.Context, s protocol.Signer, o open) (again bool, err error) {
	done, err := c.one.take(ctx, o.Hotkey)
	if err != nil {
		return false, err
	}
	defer done()
	if !c.reveal.has(o.Hash) { // done by another goroutine
		return false, nil
	}
	head, err := c.head(ctx)
	if err != nil {
		return false, err
	}
	first, last, ok, err := c.openOnChain(ctx, o)
	if err != nil {
		return false, err
	}
	if first == 0 {
		first, last = o.First, o.End
	}
	c.mu.Lock()
	next := max(c.mu.best, head.number) + 1
	c.mu.Unlock()
	switch {
	case !ok && head.number <= o.Sent: // it may still be under way
		return true, nil
	case !ok, next > last:
		return false, c.reveal.remove(o.Hash)
	case head.number+1 < first:
		return true, nil
	}
	res, err := c.send(ctx, s, func(rt *Runtime) (runtime.Call, error) {
		return rt.NewCall(module, "reveal_weights", map[string]any{"netuid": o.NetUID, "uids": o.Weights.UIDs, "values": o.Weights.Values, "salt": o.Salt, "version_key": o.Weights.VersionKey})
	})
	if err != nil {
		return false, err
	}
	if r, _ := receipt(res); r.Reason != "" {
		if res.failed != nil && res.failed.Name == "RevealTooEarly" {
			return true, nil
		}
		c.log.WarnContext(ctx, "weights could not be revealed", "hotkey", o.Hotkey, "reason", r.Reason)
	}
	return false, c.reveal.remove(o.Hash)
}

func (r *reveals) has(h protocol.Hash) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.mu.open[h]
	return ok
}
