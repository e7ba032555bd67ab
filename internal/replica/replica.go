// Package replica holds one node's copy of the model and moves it from window to window by the
// chain of Aggregates.
//
// The committed state is what every honest node holds, bit for bit. A node that
// could not get an Aggregate in time may train on a provisional state. A provisional state is
// never hashed, sampled, checkpointed or used for scores, and is dropped when the Aggregate
// arrives.
package replica

import (
	"fmt"
	"slices"

	"templar/internal/attest"
	"templar/internal/run"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

// Replica is the state of one node. It is not for concurrent use.
type Replica struct {
	run    run.Run
	start  protocol.Window
	origin protocol.Hash // of the announcement, which every Aggregate carries

	next     protocol.Window // the first window that is not applied
	params   []float32       // committed
	hash     protocol.Hash   // of params; zero: not computed yet
	previous protocol.Hash   // of the Aggregate of next-1; zero at the start
	term     protocol.Term   // of that Aggregate
	issue    wire.Issue      // likewise; zero when it was applied by an earlier instance

	final    Mark              // the newest final state
	finals   []Mark            // likewise, ascending
	open     []open            // the states after it, ascending
	conflict *wire.Charge      // proven, of a window that is not final; nil: none is known
	doubted  protocol.Window   // the chain's window when conflict was first known
	refused  int               // Aggregates, one after the other
	silent   []protocol.Hotkey // validators whose stores did not answer during this Follow

	ahead       protocol.Window // the first window that is not in provisional
	provisional []float32       // nil: nothing provisional
}

// Head is the end of the chain of Aggregates that a state has applied.
type Head struct {
	Next     protocol.Window // the first window that is not applied
	Previous protocol.Hash   // of the Aggregate of Next-1; zero at the start
	Term     protocol.Term   // of that Aggregate; 0 at the start
}

// New returns a Replica of the parameters at a head, which it owns from then on. They are final.
func New(run run.Run, start wire.StartWindow, at Head, params []float32) *Replica {
	r := &Replica{
		run: run, start: start.StartWindow, origin: start.Hash(),
		next: at.Next, previous: at.Previous, term: at.Term, params: params, ahead: at.Next,
		final: Mark{Next: at.Next},
	}
	return r
}

// Next is the first window that is not committed.
func (r *Replica) Next() protocol.Window { return r.next }

// Start is the run's first window.
func (r *Replica) Start() protocol.Window { return r.start }

// Previous is the hash of the last committed Aggregate, zero at the start.
func (r *Replica) Previous() protocol.Hash { return r.previous }

// Term is the term of the last committed Aggregate.
func (r *Replica) Term() protocol.Term { return r.term }

// Step is the global step of the next window: the number of committed windows.
func (r *Replica) Step() uint64 { return r.run.Params.Step(r.start, r.next) }

// Params is the committed state. The caller must not change it.
func (r *Replica) Params() []float32 { return r.params }

// Working is the state to train on: the provisional one if there is one. The caller must not change it.
func (r *Replica) Working() []float32 {
	if r.provisional != nil {
		return r.provisional
	}
	return r.params
}

// StateHash is the hash of the committed state. It is computed once a window.
func (r *Replica) StateHash() protocol.Hash {
	if r.hash.IsZero() {
		r.hash = r.run.Space.Hash(r.params)
	}
	return r.hash
}

// State is the committed state after the last window, of which there must be one.
func (r *Replica) State() attest.State {
	issue := r.issue
	issue.Window, issue.Term, issue.Content = r.next-1, r.term, r.previous
	return attest.State{Window: r.next - 1, Step: r.Step(), Issue: issue, Hash: r.StateHash(), Params: r.params}
}

// Check returns an error if an Aggregate does not follow the committed state.
func (r *Replica) Check(a *run.Aggregate) error {
	step := r.Step()
	switch {
	case a.Window != r.next:
		return fmt.Errorf("aggregate of window %d where %d is next", a.Window, r.next)
	case a.Start != r.start:
		return fmt.Errorf("aggregate of a run that starts at window %d, ours at %d", a.Start, r.start)
	case a.Origin != r.origin:
		return fmt.Errorf("aggregate of a run that was announced as %s, ours as %s", a.Origin.Short(), r.origin.Short())
	case a.Previous != r.previous:
		return fmt.Errorf("aggregate of window %d follows %s, ours is %s", a.Window, a.Previous.Short(), r.previous.Short())
	case !r.run.Method.AcceptsRate(step, a.LearningRate):
		return fmt.Errorf("aggregate of window %d has learning rate %g; at step %d it is %g", a.Window, a.LearningRate, step, r.run.Method.Rate(step))
	}
	return nil
}

// Commit applies the Aggregate of the next window and drops the provisional state.
func (r *Replica) Commit(a *run.Aggregate, hash protocol.Hash) error {
	if err := r.Check(a); err != nil {
		return err
	}
	r.run.Method.Apply(r.params, a.Update, a.LearningRate)
	r.next, r.previous, r.hash = a.Window+1, hash, protocol.Hash{}
	r.term, r.issue = a.Term, a.Issue
	r.provisional, r.ahead = nil, r.next
	return nil
}

// Ahead is the first window that is neither committed nor provisional.
func (r *Replica) Ahead() protocol.Window { return r.ahead }

// Guess applies the node's own update of window Ahead provisionally. A nil update
// stands for a window without gradients.
func (r *Replica) Guess(u method.Update) {
	if r.provisional == nil {
		r.provisional = slices.Clone(r.params)
	}
	r.run.Method.Apply(r.provisional, u, r.run.Method.Rate(r.run.Params.Step(r.start, r.ahead)))
	r.ahead++
}
