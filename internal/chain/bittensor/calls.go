package bittensor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"templar/internal/chain"
	"templar/internal/chain/bittensor/rules"
	"templar/internal/chain/bittensor/runtime"
	"templar/protocol"
)

// turn makes a call when no other of the signer is under way.
func (c *Client) turn(ctx context.Context, what string, s protocol.Signer, call func() (chain.Receipt, error)) (chain.Receipt, error) {
	done, err := c.one.take(ctx, s.Hotkey())
	if err != nil {
		return chain.Receipt{}, fmt.Errorf("%s: %w", what, err)
	}
	defer done()
	r, err := call()
	if err != nil {
		return chain.Receipt{}, fmt.Errorf("%s: %w", what, err)
	}
	return r, nil
}

func refused(format string, args ...any) chain.Receipt {
	return chain.Receipt{Status: chain.StatusFailed, Reason: fmt.Sprintf(format, args...)}
}

// receipt of a call that takes effect in its block. again: it may be tried once more.
func receipt(r result) (_ chain.Receipt, class rules.Class) {
	switch {
	case r.refused != "":
		return refused("%s", r.refused), rules.Failed
	case r.failed != nil:
		o := rules.Dispatch(r.failed.Error())
		return chain.Receipt{Status: chain.StatusFailed, Block: r.block, Reason: o.Reason}, o.Class
	}
	return chain.Receipt{Status: chain.StatusIncluded, Block: r.block, EffectiveAt: r.block}, rules.Events
}

// read does work at the newest final block.
func (c *Client) read(ctx context.Context, work func(s *state) error) error {
	return c.persist(ctx, func(l *link) error {
		s, err := c.stateAtFinal(ctx, l)
		if err != nil {
			return err
		}
		return work(s)
	})
}

// RAO is the smallest part of a TAO: a billionth.
const RAO = 1_000_000_000

// Quote is what a registration costs now, and the key that would pay.
type Quote struct {
	Price   uint64  `json:"price_rao"`
	Balance uint64  `json:"balance_rao"`   // of the payer, free to spend
	Closed  bool    `json:"closed"`        // the subnet takes no registrations
	Limit   uint64  `json:"limit_rao"`     // most that a registration will pay, where the runtime can limit it
	Limited bool    `json:"limited"`       // the runtime can
	UID     *uint16 `json:"uid,omitempty"` // of the hotkey, if it is registered already
}

// fee is kept beside the price: a registration's fee is a fraction of it.
const fee = RAO / 1000

// headroom is how much above the price that was shown a registration may pay, in percent:
// the price moves with each registration.
const headroom = 5

// Quote reads the price of a registration and the payer's balance.
func (c *Client) Quote(ctx context.Context, hotkey, payer protocol.Hotkey) (q Quote, err error) {
	err = c.read(ctx, func(s *state) (err error) {
		q, err = s.quote(ctx, c.opts.NetUID, hotkey, payer)
		return err
	})
	if err != nil {
		return q, fmt.Errorf("price of a registration: %w", err)
	}
	return q, nil
}

func (s *state) quote(ctx context.Context, netuid uint16, hotkey, payer protocol.Hotkey) (q Quote, err error) {
	if q.Price, err = s.number(ctx, module, "Burn", netuid); err != nil {
		return q, err
	}
	open, err := s.value(ctx, module, "NetworkRegistrationAllowed", netuid)
	if err != nil && !errors.Is(err, runtime.ErrAbsent) {
		return q, err
	}
	q.Closed = open == false
	q.Limit, q.Limited = q.Price+q.Price/100*headroom, s.rt.Has(module, "register_limit")
	v, err := s.value(ctx, "System", "Account", payer)
	if err != nil {
		return q, err
	}
	account, _ := v.(runtime.Struct)
	data, _ := account["data"].(runtime.Struct)
	if q.Balance, err = runtime.U64(data["free"]); err != nil {
		return q, fmt.Errorf("balance: %w", err)
	}
	q.UID, err = s.uid(ctx, netuid, hotkey)
	return q, err
}

// uid finds a hotkey's slot, nil if it has none.
func (s *state) uid(ctx context.Context, netuid uint16, hotkey protocol.Hotkey) (*uint16, error) {
	it, err := s.rt.Item(module, "Uids")
	if err != nil {
		return nil, err
	}
	key, err := s.key(it, netuid, hotkey)
	if err != nil {
		return nil, err
	}
	raw, err := s.raw(ctx, key)
	if raw == nil || err != nil {
		return nil, err
	}
	v, err := s.rt.DecodeValue(it, raw)
	if err != nil {
		return nil, err
	}
	n, err := runtime.U64(v)
	uid := uint16(n)
	return &uid, err
}

