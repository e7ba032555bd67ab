package audit

import (
	"context"
	"errors"
	"fmt"

	"templar/internal/attest"
	"templar/internal/engine"
	"templar/internal/replica"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/protocol"
	"templar/wire"
)

// Outcome is the outcome of a check.
type Outcome string

// The outcomes.
const (
	OK      Outcome = "ok"
	Differs Outcome = "differs"
	Unknown Outcome = "unknown" // an input is no longer available
)

// Check is one recomputation and its outcome.
type Check struct {
	Name    string   `json:"check"`
	Outcome Outcome  `json:"outcome"`
	Detail  string   `json:"detail"`
	Faults  []string `json:"faults,omitempty"` // what differs, each in a line
}

// Result is the result of verifying a window.
type Result struct {
	Window protocol.Window `json:"window"`
	Step   uint64          `json:"global_step"`
	State  protocol.Hash   `json:"state_hash,omitzero"` // after the window, recomputed
	// Standing is what the validators say of the Aggregate. Its Final is of the recomputed state; without one, or with
	// less than half of the stake behind it, the window is committed only.
	Standing
	Checks []Check `json:"checks"`
}

// Differs reports whether any check found a difference.
func (r *Result) Differs() bool {
	for _, c := range r.Checks {
		if c.Outcome == Differs {
			return true
		}
	}
	return false
}

func (r *Result) add(name string, outcome Outcome, format string, args ...any) *Check {
	r.Checks = append(r.Checks, Check{Name: name, Outcome: outcome, Detail: fmt.Sprintf(format, args...)})
	return &r.Checks[len(r.Checks)-1]
}

// judge adds a check that is ok exactly when there are no faults.
func (r *Result) judge(name string, faults []string, format string, args ...any) {
	c := r.add(name, OK, format, args...)
	if len(faults) > 0 {
		c.Outcome, c.Faults = Differs, faults
	}
}

// Options say what to verify.
type Options struct {
	Window protocol.Window
	// Scores recomputes validators' reports too, for which Engine measures losses.
	Scores bool
	Engine engine.Engine
	// Validator is the one whose report is recomputed; nil: all that have one.
	Validator *protocol.UID
	// Progress is called with a description of each step.
	Progress func(format string, args ...any)
}

// auditor is the state of one Verify.
type auditor struct {
	*Records
	Options
	Result

	start     wire.StartWindow
	aggregate *run.Aggregate
	hash      protocol.Hash    // of the Aggregate
	model     *replica.Replica // before the window, until checkState; nil: unknown
	how       string           // it was computed
	replayed  *witnesses       // the signatures of the windows on the way
	docket    *attest.Docket   // the validators' charges
	doubt     string           // the checkpoint that it rests on, if only its owner signed it
	before    protocol.Hash    // state before the window
}

// Verify recomputes window o.Window. It returns an error when the Aggregate or the start of the
// run is not available.
func Verify(ctx context.Context, r *Records, o Options) (Result, error) {
	a := &auditor{Records: r, Options: o, Result: Result{Window: o.Window}}
	if a.Progress == nil {
		a.Progress = func(string, ...any) {}
	}
	var err error
	if a.start, err = r.Start(ctx); err != nil {
		return a.Result, err
	}
	if o.Window < a.start.StartWindow {
		return a.Result, fmt.Errorf("window %d: the run starts at window %d", o.Window, a.start.StartWindow)
	}
	a.Step = r.Run.Params.Step(a.start.StartWindow, o.Window)
	a.docket = r.Docket(ctx)
	a.Standing = r.StandingOf(ctx, a.docket, o.Window)
	a.Final = false // until it is recomputed
	if err := a.fetch(ctx); err != nil {
		return a.Result, err
	}
	if a.aggregate == nil {
		return a.Result, nil
	}
	if err := a.closing(ctx); err != nil {
		return a.Result, err
	}
	a.sum(ctx)
	for _, step := range []func(context.Context) error{a.replay, a.rescore, a.checkState} {
		if err := step(ctx); err != nil {
			return a.Result, err
		}
	}
	return a.Result, ctx.Err()
}

// fetch reads the Aggregate, and checks its signature and its fields.
func (a *auditor) fetch(ctx context.Context) error {
	a.Progress("fetching the aggregate of window %d", a.Options.Window)
	w := a.Options.Window
	agg, hash, _, verdict := a.aggregates().Fetch(ctx, w, a.docket.Terms().Of(w), a.Clock.Now().Add(a.Run.Params.Gather()))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case verdict == protocol.VerdictMissing || verdict == protocol.VerdictUnreachable:
		return fmt.Errorf("aggregate of window %d: %v; the last %d windows are kept", w, verdict, schedule.Retention(a.Run.Params))
	case !verdict.OK():
		a.judge("aggregate", []string{fmt.Sprintf("the object is %v", verdict)}, "not signed by one of the run's aggregators, or damaged")
		return nil
	}
	a.aggregate, a.hash = agg, hash
	var faults []string
	if agg.Start != a.start.StartWindow {
		faults = append(faults, fmt.Sprintf("it states that the run starts at window %d; announced was %d", agg.Start, a.start.StartWindow))
	}
	if origin := a.start.Hash(); agg.Origin != origin {
		faults = append(faults, fmt.Sprintf("it carries the announcement %s; the run was announced as %s", agg.Origin.Short(), origin.Short()))
	}
	if !a.Run.Method.AcceptsRate(a.Step, agg.LearningRate) {
		faults = append(faults, fmt.Sprintf("its learning rate is %g; at step %d it is %g", agg.LearningRate, a.Step, a.Run.Method.Rate(a.Step)))
	}
	a.judge("aggregate", faults, "%s, signed by aggregator %s: %d gradients, %d peers skipped, learning rate %g",
		hash.Short(), agg.Aggregator, len(agg.Included), len(agg.Skipped), agg.LearningRate)
	return a.chain(ctx)
}

// chain checks that the Aggregate follows the one before.
func (a *auditor) chain(ctx context.Context) error {
	const name = "chain"
	if a.Options.Window == a.start.StartWindow {
		var faults []string
		if !a.aggregate.Previous.IsZero() {
			faults = append(faults, "it follows another, in the run's first window")
		}
		a.judge(name, faults, "the run's first")
		return nil
	}
	_, hash, _, verdict := a.aggregates().Fetch(ctx, a.Options.Window-1, a.docket.Terms().Of(a.Options.Window-1), a.Clock.Now().Add(a.Run.Params.Gather()))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !verdict.OK() {
		a.add(name, Unknown, "the aggregate before is %v", verdict)
		return nil
	}
	var faults []string
	if hash != a.aggregate.Previous {
		faults = append(faults, fmt.Sprintf("it follows %s; that of window %d is %s", a.aggregate.Previous.Short(), a.Options.Window-1, hash.Short()))
	}
	a.judge(name, faults, "follows %s, the aggregate of window %d", a.aggregate.Previous.Short(), a.Options.Window-1)
	return nil
}

var errUnknown = errors.New("no longer available")
