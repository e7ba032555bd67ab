// Package role holds what all roles share: the operator's configuration, the steps of the start,
// and the loop. Roles share functions and small values, not state. Package resume holds what is
// specific to roles that hold the model.
package role

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"templar/internal/bulletin"
	"templar/internal/chain"
	"templar/internal/directory"
	"templar/internal/mailbox"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// Config is what an operator chooses.
type Config struct {
	// Windows to take part in, counted from the run's start window; 0 means no end.
	Windows uint64
	// Theta0 is the folder of the model that is the run's theta_0, from which a validator serves it;
	// empty: it serves none.
	Theta0 string
	// AllPeers gathers from every candidate, without the lead validator's selection (--test).
	AllPeers bool
	// Peers restricts gathers to these uids (--peers).
	Peers []protocol.UID
	// Batches a miner trains on in a window at most; 0 means until the pages or the window end.
	Batches int
	// StoreGathers keeps gathered payloads in the node's own directory (--store-gathers), those
	// of the last KeepGathers windows; 0 means as long as the aggregator keeps its own.
	StoreGathers bool
	KeepGathers  protocol.Window
	// Every and HeldOutBatches are an evaluator's: it measures after each so many windows, on
	// so many batches; 0 means its own choice.
	Every          uint64
	HeldOutBatches int
	// TasksEvery is an evaluator's too: it measures tasks after each so many windows.
	TasksEvery uint64
}

// Gathers is where gathered payloads are kept: in local, or, as nil, nowhere.
func (c Config) Gathers(s schedule.Schedule, local store.Bucket) *mailbox.Gathers {
	if !c.StoreGathers {
		return nil
	}
	return &mailbox.Gathers{Clock: s.Clock, Bucket: local, Windows: cmp.Or(c.KeepGathers, schedule.PayloadRetention(s.Params))}
}

// Entry is what a node needs to join: its own bucket, through its write key and through the read
// key that its peers use, and its commitment to the chain.
type Entry struct {
	Schedule   schedule.Schedule
	Chain      chain.Chain
	Signer     protocol.Signer
	Own        store.Bucket
	OwnAsPeer  store.Reader
	Commitment directory.Commitment
	Log        *slog.Logger
}

// Enter checks the node's bucket and commits its read key to the chain.
func (e Entry) Enter(ctx context.Context) error {
	ahead, err := directory.CheckOwn(ctx, e.Schedule.Clock, e.Own, e.OwnAsPeer, e.Schedule.Params.Slack())
	if err != nil {
		return err
	}
	if err := e.checkClocks(ctx, ahead); err != nil {
		return err
	}
	return directory.Commit(ctx, e.Chain, e.Signer, e.Commitment)
}

// checkClocks warns of clocks that differ too much, before they cost a window.
func (e Entry) checkClocks(ctx context.Context, aheadOfStore time.Duration) error {
	aheadOfChain, err := chain.Skew(ctx, e.Chain, e.Schedule.Clock)
	if err != nil {
		return err
	}
	clocks := map[string]time.Duration{"chain": aheadOfChain, "store": aheadOfStore}
	for _, fault := range chain.SkewFaults(clocks, e.Schedule.Params.Slack()) {
		e.Log.Warn(fault)
	}
	return nil
}

// AwaitStart waits until the run is announced, and logs that it waits.
func AwaitStart(ctx context.Context, b *bulletin.Board, log *slog.Logger, events telemetry.Reporter) (wire.StartWindow, error) {
	return b.AwaitStart(ctx, Waiting(log, events))
}

// Waiting returns a function that logs why the run cannot start yet, each reason once.
func Waiting(log *slog.Logger, events telemetry.Reporter) func(why error) {
	logged := ""
	return func(why error) {
		if why.Error() == logged {
			return
		}
		logged = why.Error()
		events.Phase(0, "waiting")
		if errors.Is(why, bulletin.ErrNotAnnounced) {
			log.Info(why.Error())
			return
		}
		log.Warn("start window cannot be read: waiting for it", "err", why)
	}
}

// Lineup returns who takes part in w, and logs when the lead validator's list could not
// be used.
func Lineup(ctx context.Context, b *bulletin.Board, w protocol.Window, cfg Config, log *slog.Logger) bulletin.Lineup {
	l, err := b.Lineup(ctx, w, cfg.AllPeers, cfg.Peers)
	if err != nil {
		log.Warn("the lead validator's peer list is unavailable: using the last one, or all peers", "window", w, "err", err)
	}
	return l
}

// Loop is the loop of a role.
type Loop struct {
	Schedule schedule.Schedule
	Log      *slog.Logger
	// Fatal reports whether an error must end the loop.
	Fatal func(error) bool
}

// Repeat calls window while more returns true. After an error it logs and pauses; only the end of
// ctx or a fatal error ends it early.
func (l Loop) Repeat(ctx context.Context, more func() bool, window func(context.Context) error) error {
	for more() {
		err := window(ctx)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if l.Fatal(err) {
			return err
		}
		l.Log.Error("window failed, trying again", "err", err)
		if err := l.Schedule.Clock.Sleep(ctx, l.Schedule.Params.BlockTime()); err != nil {
			return err
		}
	}
	return nil
}
