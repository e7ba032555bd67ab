package adversary

import (
	"context"
	"slices"

	"templar/internal/run"
	"templar/method"
	"templar/protocol"
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

func noise(_ context.Context, c *cheater, g *run.Gradient) (_ []byte, err error) {
	p, err := c.random(g.Window)
	if err != nil {
		return nil, err
	}
	carry(g, p)
	return c.sign(g)
}

func (c *cheater) random(w protocol.Window) (method.Payload, error) {
	d, values := c.draw(w), make([]float32, c.Run.Space.Size())
	for i := range values {
		values[i] = uniform(d)
	}
	return c.Run.Method.Encode(values)
}

// changed signs g with other coefficients: f is given each chunk to change.
func (c *cheater) changed(g *run.Gradient, f func(*method.Chunk)) (_ []byte, err error) {
	var chunks []method.Chunk
	c.Run.Method.Chunks(g.Payload, func(ch method.Chunk) {
		ch.Index, ch.Value = slices.Clone(ch.Index), slices.Clone(ch.Value)
		f(&ch)
		chunks = append(chunks, ch)
	})
	p, err := c.Run.Method.Pack(chunks)
	if err != nil {
		return nil, err
	}
	carry(g, p)
	return c.sign(g)
}

func (c *cheater) scaled(g *run.Gradient, by float32) ([]byte, error) {
	return c.changed(g, func(ch *method.Chunk) {
		for i := range ch.Value {
			ch.Value[i] *= by
		}
	})
}

func flipped(_ context.Context, c *cheater, g *run.Gradient) ([]byte, error) { return c.scaled(g, -1) }

func huge(_ context.Context, c *cheater, g *run.Gradient) ([]byte, error) { return c.scaled(g, 1e6) }

// stale sends its gradients one window late; there is none before the first.
func stale(_ context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	fresh := g.Payload
	if c.last != nil {
		carry(g, c.last)
	}
	c.last = fresh
	return c.sign(g)
}

func nothing(context.Context, *cheater, *run.Gradient) ([]byte, error) { return nil, nil }

// nothingOncePaid stops working when the chain gives it an incentive.
func nothingOncePaid(ctx context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	graph, err := c.Chain.Metagraph(ctx)
	if err != nil {
		return nil, err
	}
	if n, ok := graph.ByHotkey(g.Hotkey); (ok && n.Incentive > 0) || c.paid {
		c.paid = true
		return nil, nil
	}
	return c.sign(g)
}
