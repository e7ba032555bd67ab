package miner

import (
	"context"
	"errors"
	"fmt"

	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// submit waits for T, folds the window's gradient into the momentum, and uploads its
// compressed form. Only what the store has taken is subtracted from the momentum
// (error feedback; Wang et al. 2023, CocktailSGD, and DeMo, Peng et al. 2024).
func (m *Miner) submit(ctx context.Context, w protocol.Window) error {
	m.Events.Phase(w, "waiting")
	if _, err := m.Schedule.EndOf(ctx, w); err != nil {
		return err
	}
	if m.trained.loss.Tokens == 0 {
		m.Log.Warn("no batch was trained: nothing to upload", "window", w)
		return nil
	}
	m.Events.Phase(w, "uploading")
	if err := m.accumulate(ctx, w); err != nil {
		return err
	}
	body, err := m.Codec.Compress(m.momentum)
	if err != nil {
		return err
	}
	uploadErr := m.upload(ctx, w, &wire.Gradient{
		Run: m.Hash, Window: w, UID: m.Outbox.UID, Hotkey: m.Outbox.Signer.Hotkey(), Pages: m.trained.pages,
		Tokens: uint64(m.trained.loss.Tokens), GlobalStep: m.model.Step(), Body: body,
	})
	if uploadErr == nil && m.iteration >= uint64(m.Params.MomentumWarmup) {
		m.Codec.Subtract(m.momentum, body)
	}
	m.iteration++
	if errors.Is(uploadErr, store.ErrExists) {
		m.Log.Warn("a gradient of this window stands already", "window", w)
		return nil
	}
	return uploadErr
}

// accumulate is m <- decay*m + lr*g with g the gradient of the mean loss; in the very
// first iteration m = lr*g, which the zeroed momentum gives by itself.
func (m *Miner) accumulate(ctx context.Context, w protocol.Window) error {
	gradient, err := m.Engine.Gradient(ctx)
	if err != nil {
		return err
	}
	p := m.Params
	decay := float32(p.MomentumDecay)
	rate := float32(p.LearningRateAt(p.Step(m.model.Start(), w)) / float64(m.trained.loss.Tokens))
	for i, g := range gradient {
		m.momentum[i] = decay*m.momentum[i] + rate*g
	}
	return nil
}

// upload stores the window's gradient, once: its date says who was first, and a second upload,
// of a retry or after a restart, would be a later one.
func (m *Miner) upload(ctx context.Context, w protocol.Window, g *wire.Gradient) error {
	began := m.Clock.Now()
	b, err := wire.EncodeGradient(g, m.Codec, m.Outbox.Signer)
	if err != nil {
		return err
	}
	ctx, cancel := m.Schedule.WithTimeout(ctx)
	defer cancel()
	key := protocol.GradientKey(w, m.Outbox.UID)
	if err := m.Outbox.PutOnce(ctx, key, b); err != nil {
		return fmt.Errorf("gradient: %w", err)
	}
	m.Events.Emit(w, telemetry.Uploaded{Key: key, Bytes: int64(len(b)), Duration: m.Clock.Now().Sub(began)})
	return nil
}
