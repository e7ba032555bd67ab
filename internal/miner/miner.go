// Package miner is the role that trains: in each window it accumulates gradients on
// the pages assigned to it, uploads the compressed pseudo-gradient in time, and applies
// the window's Aggregate.
//
// Run drives the phases in order; each phase is a method of its own file, takes time
// and concurrency from the Exchange's clock, and can be called by a simulator.
package miner

import (
	"context"
	"fmt"
	"sync"

	"templar/internal/checkpoint"
	"templar/internal/exchange"
	"templar/internal/replica"
	"templar/internal/role"
	"templar/protocol"
)

// Miner is one miner. Create it with New.
type Miner struct {
	role.Deps
	cfg role.Config

	model     *replica.Replica
	stop      protocol.Window // the first window that is not trained
	momentum  []float32
	gradient  []float32
	iteration uint64
	trained   training

	mu struct {
		sync.Mutex
		status Status
	}
}

// Status is what a miner tells about itself.
type Status struct {
	UID    protocol.UID
	Window protocol.Window // the first window that is not applied
	Loss   float64         // of the last window, nats a token
}

// New returns a miner that Run starts.
func New(cfg role.Config, d role.Deps) *Miner {
	n := d.Exchange.Codec.Layout().Size()
	return &Miner{Deps: d, cfg: cfg, momentum: make([]float32, n), gradient: make([]float32, n)}
}

// Status returns the miner's state.
func (m *Miner) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.status
}

// Run joins the network and trains until ctx ends or the stop window is reached.
func (m *Miner) Run(ctx context.Context) error {
	if err := m.join(ctx); err != nil {
		return fmt.Errorf("miner: %w", err)
	}
	err := m.Repeat(ctx, func() bool { return m.model.Next() < m.stop }, m.window)
	if err == nil {
		m.Phase(m.model.Next(), "done")
	}
	return err
}

// join is the start-up: registration, bucket, start window, state.
func (m *Miner) join(ctx context.Context) error {
	if err := m.Enter(ctx); err != nil {
		return err
	}
	start, err := m.AwaitStart(ctx)
	if err != nil {
		return err
	}
	var s checkpoint.State
	if m.model, s, err = m.Restore(ctx, start); err != nil {
		return err
	}
	if s.Momentum != nil {
		m.momentum, m.iteration = s.Momentum, s.Iteration
	}
	m.stop = exchange.StopAfter(s.Start, m.cfg.Windows)
	return nil
}

// window takes part in the current window, from training to the update.
func (m *Miner) window(ctx context.Context) error {
	x := m.Exchange
	w, err := x.CurrentWindow(ctx)
	if err != nil {
		return err
	}
	w = max(w, m.model.Start())
	if w >= m.stop { // too late to train: take the last updates
		return m.update(ctx, m.stop-1)
	}
	if m.model.Ahead() < w { // joined late, or slow: first to where the others are
		if err := m.update(ctx, w-1); err != nil {
			return err
		}
	}
	if err := m.train(ctx, w); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := m.submit(ctx, w); err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	return m.update(ctx, w)
}

// save makes the private state durable.
func (m *Miner) save(ctx context.Context) error {
	_, _, err := checkpoint.Save(ctx, m.Local, m.Exchange.Run, checkpoint.State{
		Start: m.model.Start(), Next: m.model.Next(), Previous: m.model.Previous(),
		Params: m.model.Params(), Momentum: m.momentum, Iteration: m.iteration,
	}, m.Exchange.Signer)
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}
