// Package parts builds the components of a node before it has a role. Production, the simulator
// and tests use the same Build; each role takes the components that it needs, and tests may
// replace some.
package parts

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"templar/internal/aggregator"
	"templar/internal/attest"
	"templar/internal/bulletin"
	"templar/internal/chain"
	"templar/internal/checkpoint"
	"templar/internal/clock"
	"templar/internal/data"
	"templar/internal/directory"
	"templar/internal/engine"
	"templar/internal/evaluator"
	"templar/internal/mailbox"
	"templar/internal/miner"
	"templar/internal/replica"
	"templar/internal/role"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/internal/tasks"
	"templar/internal/telemetry"
	"templar/internal/validator"
	"templar/protocol"
)

// Parts are the components of a node. Those that a node does not use are nil: an aggregator has
// no bucket of its own, no engine and no data.
type Parts struct {
	Run       run.Run
	Clock     clock.Clock
	Chain     chain.Chain
	Directory *directory.Directory
	Signer    protocol.Signer
	UID       protocol.UID

	Aggregator store.Bucket // the aggregator bucket; only an aggregator holds a key that writes
	Own        store.Bucket
	OwnAsPeer  store.Reader         // the own bucket as peers will read it
	Commitment directory.Commitment // what to commit to the chain

	Engine engine.Engine
	Data   *data.Dataset
	// Tokenizer is the dataset's, for an evaluator that counts bytes; nil: not known.
	Tokenizer data.Tokenizer
	Tasks     []*tasks.Set // of an evaluator
	Local     store.Bucket // durable private state
	Random    io.Reader    // of keys
	Scratch   string       // folder for downloads that outlive a crash; empty: none

	Docket  *attest.Docket  // the validators' charges
	Relays  *mailbox.Relays // nil: Aggregates are read as a whole
	Traffic *store.Counters // with all buckets
	Log     *slog.Logger
	Events  telemetry.Reporter
}

// Schedule is the run's, by the node's chain and clock.
func (p Parts) Schedule() schedule.Schedule {
	return schedule.Schedule{Params: p.Run.Params, Blocks: p.Chain, Clock: p.Clock}
}

// Board is for announcements. It remembers the last peer list, so that a role has one.
func (p Parts) Board() *bulletin.Board {
	return &bulletin.Board{Run: p.Run, Schedule: p.Schedule(), Directory: p.Directory, Signer: p.Signer, Own: p.Own, Local: p.Local}
}

// Gatherer collects gradients.
func (p Parts) Gatherer() mailbox.Gatherer {
	return mailbox.Gatherer{Run: p.Run, Schedule: p.Schedule()}
}

// Aggregates reads the aggregator bucket.
func (p Parts) Aggregates() mailbox.Aggregates {
	a := mailbox.Aggregates{Run: p.Run, Schedule: p.Schedule(), Bucket: p.Aggregator, Relays: p.Relays}
	if p.Events.Role == telemetry.Miner {
		a.Own = p.Own
	}
	return a
}

// Outbox is the own bucket.
func (p Parts) Outbox() *mailbox.Outbox {
	return &mailbox.Outbox{Run: p.Run, Schedule: p.Schedule(), Bucket: p.Own, Signer: p.Signer, UID: p.UID}
}

// Shelf is the aggregator bucket, of an aggregator.
func (p Parts) Shelf() *mailbox.Shelf {
	return &mailbox.Shelf{Schedule: p.Schedule(), Bucket: p.Aggregator, Hotkey: p.Signer.Hotkey(), Log: p.Log}
}

// Samples reads and makes sync samples.
func (p Parts) Samples() attest.Samples { return attest.Samples{Run: p.Run, Schedule: p.Schedule()} }

// Source is what a replica follows.
func (p Parts) Source() replica.Source {
	return replica.Source{Aggregates: p.Aggregates(), Samples: p.Samples(), Docket: p.Docket, Directory: p.Directory, Hotkey: p.Signer.Hotkey(), Log: p.Log}
}

