package testnet

import (
	"context"
	"errors"
	"sync"

	"templar/internal/directory"
	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/harness"
	"templar/internal/parts"
	"templar/internal/role"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/internal/wallet"
	"templar/protocol"
)

// Node is one member of the network. Its buckets outlive its instances.
type Node struct {
	net    *Network
	Name   string
	Role   telemetry.Role
	UID    protocol.UID
	Signer *wallet.Wallet
	Local  store.Bucket

	// Config is the operator's; change it before Start.
	Config role.Config
	// Tamper makes the node hostile: it sees each object before the node stores it and
	// returns what is stored instead; an empty key stores nothing. Set it before Start.
	Tamper func(key string, body []byte) (string, []byte)
	// Alter changes the node's parts before its role gets them, when set before Start.
	Alter func(parts.Parts) parts.Parts

	mu struct {
		sync.Mutex
		cancel context.CancelFunc // nil: not running
		done   chan struct{}
		again  bool                       // start a new instance when this one has ended
		when   func(telemetry.Event) bool // kill on this event
	}
}

// Start runs the node until it is stopped.
func (n *Node) Start() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.cancel != nil {
		return
	}
	var ctx context.Context
	ctx, n.mu.cancel = context.WithCancel(n.net.ctx)
	done := make(chan struct{})
	n.mu.done = done
	go func() {
		defer close(done)
		for ctx != nil {
			ctx = n.instance(ctx)
		}
	}()
}

// instance runs the role once. It returns the context of the instance that is to
// follow, or nil.
func (n *Node) instance(ctx context.Context) (next context.Context) {
	err := n.work(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		n.net.t.Errorf("%s: %v", n.Name, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.again && n.mu.cancel != nil { // nil: stopped meanwhile
		next, n.mu.cancel = context.WithCancel(n.net.ctx)
	}
	n.mu.again = false
	return next
}

func (n *Node) work(ctx context.Context) error {
	d, err := n.build(ctx, parts.Of(n.Role))
	if err != nil {
		return err
	}
	defer d.Close()
	if n.Alter != nil {
		d = n.Alter(d)
	}
	work, err := d.Work(n.Role, n.Config)
	if err != nil {
		return err
	}
	return work.Run(ctx)
}

// Stop kills the node and waits until it has ended.
func (n *Node) Stop() {
	n.mu.Lock()
	cancel, done := n.mu.cancel, n.mu.done
	n.mu.cancel = nil
	n.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
}

// KillWhen kills the node at the first event that fits, before it does anything else,
// and starts a new instance.
func (n *Node) KillWhen(fits func(telemetry.Event) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.when = fits
}

// InPhase fits the beginning of a phase in a window.
func InPhase(w protocol.Window, name string) func(telemetry.Event) bool {
	return func(e telemetry.Event) bool {
		p, ok := e.Body.(telemetry.Phase)
		return ok && e.Window == w && p.Name == name
	}
}

// Emit is the node's telemetry.Sink.
func (n *Node) Emit(e telemetry.Event) {
	n.net.events.add(e)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.when != nil && n.mu.cancel != nil && n.mu.when(e) {
		n.mu.when, n.mu.again = nil, true
		n.mu.cancel()
	}
}

func (n *Node) running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.cancel != nil
}

// Commitment is what the node commits.
func (n *Node) Commitment() directory.Commitment {
	return directory.Commitment{Role: n.Role, Location: Location(n.Name, false)}
}

// Parts returns new parts with the node's identity, but for an engine and data.
func (n *Node) Parts() parts.Parts {
	n.net.t.Helper()
	needs := parts.Of(n.Role)
	needs.Model = false
	p, err := n.build(n.net.ctx, needs)
	n.net.must(err)
	return p
}

func (n *Node) build(ctx context.Context, needs parts.Needs) (parts.Parts, error) {
	net := n.net
	p, err := parts.Build(ctx, parts.Spec{
		Name: n.Name, Role: n.Role, Needs: needs, Run: net.Run, Signer: n.Signer, UID: n.UID, Chain: net.Chain, Clock: clk,
		Engine: func(m protocol.Model) (engine.Engine, error) { return cpu.New(m, cpu.Options{Threads: 1}) },
		Local:  n.Local, Log: net.logger(), Sink: n,
		Buckets: parts.Buckets{
			Dialer: net.Store, Disturb: net.faults.disturb, Retry: store.RetryPolicy{Rand: func() float64 { return 0.5 }},
			Aggregator: Location(harness.AggregatorBucket, n.Role == telemetry.Aggregator),
			Own:        Location(n.Name, true), AsPeer: n.Commitment().Location, Dataset: []store.Location{Location(harness.DatasetBucket, false)},
		},
	})
	if err != nil || n.Tamper == nil {
		return p, err
	}
	if n.Role == telemetry.Aggregator {
		p.Aggregator = tampering{p.Aggregator, n.Tamper}
	} else {
		p.Own = tampering{p.Own, n.Tamper}
	}
	return p, nil
}
