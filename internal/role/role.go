// Package role holds what the roles have in common: what an operator chooses, the parts
// they work with, and the steps of their start and of their loop. Roles share steps, not
// state; there is no base node.
package role

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"time"

	"templar/internal/chain"
	"templar/internal/checkpoint"
	"templar/internal/data"
	"templar/internal/directory"
	"templar/internal/engine"
	"templar/internal/exchange"
	"templar/internal/replica"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// Config is what an operator chooses.
type Config struct {
	// Windows to take part in, counted from the run's start window; 0 means no end.
	Windows uint64
	// AllPeers gathers from every candidate, without the lead validator's selection (--test).
	AllPeers bool
	// Peers restricts gathers to these uids (--peers).
	Peers []protocol.UID
	// Batches a miner trains on in a window at most; 0 means until the pages or the window end.
	Batches int
	// StoreGathers keeps gathered payloads in Deps.Local (--store-gathers), those of the last
	// KeepGathers windows; 0 means as long as the aggregator keeps its own.
	StoreGathers bool
	KeepGathers  protocol.Window
}

// Deps are the parts that a role works with. An aggregator has no bucket of its own, no
// engine and no data.
type Deps struct {
	Exchange  *exchange.Exchange
	Committed store.Reader         // the own bucket as peers will read it
	Bucket    directory.Commitment // what to commit to the chain
	Engine    engine.Engine
	Data      *data.Dataset
	Local     store.Bucket // durable private state
	Scratch   string       // folder for downloads that outlive a crash; empty: none
	Log       *slog.Logger
	Report    telemetry.Reporter
}

// Phase reports what the node is doing.
func (d *Deps) Phase(w protocol.Window, name string) {
	d.Report.Emit(w, telemetry.Phase{Name: name})
}

// Enter checks the node's bucket and commits its read key to the chain.
func (d *Deps) Enter(ctx context.Context) error {
	d.Phase(0, "starting")
	ahead, err := directory.CheckOwn(ctx, d.Exchange.Clock, d.Exchange.Own, d.Committed)
	if err != nil {
		return err
	}
	if err := d.checkClocks(ctx, ahead); err != nil {
		return err
	}
	return directory.Commit(ctx, d.Exchange.Chain, d.Exchange.Signer, d.Bucket)
}

// checkClocks warns of clocks that are too far apart, before they cost a window.
func (d *Deps) checkClocks(ctx context.Context, aheadOfStore time.Duration) error {
	aheadOfChain, err := chain.Skew(ctx, d.Exchange.Chain, d.Exchange.Clock)
	if err != nil {
		return err
	}
	clocks := map[string]time.Duration{"chain": aheadOfChain, "store": aheadOfStore}
	for _, fault := range chain.SkewFaults(clocks, d.Exchange.Params.Slack()) {
		d.Log.Warn(fault)
	}
	return nil
}

// AwaitStart waits until a validator has announced the run, and says so.
func (d *Deps) AwaitStart(ctx context.Context) (wire.StartWindow, error) {
	return d.Exchange.AwaitStart(ctx, d.Waiting())
}

// Waiting returns a function that tells why the run cannot begin yet, each reason once.
func (d *Deps) Waiting() func(why error) {
	told := ""
	return func(why error) {
		if why.Error() == told {
			return
		}
		told = why.Error()
		d.Phase(0, "waiting")
		if errors.Is(why, store.ErrNotFound) {
			d.Log.Info("no run announced yet: waiting for the lead validator")
			return
		}
		d.Log.Warn("start window cannot be read: waiting for it", "err", why)
	}
}

// Restore takes over the newest state that can be had, and the private state with it.
func (d *Deps) Restore(ctx context.Context, announced wire.StartWindow) (*replica.Replica, checkpoint.State, error) {
	return d.RestoreBefore(ctx, announced, math.MaxUint64)
}

// restoreTries is how often a node looks for a checkpoint before it ends: a run that was
// announced has one, and what keeps the node from it is mostly a store on a bad day.
const restoreTries = 5

