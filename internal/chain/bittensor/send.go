package bittensor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"templar/internal/chain/bittensor/rpc"
	"templar/internal/chain/bittensor/rules"
	"templar/internal/chain/bittensor/runtime"
	"templar/protocol"
)

const (
	// eraPeriod is how many blocks an extrinsic is valid. It is also how long a doubt
	// about one that was sent can last.
	eraPeriod = 64
	// maxTries is how often a call is signed anew before it counts as refused.
	maxTries = 6
)

// turns lets one call of a hotkey through at a time: they would take each other's nonce.
type turns struct {
	mu   sync.Mutex
	busy map[protocol.Hotkey]chan struct{}
}

func newTurns() *turns { return &turns{busy: map[protocol.Hotkey]chan struct{}{}} }

// take waits for the hotkey's turn; done gives it back.
func (t *turns) take(ctx context.Context, h protocol.Hotkey) (done func(), err error) {
	for {
		t.mu.Lock()
		c := t.busy[h]
		if c == nil {
			c = make(chan struct{})
			t.busy[h] = c
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.busy, h)
				t.mu.Unlock()
				close(c)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-c:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// result is what became of an extrinsic in a final block, or why there is none.
type result struct {
	block   uint64
	failed  *runtime.DispatchError // in the block, without effect
	refused string                 // in no block, and never will be
}

// build makes a call for a version of the runtime.
type build func(rt *Runtime) (runtime.Call, error)

// sent is an extrinsic that left this machine.
type sent struct {
	bytes  []byte
	signer protocol.Hotkey
	nonce  uint64
	birth  uint64 // number of the era's first block
	last   uint64 // the last block that may include it
	seen   uint64 // the last block that was looked through for it
}

// send signs a call and follows it to a final block. A node is given each signature
// once. What was signed before and may still be included has the same nonce as what is
// signed after it, so that of all of them one can take effect. An error means that the
// outcome is not known, or that nothing was sent.
func (c *Client) send(ctx context.Context, s protocol.Signer, make build) (result, error) {
	var mine []*sent // that may still be included
	why, resigned := "", false
	for range maxTries {
		x, l, err := c.sign(ctx, s, make, mine)
		if err != nil {
			return result{}, unknown(mine, err)
		}
		w := c.watch(ctx, l, x)
		why = w.Reason
		if !w.Refused {
			mine = append(mine, x)
		}
		if w.Refused && len(mine) == 0 {
			signature := strings.HasPrefix(w.Reason, "bad signature")
			if w.Class == rules.Failed && (!signature || resigned) {
				return result{refused: w.Reason}, nil
			}
			resigned = resigned || signature // the runtime may have been replaced meanwhile
		} else {
			blocks := uint64(eraPeriod)
			if w.Class == rules.Retry {
				blocks = lookBlocks
			}
			r, state, err := c.find(ctx, mine, blocks)
			if err != nil {
				return result{}, unknown(mine, err)
			}
			switch state {
			case found, expired:
				return r, nil
			case overtaken:
				mine = nil
			}
		}
		if _, err := c.nextFinal(ctx); err != nil {
			return result{}, unknown(mine, err)
		}
	}
	if len(mine) == 0 {
		return result{refused: fmt.Sprintf("%s: refused %d times", why, maxTries)}, nil
	}
	r, state, err := c.find(ctx, mine, eraPeriod)
	if err == nil && state == overtaken {
		r.refused = fmt.Sprintf("another transaction of this key took its place, %d times", maxTries)
	}
	return r, unknown(mine, err)
}

// unknown says what an error means for the caller, if anything was sent.
func unknown(mine []*sent, err error) error {
	if err == nil || len(mine) == 0 {
		return err
	}
	return fmt.Errorf("what became of the transaction is not known: %w", err)
}

// watch gives x to the endpoint and follows it at most to the end of its era.
func (c *Client) watch(ctx context.Context, l *link, x *sent) Watched {
	wctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var over sync.WaitGroup
	defer over.Wait()
	defer cancel()
	over.Go(func() {
		if _, err := c.wait(wctx, x.last+1); err == nil {
			cancel()
		}
	})
	return watch(wctx, l, x.bytes)
}

// nextFinal waits for the final head to move.
func (c *Client) nextFinal(ctx context.Context) (block, error) {
	b, err := c.head(ctx)
	if err != nil {
		return b, err
	}
	return c.wait(ctx, b.number+1)
}

// sign reads what a signature depends on, and signs.
// If earlier ones may still be included, it takes their nonce.
func (c *Client) sign(ctx context.Context, s protocol.Signer, make build, earlier []*sent) (x *sent, on *link, err error) {
	err = c.persist(ctx, func(l *link) error {
		c.mu.Lock()
		birth, genesis := c.mu.final, c.mu.genesis
		c.mu.Unlock()
		rt, err := c.runtimeNow(ctx, l)
		if err != nil {
			return err
		}
		call, err := make(rt)
		if err != nil {
			return err
		}
		var nonce uint64
		if err := l.Call(ctx, &nonce, "system_accountNextIndex", s.Hotkey().String()); err != nil {
			return err
		}
		if len(earlier) > 0 {
			nonce = earlier[0].nonce
		}
		era := runtime.NewEra(eraPeriod, birth.number)
		raw, err := rt.Sign(call, runtime.Context{Spec: rt.Spec, Transaction: rt.Transaction, Genesis: genesis, Nonce: nonce, Era: era, Birth: birth.hash}, s)
		if err != nil {
			return err
		}
		x, on = &sent{bytes: raw, signer: s.Hotkey(), nonce: nonce, birth: birth.number, last: birth.number + era.Period - 1}, l
		return nil
	})
	return x, on, err
}

// Watched is what a node reported of a submitted extrinsic.
type Watched struct {
	rules.Outcome
	Refused  bool     // the pool did not take it
	Statuses []string // names, in order
	Block    string   // of the last status that named one
}

// subscriber is a connection that can follow an extrinsic.
type subscriber interface {
	Subscribe(ctx context.Context, method string, params ...any) (*rpc.Subscription, error)
	Unsubscribe(ctx context.Context, method string, s *rpc.Subscription)
}

// watch gives an extrinsic to a node, once, and follows it until it is final, refused,
// or the connection is lost.
func watch(ctx context.Context, l subscriber, extrinsic []byte) (w Watched) {
	lost := func(why error) Watched {
		w.Outcome = rules.Outcome{Class: rules.Look, Reason: why.Error()}
		return w
	}
	if err := ctx.Err(); err != nil {
		w.Refused = true
		return lost(err)
	}
	sub, err := l.Subscribe(ctx, "author_submitAndWatchExtrinsic", runtime.Hex(extrinsic))
	var e *rpc.Error
	if errors.As(err, &e) {
		w.Outcome = rules.Pool(rules.ErrorObject{Code: e.Code, Message: e.Message, Data: e.Data})
		w.Refused = w.Class != rules.Unknown
		return w
	}
	if err != nil {
		return lost(err)
	}
	defer l.Unsubscribe(ctx, "author_unwatchExtrinsic", sub)
	for {
		select {
		case raw, ok := <-sub.C:
			if !ok {
				return lost(rpc.ErrClosed)
			}
			if done := w.note(raw); done {
				return w
			}
		case <-ctx.Done():
			return lost(ctx.Err())
		}
	}
}

// note takes a status, and reports whether it is the last.
func (w *Watched) note(raw json.RawMessage) bool {
	o, block := rules.Status(raw)
	w.Statuses = append(w.Statuses, o.Reason)
	if block != "" {
		w.Block = block
	}
	w.Outcome = o
	return o.Class != rules.Wait
}

// Watch is the part of a submission that a transcript can be held against: it gives an
// extrinsic to a node, and returns what the node reported.
func Watch(ctx context.Context, l *rpc.Conn, extrinsic []byte) Watched {
	return watch(ctx, l, extrinsic)
}

// Included reads what became of an extrinsic in a block, by the metadata of its runtime.
// ok reports whether the block has it.
func Included(ctx context.Context, l *rpc.Conn, m *runtime.Metadata, hash protocol.Hash, extrinsic []byte) (ok bool, outcome error, err error) {
	list, err := body(ctx, l, hash)
	if err != nil {
		return false, nil, err
	}
	i := slices.IndexFunc(list, func(x []byte) bool { return bytes.Equal(x, extrinsic) })
	if i < 0 {
		return false, nil, nil
	}
	outcome, err = outcomeAt(ctx, l, m, hash, i)
	return true, outcome, err
}

// outcomeAt says what became of the extrinsic with an index in a block.
func outcomeAt(ctx context.Context, l caller, m *runtime.Metadata, hash protocol.Hash, index int) (outcome, err error) {
	events, err := eventsAt(ctx, l, m, hash)
	if err != nil {
		return nil, err
	}
	return m.Outcome(events, index), nil
}

// eventsAt reads the events of a block, by the metadata of the runtime that executed it.
func eventsAt(ctx context.Context, l caller, m *runtime.Metadata, hash protocol.Hash) ([]runtime.Event, error) {
	it, err := m.Item("System", "Events")
	if err != nil {
		return nil, err
	}
	key, err := m.Key(it)
	if err != nil {
		return nil, err
	}
	raw, err := (&state{l: l, at: block{hash: hash}}).raw(ctx, key)
	if err != nil {
		return nil, err
	}
	return m.DecodeEvents(raw)
}

// lookBlocks is how many blocks a node's word that an extrinsic is gone is not believed.
const lookBlocks = 3

// fate of what was sent.
type fate uint8

const (
	undecided fate = iota
	found          // it is in a final block
	overtaken      // another extrinsic has its nonce: none of them ever will be
	expired        // the eras are over: none of them ever will be
)

// find looks for extrinsics, which have one nonce, in the final blocks since the first
// was signed, until one is there, none can be any more, or the final head has moved by a
// number of blocks. It survives the loss of connections.
func (c *Client) find(ctx context.Context, mine []*sent, blocks uint64) (result, fate, error) {
	head, err := c.head(ctx)
	if err != nil && ctx.Err() != nil {
		return result{}, undecided, err
	}
	first, last, until := mine[0].birth+1, mine[len(mine)-1].last, head.number+blocks
	for n := max(first, mine[0].seen+1); ; n++ {
		if n > until {
			return result{}, undecided, nil
		}
		b, err := c.wait(ctx, n)
		if err != nil {
			return result{}, undecided, err
		}
		r, gone, err := c.inBlock(ctx, b, mine)
		switch {
		case err != nil:
			return result{}, undecided, err
		case r != nil:
			return *r, found, nil
		case gone:
			return result{}, overtaken, nil
		case n >= last:
			return result{refused: fmt.Sprintf("not included before block %d, and never will be", last+1)}, expired, nil
		}
		mine[0].seen = n
	}
}

// inBlock looks for extrinsics in one final block. gone: they are not there, and their
// nonce was used by another up to this block.
func (c *Client) inBlock(ctx context.Context, b block, mine []*sent) (r *result, gone bool, err error) {
	err = c.persist(ctx, func(l *link) error {
		list, err := body(ctx, l, b.hash)
		if err != nil {
			return err
		}
		for i, x := range list {
			if !slices.ContainsFunc(mine, func(s *sent) bool { return bytes.Equal(s.bytes, x) }) {
				continue
			}
			rt, err := c.runtimeAt(ctx, l, b.parent) // which executed the block
			if err != nil {
				return err
			}
			outcome, err := outcomeAt(ctx, l, rt.Metadata, b.hash, i)
			if err != nil {
				return err
			}
			r = &result{block: b.number}
			if outcome != nil && !errors.As(outcome, &r.failed) {
				return outcome
			}
			return nil
		}
		nonce, err := c.nonceAt(ctx, l, b, mine[0].signer)
		gone = nonce > mine[0].nonce
		return err
	})
	return r, gone, err
}

// nonceAt reads how many extrinsics of an account the chain has up to a block. Where the
// state is gone, 0 is less than is known.
func (c *Client) nonceAt(ctx context.Context, l *link, b block, who protocol.Hotkey) (uint64, error) {
	rt, err := c.anyRuntime(ctx, l)
	if err != nil {
		return 0, err
	}
	v, err := (&state{l: l, rt: rt, at: b}).value(ctx, "System", "Account", who)
	var e *rpc.Error
	if errors.As(err, &e) && discarded(e) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	account, _ := v.(runtime.Struct)
	return runtime.U64(account["nonce"])
}
