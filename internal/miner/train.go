package miner

import (
	"context"
	"fmt"

	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/telemetry"
	"templar/protocol"
)

// training is the result of one window's training.
type training struct {
	pages   []uint64
	loss    engine.Loss
	batches int
}

// train trains on the pages assigned for w, batch by batch, until the pages, the window or the operator's limit end.
func (m *Miner) train(ctx context.Context, w protocol.Window) error {
	first, err := m.Schedule.AwaitWindow(ctx, w)
	if err != nil {
		return err
	}
	m.Events.Phase(w, "training")
	began := m.Clock.Now()
	m.trained = training{}
	m.pace.asked = began
	m.pace.sees(first, m.Params.FirstBlock(w+1), m.Params.BlockTime())
	if err := m.trainer.Begin(ctx, m.Params.Step(m.model.Start(), w), m.model.Working()); err != nil {
		return err
	}
	pages, err := m.assigned(ctx, w)
	if err != nil {
		return err
	}
	for _, page := range pages {
		over, err := m.trainPage(ctx, w, page)
		if err != nil {
			return err
		}
		if over {
			break
		}
	}
	if m.trained.batches == 0 {
		return nil
	}
	m.Events.Emit(w, telemetry.Trained{
		Loss: m.trained.loss.Mean(), Tokens: m.trained.loss.Tokens, Batches: m.trained.batches,
		Pages: m.trained.pages, Duration: m.Clock.Now().Sub(began),
	})
	return nil
}

// assigned is the miner's pages of w, as soon as w has begun.
func (m *Miner) assigned(ctx context.Context, w protocol.Window) ([]uint64, error) {
	p := m.Params
	seed, err := m.Schedule.PageSeed(ctx, w)
	if err != nil {
		return nil, err
	}
	return data.Assign(seed, m.Outbox.UID, w, m.Data.Pages(p.PageTokens), p.PagesPerWindow), nil
}

// prefetch reads the pages of w while the miner waits for the Aggregate of the window
// before. What fails is tried again when it is due.
func (m *Miner) prefetch(ctx context.Context, w protocol.Window) {
	if w >= m.stop {
		return
	}
	pages, err := m.assigned(ctx, w)
	if err == nil {
		err = m.Data.Prefetch(ctx, pages, m.Params.PageTokens)
	}
	if err != nil && ctx.Err() == nil {
		m.Log.Warn("pages not read ahead", "window", w, "err", err)
	}
}

// trainPage trains on one page. over reports that training has ended: the window has no room for
// another batch, or the operator's limit is reached.
func (m *Miner) trainPage(ctx context.Context, w protocol.Window, page uint64) (over bool, err error) {
	p := m.Params
	tokens, err := m.Data.Page(ctx, page, p.PageTokens)
	if err != nil {
		return false, fmt.Errorf("page %d: %w", page, err)
	}
	for i, b := range data.Batches(tokens, p.SequenceLength, p.BatchSize) {
		b, over, err := m.next(ctx, w, b)
		if over || err != nil {
			return over, err
		}
		began := m.Clock.Now()
		loss, err := m.trainer.Batch(ctx, b)
		if err != nil {
			return false, err
		}
		m.pace.took(m.Clock.Now().Sub(began), b.Rows)
		if i == 0 {
			m.trained.pages = append(m.trained.pages, page)
		}
		m.trained.loss.Add(loss)
		m.trained.batches++
	}
	return false, nil
}
