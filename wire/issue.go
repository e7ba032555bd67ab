package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"templar/protocol"
)

const termSize = 8

// Issue is what an aggregator's signature of an Aggregate states, without the Aggregate: that this
// is its Aggregate of the window and the term. That of a closing statement has term 0.
type Issue struct {
	Window     protocol.Window    `json:"window"`
	Term       protocol.Term      `json:"term"`
	Aggregator protocol.Hotkey    `json:"aggregator"`
	Content    protocol.Hash      `json:"content_hash"` // AggregateHash
	Signature  protocol.Signature `json:"signature"`
}

// IssueOf returns the Issue of an encoded Aggregate or closing statement, which its decoder has accepted.
func IssueOf(b []byte) Issue {
	h, ok := PeekHeader(b)
	if !ok || len(b) < headerSize+trailerSize {
		return Issue{}
	}
	end := len(b) - trailerSize
	i := Issue{Window: h.Window, Aggregator: h.Hotkey, Content: protocol.Hash(b[end:][:digestSize]), Signature: protocol.Signature(b[end+digestSize:])}
	if h.Kind == KindAggregate {
		i.Term = termOf(b[:end])
	}
	return i
}

// termOf reads the term of an Aggregate, which begins its body; 0 if b, the Aggregate without its
// trailer, is too short.
func termOf(b []byte) protocol.Term {
	if len(b) < headerSize+termSize {
		return 0
	}
	return protocol.Term(binary.LittleEndian.Uint64(b[headerSize:]))
}

// message is what the aggregator signs as an object of a kind.
func (i Issue) message(run protocol.Hash, kind Kind) []byte {
	b := append(fmt.Appendf(nil, "templar/v%d/%v\x00", protocol.Version, kind), run[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(i.Window))
	if kind == KindAggregate {
		b = binary.LittleEndian.AppendUint64(b, uint64(i.Term))
	}
	return append(b, i.Content[:]...)
}

// Verify reports whether the aggregator has signed i for the run as an object of a kind.
func (i Issue) Verify(run protocol.Hash, kind Kind) bool {
	return i.Aggregator.Verify(i.message(run, kind), i.Signature)
}

// Conflict is a pair of Issues with different contents, of which honest aggregators and stores have at most
// one: Aggregates of one window and term, or closing statements of one window. Where both are of one
// aggregator, it has equivocated.
type Conflict struct {
	One   Issue `json:"one"`
	Other Issue `json:"other"`
}

// accused is the aggregator that signed both; zero when two aggregators signed one each.
func (c *Conflict) accused() protocol.Hotkey {
	if c.One.Aggregator == c.Other.Aggregator {
		return c.One.Aggregator
	}
	return protocol.Hotkey{}
}

// Conflicting returns the charge that two Issues of one window give against its Aggregate of a term, for the
// reason conflict or statements. Verify says whether it holds.
func Conflicting(reason Reason, term protocol.Term, one, other Issue) *Charge {
	proof := &Conflict{one, other}
	return &Charge{Term: term, Window: one.Window, Reason: reason, Accused: proof.accused(), Conflict: proof}
}

// Verify reports why a charge's proof proves nothing in a run with these parameters. A charge whose reason needs
// none is its signer's word.
//
// Two closing statements count against no term that began after their window. The only aggregator of a run is not
// charged with two of the window with which a term began either: its Aggregate has to refer to one of them, and no
// other aggregator could replace it.
func (c *Charge) Verify(run protocol.Hash, p *protocol.Params) error {
	kind := c.Reason.proof()
	if kind == 0 {
		return nil
	}
	if c.Conflict == nil {
		return errors.New("conflict: no proof")
	}
	switch a, b := c.Conflict.One, c.Conflict.Other; {
	case a.Window != c.Window || b.Window != c.Window || a.Term != b.Term || a.Content == b.Content:
		return errors.New("conflict: not two contents for one window and term")
	case kind == KindAggregate && a.Term != c.Term:
		return errors.New("conflict: of another term")
	case kind == KindClosing && a.Term != 0:
		return errors.New("conflict: closing statements with a term")
	case kind == KindClosing && c.Term != 0 && (c.Term.From() > c.Window || c.Term.From() == c.Window && len(p.Aggregators) == 1):
		return errors.New("conflict: closing statements of before the term")
	case !p.MayIssue(a.Aggregator, c.Term) || !p.MayIssue(b.Aggregator, c.Term):
		return errors.New("conflict: not signed by aggregators that may issue the term")
	case c.Accused != c.Conflict.accused():
		return errors.New("conflict: another is accused than signed both")
	case !a.Verify(run, kind) || !b.Verify(run, kind):
		return errors.New("conflict: a signature is not the aggregator's")
	}
	return nil
}
