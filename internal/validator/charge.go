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
	if err := v.sign(ctx, charges, v.stated); err != nil {
		return fmt.Errorf("charge: %w", err)
	}
	return nil
}

// sign publishes the document of charges and of what is void: the newest of each where there are too many.
func (v *Validator) sign(ctx context.Context, charges []wire.Charge, voids []wire.Void) error {
	charges, voids = charges[max(0, len(charges)-wire.MaxCharges):], voids[max(0, len(voids)-wire.MaxCharges):]
	raw, err := wire.Seal(wire.DomainCharges, wire.Charges{Run: v.Hash, Charges: charges, Voids: voids}, v.Outbox.Signer)
	if err != nil {
		return err
	}
	ctx, cancel := v.Schedule.WithTimeout(ctx)
	defer cancel()
	if err := errors.Join(store.PutBytes(ctx, v.Local, protocol.ChargesKey(), raw, store.PutOptions{}), v.Outbox.Put(ctx, protocol.ChargesKey(), raw)); err != nil {
		return err
	}
	v.charges, v.stated = charges, voids
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
	doc, err := attest.OpenCharges(v.Deps.Run, raw, v.Outbox.Signer.Hotkey())
	if err != nil {
		v.Log.Warn("the charges in the data directory are not this run's", "err", err)
		return nil
	}
	v.charges, v.stated = doc.Charges, doc.Voids
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

// standBy states what is void, and first shows the charges that made it so. Others may show their charges to some nodes
// only, withdraw them, or change them: without this, two nodes could know different terms of the same window, and each
// wait for its own for ever.
func (v *Validator) standBy(ctx context.Context) {
	voids := slices.Clone(v.Source.Docket.Terms().Voids())
	slices.SortFunc(voids, func(a, b wire.Void) int { return cmp.Compare(a.Term, b.Term) })
	if voids = voids[max(0, len(voids)-wire.MaxCharges):]; slices.Equal(voids, v.stated) {
		return
	}
	err := v.show(ctx)
	if err == nil {
		err = v.sign(ctx, v.charges, voids)
	}
	if err != nil {
		v.Log.Info("what is void is not stated yet", "err", err)
	}
}

// show publishes the charges by which this validator knows what is void.
func (v *Validator) show(ctx context.Context) error {
	e := v.Source.Docket.Evidence()
	if len(e.Voids) == 0 {
		return nil // it knows by the statements of others
	}
	raw, err := wire.EncodeEvidence(e)
	if err != nil {
		return err
	}
	ctx, cancel := v.Schedule.WithTimeout(ctx)
	defer cancel()
	return v.Outbox.Put(ctx, protocol.EvidenceKey(), raw)
}

// patience is for how many windows a validator waits for an Aggregate of a term after 0.
const patience = 3

// chargeAbsence charges a term whose aggregator has issued nothing for w in time. It accuses none: another may have deleted it.
// In term 0 every aggregator may issue, and the windows wait for one.
func (v *Validator) chargeAbsence(ctx context.Context, w, current protocol.Window, t protocol.Term) error {
	_, ok := v.Params.Owner(t)
	if at := (awaited{t, w, v.awaited.since}); v.awaited != at {
		v.awaited = awaited{t, w, current}
	}
	if !ok || current <= v.awaited.since+patience {
		return nil
	}
	return v.charge(ctx, wire.Charge{Term: t, Window: w, Reason: wire.ReasonAbsent})
}

// awaited is an Aggregate that does not exist yet, and the window since which a validator waits for it.
type awaited struct {
	term   protocol.Term
	window protocol.Window
	since  protocol.Window
}
