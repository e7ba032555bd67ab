package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"templar/protocol"
)

const termSize = 8

// Issue is what an aggregator's signature of an Aggregate states, without the Aggregate: that this
// is its Aggregate of the window and the term.
type Issue struct {
	Window     protocol.Window    `json:"window"`
	Term       protocol.Term      `json:"term"`
	Aggregator protocol.Hotkey    `json:"aggregator"`
	Content    protocol.Hash      `json:"content_hash"` // AggregateHash
	Signature  protocol.Signature `json:"signature"`
}

// IssueOf returns the Issue of an encoded Aggregate, which DecodeAggregate has accepted.
func IssueOf(b []byte) Issue {
	h, ok := PeekHeader(b)
	if !ok || len(b) < headerSize+trailerSize {
		return Issue{}
	}
	end := len(b) - trailerSize
	return Issue{h.Window, termOf(b[:end]), h.Hotkey, protocol.Hash(b[end:][:digestSize]), protocol.Signature(b[end+digestSize:])}
}

// termOf reads the term of an Aggregate, which begins its body; 0 if b, the Aggregate without its
// trailer, is too short.
func termOf(b []byte) protocol.Term {
	if len(b) < headerSize+termSize {
		return 0
	}
	return protocol.Term(binary.LittleEndian.Uint64(b[headerSize:]))
}

// message is what the aggregator signs.
func (i Issue) message(run protocol.Hash) []byte {
	b := append(fmt.Appendf(nil, "templar/v%d/%v\x00", protocol.Version, KindAggregate), run[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(i.Window))
	b = binary.LittleEndian.AppendUint64(b, uint64(i.Term))
	return append(b, i.Content[:]...)
}

// Verify reports whether the aggregator has signed i for the run.
func (i Issue) Verify(run protocol.Hash) bool {
	return i.Aggregator.Verify(i.message(run), i.Signature)
}

// Conflict is a pair of Issues of one window and term with different contents, of which honest
// aggregators and stores have at most one. Where both are of one aggregator, it has equivocated.
type Conflict struct {
	One   Issue `json:"one"`
	Other Issue `json:"other"`
}

// Accused is the aggregator that signed both; zero when two aggregators signed one each.
func (c *Conflict) Accused() protocol.Hotkey {
	if c.One.Aggregator == c.Other.Aggregator {
		return c.One.Aggregator
	}
	return protocol.Hotkey{}
}

// Verify reports why c proves nothing in a run; may is as in DecodeAggregate.
func (c *Conflict) Verify(run protocol.Hash, may func(protocol.Hotkey, protocol.Term) bool) error {
	switch a, b := c.One, c.Other; {
	case a.Window != b.Window || a.Term != b.Term || a.Content == b.Content:
		return errors.New("conflict: not two contents for one window and term")
	case !may(a.Aggregator, a.Term) || !may(b.Aggregator, b.Term):
		return errors.New("conflict: not signed by aggregators that may issue the term")
	case !a.Verify(run) || !b.Verify(run):
		return errors.New("conflict: a signature is not the aggregator's")
	}
	return nil
}
