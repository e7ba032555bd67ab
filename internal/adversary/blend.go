package adversary

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/run"
	"templar/method"
	"templar/protocol"
)

// blend sends the mean of the others' gradients.
func blend(ctx context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	return c.blended(ctx, g, false)
}

// blendOwn adds its own, with the weight of all others together.
func blendOwn(ctx context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	return c.blended(ctx, g, true)
}

func (c *cheater) blended(ctx context.Context, g *run.Gradient, own bool) ([]byte, error) {
	if err := c.Directory.Refresh(ctx); err != nil {
		return nil, err
	}
	var payloads []method.Payload
	for _, p := range c.others() {
		if stolen := c.opened(ctx, g.Window, p); stolen != nil {
			payloads = append(payloads, stolen)
		} else if stolen := c.opened(ctx, g.Window-1, p); stolen != nil {
			payloads = append(payloads, stolen)
		}
	}
	if len(payloads) == 0 && !own {
		return nil, ctx.Err()
	}
	if own {
		for range max(1, len(payloads)) {
			payloads = append(payloads, g.Payload)
		}
	}
	return c.mean(g, payloads)
}

// collude sends the mean of what the accomplices have trained. They find each other by what they show, and wait for each
// other for a quarter of the time to upload.
func collude(ctx context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	if err := c.show(ctx, g); err != nil {
		return nil, err
	}
	if err := c.Directory.Refresh(ctx); err != nil {
		return nil, err
	}
	if err := c.Clock.Sleep(ctx, c.Run.Params.Delta()/4); err != nil {
		return nil, err
	}
	payloads := []method.Payload{g.Payload}
	for _, p := range c.others() {
		if shown := c.shown(ctx, g.Window, p); shown != nil {
			payloads = append(payloads, shown)
		}
	}
	return c.mean(g, payloads)
}

// mean signs the mean of payloads: in each chunk the largest coefficients, as many as the longest chunk has.
func (c *cheater) mean(g *run.Gradient, payloads []method.Payload) ([]byte, error) {
	var sums []map[uint16]float32
	var most []int
	for _, p := range payloads {
		n := 0
		c.Run.Method.Chunks(p, func(ch method.Chunk) {
			if n == len(sums) {
				sums, most = append(sums, make(map[uint16]float32)), append(most, 0)
			}
			for i, at := range ch.Index {
				sums[n][at] += ch.Value[i] / float32(len(payloads))
			}
			most[n] = max(most[n], len(ch.Index))
			n++
		})
	}
	chunks := make([]method.Chunk, len(sums))
	for n, sum := range sums {
		chunks[n] = largest(sum, most[n])
	}
	p, err := c.Run.Method.Pack(chunks)
	if err != nil {
		return nil, err
	}
	carry(g, p)
	return c.sign(g)
}

// largest returns the n largest coefficients as a chunk.
func largest(values map[uint16]float32, n int) (ch method.Chunk) {
	indices := slices.Sorted(maps.Keys(values))
	size := func(i uint16) float32 { return max(values[i], -values[i]) }
	slices.SortStableFunc(indices, func(a, b uint16) int { return cmp.Compare(size(b), size(a)) })
	indices = indices[:min(n, len(indices))]
	slices.Sort(indices)
	for _, i := range indices {
		ch.Index, ch.Value = append(ch.Index, i), append(ch.Value, values[i])
	}
	return ch
}

// half is an engine that trains on every second batch.
type half struct {
	engine.Engine
	batches int
	last    engine.Loss
}

func halfPages(c *cheater) engine.Engine { return &half{Engine: c.Engine} }

// Accumulate leaves out every second batch, and claims the loss of the one before.
func (e *half) Accumulate(ctx context.Context, b engine.Batch, scale float32) (_ engine.Loss, err error) {
	if e.batches++; e.batches%2 == 1 {
		e.last, err = e.Engine.Accumulate(ctx, b, scale)
	}
	return e.last, err
}

// impersonator is an engine that trains on the pages of a victim in place of its own.
type impersonator struct {
	engine.Engine
	cheater *cheater
	window  *protocol.Window
	batches *int // of the window
}

func victimsPages(c *cheater) engine.Engine {
	return impersonator{c.Engine, c, new(protocol.Window), new(int)}
}

// Accumulate trains on the batch that the victim trains on in its place.
func (e impersonator) Accumulate(ctx context.Context, b engine.Batch, scale float32) (engine.Loss, error) {
	c := e.cheater
	w, err := c.Schedule().CurrentWindow(ctx)
	if err != nil {
		return engine.Loss{}, err
	}
	if w != *e.window {
		*e.window, *e.batches = w, 0
		if err := c.Directory.Refresh(ctx); err != nil {
			return engine.Loss{}, err
		}
	}
	n := *e.batches
	*e.batches++
	others := c.others()
	if len(others) == 0 {
		return e.Engine.Accumulate(ctx, b, scale)
	}
	seed, err := c.Schedule().PageSeed(ctx, w)
	if err != nil {
		return engine.Loss{}, err
	}
	p := c.Run.Params
	pages := data.Assign(seed, others[0].UID, w, c.Data.Pages(p.PageTokens), p.PagesPerWindow)
	each := max(1, p.PageTokens/p.SequenceLength/p.BatchSize) // batches of a page
	tokens, err := c.Data.Page(ctx, pages[n/each%len(pages)], p.PageTokens)
	if err != nil {
		return engine.Loss{}, err
	}
	batches := data.Batches(tokens, p.SequenceLength, p.BatchSize)
	return e.Engine.Accumulate(ctx, batches[n%each%len(batches)], scale)
}
