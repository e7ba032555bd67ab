package adversary

import (
	"context"
	"slices"

	"templar/codec"
	"templar/protocol"
	"templar/wire"
)

// draw is the cheater's own randomness, which repeats from run to run.
func (c *cheater) draw(w protocol.Window) *protocol.Draw {
	return protocol.NewDraw("adversary", protocol.Hash(c.Signer.Hotkey()), uint64(w))
}

// uniform returns a number in [-1, 1).
func uniform(d *protocol.Draw) float32 {
	const steps = 1 << 24
	return float32(d.Below(steps))/(steps/2) - 1
}

func noise(_ context.Context, c *cheater, g *wire.Gradient) (_ []byte, err error) {
	if g.Body, err = c.randomBody(g.Window); err != nil {
		return nil, err
	}
	return c.sign(g)
}

func (c *cheater) randomBody(w protocol.Window) (*codec.Gradient, error) {
	d, values := c.draw(w), make([]float32, c.Run.Codec.Layout().Size())
	for i := range values {
		values[i] = uniform(d)
	}
	return c.Run.Codec.Compress(values)
}

// changed signs g with other coefficients: f is given each chunk to change.
func (c *cheater) changed(g *wire.Gradient, f func(*codec.Chunk)) (_ []byte, err error) {
	var chunks []codec.Chunk
	c.Run.Codec.Each(g.Body, func(ch codec.Chunk) {
		ch.Index, ch.Value = slices.Clone(ch.Index), slices.Clone(ch.Value)
		f(&ch)
		chunks = append(chunks, ch)
	})
	if g.Body, err = c.Run.Codec.Pack(chunks); err != nil {
		return nil, err
	}
	return c.sign(g)
}

func (c *cheater) scaled(g *wire.Gradient, by float32) ([]byte, error) {
	return c.changed(g, func(ch *codec.Chunk) {
		for i := range ch.Value {
			ch.Value[i] *= by
		}
	})
}

func flipped(_ context.Context, c *cheater, g *wire.Gradient) ([]byte, error) { return c.scaled(g, -1) }

func huge(_ context.Context, c *cheater, g *wire.Gradient) ([]byte, error) { return c.scaled(g, 1e6) }

// stale sends its gradients one window late; there is none before the first.
func stale(_ context.Context, c *cheater, g *wire.Gradient) ([]byte, error) {
	fresh := g.Body
	if c.last != nil {
		g.Body = c.last
	}
	c.last = fresh
	return c.sign(g)
}

func nothing(context.Context, *cheater, *wire.Gradient) ([]byte, error) { return nil, nil }

// nothingOncePaid stops working when the chain gives it an incentive.
func nothingOncePaid(ctx context.Context, c *cheater, g *wire.Gradient) ([]byte, error) {
	graph, err := c.Chain.Metagraph(ctx)
	if err != nil {
		return nil, err
	}
	if n, ok := graph.ByHotkey(g.Hotkey); ok && n.Incentive > 0 || c.paid {
		c.paid = true
		return nil, nil
	}
	return c.sign(g)
}
