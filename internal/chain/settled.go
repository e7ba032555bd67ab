package chain

import (
	"context"
	"log/slog"

	"templar/protocol"
)

// Settled waits for what becomes of weights that a chain holds as pending, and logs it. It is for clients that
// reveal weights in the background, and logs nothing when ctx ends.
func Settled(ctx context.Context, c Weigher, s protocol.Signer, r Receipt, log *slog.Logger) {
	settled, err := c.Settle(ctx, s, r)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		log.Warn("weights: whether they were revealed is not known", "hotkey", s.Hotkey(), "reveal_block", r.EffectiveAt, "err", err)
	case settled.Status == StatusFailed:
		log.Warn("weights were not revealed; the next ones take their place", "hotkey", s.Hotkey(), "reveal_block", r.EffectiveAt, "reason", settled.Reason)
	default:
		log.Debug("weights are in effect", "hotkey", s.Hotkey(), "block", settled.EffectiveAt)
	}
}
