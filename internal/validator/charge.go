package validator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"templar/internal/attest"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// charge publishes a charge. Of one term only the earliest stands. A final window is not charged.
func (v *Validator) charge(ctx context.Context, c wire.Charge) error {
	if c.Window < v.model.Final().Next {
		return nil
	}
	charges := slices.Clone(v.charges)
	i, found := slices.BinarySearchFunc(charges, c.Term, func(o wire.Charge, t protocol.Term) int { return cmp.Compare(o.Term, t) })
	switch {
	case found && charges[i].Window <= c.Window:
		return nil
	case found:
		charges[i] = c
	default:
		charges = slices.Insert(charges, i, c)
	}
	charges = charges[max(0, len(charges)-wire.MaxCharges):]
	raw, err := wire.Seal(wire.DomainCharges, wire.Charges{Run: v.Hash, Charges: charges}, v.Outbox.Signer)
	if err == nil {
		ctx, cancel := v.Schedule.WithTimeout(ctx)
		defer cancel()
		err = errors.Join(store.PutBytes(ctx, v.Local, protocol.ChargesKey(), raw, store.PutOptions{}), v.Outbox.Put(ctx, protocol.ChargesKey(), raw))
	}
	if err != nil {
		return fmt.Errorf("charge: %w", err)
	}
	v.charges = charges
	return nil
}

// loadCharges reads what this validator has charged before.
func (v *Validator) loadCharges(ctx context.Context) error {
	raw, _, err := store.ReadAll(ctx, v.Local, protocol.ChargesKey(), wire.MaxSealedSize)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	charges, err := attest.OpenCharges(v.Deps.Run, raw, v.Outbox.Signer.Hotkey())
	if err != nil {
		v.Log.Warn("the charges in the data directory are not this run's", "err", err)
		return nil
	}
	v.charges = charges
	return v.Outbox.Put(ctx, protocol.ChargesKey(), raw) // an earlier instance may have ended before
}

// chargeConflict charges two Aggregates or closing statements of one window, if a proof is known, be it another
// validator's.
func (v *Validator) chargeConflict(ctx context.Context) {
	c := v.model.Conflict()
	if c == nil {
		return
	}
	if err := v.charge(ctx, *c); err != nil {
		v.Log.Warn("a conflict is not charged yet", "window", c.Window, "err", err)
	}
}

// standBy charges what more than half of the stake has made void. Others may withdraw their charges, or change them: without
// this, a node that reads them later knows another term of the same window, and waits for it for ever.
func (v *Validator) standBy(ctx context.Context) {
	for _, void := range v.Source.Docket.Terms().Voids() {
		c := wire.Charge{Term: void.Term, Window: void.Window, Reason: wire.ReasonVoid, Accused: void.Accused}
		if err := v.charge(ctx, c); err != nil {
			v.Log.Info("what is void is not charged yet", "window", c.Window, "err", err)
		}
	}
}

// patience is for how many windows a validator waits for an Aggregate of a term after 0.
const patience = 3

// chargeAbsence charges the aggregator whose turn the term is, when it has issued nothing for w in time.
// In term 0 every aggregator may issue, and the windows wait for one.
func (v *Validator) chargeAbsence(ctx context.Context, w, current protocol.Window, t protocol.Term) error {
	owner, ok := v.Params.Owner(t)
	if at := (awaited{t, w, v.awaited.since}); v.awaited != at {
		v.awaited = awaited{t, w, current}
	}
	if !ok || current <= v.awaited.since+patience {
		return nil
	}
	return v.charge(ctx, wire.Charge{Term: t, Window: w, Reason: wire.ReasonAbsent, Accused: owner})
}

// awaited is an Aggregate that does not exist yet, and the window since which a validator waits for it.
type awaited struct {
	term   protocol.Term
	window protocol.Window
	since  protocol.Window
}
