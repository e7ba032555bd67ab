package bittensor

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/bittensor/rules"
	"templar/internal/chain/bittensor/runtime"
	"templar/internal/chain/bittensor/timelock"
	"templar/protocol"
)

// way is how a subnet takes weights.
type way uint8

const (
	plain      way = iota // set_weights
	hashed                // commit_weights, and reveal_weights later
	timelocked            // commit_timelocked_weights: the chain reveals
)

// timelockVersion is the version of timelocked commits that this build makes.
const timelockVersion = 4

// SetWeights sets a validator's weights in the way that the subnet wants them. Where they
// are committed first, the receipt is pending; the client reveals them, or sees that the
// chain does, for as long as it is open, and Settle returns the outcome.
func (c *Client) SetWeights(ctx context.Context, s protocol.Signer, call chain.Weights) (chain.Receipt, error) {
	return c.turn(ctx, "weights", s, func() (chain.Receipt, error) { return c.setWeights(ctx, s, call) })
}

func (c *Client) setWeights(ctx context.Context, s protocol.Signer, call chain.Weights) (chain.Receipt, error) {
	list := map[protocol.UID]uint16{}
	for _, w := range call.Entries {
		if _, twice := list[w.UID]; twice {
			return refused("uid %d stands twice", w.UID), nil
		}
		list[w.UID] = w.Value
	}
	w := rules.Weigh(list, call.VersionKey)
	if len(w.UIDs) == 0 {
		return refused("no weights above zero"), nil
	}
	var r chain.Receipt
	for range 2 { // the setting may change between reading and sending
		how, reason, err := c.checkWeights(ctx, s.Hotkey(), w)
		if err != nil || reason != "" {
			return refused("%s", reason), err
		}
		var class rules.Class
		switch how {
		case plain:
			r, class, err = c.plainWeights(ctx, s, w)
		case hashed:
			r, class, err = c.commitHash(ctx, s, w)
		case timelocked:
			r, class, err = c.commitTimelocked(ctx, s, w)
		}
		if err != nil || class != rules.OtherWay {
			return r, err
		}
	}
	return r, nil
}

// checkWeights reads what the chain asks, and says why it would refuse.
func (c *Client) checkWeights(ctx context.Context, hotkey protocol.Hotkey, w rules.Weights) (how way, reason string, err error) {
	err = c.persist(ctx, func(l *link) error {
		s, err := c.stateAtFinal(ctx, l)
		if err != nil {
			return err
		}
		graph, err := c.metagraph(ctx, l)
		if err != nil {
			return err
		}
		t, err := s.terms(ctx, c.opts.NetUID, hotkey, graph)
		if err != nil {
			return err
		}
		if reason = t.Check(w); reason != "" {
			return nil
		}
		how, reason, err = s.way(ctx, c.opts.NetUID)
		return err
	})
	return how, reason, err
}

func (s *state) terms(ctx context.Context, netuid uint16, hotkey protocol.Hotkey, m chain.Metagraph) (t rules.Terms, err error) {
	t = rules.Terms{Block: s.at.number, N: uint64(len(m.Neurons))}
	if n, ok := m.ByHotkey(hotkey); ok {
		t.Registered, t.UID, t.Permit, t.LastUpdate, t.Stake = true, uint16(n.UID), n.Permit, n.LastUpdate, n.Stake
	}
	for _, x := range []struct {
		to     *uint64
		absent uint64
		item   string
		keys   []any
	}{
		{&t.RateLimit, 0, "WeightsSetRateLimit", []any{netuid}},
		{&t.MinWeights, 0, "MinAllowedWeights", []any{netuid}},
		{&t.MaxWeight, 65535, "MaxWeightsLimit", []any{netuid}},
		{&t.VersionKey, 0, "WeightsVersionKey", []any{netuid}},
		{&t.StakeRequired, 0, s.stakeItem(), nil},
	} {
		if *x.to, err = s.numberOr(ctx, x.absent, module, x.item, x.keys...); err != nil {
			return t, err
		}
	}
	return t, nil
}

// stakeItem is the item that holds the stake for setting weights, which has two names.
func (s *state) stakeItem() string {
	if _, err := s.rt.Item(module, "StakeThreshold"); err == nil {
		return "StakeThreshold"
	}
	return "WeightsMinStake"
}

// way decides how weights are to be sent, by what the chain says now.
func (s *state) way(ctx context.Context, netuid uint16) (how way, reason string, err error) {
	on, err := s.value(ctx, module, "CommitRevealWeightsEnabled", netuid)
	if errors.Is(err, runtime.ErrAbsent) {
		return plain, "", nil
	}
	if err != nil || on != true {
		return plain, "", err
	}
	if !s.rt.Has(module, "commit_timelocked_weights") {
		return hashed, s.hashedForm(), nil
	}
	version, err := s.number(ctx, module, "CommitRevealWeightsVersion")
	if err != nil {
		return timelocked, "", err
	}
	if version != timelockVersion {
		return timelocked, fmt.Sprintf("the chain wants commits of weights of version %d, this build knows version %d: update templar", version, timelockVersion), nil
	}
	return timelocked, "", nil
}

