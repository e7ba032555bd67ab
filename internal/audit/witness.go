package audit

import (
	"context"
	"fmt"

	"templar/internal/attest"
	"templar/internal/directory"
	"templar/protocol"
)

// attest compares the state that was computed last with the states that validators have signed.
// The stake of holder, the owner of the state, agrees.
func (a *auditor) attest(ctx context.Context, holder protocol.Hotkey) attest.Attestation {
	peers := make([]directory.Peer, len(a.Validators))
	for i, v := range a.Validators {
		peers[i] = v.peer()
	}
	return a.attested().Attest(ctx, peers, a.model.State(), holder)
}

// vouched adds a check of the signatures for the checkpoint that was loaded, and reports whether
// the replay may start from it: not when more stake has signed another state than this one. It
// is a difference only when that is more than half of all stake, so a minority cannot cause one.
func (a *auditor) vouched(ctx context.Context, p place) bool {
	holder := p.Hotkey
	if a.denies(ctx, p) {
		holder = protocol.Hotkey{}
	}
	said, after := a.attest(ctx, holder), p.next-1
	backers := len(said.Signers) // without its owner
	if !holder.IsZero() {
		backers++
	}
	signed := fmt.Sprintf("%s with %s of all stake signed the state after window %d, %s another",
		validators(backers), share(said.Agree, said.Total), after, share(said.Against, said.Total))
	switch {
	case said.Outvoted():
		a.judge("checkpoint", []string{contradiction(said, after)}, "%v is not the network's: not started from", p)
	case said.Contradicted():
		a.add("checkpoint", Unknown, "%v: not started from: %s", p, contradiction(said, after))
	case len(said.Signers) == 0:
		a.doubt = p.String()
		a.add("start", Unknown, "%v: signed by its owner only: %s", p, signed)
	case said.Agree <= said.Total/2:
		a.doubt = p.String()
		a.add("start", Unknown, "%v: only %s", p, signed)
	default:
		a.add("start", OK, "%v: %s", p, signed)
	}
	return !said.Contradicted()
}

// denies reports whether a checkpoint's owner has signed another state in its own sample: then
// its manifest does not count as a signature of this one.
func (a *auditor) denies(ctx context.Context, p place) bool {
	s, verdict := a.attested().Fetch(ctx, p.peer(), p.next-1)
	state := a.model.State()
	return verdict.OK() && (s.State != state.Hash || s.Issue.Content != state.Issue.Content)
}

func validators(n int) string {
	if n == 1 {
		return "1 validator"
	}
	return fmt.Sprintf("%d validators", n)
}

func contradiction(said attest.Attestation, w protocol.Window) string {
	return fmt.Sprintf("%s of the validators' stake signed another state after window %d, %s this one; %s",
		share(said.Against, said.Total), w, share(said.Agree, said.Total), said.HowFar())
}

func share(part, of uint64) string {
	return fmt.Sprintf("%.3g %%", 100*float64(part)/max(1, float64(of)))
}

// witnesses collects the validators' signatures of the replayed windows.
type witnesses struct {
	*auditor
	windows, backed int // of them, by more than half of the stake
	since           int // of them, after the last that is backed
	faults          []string
}

// count adds the signatures of the state that was computed last. The state follows from the
// Aggregates, so only more than half of all stake contradicts it.
func (w *witnesses) count(ctx context.Context) {
	said := w.attest(ctx, protocol.Hotkey{})
	w.windows++
	w.since++
	switch {
	case said.Outvoted():
		w.faults = append(w.faults, contradiction(said, w.model.Next()-1))
	case said.Agree > said.Total/2:
		w.backed++
		w.since = 0
	}
}

// report adds the check, if anything was replayed. A signed state confirms all from which it was computed: validators
// that fall behind apply windows without a signature, until they have caught up.
func (w *witnesses) report() {
	const name = "replay"
	text := fmt.Sprintf("states after replayed windows that more than half of the validators' stake has signed: %d of %d", w.backed, w.windows)
	switch {
	case w.windows == 0:
	case len(w.faults) == 0 && w.since > 0 && !w.Final:
		w.add(name, Unknown, "%s; none after window %d, and nothing later confirms those: validators sign nothing while they catch up",
			text, int(w.Options.Window)-1-w.since)
	case w.backed < w.windows:
		w.judge(name, w.faults, "%s; the others lead to one that is signed", text)
	default:
		w.judge(name, w.faults, "%s", text)
	}
}

// looksOn is for how many later windows a signed state is looked for that follows from one that is not signed.
const looksOn = 16

// finality adds whether the state after the window is final, by whom it is charged, and which Aggregates of it were
// replaced. It is final, too, when a later state is that follows from it. The model is then of a later window.
func (a *auditor) finality(ctx context.Context) {
	said := a.attest(ctx, protocol.Hotkey{})
	text := fmt.Sprintf("%s of all stake signed the state after window %d", share(said.Agree, said.Total), a.Options.Window)
	for on := 1; !said.Backed() && on <= looksOn && ctx.Err() == nil; on++ {
		if a.commit(ctx) != nil {
			break
		}
		if said = a.attest(ctx, protocol.Hotkey{}); said.Backed() {
			text += fmt.Sprintf(", and %s the state after window %d, which follows from it", share(said.Agree, said.Total), a.model.Next()-1)
		}
	}
	if a.Final = said.Backed(); a.Final {
		a.add("final", OK, "%s%s", text, a.trouble())
		return
	}
	a.add("final", Unknown, "committed, not final: %s, and more than half none of the %d windows after it that there are; validators sign two windows later, and nothing while they catch up%s",
		text, a.model.Next()-1-a.Options.Window, a.trouble())
}
