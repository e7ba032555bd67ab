package miner

import (
	"context"
	"fmt"
	"slices"

	"templar/internal/directory"
	"templar/internal/mailbox"
	"templar/internal/resume"
	"templar/internal/role"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/method"
	"templar/protocol"
)

// samplesBack is how many windows beyond validator_offset validators still read a sample. Samples
// of older windows are not uploaded during a catch-up.
const samplesBack = 4

// update moves the model past window w: by the Aggregates if they arrive in time, otherwise
// provisionally by the miner's own gather. What else a window needs is done while the next one
// trains: see show and trainAndSave.
func (m *Miner) update(ctx context.Context, w protocol.Window) error {
	end, err := m.Schedule.EndOf(ctx, w)
	if err != nil {
		return err
	}
	m.settle(ctx)
	if m.model.Next() == w { // else older Aggregates are missing
		m.Events.Phase(w, "revealing")
		m.secrets.wait(ctx, w, m.Schedule.AggregateDeadline(end).Add(-m.Params.Gather()))
	}
	m.Events.Phase(w, "fetching")
	var unsaved error
	done, err := m.model.Follow(ctx, m.Source, w+1, m.Schedule.AggregateDeadline(end), func(a *run.Aggregate, hash protocol.Hash, size int64) error {
		m.secrets.applied(a.Window, a.Closing)
		m.secrets.forget(m.model.Next())
		m.rest = func(ctx context.Context) { m.show(ctx, w, a, hash, size) }
		if a.Window < w { // a catch-up may last: otherwise the rest is done while the next window trains
			m.settle(ctx)
			unsaved = m.save(ctx)
		}
		return unsaved
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if unsaved != nil || resume.Lost(err) {
		return err
	}
	if err != nil { // it contradicts what this miner holds: a later one may not
		m.Log.Error("aggregate refused", "window", m.model.Next(), "err", err)
	}
	if !done {
		m.Log.Warn("no aggregate in time: gathering from the peers", "window", w)
		return m.provisional(ctx, w)
	}
	return nil
}

// show reports the state after an Aggregate, uploads a sync sample of it unless the network is far
// past, and deletes old objects.
func (m *Miner) show(ctx context.Context, w protocol.Window, a *run.Aggregate, hash protocol.Hash, size int64) {
	m.Events.Emit(a.Window, m.model.Applied(a, hash, size))
	if w-a.Window > protocol.Window(m.Params.ValidatorOffset)+samplesBack {
		return
	}
	if err := m.Samples.Post(ctx, m.Outbox, m.model.State()); err != nil {
		m.Log.Warn("sync sample not uploaded", "window", a.Window, "err", err)
	}
	if err := m.Outbox.Prune(ctx, m.model.Next()); err != nil {
		m.Log.Warn("old objects not deleted", "err", err) // they are tried again
	}
}

// provisional moves the working state past w by the miner's own gather.
func (m *Miner) provisional(ctx context.Context, w protocol.Window) error {
	for m.model.Ahead() <= w {
		at := m.model.Ahead()
		update, err := m.gather(ctx, at)
		if err != nil {
			return fmt.Errorf("own gather: %w", err)
		}
		m.model.Guess(update)
		m.Events.Emit(at, telemetry.Applied{Provisional: true, Step: m.Params.Step(m.model.Start(), at)})
	}
	return nil
}

func (m *Miner) gather(ctx context.Context, w protocol.Window) (method.Update, error) {
	end, err := m.Schedule.EndOf(ctx, w)
	if err != nil {
		return nil, err
	}
	if err := m.Directory.Refresh(ctx); err != nil {
		return nil, err
	}
	began := m.Clock.Now()
	c, verdict := m.Source.Aggregates.ClosingNow(ctx, w)
	if !verdict.OK() { // nothing can be opened: training goes on from what is committed
		m.Log.Info("no closing statement: the window adds nothing", "window", w, "verdict", verdict)
		return nil, ctx.Err()
	}
	line := role.Lineup(ctx, m.Board, w, m.cfg, m.Log)
	peers := slices.Concat(line.Peers, mailbox.Reserves(c.Closing, line.Peers, line.Reserves))
	slices.SortFunc(peers, func(a, b directory.Peer) int { return int(a.UID) - int(b.UID) })
	payloads := m.Gatherer.Gather(ctx, w, peers, m.Params.UploadBounds(end.Time), began.Add(m.Params.PeerGather()))
	payloads = m.Gatherer.Reveal(ctx, w, payloads, c, m.Clock.Now().Add(m.Params.Gather()))
	verdicts, size := mailbox.PeerVerdicts(payloads)
	m.Events.Emit(w, telemetry.Gathered{Verdicts: verdicts, Bytes: size, Duration: m.Clock.Now().Sub(began)})
	m.store(ctx, w, payloads)
	return mailbox.Fold(m.Method, payloads), nil
}

// store keeps the gathered payloads, if configured. A full disk costs no window.
func (m *Miner) store(ctx context.Context, w protocol.Window, payloads []mailbox.Payload) {
	if err := m.gathers.Store(ctx, w, payloads); err != nil {
		m.Log.Warn("gathered gradients not stored", "window", w, "err", err)
	}
}