// hashedForm says in which way the runtime's commits by hash differ from those that this
// build makes, or nothing. Runtimes before 204 count reveals in intervals and not in epochs,
// and the first of them take no salt: a commit that follows other rules is never revealed.
func (s *state) hashedForm() string {
	for call, want := range map[string][]string{
		"commit_weights": {"netuid", "commit_hash"},
		"reveal_weights": {"netuid", "uids", "values", "salt", "version_key"},
	} {
		got, err := s.rt.Args(module, call)
		if err != nil || !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
			return fmt.Sprintf("the subnet takes commits of weights only, and the runtime's call %s takes (%s), not (%s): this build does not support it", call, strings.Join(got, ", "), strings.Join(want, ", "))
		}
	}
	if _, err := s.rt.Item(module, "RevealPeriodEpochs"); err != nil {
		return "the subnet takes commits of weights only, and the runtime has no RevealPeriodEpochs: this build does not support its time of the reveal"
	}
	return ""
}

func (c *Client) plainWeights(ctx context.Context, s protocol.Signer, w rules.Weights) (chain.Receipt, rules.Class, error) {
	res, err := c.send(ctx, s, func(rt *Runtime) (runtime.Call, error) {
		return rt.NewCall(module, "set_weights", map[string]any{"netuid": c.opts.NetUID, "dests": w.UIDs, "weights": w.Values, "version_key": w.VersionKey})
	})
	if err != nil {
		return chain.Receipt{}, 0, err
	}
	r, class := receipt(res)
	return r, class, nil
}

// epochs reads what decides when the subnet's epochs begin.
func (s *state) epochs(ctx context.Context, netuid uint16) (e rules.Epochs, period uint64, err error) {
	e = rules.Epochs{Block: s.at.number, NetUID: uint64(netuid), Stateful: true}
	_, err = s.rt.Item(module, "SubnetEpochIndex")
	if errors.Is(err, runtime.ErrAbsent) {
		e.Stateful = false
	}
	for _, x := range []struct {
		to   *uint64
		item string
		need bool
	}{
		{&e.Tempo, "Tempo", true}, {&period, "RevealPeriodEpochs", false}, {&e.Last, "LastEpochBlock", false},
		{&e.Pending, "PendingEpochAt", false}, {&e.Index, "SubnetEpochIndex", false}, {&e.SinceStep, "BlocksSinceLastStep", false},
	} {
		*x.to, err = s.number(ctx, module, x.item, netuid)
		if errors.Is(err, runtime.ErrAbsent) && !x.need {
			err = nil
		}
		if err != nil {
			return e, period, err
		}
	}
	return e, period, nil
}

// plan says when a commit in the next block would be revealed, and its drand round.
type plan struct {
	rules.Reveal
	at     uint64 // block in which the plan was made
	beacon timelock.Beacon
	round  uint64
}

func (c *Client) planReveal(ctx context.Context, locked bool) (p plan, reason string, err error) {
	err = c.persist(ctx, func(l *link) error {
		s, err := c.stateAtFinal(ctx, l)
		if err != nil {
			return err
		}
		e, period, err := s.epochs(ctx, c.opts.NetUID)
		if err != nil {
			return err
		}
		p.at = s.at.number
		if p.Reveal, err = e.At(period); err != nil {
			reason = err.Error()
			return nil
		}
		if !locked {
			return nil
		}
		if p.beacon, err = s.beacon(ctx); err != nil {
			return err
		}
		now, blockTime, err := c.pace(ctx, l, s)
		if err != nil {
			return err
		}
		p.round = rules.Round(float64(now.UnixMilli())/1000, p.First+rules.SecurityBlocks-s.at.number, blockTime.Seconds(), p.beacon.Genesis, p.beacon.Period)
		stored, err := s.numberOr(ctx, 0, "Drand", "LastStoredRound")
		if err == nil && stored >= p.round {
			reason = fmt.Sprintf("the reveal round %d is out already (the chain has %d): is the chain's clock right?", p.round, stored)
		}
		return err
	})
	return p, reason, err
}

// beacon reads which drand network the chain listens to.
func (s *state) beacon(ctx context.Context) (b timelock.Beacon, err error) {
	v, err := s.value(ctx, "Drand", "BeaconConfig")
	if errors.Is(err, runtime.ErrAbsent) {
		return timelock.Quicknet(), nil
	}
	if err != nil {
		return b, err
	}
	f, _ := v.(runtime.Struct)
	key, ok := f["public_key"].([]byte)
	if !ok || len(key) != len(b.PublicKey) {
		return b, errors.New("Drand.BeaconConfig: a public key of another form")
	}
	copy(b.PublicKey[:], key)
	r := reader{f, nil}
	b.Period, b.Genesis = r.number("period", 1<<20), r.number("genesis_time", 1<<40)
	if r.err == nil && b.Period == 0 {
		r.err = errors.New("a period of 0 seconds")
	}
	if r.err != nil {
		return b, fmt.Errorf("Drand.BeaconConfig: %w", r.err)
	}
	return b, nil
}

