package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"templar/internal/attest"
	"templar/internal/directory"
	"templar/internal/mailbox"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

var (
	// ErrVoid is wrapped when more than half of the stake calls an Aggregate false that is part of the
	// committed state.
	ErrVoid = errors.New("more than half of the stake calls an applied aggregate false")
	// ErrStranded is wrapped when this node refuses one Aggregate after the other: its own state may be
	// the wrong one.
	ErrStranded = errors.New("every aggregate is refused")
)

const (
	// looksBack bounds the windows whose signatures are counted at a time.
	looksBack = 4
	// refusals is how often a node refuses Aggregates in a row before it restores another state.
	refusals = 3
)

// Mark is a state that is final.
type Mark = attest.Mark

// open is a state that is not final yet.
type open struct {
	attest.State
	agreed    []protocol.Hotkey // validators whose signatures have been counted
	certified protocol.Window   // the chain's window when more than half of the stake was first counted; 0: not yet
}

// Final is the newest state that is known to be final: at first the one that was restored.
func (r *Replica) Final() Mark { return r.final }

// Finals are the final states of the last windows, ascending.
func (r *Replica) Finals() []Mark { return r.finals }

// Conflict proves that there are two Aggregates, or closing statements, of a window that is not final; nil: none
// is known.
func (r *Replica) Conflict() *wire.Charge { return r.conflict }

// Report takes a proof that was found elsewhere. One of a final window has no effect.
func (r *Replica) Report(c *wire.Charge) {
	if c != nil && c.Window >= r.final.Next && (r.conflict == nil || c.Window < r.conflict.Window) {
		r.conflict, r.doubted = c, 0
	}
}

// holdsBack reports whether a known conflict keeps a window from becoming final. It does for as long as the other
// validators may take to charge it too. One that was shown to this node after most others had found the window
// final makes nothing void, and would otherwise keep this node from every final state.
func (r *Replica) holdsBack(w, current protocol.Window) bool {
	const most = 3
	if r.conflict == nil {
		return false
	}
	if r.doubted == 0 {
		r.doubted = current
	}
	return r.conflict.Window <= w && current <= r.doubted+most
}

// remember adds the committed state to those that are to become final.
func (r *Replica) remember(ctx context.Context, from Source) {
	o := open{State: r.State()}
	if end := from.Samples.Schedule.EndIfKnown(ctx, o.Window); end != nil {
		o.Values = make(map[protocol.Hotkey][]float32)
		for _, v := range from.Directory.Validators() {
			o.Values[v.Hotkey] = from.Samples.Of(r.params, *end, v.Hotkey)
		}
	}
	o.Params = nil
	r.open = append(r.open, o)
}

// Committed is to be called after a Commit that Follow did not make.
func (r *Replica) Committed(ctx context.Context, from Source) { r.remember(ctx, from) }

// Settle reads the validators' charges and signatures, when the chain's window is current. It returns
// an error that wraps ErrVoid or ErrContradicted when the committed state is not to be continued.
func (r *Replica) Settle(ctx context.Context, from Source, current protocol.Window) error {
	r.silent = nil
	return r.settle(ctx, from, current)
}

// settle is Settle without asking the validators again whose stores did not answer.
func (r *Replica) settle(ctx context.Context, from Source, current protocol.Window) error {
	r.silent = append(r.silent, from.Docket.Refresh(ctx, r.silent)...)
	r.Report(from.Docket.Proven())
	if err := r.void(from); err != nil {
		return err
	}
	validators := from.Directory.Validators()
	last := len(r.open)
	for last > 0 && r.open[last-1].Window+protocol.Window(r.run.Params.ValidatorOffset) >= current {
		last-- // the validators have not signed it yet
	}
	for i := last - 1; i >= max(0, last-looksBack); i-- {
		done, err := r.count(ctx, from, validators, &r.open[i], current)
		if err != nil {
			return err
		}
		if done {
			r.settled(i)
			break
		}
	}
	return ctx.Err()
}

// void reports whether the chain of Aggregates behind the committed state is void.
func (r *Replica) void(from Source) error {
	terms := from.Docket.Terms()
	for _, o := range r.open {
		if terms.Void(o.Window, o.Issue.Term) {
			return fmt.Errorf("window %d: %w", o.Window, ErrVoid)
		}
	}
	if r.next > r.start && terms.Void(r.next-1, r.term) {
		return fmt.Errorf("window %d: %w", r.next-1, ErrVoid)
	}
	return nil
}

// count counts the signatures of a state. final reports whether the state is.
func (r *Replica) count(ctx context.Context, from Source, validators []directory.Peer, o *open, current protocol.Window) (final bool, err error) {
	silent := r.silent
	asked := slices.DeleteFunc(slices.Clone(validators), func(p directory.Peer) bool {
		return slices.Contains(o.agreed, p.Hotkey) || slices.Contains(silent, p.Hotkey)
	})
	said := from.Samples.Attest(ctx, asked, o.State, from.Hotkey)
	r.silent = append(r.silent, said.Unreachable...)
	said.Total = directory.Stake(validators)
	for _, v := range validators {
		if slices.Contains(o.agreed, v.Hotkey) {
			said.Agree += v.Stake
		}
	}
	o.agreed = append(o.agreed, said.Signers...)
	r.Report(said.Conflict)
	if said.Outvoted() {
		return false, fmt.Errorf("after window %d: %w (%v)", o.Window, ErrContradicted, said)
	}
	if !said.Backed() {
		return false, nil
	}
	if o.certified == 0 {
		o.certified = current
	}
	if r.holdsBack(o.Window, current) {
		return false, nil
	}
	return o.certified < current || o.Window+protocol.Window(r.run.Params.ValidatorOffset)+2 <= current, nil
}

// Applied sums up for telemetry what the Aggregate did that was committed last.
func (r *Replica) Applied(a *run.Aggregate, hash protocol.Hash, size int64) telemetry.Applied {
	e := mailbox.Applied(a, hash, r.StateHash(), r.Step()-1, size)
	e.Final, e.FinalState = r.final.Next, r.final.Hash
	return e
}

// kept is how many final states Finals has.
const kept = 64

// settled makes the open states up to number i final.
func (r *Replica) settled(i int) {
	for _, o := range r.open[:i+1] {
		r.final = Mark{Next: o.Window + 1, Hash: o.Hash}
		r.finals = append(r.finals, r.final)
	}
	r.open = slices.Delete(r.open, 0, i+1)
	r.finals = r.finals[max(0, len(r.finals)-kept):]
	if r.conflict != nil && r.conflict.Window < r.final.Next {
		r.conflict, r.doubted = nil, 0
	}
}
