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

// submit waits for T, adds the window's training to the private state, and uploads the payload.
// The trainer is notified when the store accepted it.
func (m *Miner) submit(ctx context.Context, w protocol.Window) error {
	m.Events.Phase(w, "waiting")
	if _, err := m.Schedule.EndOf(ctx, w); err != nil {
		return err
	}
	if m.trained.batches == 0 {
		m.Log.Warn("no batch was trained: nothing to upload", "window", w)
		return nil
	}
	m.Events.Phase(w, "uploading")
	body, err := m.trainer.Payload(ctx)
	if err != nil {
		return err
	}
	err = m.upload(ctx, w, &wire.Gradient{
		Run: m.Hash, Window: w, UID: m.Outbox.UID, Hotkey: m.Outbox.Signer.Hotkey(), Pages: m.trained.pages,
		Tokens: uint64(m.trained.loss.Tokens), GlobalStep: m.model.Step(), Body: body,
	}, m.key)
	if errors.Is(err, store.ErrExists) {
		m.Log.Warn("a gradient of this window exists already", "window", w)
		return nil
	}
	if err != nil {
		return err
	}
	return m.trainer.Stored(ctx)
}

// upload seals the window's gradient and stores it once: a second upload, by a retry or after a restart, might not be
// the one that the closing statement lists.
func (m *Miner) upload(ctx context.Context, w protocol.Window, g *wire.Gradient, k wire.GradientKey) error {
	began := m.Clock.Now()
	opened, err := wire.EncodeGradient(g, m.Format(), k, m.Outbox.Signer)
	if err != nil {
		return err
	}
	b, _, _ := wire.SplitGradient(opened)
	ctx, cancel := m.Schedule.WithTimeout(ctx)
	defer cancel()
	key := protocol.GradientKey(w, m.Outbox.UID)
	err = m.Outbox.PutOnce(ctx, key, b)
	content := wire.GradientHash(b)
	if errors.Is(err, store.ErrExists) {
		content = protocol.Hash{} // an earlier process's, or ours after an answer that was lost
	}
	m.secrets.sent(w, content) // after an error too: it may have been stored
	if err != nil {
		return fmt.Errorf("gradient: %w", err)
	}
	m.Events.Emit(w, telemetry.Uploaded{Key: key, Bytes: int64(len(b)), Duration: m.Clock.Now().Sub(began)})
	return nil
}
