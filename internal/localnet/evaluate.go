package localnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"templar/internal/chain"
	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/output"
	"templar/internal/evaluator"
	"templar/internal/node"
	"templar/internal/parts"
	"templar/internal/telemetry"
)

// evaluated is the network's evaluator, whose model is the result.
type evaluated struct {
	*evaluator.Evaluator
	node   *node.Node
	client interface{ Close() error }
}

func (o *Options) evaluate(ctx context.Context, n *network, env node.Env, client interface {
	chain.Chain
	Close() error
}, c *collect.Collector, memory string) (*evaluated, error) {
	cfg, err := n.config(member{name: "evaluator-0", role: telemetry.Evaluator})
	if err != nil {
		return nil, err
	}
	cfg.Options.Memory, cfg.Options.Device, cfg.Options.Tasks = memory, o.device(member{}), o.Tasks
	env.Sink = renewing(env.Sink, c, o.path(output.Report), env.Log, &progress{o: o})
	nd, err := node.Open(ctx, cfg, telemetry.Evaluator, parts.Of(telemetry.Evaluator), env)
	if err != nil {
		return nil, fmt.Errorf("evaluator: %w", err)
	}
	return &evaluated{evaluator.New(evaluator.Config{Windows: o.Windows, Tasks: nd.Tasks}, nd.ForEvaluator()), nd, client}, nil
}

func (e *evaluated) close() error { return errors.Join(e.node.Close(), e.client.Close()) }

// renewing passes the evaluator's events on to sink. After each measurement it shows the progress, and renews
// the report in a file, for people and for the process that continues after a kill.
func renewing(sink telemetry.Sink, c *collect.Collector, file string, log *slog.Logger, p *progress) telemetry.Sink {
	return telemetry.SinkFunc(func(e telemetry.Event) {
		sink.Emit(e)
		h, measured := e.Body.(telemetry.HeldOut)
		if !measured {
			return
		}
		r := c.Summary()
		p.show(e.Window, h.Loss, r)
		if err := r.WriteJSON(file); err != nil {
			log.Warn("report not written", "err", err)
		}
	})
}