// paceBlocks is over how many blocks the time between blocks is measured.
const paceBlocks = 32

// pace returns the time of the block and the time between blocks: the chain's own where
// it keeps to it, else as measured, as on test chains that run faster.
func (c *Client) pace(ctx context.Context, l *link, s *state) (now time.Time, blockTime time.Duration, err error) {
	if now, err = c.timeOf(ctx, l, s.at); err != nil {
		return now, 0, err
	}
	back := min(paceBlocks, max(s.at.number, 2)-1)
	if back == 0 || s.at.number < 2 {
		return now, defaultSlot, nil
	}
	past, err := c.wait(ctx, s.at.number-back)
	if err != nil {
		return now, 0, err
	}
	then, err := c.timeOf(ctx, l, past)
	if err != nil {
		return now, 0, err
	}
	measured := now.Sub(then) / time.Duration(back)
	if ratio := measured.Seconds() / defaultSlot.Seconds(); ratio > 0.75 && ratio < 1.5 {
		return now, defaultSlot, nil // some late blocks are no slower chain
	}
	return now, measured, nil
}

// maxCommit is the longest timelocked commit that the chain takes.
const maxCommit = 5000

// commitTimelocked encrypts the weights to the round that is out when they are revealed.
func (c *Client) commitTimelocked(ctx context.Context, s protocol.Signer, w rules.Weights) (chain.Receipt, rules.Class, error) {
	p, reason, err := c.planReveal(ctx, true)
	if err != nil || reason != "" {
		return refused("%s", reason), rules.Failed, err
	}
	sealed, err := p.beacon.Encrypt(p.round, rules.Payload(s.Hotkey(), w))
	if err != nil {
		return chain.Receipt{}, 0, err
	}
	if len(sealed) > maxCommit {
		return refused("%d weights take %d bytes encrypted, the chain allows %d", len(w.UIDs), len(sealed), maxCommit), rules.Failed, nil
	}
	res, err := c.send(ctx, s, func(rt *Runtime) (runtime.Call, error) {
		return rt.NewCall(module, "commit_timelocked_weights", map[string]any{"netuid": c.opts.NetUID, "commit": sealed, "reveal_round": p.round, "commit_reveal_version": timelockVersion})
	})
	if err != nil {
		return chain.Receipt{}, 0, err
	}
	r, class := receipt(res)
	if r.Status == chain.StatusIncluded {
		r.Status, r.EffectiveAt = chain.StatusPending, max(p.First, r.Block+1)
		c.settleLater(s, r)
	}
	return r, class, nil
}

// commitHash commits to weights by a hash. The salt is on disk before anything is sent:
// without it the weights could never be revealed.
func (c *Client) commitHash(ctx context.Context, s protocol.Signer, w rules.Weights) (chain.Receipt, rules.Class, error) {
	p, reason, err := c.planReveal(ctx, false)
	if err != nil || reason != "" {
		return refused("%s", reason), rules.Failed, err
	}
	var random [16]byte
	rand.Read(random[:])
	salt := make([]uint16, len(random)/2)
	for i := range salt {
		salt[i] = binary.LittleEndian.Uint16(random[2*i:])
	}
	o := open{Genesis: c.Genesis(), NetUID: c.opts.NetUID, Hotkey: s.Hotkey(), Weights: w, Salt: salt, First: p.First, End: p.End, Sent: p.at + eraPeriod}
	o.Hash = rules.CommitHash(o.Hotkey, o.NetUID, w, salt)
	if err := c.reveal.add(o); err != nil {
		return refused("the salt of the commit cannot be kept, so the weights could not be revealed: %v", err), rules.Failed, nil
	}
	res, err := c.send(ctx, s, func(rt *Runtime) (runtime.Call, error) {
		return rt.NewCall(module, "commit_weights", map[string]any{"netuid": o.NetUID, "commit_hash": o.Hash})
	})
	if err != nil {
		return chain.Receipt{}, 0, err // it stays open: the chain is asked whether it has it
	}
	r, class := receipt(res)
	if r.Status != chain.StatusIncluded {
		return r, class, c.reveal.remove(o.Hash)
	}
	r.Status, r.EffectiveAt = chain.StatusPending, max(p.First, r.Block+1)
	if first, _, ok, err := c.openOnChain(ctx, o); err == nil && ok && first > r.Block {
		r.EffectiveAt = first
	}
	c.settleLater(s, r)
	return r, class, nil
}
