package localnet

import (
	"context"
	"errors"
	"fmt"

	"templar/internal/chain"
	"templar/internal/checkpoint"
	"templar/internal/dashboard/collect"
	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/mailbox"
	"templar/internal/node"
	"templar/internal/replica"
	"templar/internal/resume"
	"templar/internal/role"
	"templar/internal/schedule"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// observer follows the run from outside, as anyone with the read keys could: it applies
// the Aggregates to a model of its own and measures it on the held-out text.
type observer struct {
	*node.Node
	windows   uint64
	collector *collect.Collector
	report    string // file that is renewed after each window
	client    interface{ Close() error }

	model   *replica.Replica
	heldOut []engine.Batch // for the loss before and after
	sample  []engine.Batch // fewer, for the loss after each window
}

// Held-out batches, spread over the whole held-out text: all of the embedded book's for the
// loss before and after, and some for each window.
const (
	heldOutBatches = 128
	sampleBatches  = 8
)

// spread picks n batches at equal distances, or all when there are fewer.
func spread(all []engine.Batch, n int) []engine.Batch {
	if len(all) <= n {
		return all
	}
	out := make([]engine.Batch, n)
	for i := range out {
		out[i] = all[i*len(all)/n]
	}
	return out
}

func (o *Options) observe(ctx context.Context, n *network, env node.Env, client interface {
	chain.Chain
	Close() error
}, c *collect.Collector) (*observer, error) {
	cfg, err := n.config(member{name: "observer-0", role: telemetry.Observer})
	if err != nil {
		return nil, err
	}
	nd, err := node.Open(ctx, cfg, telemetry.Observer, node.Of(telemetry.Observer), env)
	if err != nil {
		return nil, fmt.Errorf("observer: %w", err)
	}
	return &observer{Node: nd, windows: o.Windows, collector: c, report: o.path(reportFile), client: client}, nil
}

func (o *observer) close() error { return errors.Join(o.Node.Close(), o.client.Close()) }

// run measures until the last window.
func (o *observer) run(ctx context.Context) error {
	start, err := o.join(ctx)
	if err != nil {
		return fmt.Errorf("observer: %w", err)
	}
	stop := schedule.StopAfter(start.StartWindow, o.windows)
	for o.model.Next() < stop {
		if err := o.window(ctx, o.model.Next()); err != nil {
			return fmt.Errorf("observer: %w", err)
		}
	}
	if err := o.measure(ctx, o.model.Next()-1, o.heldOut); err != nil {
		return fmt.Errorf("observer: %w", err)
	}
	o.Events.Phase(o.model.Next()-1, "done")
	return nil
}

// join takes over the newest state and measures theta_0, if it is that.
func (o *observer) join(ctx context.Context) (wire.StartWindow, error) {
	tokens, err := o.Data.HeldOut(ctx)
	if err != nil {
		return wire.StartWindow{}, err
	}
	all := data.Batches(tokens, o.Run.Params.SequenceLength, o.Run.Params.BatchSize)
	o.heldOut, o.sample = spread(all, heldOutBatches), spread(all, sampleBatches)
	start, err := role.AwaitStart(ctx, o.Board(), o.Log, o.Events)
	if err != nil {
		return start, err
	}
	var s checkpoint.State
	if o.model, s, err = resume.Restore(ctx, o.Finder(), o.Events, start, resume.Any); err != nil || s.Next > s.Start {
		return start, err
	}
	return start, o.measure(ctx, s.Start-1, o.heldOut)
}

// window follows the Aggregate of w.
func (o *observer) window(ctx context.Context, w protocol.Window) error {
	o.Events.Phase(w, "fetching")
	end, err := o.Schedule().EndOf(ctx, w)
	if err != nil {
		return err
	}
	_, err = o.model.Follow(ctx, o.Source(), w+1, o.Schedule().AggregateDeadline(end), func(a *wire.Aggregate, hash protocol.Hash, size int64) error {
		o.Events.Emit(a.Window, mailbox.Applied(a, hash, o.model.StateHash(), o.model.Step()-1, size))
		return o.measure(ctx, w, o.sample)
	})
	if err != nil {
		return err
	}
	r := o.collector.Summary()
	return r.WriteJSON(o.report)
}

// measure reports the loss on held-out text after window w.
func (o *observer) measure(ctx context.Context, w protocol.Window, batches []engine.Batch) error {
	o.Events.Phase(w, "measuring")
	if err := o.Engine.Load(ctx, o.model.Params()); err != nil {
		return err
	}
	sum, err := engine.Losses(ctx, o.Engine, batches)
	if err != nil {
		return err
	}
	o.Events.Emit(w, telemetry.HeldOut{Loss: sum.Mean(), Tokens: sum.Tokens})
	return nil
}
