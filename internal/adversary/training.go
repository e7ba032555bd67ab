package adversary

import (
	"context"
	"crypto/sha256"
	"math"

	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// idler is an engine that computes nothing and reports that it did.
type idler struct{ engine.Engine }

func idle(c *cheater) engine.Engine { return idler{c.Engine} }

// Accumulate leaves the gradient as it is. There is no loss to report.
func (idler) Accumulate(ctx context.Context, b engine.Batch, _ float32) (engine.Loss, error) {
	l := engine.Loss{Sum: math.NaN()}
	for _, t := range b.Targets {
		if t != engine.Ignore {
			l.Tokens++
		}
	}
	return l, ctx.Err()
}

// withoutTraining removes an idler's training figures from logs and reports.
func withoutTraining(s telemetry.Sink) telemetry.Sink {
	if s == nil {
		return nil
	}
	return telemetry.SinkFunc(func(e telemetry.Event) {
		if _, ok := e.Body.(telemetry.Trained); !ok {
			s.Emit(e)
		}
	})
}

// otherData is an engine that is given other pages than it is asked to train on.
type otherData struct {
	engine.Engine
	cheater *cheater
	draw    *protocol.Draw
}

func otherPages(c *cheater) engine.Engine { return otherData{c.Engine, c, c.draw(0)} }

// Accumulate trains on a page at random.
func (e otherData) Accumulate(ctx context.Context, _ engine.Batch, scale float32) (engine.Loss, error) {
	p := e.cheater.Run.Params
	page := e.draw.Below(e.cheater.Data.Pages(p.PageTokens))
	tokens, err := e.cheater.Data.Page(ctx, page, p.PageTokens)
	if err != nil {
		return engine.Loss{}, err
	}
	return e.Engine.Accumulate(ctx, data.Batches(tokens, p.SequenceLength, p.BatchSize)[0], scale)
}

// stepsOff is the distance of a desynchronised model from the network's, in steps of the method:
// the distance at which the sync score is zero.
const stepsOff = 5

// otherModel is an engine that computes on a model beside the network's.
type otherModel struct {
	engine.Engine
	cheater *cheater
	params  []float32
}

func desynced(c *cheater) engine.Engine {
	c.shift = make([]float32, c.Run.Space.Size())
	largest := 0.0
	for step := range uint64(1000) { // past any warm-up
		largest = max(largest, c.Run.Method.StepSize(step))
	}
	d, step := c.draw(0), float32(stepsOff*largest)
	for i := range c.shift {
		c.shift[i] = step * float32(int64(2*d.Below(2))-1)
	}
	return &otherModel{c.Engine, c, make([]float32, len(c.shift))}
}

// Load loads the other model.
func (e *otherModel) Load(ctx context.Context, params []float32) error {
	for i, p := range params {
		e.params[i] = p + e.cheater.shift[i]
	}
	return e.Engine.Load(ctx, e.params)
}

// desyncedSample samples the other model, as an honest miner with a drifted model would.
func desyncedSample(ctx context.Context, c *cheater, s *wire.Sample) error {
	end, err := c.Schedule().EndOf(ctx, s.Window)
	if err != nil {
		return err
	}
	for i, shift := range c.Samples().Of(c.shift, end, s.Hotkey) {
		s.Values[i] += shift
	}
	s.State = protocol.Hash(sha256.Sum256(s.State[:])) // a plausible hash of the other model's state
	return nil
}