// TAO writes an amount of rao for people.
func TAO(rao uint64) string {
	s := fmt.Sprintf("%d.%09d", rao/RAO, rao%RAO)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") + " TAO"
}

// Register asks for a slot. The signer pays and becomes the owner: a coldkey, or the hotkey
// itself. What the chain would refuse by what it says now is refused before anything is
// sent, here and in the other calls.
func (c *Client) Register(ctx context.Context, s protocol.Signer, call chain.Registration) (chain.Receipt, error) {
	return c.turn(ctx, "register", s, func() (chain.Receipt, error) { return c.register(ctx, s, call) })
}

func (c *Client) register(ctx context.Context, s protocol.Signer, call chain.Registration) (chain.Receipt, error) {
	hotkey := call.Hotkey
	if hotkey.IsZero() {
		hotkey = s.Hotkey()
	}
	if !call.Coldkey.IsZero() && call.Coldkey != s.Hotkey() {
		return refused("the owner of a hotkey is who signs its registration: %v would sign, not %v", s.Hotkey(), call.Coldkey), nil
	}
	for try := 0; ; try++ {
		q, err := c.Quote(ctx, hotkey, s.Hotkey())
		if err != nil {
			return chain.Receipt{}, err
		}
		switch {
		case q.UID != nil:
			return refused("already registered on this subnet, as uid %d", *q.UID), nil
		case q.Closed:
			return refused("registration on this subnet is closed"), nil
		case q.Balance < q.Price+fee:
			return refused("not enough balance: a registration costs %s and a fee, %v has %s", TAO(q.Price), s.Hotkey(), TAO(q.Balance)), nil
		}
		res, err := c.send(ctx, s, func(rt *Runtime) (runtime.Call, error) {
			if rt.Has(module, "register_limit") {
				return rt.NewCall(module, "register_limit", map[string]any{"netuid": c.opts.NetUID, "hotkey": hotkey, "limit_price": q.Limit})
			}
			return rt.NewCall(module, "burned_register", map[string]any{"netuid": c.opts.NetUID, "hotkey": hotkey})
		})
		if err != nil {
			return chain.Receipt{}, err
		}
		r, class := receipt(res)
		if class == rules.Retry && try < maxTries { // too many in this block: the next is another
			continue
		}
		return r, nil
	}
}

// Commit replaces the hotkey's commitment, unless it stands there already.
func (c *Client) Commit(ctx context.Context, s protocol.Signer, data []byte) (chain.Receipt, error) {
	return c.turn(ctx, "commit", s, func() (chain.Receipt, error) { return c.commit(ctx, s, data) })
}

func (c *Client) commit(ctx context.Context, s protocol.Signer, data []byte) (chain.Receipt, error) {
	if len(data) == 0 {
		return refused("an empty commitment says nothing"), nil
	}
	var early *chain.Receipt
	err := c.read(ctx, func(st *state) (err error) {
		early, err = st.checkCommit(ctx, c.opts.NetUID, s.Hotkey(), data)
		return err
	})
	if err != nil {
		return chain.Receipt{}, err
	}
	if early != nil {
		return *early, nil
	}
	longest := 0
	res, err := c.send(ctx, s, func(rt *Runtime) (runtime.Call, error) {
		call, err := rt.commitment(c.opts.NetUID, data)
		if errors.Is(err, runtime.ErrAbsent) || errors.Is(err, rules.ErrTooLong) {
			longest = rt.longest()
		}
		return call, err
	})
	if longest > 0 && err != nil {
		return refused("%d bytes are too long: this chain's commitments hold at most %d bytes (a bucket on Cloudflare R2 needs %d: docs/how-to/bittensor.md)", len(data), longest, rules.MaxRaw), nil
	}
	if err != nil {
		return chain.Receipt{}, err
	}
	r, _ := receipt(res)
	return r, nil
}

// commitment is the call that commits data in one field. The error wraps runtime.ErrAbsent
// or rules.ErrTooLong where the runtime has no field that is long enough.
func (rt *Runtime) commitment(netuid uint16, data []byte) (runtime.Call, error) {
	name, err := rules.FieldName(len(data))
	if err != nil {
		return nil, err
	}
	return rt.NewCall("Commitments", "set_commitment", map[string]any{"netuid": netuid, "info": map[string]any{"fields": []any{map[string]any{name: data}}}})
}

// longest is how many bytes a commitment of the runtime holds.
func (rt *Runtime) longest() int {
	if _, err := rt.commitment(0, make([]byte, rules.MaxBigRaw)); err == nil {
		return rules.MaxBigRaw
	}
	n := rules.MaxRaw
	for ; n > 0; n-- {
		if _, err := rt.commitment(0, make([]byte, n)); err == nil {
			break
		}
	}
	return n
}

