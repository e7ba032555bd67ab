package miner

import (
	"context"
	"fmt"

	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/telemetry"
	"templar/protocol"
)

// training is what one window's training came to.
type training struct {
	pages   []uint64
	loss    engine.Loss
	batches int
}

// train accumulates the gradient of the mean loss over the pages assigned for w, batch
// by batch, until the pages or the window end.
func (m *Miner) train(ctx context.Context, w protocol.Window) error {
	x := m.Exchange
	first, err := x.AwaitWindow(ctx, w)
	if err != nil {
		return err
	}
	m.Phase(w, "training")
	began := x.Clock.Now()
	m.trained = training{}
	clear(m.gradient)
	total := m.Data.Pages(x.Params.PageTokens)
	for _, page := range data.Assign(first.Hash, x.UID, w, total, x.Params.PagesPerWindow) {
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
	m.Report.Emit(w, telemetry.Trained{
		Loss: m.trained.loss.Mean(), Tokens: m.trained.loss.Tokens, Batches: m.trained.batches,
		Pages: m.trained.pages, Duration: x.Clock.Now().Sub(began),
	})
	return nil
}

// trainPage trains on one page. over reports that the window has ended.
func (m *Miner) trainPage(ctx context.Context, w protocol.Window, page uint64) (over bool, err error) {
	p := m.Exchange.Params
	tokens, err := m.Data.Page(ctx, page, p.PageTokens)
	if err != nil {
		return false, fmt.Errorf("page %d: %w", page, err)
	}
	m.trained.pages = append(m.trained.pages, page)
	for _, b := range data.Batches(tokens, p.SequenceLength, p.BatchSize) {
		if over, err := m.over(ctx, w); over || err != nil {
			return over, err
		}
		// The summed gradient of all batches is scaled to the mean in submit.
		loss, err := m.Engine.Gradient(ctx, m.model.Working(), m.gradient, b, 1)
		if err != nil {
			return false, err
		}
		m.trained.loss.Add(loss)
		m.trained.batches++
	}
	return false, nil
}

// over reports whether the chain has reached the window after w.
func (m *Miner) over(ctx context.Context, w protocol.Window) (bool, error) {
	current, err := m.Exchange.CurrentWindow(ctx)
	return current > w, err
}
