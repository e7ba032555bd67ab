package miner

import (
	"context"
	"errors"
	"fmt"

	"templar/codec"
	"templar/internal/exchange"
	"templar/internal/replica"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// samplesBack is how many windows more than validator_offset a sample is still looked at:
// one that is caught up on later is not uploaded.
const samplesBack = 4

// update moves the model past window w: by the Aggregates if they come in time, else
// provisionally by the miner's own gather. The private state is saved, a sync sample of
// each window uploaded, and old objects deleted.
func (m *Miner) update(ctx context.Context, w protocol.Window) error {
	x := m.Exchange
	end, err := x.EndOf(ctx, w)
	if err != nil {
		return err
	}
	m.Phase(w, "fetching")
	var unsaved error
	done, err := m.Follow(ctx, m.model, w+1, x.AggregateDeadline(end), func(a *wire.Aggregate, hash protocol.Hash, size int64) error {
		m.Applied(m.model, a, hash, size)
		if w-a.Window <= protocol.Window(x.Params.ValidatorOffset)+samplesBack {
			if err := x.PutSample(ctx, m.model.State()); err != nil {
				m.Log.Warn("sync sample not uploaded", "window", a.Window, "err", err)
			}
		}
		unsaved = m.save(ctx)
		return unsaved
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if unsaved != nil || errors.Is(err, replica.ErrContradicted) || errors.Is(err, replica.ErrPruned) {
		return err
	}
	if err != nil { // it contradicts what this miner holds: a later one may not
		m.Log.Error("aggregate refused", "window", m.model.Next(), "err", err)
	}
	if !done {
		m.Log.Warn("no aggregate in time: gathering from the peers", "window", w)
		return m.provisional(ctx, w)
	}
	m.PruneOwn(ctx, m.model.Next())
	return nil
}

// provisional brings the working state past w by what this miner can gather itself.
func (m *Miner) provisional(ctx context.Context, w protocol.Window) error {
	x := m.Exchange
	for m.model.Ahead() <= w {
		at := m.model.Ahead()
		update, err := m.gather(ctx, at)
		if err != nil {
			return fmt.Errorf("own gather: %w", err)
		}
		m.model.Guess(update)
		m.Report.Emit(at, telemetry.Applied{Provisional: true, Step: x.Params.Step(m.model.Start(), at)})
	}
	return nil
}

func (m *Miner) gather(ctx context.Context, w protocol.Window) (*codec.Update, error) {
	x := m.Exchange
	end, err := x.EndOf(ctx, w)
	if err != nil {
		return nil, err
	}
	if err := x.Directory.Refresh(ctx); err != nil {
		return nil, err
	}
	peers := m.Selected(ctx, w, m.cfg)
	began := x.Clock.Now()
	payloads := x.Gather(ctx, w, peers, x.Params.UploadBounds(end.Time), began.Add(x.Params.PeerGather()))
	verdicts, size := exchange.PeerVerdicts(payloads)
	m.Report.Emit(w, telemetry.Gathered{Verdicts: verdicts, Bytes: size, Duration: x.Clock.Now().Sub(began)})
	m.StoreGather(ctx, w, payloads, m.cfg)
	return x.Fold(payloads), nil
}
