package adversary

import (
	"cmp"
	"context"
	"slices"

	"templar/internal/directory"
	"templar/internal/engine"
	"templar/internal/run"
	"templar/method"
	"templar/protocol"
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
		return nil, err // no miner sent a gradient in time
	}
	carry(g, payload)
	return send(g)
}

// others are the miners but itself, ascending by uid.
func (c *cheater) others() []directory.Peer {
	return slices.DeleteFunc(c.Directory.Candidates(), func(p directory.Peer) bool { return p.UID == c.UID })
}

// steal returns the gradient of the first victim that has one, as soon as any has.
func (c *cheater) steal(ctx context.Context, w protocol.Window, victims []directory.Peer) (method.Payload, error) {
	end, err := c.Schedule().EndOf(ctx, w)
	if err != nil {
		return nil, err
	}
	for bounds := c.Run.Params.UploadBounds(end.Time); !c.Clock.Now().After(bounds.Max); {
		if err := c.Clock.Sleep(ctx, c.Schedule().Poll()); err != nil {
			return nil, err
		}
		for _, p := range c.Gatherer().Gather(ctx, w, victims, bounds, c.Clock.Now().Add(c.Schedule().Poll())) {
			if p.Verdict.OK() {
				return p.Gradient.Payload, nil
			}
		}
	}
	return nil, nil
}

// sybil's first member works; the others send the same.
func sybil(ctx context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	if c.index == 0 {
		return c.sign(g)
	}
	if err := c.Directory.Refresh(ctx); err != nil {
		return nil, err
	}
	first, ok := c.Directory.Peer(c.UID - protocol.UID(c.index))
	if !ok {
		return nil, nil
	}
	payload, err := c.steal(ctx, g.Window, []directory.Peer{first})
	if payload == nil || err != nil {
		return nil, err
	}
	carry(g, payload)
	return c.sign(g)
}

func sybilEngine(c *cheater) engine.Engine {
	if c.index == 0 {
		return c.Engine
	}
	return idle(c)
}