// checkCommit says what a commitment would come to without being sent, or nil.
func (s *state) checkCommit(ctx context.Context, netuid uint16, hotkey protocol.Hotkey, data []byte) (*chain.Receipt, error) {
	uid, err := s.uid(ctx, netuid, hotkey)
	if err != nil {
		return nil, err
	}
	if uid == nil {
		r := refused("hotkey is not registered on this subnet")
		return &r, nil
	}
	old, err := s.commitment(ctx, netuid, hotkey)
	if err != nil {
		return nil, err
	}
	if before, ok := old.Data(); ok && bytes.Equal(before, data) && len(old.Fields) == 1 {
		return &chain.Receipt{Status: chain.StatusIncluded, Block: old.Block, EffectiveAt: old.Block}, nil
	}
	reason, err := s.commitRate(ctx, netuid, hotkey, old.Block, uint64(len(data)))
	if reason == "" || err != nil {
		return nil, err
	}
	r := refused("%s", reason)
	return &r, nil
}

// commitment reads a hotkey's commitment: an empty one where there is none, or none that
// can be decoded.
func (s *state) commitment(ctx context.Context, netuid uint16, hotkey protocol.Hotkey) (c rules.Commitment, err error) {
	it, err := s.rt.Item("Commitments", "CommitmentOf")
	if err != nil {
		return c, err
	}
	key, err := s.key(it, netuid, hotkey)
	if err != nil {
		return c, err
	}
	raw, err := s.raw(ctx, key)
	if err != nil || raw == nil {
		return c, err
	}
	if c, err = rules.DecodeCommitment(raw); err != nil {
		return rules.Commitment{}, nil
	}
	return c, nil
}

// commitRate says how long the chain takes no further commitment of a length, or nothing.
// Runtimes up to 232 have the number of blocks between two commitments as a constant. Later
// ones count bytes in each epoch; some of those keep an item RateLimit which they do not use.
func (s *state) commitRate(ctx context.Context, netuid uint16, hotkey protocol.Hotkey, last, length uint64) (string, error) {
	v, err := s.value(ctx, "Commitments", "UsedSpaceOf", netuid, hotkey)
	if err == nil {
		return s.commitSpace(ctx, netuid, v, length)
	}
	if !errors.Is(err, runtime.ErrAbsent) {
		return "", err
	}
	if v, err = s.rt.Constant("Commitments", "RateLimit"); errors.Is(err, runtime.ErrAbsent) {
		v, err = s.value(ctx, "Commitments", "RateLimit", netuid)
	}
	if errors.Is(err, runtime.ErrAbsent) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	limit, err := runtime.U64(v)
	if err != nil {
		return "", fmt.Errorf("Commitments.RateLimit: %w", err)
	}
	if v, err = s.value(ctx, "Commitments", "LastCommitment", netuid, hotkey); err != nil && !errors.Is(err, runtime.ErrAbsent) {
		return "", err
	}
	if n, err := runtime.U64(v); err == nil {
		last = n
	}
	if last == 0 || s.at.number+1 >= last+limit {
		return "", nil
	}
	return fmt.Sprintf("rate limit: the commitment was set in block %d, again from block %d on, in %d blocks", last, last+limit, last+limit-s.at.number), nil
}

// leastSpace is what a commitment counts at least.
const leastSpace = 100

// commitSpace is the rate limit of runtimes that count bytes. used is what they keep of a
// hotkey, nil if nothing.
func (s *state) commitSpace(ctx context.Context, netuid uint16, used any, length uint64) (string, error) {
	most, err := s.number(ctx, "Commitments", "MaxSpace", netuid)
	if errors.Is(err, runtime.ErrAbsent) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	need := max(length, leastSpace)
	if need > most {
		return fmt.Sprintf("rate limit: a commitment of %d bytes never fits, the chain takes %d bytes of a hotkey in an epoch", length, most), nil
	}
	tracker, ok := used.(runtime.Struct)
	if !ok {
		return "", nil
	}
	r := reader{tracker, nil}
	epoch, space := r.number("last_epoch", 1<<64-1), r.number("used_space", 1<<64-1)
	if r.err != nil {
		return "", fmt.Errorf("Commitments.UsedSpaceOf: %w", r.err)
	}
	e, _, err := s.epochs(ctx, netuid)
	if err != nil {
		return "", err
	}
	next, err := e.At(1)
	if err != nil || next.CommitEpoch != epoch || space+need <= most {
		return "", nil // without epochs the chain decides
	}
	return fmt.Sprintf("rate limit: %d of the %d bytes that the chain takes of a hotkey in an epoch are used, again from block %d on, in %d blocks", space, most, next.First, next.First-s.at.number), nil
}
