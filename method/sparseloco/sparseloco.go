package sparseloco

import (
	"slices"

	"templar/codec"
	"templar/internal/engine"
	"templar/internal/workers"
	"templar/method"
	"templar/protocol"
)

// Name is the method's id.
const Name = "sparseloco"

// loco is the method, set up for one run.
type loco struct {
	params Params
	steps  uint64 // local steps a window
	size   int    // parameters
	codec  *codec.Sparse
	how    engine.Compression // of the error buffer, on a device
}

// New is the method's Factory.
func New(p *protocol.Params, pool workers.Pool) (*method.Method, error) {
	l := &loco{steps: stepsPerWindow(p)}
	if err := p.Method.Decode(&l.params); err != nil {
		return nil, err
	}
	if err := l.params.Validate(); err != nil {
		return nil, err
	}
	layout := p.Model.Layout()
	c, err := codec.NewSparse(layout, l.params.spec(p))
	if err != nil {
		return nil, err
	}
	l.codec, l.size, l.how = c.Parallel(pool.Workers, pool.Each), layout.Size(), engine.Compression{Steps: true}
	for _, t := range c.Cuts() {
		l.how.Chunks = append(l.how.Chunks, engine.Chunking(t))
	}
	return &method.Method{
		Name: Name, LayoutHash: c.LayoutHash(), MaxPayload: c.MaxBody(), MaxUpdate: c.MaxUpdate(),
		Vectors: 5, Private: 3, // error and two moments, and local parameters and gradient
		Compression: l.how,
		Reducer:     l, Applier: l, Comparer: l, Coder: l,
		NewTrainer: func(e engine.Engine) method.Trainer { return newTrainer(l, e) },
	}, nil
}

// Read checks a payload's body.
func (l *loco) Read(body []byte) (method.Payload, protocol.Verdict) {
	g, v := l.codec.Read(body)
	if !v.OK() {
		return nil, v
	}
	return g, v
}

// Reduce is the mean of the payloads.
func (l *loco) Reduce(payloads []method.Payload) method.Update {
	if len(payloads) == 0 {
		return nil
	}
	gs := make([]*codec.SparseGradient, len(payloads))
	for i, p := range payloads {
		gs[i] = p.(*codec.SparseGradient)
	}
	return l.codec.Mean(gs)
}

// ReadUpdate checks an update's body.
func (l *loco) ReadUpdate(body []byte) (method.Update, protocol.Verdict) {
	u, v := l.codec.ReadUpdate(body)
	if !v.OK() {
		return nil, v
	}
	return u, v
}

// Rate is alpha.
func (l *loco) Rate(uint64) float32 { return float32(l.params.OuterRate) }

// AcceptsRate reports whether the rate is alpha.
func (l *loco) AcceptsRate(step uint64, rate float32) bool { return rate == l.Rate(step) }

// Apply takes the outer step.
func (l *loco) Apply(params []float32, u method.Update, rate float32) {
	if u != nil {
		l.codec.Apply(params, u.(*codec.SparseUpdate), rate)
	}
}

// Trial is the outer step of a single payload.
func (l *loco) Trial(p method.Payload, step uint64) engine.Trial {
	g, rate := p.(*codec.SparseGradient), l.Rate(step)
	return engine.Trial{
		Deltas: func() engine.Step { return l.codec.Deltas(g, rate) },
		Sent: func() engine.Sent {
			index, value := l.codec.Chosen(g)
			return engine.Sent{Compression: l.how, Chosen: engine.Chosen{Index: index, Value: value}, Size: rate}
		},
	}
}

// StepSize estimates by how much an update moves a parameter in the mean over all of them, those included that it leaves: by
// the sum of the window's learning rates, in the share of places that a miner sends, times what error feedback has gathered
// there. That factor was measured (TestLearnsAndStepSize); payloads hardly overlap, so that the number of miners does
// not matter.
func (l *loco) StepSize(step uint64) float64 {
	const gathered = 1.5
	sent := float64(l.params.TopK) / float64(l.params.TargetChunk*l.params.TargetChunk)
	return gathered * sent * l.params.OuterRate * l.params.InnerRateAt(step*l.steps) * float64(l.steps)
}

// Differ compares two updates bit for bit.
func (l *loco) Differ(a, b method.Update) (count, first int) {
	one := func(u method.Update) *codec.SparseUpdate {
		if u == nil {
			return nil
		}
		return u.(*codec.SparseUpdate)
	}
	return l.codec.Differ(one(a), one(b))
}

// Chunks calls f with each chunk of a payload.
func (l *loco) Chunks(p method.Payload, f func(method.Chunk)) {
	l.codec.Each(p.(*codec.SparseGradient), func(c codec.Chunk) { f(method.Chunk{Index: c.Index, Value: c.Value}) })
}

// Pack makes a payload of values.
func (l *loco) Pack(chunks []method.Chunk) (method.Payload, error) {
	all := make([]codec.Chunk, len(chunks))
	for i, c := range chunks {
		all[i] = codec.Chunk{Index: c.Index, Value: c.Value}
	}
	return payload(l.codec.Pack(all))
}

// Encode compresses an error buffer.
func (l *loco) Encode(x []float32) (method.Payload, error) { return payload(l.codec.Compress(x)) }

// payload keeps a nil pointer from becoming a Payload that is not nil.
func payload(g *codec.SparseGradient, err error) (method.Payload, error) {
	if err != nil {
		return nil, err
	}
	return g, nil
}

const (
	// sampled is how many chunks are compared: 8192 values with 64 a chunk.
	sampled = 128
	// leastValues is how many values a chunk has that is compared: in fewer, honest payloads agree by chance.
	leastValues = 16
)

// Sample takes the same chunks out of every payload.
func (l *loco) Sample(payloads []method.Payload, seed protocol.Hash) [][]method.Chunk {
	candidates := l.codec.Comparable(leastValues)
	var drawn []int
	for _, i := range protocol.NewDraw("copies", seed).Distinct(uint64(len(candidates)), sampled) {
		drawn = append(drawn, candidates[i])
	}
	slices.Sort(drawn)
	out := make([][]method.Chunk, len(payloads))
	for i, p := range payloads {
		n := 0
		l.Chunks(p, func(c method.Chunk) {
			if k := len(out[i]); k < len(drawn) && drawn[k] == n {
				out[i] = append(out[i], method.Chunk{Index: slices.Clone(c.Index), Value: slices.Clone(c.Value)})
			}
			n++
		})
	}
	return out
}