// RestoreBefore is Restore for a role that still has work to do on window w: it prefers the
// newest state that does not stand after it.
func (d *Deps) RestoreBefore(ctx context.Context, announced wire.StartWindow, w protocol.Window) (*replica.Replica, checkpoint.State, error) {
	s, err := checkpoint.Restore(ctx, d.Exchange, d.Local, d.Scratch, announced, w, d.Log)
	for again := 1; errors.Is(err, checkpoint.ErrNone) && again < restoreTries; again++ {
		d.Log.Warn("no usable checkpoint yet: looking again in the next window")
		if err := d.Exchange.Clock.Sleep(ctx, d.Exchange.Params.WindowTime()); err != nil {
			return nil, s, err
		}
		s, err = checkpoint.Restore(ctx, d.Exchange, d.Local, d.Scratch, announced, w, d.Log)
	}
	if err != nil {
		return nil, s, err
	}
	r := replica.New(d.Exchange.Run, s.Start, s.Next, s.Previous, s.Params)
	d.Report.Emit(s.Next, telemetry.Started{StartWindow: s.Start, Parameters: len(s.Params), StateHash: r.StateHash()})
	return r, s, nil
}

// Save writes a checkpoint into b. That older ones could not be removed is told, and no more.
func (d *Deps) Save(ctx context.Context, b store.Bucket, s checkpoint.State) (prefix string, size int64, err error) {
	prefix, size, err = checkpoint.Save(ctx, d.Exchange, b, s)
	if errors.Is(err, checkpoint.ErrNotPruned) {
		d.Log.Warn("old checkpoints not removed", "err", err)
		err = nil
	}
	return prefix, size, err
}

// Selected returns the peers to gather w from, and logs when these are not the lead
// validator's for a fault of its own.
func (d *Deps) Selected(ctx context.Context, w protocol.Window, cfg Config) []directory.Peer {
	peers, err := d.Exchange.Selected(ctx, w, cfg.AllPeers, cfg.Peers)
	if err != nil {
		d.Log.Warn("the lead validator's peer list cannot be had: using the last one, or all peers", "window", w, "err", err)
	}
	return peers
}

// StoreGather keeps what was gathered, if the operator wants it. A disk that is full costs
// no window.
func (d *Deps) StoreGather(ctx context.Context, w protocol.Window, payloads []exchange.Payload, cfg Config) {
	if !cfg.StoreGathers {
		return
	}
	if err := d.Exchange.StoreGather(ctx, d.Local, w, cfg.KeepGathers, payloads); err != nil {
		d.Log.Warn("gathered gradients not stored", "window", w, "err", err)
	}
}

// PruneOwn deletes what is past its retention. What cannot be deleted now is tried again,
// and costs no window.
func (d *Deps) PruneOwn(ctx context.Context, next protocol.Window) {
	if err := d.Exchange.PruneOwn(ctx, next); err != nil {
		d.Log.Warn("old objects not deleted", "err", err)
	}
}

// Repeat calls window while more says so. A fault is logged and costs a pause; only the end
// of ctx, or a state from which there is no way on (see Recover), ends it early.
func (d *Deps) Repeat(ctx context.Context, more func() bool, window func(context.Context) error) error {
	for more() {
		err := window(ctx)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, replica.ErrContradicted) || errors.Is(err, replica.ErrPruned) {
			return err
		}
		d.Log.Error("window failed, trying again", "err", err)
		if err := d.Exchange.Clock.Sleep(ctx, d.Exchange.Params.BlockTime()); err != nil {
			return err
		}
	}
	return nil
}

// Applied reports what an Aggregate did to a model that it was just applied to.
func (d *Deps) Applied(m *replica.Replica, a *wire.Aggregate, hash protocol.Hash, size int64) {
	d.Report.Emit(a.Window, exchange.Applied(a, hash, m.StateHash(), m.Step()-1, size))
}
