package adversary

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"templar/internal/directory"
	"templar/internal/engine"
	"templar/internal/mailbox"
	"templar/internal/run"
	"templar/internal/store"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

func copycat(ctx context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	return c.copied(ctx, g, c.sign)
}

// copycatPermuted keeps the indices of the coefficients and permutes their values.
func copycatPermuted(ctx context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	return c.copied(ctx, g, func(g *run.Gradient) ([]byte, error) {
		return c.changed(g, func(ch *method.Chunk) { slices.Reverse(ch.Value) })
	})
}

// copycatPerturbed changes every coefficient, but little enough to profit.
func copycatPerturbed(ctx context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	d := c.draw(g.Window)
	return c.copied(ctx, g, func(g *run.Gradient) ([]byte, error) {
		return c.changed(g, func(ch *method.Chunk) {
			var kept method.Chunk
			for i, v := range ch.Value {
				if d.Below(10) > 0 {
					kept.Index, kept.Value = append(kept.Index, ch.Index[i]), append(kept.Value, v*(1+0.3*uniform(d)))
				}
			}
			ch.Index, ch.Value = kept.Index, kept.Value
		})
	})
}

// copycatEvasive stays below the default limits of the comparison (copy_indices, copy_values):
// a quarter of the coefficients moves to the next place, and values change by up to 70 %.
func copycatEvasive(ctx context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	d := c.draw(g.Window)
	return c.copied(ctx, g, func(g *run.Gradient) ([]byte, error) {
		return c.changed(g, func(ch *method.Chunk) {
			for i := range ch.Index {
				ch.Value[i] *= 1 + 0.7*uniform(d)
				if d.Below(4) == 0 && i+1 < len(ch.Index) && ch.Index[i]+1 < ch.Index[i+1] {
					ch.Index[i]++
				}
			}
		})
	})
}

// copied sends another miner's gradient, in the form that send gives it.
func (c *cheater) copied(ctx context.Context, g *run.Gradient, send func(*run.Gradient) ([]byte, error)) ([]byte, error) {
	if err := c.Directory.Refresh(ctx); err != nil {
		return nil, err
	}
	victims := c.others()
	slices.SortStableFunc(victims, func(a, b directory.Peer) int { return cmp.Compare(b.Incentive, a.Incentive) })
	payload, err := c.steal(ctx, g.Window, victims)
	if payload == nil || err != nil {
		return nil, err // there is none that can be opened
	}
	carry(g, payload)
	return send(g)
}

// others are the miners but itself, ascending by uid.
func (c *cheater) others() []directory.Peer {
	return slices.DeleteFunc(c.Directory.Candidates(), func(p directory.Peer) bool { return p.UID == c.UID })
}

// steal returns the newest gradient that can be opened of the first victim that has one: those of w are sealed, and
// those of the window before were revealed when that was closed.
func (c *cheater) steal(ctx context.Context, w protocol.Window, victims []directory.Peer) (method.Payload, error) {
	for _, p := range victims {
		for _, at := range []protocol.Window{w, w - 1} {
			if payload := c.opened(ctx, at, p); payload != nil {
				return payload, nil
			}
		}
	}
	return nil, ctx.Err()
}

// opened is a miner's gradient of a window, if its key is revealed.
func (c *cheater) opened(ctx context.Context, w protocol.Window, p directory.Peer) method.Payload {
	sealed, _, err := store.ReadAll(ctx, p.Bucket, protocol.GradientKey(w, p.UID), c.Run.MaxGradient())
	if err != nil {
		return nil
	}
	in := wire.Included{UID: p.UID, Hotkey: p.Hotkey, Content: wire.GradientHash(sealed)}
	g, _, verdict := mailbox.Opened(ctx, c.Run, p.Bucket, w, in)
	if !verdict.OK() {
		return nil
	}
	return g.Payload
}

// exchangeKey names the object by which colluders show each other a gradient before it is revealed.
func exchangeKey(w protocol.Window) string { return fmt.Sprintf("exchange-%d", w) }

// show stores the cheater's payload for its accomplices.
func (c *cheater) show(ctx context.Context, g *run.Gradient) error {
	return store.PutBytes(ctx, c.Own, exchangeKey(g.Window), g.Payload.Bytes(), store.PutOptions{})
}

// shown returns the payload that an accomplice shows; nil for none.
func (c *cheater) shown(ctx context.Context, w protocol.Window, p directory.Peer) method.Payload {
	raw, _, err := store.ReadAll(ctx, p.Bucket, exchangeKey(w), c.Run.MaxGradient())
	if err != nil {
		return nil
	}
	payload, verdict := c.Run.Method.Read(raw)
	if !verdict.OK() {
		return nil
	}
	return payload
}

// sybil's first member works; the others send the same.
func sybil(ctx context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	if c.index == 0 {
		if err := c.show(ctx, g); err != nil {
			return nil, err
		}
		return c.sign(g)
	}
	if err := c.Directory.Refresh(ctx); err != nil {
		return nil, err
	}
	first, ok := c.Directory.Peer(c.UID - protocol.UID(c.index))
	if !ok {
		return nil, nil
	}
	payload, err := c.await(ctx, g.Window, first)
	if payload == nil || err != nil {
		return nil, err
	}
	carry(g, payload)
	return c.sign(g)
}

// await returns what an accomplice shows, as soon as it does; nil when it does not in time.
func (c *cheater) await(ctx context.Context, w protocol.Window, p directory.Peer) (method.Payload, error) {
	end, err := c.Schedule().EndOf(ctx, w)
	if err != nil {
		return nil, err
	}
	began := c.Clock.Now()
	for bounds := c.Run.Params.UploadBounds(end.Time); !c.Clock.Now().After(bounds.Max); {
		if payload := c.shown(ctx, w, p); payload != nil {
			return payload, nil
		}
		if err := c.Clock.Sleep(ctx, c.Schedule().Pause(c.Clock.Now().Sub(began))); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func sybilEngine(c *cheater) engine.Engine {
	if c.index == 0 {
		return c.Engine
	}
	return idle(c)
}
