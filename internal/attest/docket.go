package attest

import (
	"bytes"
	"context"
	"encoding/json"
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
//
// A hostile validator can show charges to some nodes and not to others. Therefore only validators count charges, and
// each publishes the signed charges by which it found something void: what one honest validator knows, all know after
// their next Refresh. All other nodes count the validators that say that it is void: more than half of the stake does
// so only when an honest one does.
type Docket struct {
	Samples   Samples
	Directory Electorate
	Judges    bool // counts charges, and reads the evidence of other validators: a validator's

	terms    finality.Terms
	read     map[protocol.Hotkey]document
	proven   *wire.Charge
	shown    map[protocol.Hotkey][]byte // the evidence of each validator that was read last
	evidence wire.Evidence
}

// Electorate names the validators, whose stake counts.
type Electorate interface {
	Validators() []directory.Peer
}

// document is a validator's charges as they were read last.
type document struct {
	raw []byte
	wire.Charges
}

// Refresh reads the charges of all validators. A validator whose bucket does not answer has those
// that it had before, as those in skip have, which are not asked. It returns those that did not answer.
func (d *Docket) Refresh(ctx context.Context, skip []protocol.Hotkey) (silent []protocol.Hotkey) {
	validators := d.Directory.Validators()
	docs, away := make([]document, len(validators)), make([]bool, len(validators))
	shown := make([][]byte, len(validators))
	d.Samples.Schedule.Clock.Each(len(validators), looksAtOnce, func(i int) {
		if docs[i] = d.read[validators[i].Hotkey]; slices.Contains(skip, validators[i].Hotkey) {
			return
		}
		if docs[i], away[i] = d.document(ctx, validators[i]); d.Judges && !away[i] {
			shown[i] = d.fetch(ctx, validators[i], protocol.EvidenceKey(), wire.MaxEvidenceSize)
		}
	})
	read := make(map[protocol.Hotkey]document, len(validators))
	stated := make([]finality.Ballot, len(validators))
	for i, v := range validators {
		read[v.Hotkey] = docs[i]
		stated[i] = finality.Ballot{Stake: v.Stake, Charges: charged(docs[i].Voids)}
		if away[i] {
			silent = append(silent, v.Hotkey)
		}
	}
	d.read = read
	d.terms.Aggregators = d.Samples.Run.Params.Aggregators
	d.terms.Add(finality.Voids(stated, directory.Stake(validators)))
	if d.Judges {
		for i, v := range validators {
			d.learn(validators, v.Hotkey, shown[i])
		}
		d.judge(validators, docs)
	}
	d.proven = nil
	for _, doc := range docs {
		for i, c := range doc.Charges.Charges {
			if c.Conflict != nil && d.terms.Of(c.Window) == c.Term && (d.proven == nil || c.Window < d.proven.Window) {
				d.proven = &doc.Charges.Charges[i]
			}
		}
	}
	return silent
}

// charged are voids in the form in which they are counted.
func charged(voids []wire.Void) []wire.Charge {
	out := make([]wire.Charge, len(voids))
	for i, v := range voids {
		out[i] = wire.Charge{Term: v.Term, Window: v.Window, Accused: v.Accused}
	}
	return out
}

// judge counts the charges in the validators' documents. What they make void is known from then on, with the
// documents as evidence. It is not where they are larger than evidence may be: other validators could not be shown it.
func (d *Docket) judge(validators []directory.Peer, docs []document) {
	ballots := make([]finality.Ballot, len(docs))
	for i, doc := range docs {
		ballots[i] = finality.Ballot{Stake: validators[i].Stake, Charges: doc.Charges.Charges}
	}
	for _, v := range finality.Voids(ballots, directory.Stake(validators)) {
		var evidence []json.RawMessage
		size := 0
		for _, doc := range docs {
			if slices.ContainsFunc(doc.Charges.Charges, func(c wire.Charge) bool { return c.Term == v.Term && c.Window <= v.Window }) {
				evidence, size = append(evidence, doc.raw), size+len(doc.raw)
			}
		}
		if size <= wire.MaxEvidence && d.terms.Add([]wire.Void{v}) {
			d.evidence.Voids = append(d.evidence.Voids, evidence)
			d.evidence.Voids = d.evidence.Voids[max(0, len(d.evidence.Voids)-wire.MaxEvidenceVoids):]
		}
	}
}

// learn takes what another validator's evidence shows to be void, and its documents as this node's own evidence.
func (d *Docket) learn(validators []directory.Peer, from protocol.Hotkey, raw []byte) {
	if raw == nil || bytes.Equal(raw, d.shown[from]) {
		return
	}
	if d.shown == nil {
		d.shown = make(map[protocol.Hotkey][]byte)
	}
	d.shown[from] = raw
	e, err := wire.DecodeEvidence(raw)
	if err != nil {
		return
	}
	for _, documents := range e.Voids {
		docs := make([]document, len(validators))
		for _, raw := range documents {
			signer, doc, err := openCharges(d.Samples.Run, raw)
			i := slices.IndexFunc(validators, func(p directory.Peer) bool { return p.Hotkey == signer })
			if err != nil || i < 0 || docs[i].raw != nil {
				docs = nil // no honest validator publishes it
				break
			}
			docs[i] = document{raw, doc}
		}
		if docs != nil {
			d.judge(validators, docs)
		}
	}
}

// Evidence shows other validators what this node has found to be void.
func (d *Docket) Evidence() *wire.Evidence { return &d.evidence }

// Proven is the charge of the earliest window that its own proof shows to be true, of any validator, against
// a term that is not void there; nil for none. It is as known since the last Refresh.
func (d *Docket) Proven() *wire.Charge { return d.proven }

// Of returns a validator's charges as known since the last Refresh. The caller must not change them.
func (d *Docket) Of(validator protocol.Hotkey) []wire.Charge {
	return d.read[validator].Charges.Charges
}

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

// fetch reads another object of a validator; nil when it cannot.
func (d *Docket) fetch(ctx context.Context, v directory.Peer, key string, limit int64) []byte {
	ctx, cancel := d.Samples.Schedule.WithPatience(ctx)
	defer cancel()
	raw, _, err := store.ReadAll(ctx, v.Bucket, key, limit)
	if err != nil {
		return nil
	}
	return raw
}

// OpenCharges reads a validator's charges. Those whose proof proves nothing are left out.
func OpenCharges(r run.Run, raw []byte, by protocol.Hotkey) (wire.Charges, error) {
	signer, doc, err := openCharges(r, raw)
	if err == nil && signer != by {
		return wire.Charges{}, fmt.Errorf("charges: signed by %s", signer)
	}
	return doc, err
}

func openCharges(r run.Run, raw []byte) (signer protocol.Hotkey, doc wire.Charges, err error) {
	signer, err = wire.Open(wire.DomainCharges, raw, &doc)
	if err == nil && doc.Run != r.Hash {
		err = fmt.Errorf("charges: of the run %s", doc.Run.Short())
	}
	if err != nil {
		return signer, wire.Charges{}, err
	}
	doc.Charges = slices.DeleteFunc(doc.Charges, func(c wire.Charge) bool { return c.Verify(r.Hash, r.Params) != nil })
	return signer, doc, err
}
