// Package validator is the role that measures what every miner contributed: it
// evaluates gradients on data of its own choice, keeps ratings and scores, and sets
// weights on the chain, which pays. The validator with the highest stake also leads:
// it announces the run and selects the peers.
//
// A validator works validator_offset windows behind, so that everything about a
// window is out before it is judged. Run drives the phases, one file each.
package validator

import (
	"context"
	"fmt"
	"sync"

	"templar/internal/exchange"
	"templar/internal/replica"
	"templar/internal/role"
	"templar/internal/score"
	"templar/protocol"
)

// maxBacklog is how many windows more than validator_offset a validator may be behind
// before it stops evaluating until it has caught up.
const maxBacklog = 2

// Validator is one validator. Create it with New.
type Validator struct {
	role.Deps
	cfg role.Config

	model  *replica.Replica
	stop   protocol.Window // the first window that is not validated
	book   score.Book
	active activity
	judged *session // the last that was closed: its Aggregate may come later

	mu struct {
		sync.Mutex
		status Status
	}
}

// Status is what a validator tells about itself.
type Status struct {
	UID     protocol.UID
	Window  protocol.Window // the first window that is not applied
	Weights []score.Weight
}

// New returns a validator that Run starts.
func New(cfg role.Config, d role.Deps) *Validator {
	return &Validator{Deps: d, cfg: cfg}
}

// Status returns the validator's state.
func (v *Validator) Status() Status {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.mu.status
}

// Run joins the network and validates until ctx ends or the stop window is reached.
func (v *Validator) Run(ctx context.Context) error {
	if err := v.join(ctx); err != nil {
		return fmt.Errorf("validator: %w", err)
	}
	err := v.Repeat(ctx, func() bool { return v.model.Next() < v.stop }, v.window)
	if err == nil {
		v.Phase(v.model.Next(), "done")
	}
	return err
}

// join is the start-up: registration, bucket, start window, scores, state.
func (v *Validator) join(ctx context.Context) error {
	if err := v.Enter(ctx); err != nil {
		return err
	}
	start, err := v.start(ctx)
	if err != nil {
		return err
	}
	if v.book, err = v.loadBook(ctx); err != nil {
		return err
	}
	if v.model, _, err = v.Restore(ctx, start); err != nil {
		return err
	}
	v.stop = exchange.StopAfter(start.StartWindow, v.cfg.Windows)
	return nil
}

// window validates the next window, once the network is validator_offset windows past
// it.
func (v *Validator) window(ctx context.Context) error {
	x, w := v.Exchange, v.model.Next()
	v.Phase(w, "waiting")
	if _, err := x.AwaitWindow(ctx, w+protocol.Window(x.Params.ValidatorOffset)); err != nil {
		return err
	}
	current, err := x.CurrentWindow(ctx)
	if err != nil {
		return err
	}
	if err := x.Directory.Refresh(ctx); err != nil {
		return err
	}
	switch late := current - w; {
	case v.book.Next > w: // closed before: its Aggregate was late, or we were restarted
	case late > protocol.Window(x.Params.ValidatorOffset)+maxBacklog:
		v.Log.Warn("too far behind to evaluate", "window", w, "current", current)
	default:
		if err := v.selectPeers(ctx, w, current); err != nil {
			v.Log.Warn("peer list not published", "window", w, "err", err)
		}
		if v.judged, err = v.score(ctx, w); err != nil {
			return fmt.Errorf("score: %w", err)
		}
	}
	return v.update(ctx, w)
}
