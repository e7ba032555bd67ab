package audit

import (
	"context"
	"fmt"
	"slices"

	"templar/internal/chain"
	"templar/internal/exchange"
	"templar/protocol"
)

// attest holds the state that was computed last against what validators have signed of theirs.
func (a *auditor) attest(ctx context.Context) exchange.Attestation {
	peers := make([]exchange.Peer, len(a.Validators))
	for i, v := range a.Validators {
		peers[i] = exchange.Peer{Neuron: chain.Neuron{UID: v.UID, Hotkey: v.Hotkey, Stake: v.Stake}, Bucket: v.Bucket}
	}
	return a.Attest(ctx, peers, a.model.State(), protocol.Hotkey{})
}

// vouched tells what stands behind the checkpoint that was loaded, and whether it can be
// started from: not when more stake has signed another state than this one.
func (a *auditor) vouched(ctx context.Context, p place) bool {
	said := a.attest(ctx)
	after := p.next - 1
	if said.Contradicted() {
		a.judge("checkpoint", []string{contradiction(said, after)}, "%v is not the network's: not started from", p)
		return false
	}
	others := len(said.Signers)
	if slices.Contains(said.Signers, p.Hotkey) {
		others--
	}
	switch {
	case others == 0:
		a.doubt = p.String()
		a.add("start", Unknown, "%v: only its owner's word, nobody else's signature of the state after window %d is there", p, after)
	case said.Agree <= said.Total/2:
		a.doubt = p.String()
		a.add("start", Unknown, "%v: only %s signed the state after window %d", p, signers(said), after)
	default:
		a.add("start", OK, "%v: %s signed the state after window %d", p, signers(said), after)
	}
	return true
}

func signers(said exchange.Attestation) string {
	noun := "validators"
	if len(said.Signers) == 1 {
		noun = "validator"
	}
	return fmt.Sprintf("%d %s with %s of all stake", len(said.Signers), noun, share(said.Agree, said.Total))
}

func contradiction(said exchange.Attestation, w protocol.Window) string {
	return fmt.Sprintf("%s of the validators' stake signed another state after window %d, %s this one; %s",
		share(said.Against, said.Total), w, share(said.Agree, said.Total), said.HowFar())
}

func share(part, of uint64) string {
	return fmt.Sprintf("%.3g %%", 100*float64(part)/max(1, float64(of)))
}

// witnesses collects what validators have signed of the windows that are replayed.
type witnesses struct {
	*auditor
	windows, backed int // of them, by more than half of the stake
	faults          []string
}

// hear takes what is said of the state that was computed last.
func (w *witnesses) hear(ctx context.Context) {
	said := w.attest(ctx)
	w.windows++
	switch {
	case said.Contradicted():
		w.faults = append(w.faults, contradiction(said, w.model.Next()-1))
	case said.Agree > said.Total/2:
		w.backed++
	}
}

// tell adds the check, if anything was replayed.
func (w *witnesses) tell() {
	const name = "replay"
	text := fmt.Sprintf("states after replayed windows that more than half of the validators' stake has signed: %d of %d", w.backed, w.windows)
	switch {
	case w.windows == 0:
	case len(w.faults) == 0 && w.backed < w.windows:
		w.add(name, Unknown, "%s", text)
	default:
		w.judge(name, w.faults, "%s", text)
	}
}
