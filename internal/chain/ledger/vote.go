package ledger

import (
	"bytes"
	"fmt"

	"templar/protocol"
)

// vote replaces an authority's vote, and adopts parameters that more than two thirds
// of the authorities ask for. A vote for the parameters as they stand withdraws the
// one before.
func (l *Ledger) vote(signer protocol.Hotkey, c Vote) (func(), *Refusal) {
	if !l.params.IsAuthority(signer) {
		return nil, refuse(CodeRule, "only an authority of chain %q votes, and %v is none", l.genesis.ChainID, signer)
	}
	p, err := DecodeParams(c.Params)
	if err != nil {
		return nil, refuse(CodeRule, "%v", err)
	}
	if n := l.count(); p.MaxNeurons < n {
		return nil, refuse(CodeRule, "max_neurons of %d is below the %d that are registered", p.MaxNeurons, n)
	}
	if len(p.Authorities) == 0 {
		return nil, refuse(CodeRule, "parameters without an authority could never be changed again")
	}
	encoded, err := p.Encode() // the same parameters count together, however they were written
	if err != nil || len(encoded) > maxParamsSize {
		return nil, refuse(CodeRule, "parameters of %d bytes: at most %d", len(encoded), maxParamsSize)
	}
	return func() { l.tally(signer, p, encoded) }, nil
}

func (l *Ledger) tally(signer protocol.Hotkey, p Params, encoded []byte) {
	if bytes.Equal(encoded, l.state.records[keyParams]) {
		l.state.del(voteKey(signer))
		return
	}
	l.state.put(voteKey(signer), encoded)
	votes := 0
	for _, a := range l.params.Authorities {
		if bytes.Equal(l.state.records[voteKey(a)], encoded) {
			votes++
		}
	}
	if 3*votes <= 2*len(l.params.Authorities) {
		return
	}
	// Votes for something else were made with other parameters in mind.
	for _, a := range l.params.Authorities {
		l.state.del(voteKey(a))
	}
	l.params = p
	l.state.put(keyParams, encoded)
}

// adopt sets the genesis's parameters.
func (l *Ledger) adopt(p Params) error {
	encoded, err := p.Encode()
	if err != nil || len(encoded) > maxParamsSize {
		return fmt.Errorf("genesis: parameters of %d bytes, at most %d (%w)", len(encoded), maxParamsSize, err)
	}
	l.params = p
	l.state.put(keyParams, encoded)
	return nil
}

// Votes returns what each authority that has a standing vote asks for.
func (l *Ledger) Votes() map[protocol.Hotkey]Params {
	votes := map[protocol.Hotkey]Params{}
	for _, a := range l.params.Authorities {
		if p, err := DecodeParams(l.state.records[voteKey(a)]); err == nil {
			votes[a] = p
		}
	}
	return votes
}
