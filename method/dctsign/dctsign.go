package dctsign

import (
	"math"

	"templar/codec"
	"templar/internal/engine"
	"templar/internal/workers"
	"templar/method"
	"templar/protocol"
)

// Name is the method's id.
const Name = "dctsign"

// signs is the method, set up for one run.
type signs struct {
	params Params
	codec  *codec.Codec
	how    engine.Compression // of momentum, on a device
}

// New is the method's Factory.
func New(p *protocol.Params, pool workers.Pool) (*method.Method, error) {
	var params Params
	if err := p.Method.Decode(&params); err != nil {
		return nil, err
	}
	return Of(p.Model.Layout(), params, pool)
}

// Of returns the method for a tensor table.
func Of(layout protocol.Layout, p Params, pool workers.Pool) (*method.Method, error) {
	m, _, err := of(layout, p, codec.DefaultScheme, pool)
	return m, err
}

func of(layout protocol.Layout, p Params, scheme codec.Scheme, pool workers.Pool) (*method.Method, *codec.Codec, error) {
	if err := p.Validate(); err != nil {
		return nil, nil, err
	}
	c, err := codec.New(layout, codec.Spec{TargetChunk: p.TargetChunk, TopK: p.TopK, Scheme: scheme})
	if err != nil {
		return nil, nil, err
	}
	s := &signs{params: p, codec: c.Parallel(pool.Workers, pool.Each), how: engine.Compression{Cosine: true, Signs: true}}
	for _, t := range c.Cuts() {
		s.how.Chunks = append(s.how.Chunks, engine.Chunking(t))
	}
	return &method.Method{
		Name: Name, LayoutHash: c.LayoutHash(), MaxPayload: c.MaxBody(), MaxUpdate: int64(c.UpdateSize()),
		Vectors: 2, Private: 1, // momentum, and gradient
		Compression: s.how,
		Reducer:     s, Applier: s, Comparer: s, Coder: s,
		NewTrainer: func(e engine.Engine) method.Trainer { return newTrainer(s, e) },
	}, s.codec, nil
}

// Read checks a payload's body.
func (s *signs) Read(body []byte) (method.Payload, protocol.Verdict) {
	g, v := s.codec.ReadGradient(body)
	if !v.OK() {
		return nil, v
	}
	return g, v
}

// Reduce packs the signs of the payloads' mean.
func (s *signs) Reduce(payloads []method.Payload) method.Update {
	if len(payloads) == 0 {
		return nil
	}
	return s.codec.Aggregate(gradients(payloads))
}

func gradients(payloads []method.Payload) []*codec.Gradient {
	out := make([]*codec.Gradient, len(payloads))
	for i, p := range payloads {
		out[i] = p.(*codec.Gradient)
	}
	return out
}

// ReadUpdate checks an update's body.
func (s *signs) ReadUpdate(body []byte) (method.Update, protocol.Verdict) {
	u, v := s.codec.ReadUpdate(body)
	if !v.OK() {
		return nil, v
	}
	return u, v
}

// Rate is the learning rate at a global step.
func (s *signs) Rate(step uint64) float32 { return float32(s.params.RateAt(step)) }

// AcceptsRate allows one unit in the last place: cosines differ there between architectures.
func (s *signs) AcceptsRate(step uint64, rate float32) bool {
	want := s.Rate(step)
	return rate == want || rate == math.Nextafter32(want, 0) || rate == math.Nextafter32(want, math.MaxFloat32)
}

// Apply takes one signed step.
func (s *signs) Apply(params []float32, u method.Update, rate float32) {
	if u != nil {
		s.codec.Apply(params, u.(*codec.Update), rate, float32(s.params.WeightDecay))
	}
}

// Trial is one signed step along a single payload, without weight decay.
func (s *signs) Trial(p method.Payload, step uint64) engine.Trial {
	g, size := p.(*codec.Gradient), float32(s.params.EvalLRFactor*s.params.RateAt(step))
	return engine.Trial{
		Deltas: func() engine.Step { return s.codec.Deltas(s.codec.Aggregate([]*codec.Gradient{g}), size) },
		Sent: func() engine.Sent {
			index, value := s.codec.Chosen(g)
			return engine.Sent{Compression: s.how, Chosen: engine.Chosen{Index: index, Value: value}, Size: size}
		},
	}
}

// StepSize is the learning rate: an update moves each parameter by it.
func (s *signs) StepSize(step uint64) float64 { return s.params.RateAt(step) }

// Differ compares two updates bit for bit.
func (s *signs) Differ(a, b method.Update) (count, first int) {
	one := func(u method.Update) *codec.Update {
		if u == nil {
			return nil
		}
		return u.(*codec.Update)
	}
	return s.codec.Differ(one(a), one(b))
}

// Chunks calls f with each chunk of a payload.
func (s *signs) Chunks(p method.Payload, f func(method.Chunk)) {
	s.codec.Each(p.(*codec.Gradient), func(c codec.Chunk) { f(method.Chunk{Index: c.Index, Value: c.Value}) })
}

// Pack makes a payload of coefficients.
func (s *signs) Pack(chunks []method.Chunk) (method.Payload, error) {
	all := make([]codec.Chunk, len(chunks))
	for i, c := range chunks {
		all[i] = codec.Chunk{Index: c.Index, Value: c.Value}
	}
	return payload(s.codec.Pack(all))
}

// Encode compresses a momentum.
func (s *signs) Encode(x []float32) (method.Payload, error) { return payload(s.codec.Compress(x)) }

// payload keeps a nil pointer from becoming a Payload that is not nil.
func payload(g *codec.Gradient, err error) (method.Payload, error) {
	if err != nil {
		return nil, err
	}
	return g, nil
}
