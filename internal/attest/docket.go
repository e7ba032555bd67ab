package attest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"templar/internal/directory"
	"templar/internal/finality"
	"templar/internal/run"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// Docket reads the charges that validators publish, and knows which Aggregates are void. It belongs
// to the loop of one role.
type Docket struct {
	Samples   Samples
	Directory Electorate

	terms  finality.Terms
	read   map[protocol.Hotkey]document
	proven *wire.Charge
}

// Electorate names the validators, whose stake counts.
type Electorate interface {
	Validators() []directory.Peer
}

// document is a validator's charges as they were read last.
type document struct {
	raw     []byte
	charges []wire.Charge
}

// Refresh reads the charges of all validators. A validator whose bucket does not answer has those
// that it had before, as those in skip have, which are not asked. It returns those that did not answer.
func (d *Docket) Refresh(ctx context.Context, skip []protocol.Hotkey) (silent []protocol.Hotkey) {
	validators := d.Directory.Validators()
	docs, away := make([]document, len(validators)), make([]bool, len(validators))
	d.Samples.Schedule.Clock.Each(len(validators), looksAtOnce, func(i int) {
		if docs[i] = d.read[validators[i].Hotkey]; !slices.Contains(skip, validators[i].Hotkey) {
			docs[i], away[i] = d.document(ctx, validators[i])
		}
	})
	ballots := make([]finality.Ballot, len(validators))
	read := make(map[protocol.Hotkey]document, len(validators))
	var total uint64
	for i, v := range validators {
		read[v.Hotkey] = docs[i]
		ballots[i] = finality.Ballot{Stake: v.Stake, Charges: docs[i].charges}
		total += v.Stake
		if away[i] {
			silent = append(silent, v.Hotkey)
		}
	}
	d.read = read
	d.terms.Aggregators = d.Samples.Run.Params.Aggregators
	d.terms.Add(finality.Voids(ballots, total))
	d.proven = nil
	for _, doc := range docs {
		for i, c := range doc.charges {
			if c.Conflict != nil && d.terms.Of(c.Window) == c.Term && (d.proven == nil || c.Window < d.proven.Window) {
				d.proven = &doc.charges[i]
			}
		}
	}
	return silent
}

// Proven is the charge of the earliest window that its own proof shows to be true, of any validator, against
// a term that is not void there; nil for none. It is as known since the last Refresh.
func (d *Docket) Proven() *wire.Charge { return d.proven }

// Of returns a validator's charges as known since the last Refresh. The caller must not change them.
func (d *Docket) Of(validator protocol.Hotkey) []wire.Charge { return d.read[validator].charges }

// Terms returns the rule by which Aggregates follow each other, as known since the last Refresh.
func (d *Docket) Terms() *finality.Terms {
	if d.terms.Aggregators == nil { // no Refresh yet; after one, callers may read at the same time
		d.terms.Aggregators = d.Samples.Run.Params.Aggregators
	}
	return &d.terms
}

// document reads one validator's charges. away reports that its store does not answer.
func (d *Docket) document(ctx context.Context, v directory.Peer) (doc document, away bool) {
	before := d.read[v.Hotkey]
	ctx, cancel := d.Samples.Schedule.WithPatience(ctx)
	defer cancel()
	raw, _, err := store.ReadAll(ctx, v.Bucket, protocol.ChargesKey(), wire.MaxSealedSize)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return document{}, false
	case err != nil || bytes.Equal(raw, before.raw):
		return before, err != nil
	}
	charges, err := OpenCharges(d.Samples.Run, raw, v.Hotkey)
	if err != nil {
		return document{raw: raw}, false // it is false, and counts for nothing
	}
	return document{raw, charges}, false
}

// OpenCharges reads a validator's charges. Those whose proof proves nothing are left out.
func OpenCharges(r run.Run, raw []byte, by protocol.Hotkey) (out []wire.Charge, err error) {
	var doc wire.Charges
	signer, err := wire.Open(wire.DomainCharges, raw, &doc)
	switch {
	case err != nil:
		return nil, err
	case signer != by || doc.Run != r.Hash:
		return nil, fmt.Errorf("charges: signed by %s for the run %s", signer, doc.Run.Short())
	}
	for _, c := range doc.Charges {
		if c.Verify(r.Hash, r.Params.MayIssue) == nil {
			out = append(out, c)
		}
	}
	return out, nil
}