// Finder finds checkpoints.
func (p Parts) Finder() checkpoint.Finder {
	return checkpoint.Finder{
		Run: p.Run, Schedule: p.Schedule(), Directory: p.Directory, Samples: p.Samples(), Docket: p.Docket, Hotkey: p.Signer.Hotkey(),
		Local: p.Local, Scratch: p.Scratch, Log: p.Log,
	}
}

// Saver writes checkpoints.
func (p Parts) Saver() checkpoint.Saver {
	return checkpoint.Saver{Run: p.Run, Schedule: p.Schedule(), Signer: p.Signer, Log: p.Log}
}

// Entry enters the network.
func (p Parts) Entry() role.Entry {
	return role.Entry{Schedule: p.Schedule(), Chain: p.Chain, Signer: p.Signer, Own: p.Own, OwnAsPeer: p.OwnAsPeer, Commitment: p.Commitment, Log: p.Log}
}

// ForMiner is what a miner needs.
func (p Parts) ForMiner() miner.Deps {
	return miner.Deps{
		Run: p.Run, Clock: p.Clock, Schedule: p.Schedule(), Directory: p.Directory, Board: p.Board(), Gatherer: p.Gatherer(),
		Outbox: p.Outbox(), Samples: p.Samples(), Source: p.Source(), Entry: p.Entry(), Finder: p.Finder(), Saver: p.Saver(),
		Engine: p.Engine, Data: p.Data, Local: p.Local, Random: p.Random, Log: p.Log, Events: p.Events,
	}
}

// ForValidator is what a validator needs.
func (p Parts) ForValidator() validator.Deps {
	return validator.Deps{
		Run: p.Run, Clock: p.Clock, Chain: p.Chain, Schedule: p.Schedule(), Directory: p.Directory, Board: p.Board(), Gatherer: p.Gatherer(),
		Outbox: p.Outbox(), Samples: p.Samples(), Source: p.Source(), Entry: p.Entry(), Finder: p.Finder(), Saver: p.Saver(),
		Engine: p.Engine, Data: p.Data, Local: p.Local, Log: p.Log, Events: p.Events,
	}
}

// ForAggregator is what an aggregator needs.
func (p Parts) ForAggregator() aggregator.Deps {
	return aggregator.Deps{
		Run: p.Run, Clock: p.Clock, Schedule: p.Schedule(), Directory: p.Directory, Board: p.Board(), Gatherer: p.Gatherer(),
		Aggregates: p.Aggregates(), Docket: p.Docket, Shelf: p.Shelf(),
		Signer: p.Signer, Local: p.Local, Log: p.Log, Events: p.Events,
	}
}

// ForEvaluator is what an evaluator needs.
func (p Parts) ForEvaluator() evaluator.Deps {
	return evaluator.Deps{
		Run: p.Run, Schedule: p.Schedule(), Directory: p.Directory, Board: p.Board(), Source: p.Source(), Finder: p.Finder(),
		Engine: p.Engine, Data: p.Data, Tokenizer: p.Tokenizer, Signer: p.Signer, Local: p.Local, Own: p.Own, Log: p.Log, Events: p.Events,
	}
}

// Worker is a role at work. Status may be called while Run runs.
type Worker interface {
	Run(ctx context.Context) error
	Status() role.Status
}

// Work gives a node of these parts its role.
func (p Parts) Work(r telemetry.Role, c role.Config) (Worker, error) {
	switch r {
	case telemetry.Miner:
		return miner.New(c, p.ForMiner()), nil
	case telemetry.Validator:
		return validator.New(c, p.ForValidator()), nil
	case telemetry.Aggregator:
		return aggregator.New(c, p.ForAggregator()), nil
	case telemetry.Evaluator:
		return evaluator.New(evaluator.Config{Windows: c.Windows, Every: c.Every, Batches: c.HeldOutBatches, Tasks: p.Tasks, TasksEvery: c.TasksEvery}, p.ForEvaluator()), nil
	}
	return nil, fmt.Errorf("no role %q", r)
}
