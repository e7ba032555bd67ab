package miner

import (
	"context"
	"time"

	"templar/internal/chain"
	"templar/internal/data"
	"templar/internal/engine"
	"templar/protocol"
)

// pace predicts when a window's training must end.
type pace struct {
	perRow time.Duration // that a sequence takes; 0: not known
	warned bool          // that a batch does not fit

	end      time.Time // of the window, as far as is known
	asked    time.Time // when the chain was last asked
	head     chain.Block
	interval time.Duration // between two blocks, as they come; 0: not known
}

// sees takes the chain's newest block, and predicts the time of block last. Blocks come late: each
// interval is the run's block time and what consensus takes.
func (p *pace) sees(head chain.Block, last uint64, blockTime time.Duration) {
	if n := head.Number - p.head.Number; p.head.Number > 0 && head.Number > p.head.Number {
		got := head.Time.Sub(p.head.Time) / time.Duration(n)
		got = min(max(got, blockTime), blockTime*3/2) // a chain that has stalled says nothing of the next block
		if p.interval == 0 {
			p.interval = got
		}
		p.interval += (got - p.interval) / 4
	}
	p.head = head
	p.end = head.Time.Add(time.Duration(last-head.Number) * max(p.interval, blockTime))
}

// took takes the time of a batch. Slower batches count more than faster ones: a batch too few costs
// less than a window.
func (p *pace) took(d time.Duration, rows int) {
	row := d / time.Duration(rows)
	switch {
	case p.perRow == 0:
		p.perRow = row
	case row > p.perRow:
		p.perRow += (row - p.perRow) / 2
	default:
		p.perRow -= (p.perRow - row) / 4
	}
}

// fit is how many of a batch's rows are done before the window ends. Later is not in time: the window
// is closed once all uploads are there that the aggregator waits for.
func (p *pace) fit(now time.Time, rows int) int {
	if p.perRow == 0 {
		return rows
	}
	return max(0, min(rows, int(p.end.Sub(now)/p.perRow)))
}

// next returns the batch to train on: b as a whole, or, where the window has room for no whole
// batch, its first sequences. over says that training has ended.
func (m *Miner) next(ctx context.Context, w protocol.Window, b engine.Batch) (cut engine.Batch, over bool, err error) {
	if m.cfg.Batches > 0 && m.trained.batches >= m.cfg.Batches {
		return b, true, nil
	}
	p := &m.pace
	fits := p.fit(m.Clock.Now(), b.Rows)
	if now := m.Clock.Now(); fits < b.Rows || now.Sub(p.asked) >= m.Params.BlockTime() {
		if over, err := m.askEnd(ctx, w); over || err != nil {
			return b, true, err
		}
		fits = p.fit(now, b.Rows)
	}
	switch {
	case fits == b.Rows:
		return b, false, nil
	case m.trained.batches > 0:
		return b, true, nil
	}
	m.warnOf(w, b.Rows, fits)
	return data.Rows(b, fits), fits == 0, nil
}

// askEnd asks the chain when w ends. over says that it has ended.
func (m *Miner) askEnd(ctx context.Context, w protocol.Window) (over bool, err error) {
	head, err := m.Schedule.Blocks.Head(ctx)
	if err != nil {
		return false, err
	}
	last := m.Params.FirstBlock(w + 1)
	if head.Number >= last {
		return true, nil
	}
	m.pace.asked = m.Clock.Now()
	m.pace.sees(head, last, m.Params.BlockTime())
	return false, nil
}

// warnOf warns once that a batch does not fit in a window.
func (m *Miner) warnOf(w protocol.Window, rows, fits int) {
	if left := m.pace.end.Sub(m.Clock.Now()); m.pace.warned || left < m.Params.WindowTime()/2 {
		return // begun late: the next window may have room
	}
	m.pace.warned = true
	m.Log.Warn("a batch takes longer than a window: training on a part of it; use more threads or another machine", "window", w,
		"sequences", rows, "fit", fits, "takes", (m.pace.perRow * time.Duration(rows)).Round(time.Millisecond), "window_time", m.Params.WindowTime())
}
