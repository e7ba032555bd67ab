package bittensor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"templar/internal/chain/bittensor/rules"
	"templar/internal/chain/bittensor/runtime"
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

// expectation is weights that the chain itself is to reveal.
type expectation struct {
	hotkey    protocol.Hotkey
	weights   rules.Weights
	from, end uint64
}

// reveals keeps what is to be revealed.
type reveals struct {
	dir string
	mu  struct {
		sync.Mutex
		open     map[protocol.Hash]open
		expected []expectation
		signers  map[protocol.Hotkey]protocol.Signer
		changed  chan struct{}
	}
}

const maxReveals = 1 << 20 // bytes of a file

func openReveals(dir string) (*reveals, error) {
	r := &reveals{dir: dir}
	r.mu.open, r.mu.signers, r.mu.changed = map[protocol.Hash]open{}, map[protocol.Hotkey]protocol.Signer{}, make(chan struct{})
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
		if err := json.Unmarshal(b, &o); err != nil {
			return nil, fmt.Errorf("%s: %w (remove it, if it is not of a commit of weights)", f, err)
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
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	if err := writeDurably(r.file(o.Hash), b); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.open[o.Hash] = o
	r.change()
	return nil
}

// writeDurably puts a file in its place when all of it is on the disk.
func writeDurably(name string, b []byte) error {
	part := name + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, name); err != nil {
		return err
	}
	if d, err := os.Open(filepath.Dir(name)); err == nil { // Windows cannot sync a folder
		_ = d.Sync()
		d.Close()
	}
	return nil
}

func (r *reveals) remove(h protocol.Hash) error {
	r.mu.Lock()
	delete(r.mu.open, h)
	r.change()
	r.mu.Unlock()
	if r.dir == "" {
		return nil
	}
	if err := os.Remove(r.file(h)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// change wakes who waits; the caller holds the lock.
func (r *reveals) change() {
	close(r.mu.changed)
	r.mu.changed = make(chan struct{})
}

// sign remembers who can reveal.
func (r *reveals) sign(s protocol.Signer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.signers[s.Hotkey()] = s
	r.change()
}

func (r *reveals) expect(e expectation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.expected = append(r.mu.expected, e)
	r.change()
}

// due returns the commits and expectations that a final block is about.
func (r *reveals) due(final uint64) (list []open, expected []expectation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.mu.open {
		if r.mu.signers[o.Hotkey] != nil && final+1 >= o.First {
			list = append(list, o)
		}
	}
	r.mu.expected = slices.DeleteFunc(r.mu.expected, func(e expectation) bool {
		if final >= e.end {
			expected = append(expected, e)
		}
		return final >= e.end
	})
	return list, expected
}

func (r *reveals) signer(h protocol.Hotkey) protocol.Signer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.signers[h]
}

// revealing reveals what is due, block by block, and looks whether the chain revealed
// what it was to.
func (c *Client) revealing(ctx context.Context) {
	if c.opts.Signer != nil {
		c.reveal.sign(c.opts.Signer)
	}
	for {
		b, err := c.head(ctx)
		if err == nil {
			b, err = c.wait(ctx, b.number+1)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			continue
		}
		list, expected := c.reveal.due(b.number)
		for _, o := range list {
			if err := c.revealOne(ctx, o); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "weights could not be revealed yet", "hotkey", o.Hotkey, "err", err)
			}
		}
		for _, e := range expected {
			c.checkRevealed(ctx, e)
		}
	}
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

// revealOne reveals a commit if its epoch has come, and forgets it when it is over.
func (c *Client) revealOne(ctx context.Context, o open) error {
	if o.Genesis != c.Genesis() || o.NetUID != c.opts.NetUID {
		return nil // of another network, which shares the folder
	}
	head, err := c.head(ctx)
	if err != nil {
		return err
	}
	first, last, ok, err := c.openOnChain(ctx, o)
	if err != nil {
		return err
	}
	if first == 0 {
		first, last = o.First, o.End
	}
	switch {
	case !ok && head.number <= o.Sent: // it may still be under way
		return nil
	case !ok, head.number > last:
		c.log.WarnContext(ctx, "weights that were committed will not be revealed: the chain does not have the commit, or its epoch is over", "hotkey", o.Hotkey, "epoch_begins", first)
		return c.reveal.remove(o.Hash)
	case head.number+1 < first:
		return nil
	}
	s := c.reveal.signer(o.Hotkey)
	done, err := c.one.take(ctx, o.Hotkey)
	if err != nil {
		return err
	}
	defer done()
	res, err := c.send(ctx, s, func(rt *Runtime) (runtime.Call, error) {
		return rt.NewCall(module, "reveal_weights", map[string]any{"netuid": o.NetUID, "uids": o.Weights.UIDs, "values": o.Weights.Values, "salt": o.Salt, "version_key": o.Weights.VersionKey})
	})
	if err != nil {
		return err
	}
	r, _ := receipt(res)
	if r.Reason == "" {
		c.log.InfoContext(ctx, "weights revealed", "hotkey", o.Hotkey, "block", r.Block)
		return c.reveal.remove(o.Hash)
	}
	if res.failed != nil && (res.failed.Name == "RevealTooEarly" || res.failed.Name == "RevealPeriodNotReached") {
		return errors.New(r.Reason)
	}
	c.log.WarnContext(ctx, "weights could not be revealed", "hotkey", o.Hotkey, "reason", r.Reason)
	return c.reveal.remove(o.Hash)
}

// checkRevealed warns when weights that the chain was to reveal do not stand there.
func (c *Client) checkRevealed(ctx context.Context, e expectation) {
	stands := false
	err := c.read(ctx, func(s *state) error {
		uid, err := s.uid(ctx, c.opts.NetUID, e.hotkey)
		if err != nil || uid == nil {
			return err
		}
		v, err := s.value(ctx, module, "Weights", c.opts.NetUID, *uid)
		stands = sameWeights(v, e.weights)
		return err
	})
	if err == nil && !stands {
		c.log.WarnContext(ctx, "the chain did not reveal the weights that were committed: the drand pulse may have come too late; they are set again with the next ones", "hotkey", e.hotkey, "reveal_block", e.from)
	}
}

// Open says how many commits of weights of a hotkey are still to be revealed by this
// client, and until when.
func (c *Client) Open(h protocol.Hotkey) (n int, first, end uint64) {
	c.reveal.mu.Lock()
	defer c.reveal.mu.Unlock()
	for _, o := range c.reveal.mu.open {
		if o.Hotkey == h && o.Genesis == c.Genesis() && o.NetUID == c.opts.NetUID {
			n, first, end = n+1, max(first, o.First), max(end, o.End)
		}
	}
	return n, first, end
}

// AwaitReveals waits until this client has nothing of a hotkey left to reveal.
func (c *Client) AwaitReveals(ctx context.Context, s protocol.Signer) error {
	c.reveal.sign(s)
	for {
		c.reveal.mu.Lock()
		changed := c.reveal.mu.changed
		c.reveal.mu.Unlock()
		if n, _, _ := c.Open(s.Hotkey()); n == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
