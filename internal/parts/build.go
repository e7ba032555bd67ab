package parts

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"templar/internal/attest"
	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/data"
	"templar/internal/directory"
	"templar/internal/engine"
	"templar/internal/mailbox"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
)

// Needs are what is opened for a node, beside its identity, the chain and the reading end
// of the aggregator bucket.
type Needs struct {
	Member     bool // it has a uid, and a bucket of its own
	Aggregates bool // it writes to the aggregator bucket
	Model      bool // it computes: an engine and the dataset
}

// Of is what a role needs.
func Of(r telemetry.Role) Needs {
	switch r {
	case telemetry.Miner, telemetry.Validator:
		return Needs{Member: true, Model: true}
	case telemetry.Aggregator:
		return Needs{Aggregates: true}
	}
	return Needs{Model: true} // an evaluator
}

// Spec is what a node is built from. Production, the simulator and test networks build
// nodes from it alone; they differ in the values.
type Spec struct {
	Name  string
	Role  telemetry.Role
	Needs Needs

	Run    run.Run
	Signer protocol.Signer
	UID    protocol.UID
	Chain  chain.Chain
	Clock  clock.Clock

	Buckets Buckets
	Engine  func(protocol.Model) (engine.Engine, error)
	Local   store.Bucket // durable private state
	Random  io.Reader    // of keys; nil: crypto/rand
	Scratch string       // folder for downloads that outlive a crash; empty: none

	Log  *slog.Logger // of the process: the node's adds its name
	Sink telemetry.Sink
}

// Buckets are where a node's buckets are, and how they are opened.
type Buckets struct {
	Dialer store.Dialer // opens buckets to read
	Owned  store.Dialer // opens buckets to write; nil: Dialer
	// Disturb, when set, comes between the node and each bucket that it opens: the place of
	// faults.
	Disturb func(store.Location, store.Bucket) store.Bucket
	// Retry is the policy for the node's own requests.
	Retry store.RetryPolicy
	// Requests is the number of them that one bucket has at a time, at most; 0: 32.
	Requests int

	Aggregator  store.Location
	Own, AsPeer store.Location   // with the key that writes, and the key that is committed; an evaluator may have the former
	Dataset     []store.Location // the dataset's bucket and its mirrors
}

// Build makes a node's parts. The node's own requests are limited and retried; requests to
// peers are not, since a gather has a deadline and retries of its own. All traffic is
// counted. ctx bounds the calls of Build alone.
func Build(ctx context.Context, s Spec) (_ Parts, err error) {
	p := Parts{
		Run: s.Run, Clock: s.Clock, Chain: s.Chain, Signer: s.Signer, UID: s.UID, Local: s.Local, Scratch: s.Scratch,
		Traffic: new(store.Counters), Log: s.Log.With("node", s.Name),
		Events: telemetry.Reporter{Node: s.Name, Role: s.Role, UID: s.UID, Clock: s.Clock, Sink: s.Sink},
	}
	if p.Random = s.Random; p.Random == nil {
		p.Random = rand.Reader
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	b := s.Buckets
	read := opener{b.Dialer, p.Traffic, b.Disturb}
	write := read
	if b.Owned != nil {
		write.dialer = b.Owned
	}
	p.Directory = directory.New(s.Run.Params, s.Chain, read)
	if s.Run.Params.RelayBytes > 0 && !s.Needs.Aggregates {
		p.Relays = &mailbox.Relays{Directory: p.Directory, UID: s.UID, Hotkey: s.Signer.Hotkey(), Log: p.Log}
	}
	p.Docket = &attest.Docket{Samples: p.Samples(), Directory: p.Directory}
	open := func(what string, d opener, l store.Location) (store.Bucket, error) {
		bucket, err := d.Dial(l)
		if err != nil {
			return nil, fmt.Errorf("%s bucket: %w", what, err)
		}
		return Steady(bucket, b.Requests, b.Retry, s.Clock), nil
	}
	aggregates := read
	if s.Needs.Aggregates {
		aggregates = write
	}
	if p.Aggregator, err = open("aggregator", aggregates, b.Aggregator); err != nil {
		return p, err
	}
	if s.Needs.Member {
		if !s.Run.Params.TrustsStore(b.AsPeer.Endpoint) {
			return p, fmt.Errorf("own bucket: %s is not one of the run's stores %v: no peer would read it", b.AsPeer.Endpoint, s.Run.Params.Stores)
		}
		p.Commitment = directory.Commitment{Role: s.Role, Location: b.AsPeer}
		if p.Own, err = open("own", write, b.Own); err != nil {
			return p, err
		}
		if p.OwnAsPeer, err = open("own", read, b.AsPeer); err != nil {
			return p, err
		}
	}
	if s.Role == telemetry.Evaluator && b.Own != (store.Location{}) { // no peer reads it
		if p.Own, err = open("own", write, b.Own); err != nil {
			return p, err
		}
	}
	if s.Needs.Model {
		err = p.openModel(ctx, s, read)
	}
	return p, err
}

func (p *Parts) openModel(ctx context.Context, s Spec, d store.Dialer) (err error) {
	if p.Engine, err = s.Engine(s.Run.Params.Model); err != nil {
		return err
	}
	sources, err := Datasets(d, s.Buckets.Dataset, s.Buckets.Retry, s.Clock)
	if err != nil {
		return err
	}
	p.Data, err = OpenData(ctx, s.Run, sources)
	return err
}

// OpenData opens a run's dataset, and refuses one whose vocabulary the model does not have.
func OpenData(ctx context.Context, r run.Run, sources []store.Reader) (*data.Dataset, error) {
	d, err := data.Open(ctx, sources[0], r.Params.DatasetHash, sources[1:]...)
	if err != nil {
		return nil, err
	}
	if m, model := d.Manifest(), r.Params.Model; m.VocabSize > model.VocabSize {
		return nil, fmt.Errorf("dataset %s: its tokenizer %s has %d tokens and the model's vocabulary %d: no window could be trained; the run's owner built it with another tokenizer",
			r.Params.DatasetHash.Short(), m.Tokenizer, m.VocabSize, model.VocabSize)
	}
	return d, nil
}

// Close releases what Build has made: the engine's memory.
func (p Parts) Close() error {
	if p.Engine == nil {
		return nil
	}
	return p.Engine.Close()
}

// Steady retries the requests to a bucket and limits their number at a time; 0 means 32.
func Steady(b store.Bucket, requests int, r store.RetryPolicy, c clock.Clock) store.Bucket {
	return store.Retry(store.Limit(b, cmp.Or(requests, 32)), r, c)
}

// Datasets opens a dataset's bucket and its mirrors. With mirrors, each is tried twice.
func Datasets(d store.Dialer, at []store.Location, r store.RetryPolicy, c clock.Clock) (sources []store.Reader, err error) {
	if len(at) > 1 {
		r.Attempts = 2
	}
	for _, l := range at {
		b, err := d.Dial(l)
		if err != nil {
			return nil, fmt.Errorf("dataset bucket %q: %w", l.Bucket, err)
		}
		sources = append(sources, store.Retry(b, r, c))
	}
	return sources, nil
}

// opener opens buckets with what comes between every bucket and its node.
type opener struct {
	dialer  store.Dialer
	traffic *store.Counters
	disturb func(store.Location, store.Bucket) store.Bucket
}

func (o opener) Dial(l store.Location) (store.Bucket, error) {
	b, err := o.dialer.Dial(l)
	if err != nil {
		return nil, err
	}
	b = store.Meter(b, o.traffic)
	if o.disturb != nil {
		b = o.disturb(l, b)
	}
	return b, nil
}
