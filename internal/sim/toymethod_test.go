package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"templar/internal/engine"
	"templar/internal/harness"
	"templar/internal/parts"
	"templar/internal/workers"
	"templar/method"
	"templar/method/methodtest"
	"templar/protocol"
	"templar/state"
)

// sgd is a training method in full: miners send their gradients as they are, the update is the
// mean, and parameters move by rate times it.
type sgd struct {
	Rates float64 `json:"rate"`
	n     int     // parameters
}

func newSGD(p *protocol.Params, _ workers.Pool) (*method.Method, error) {
	m := &sgd{n: p.Model.Layout().Size()}
	if err := p.Method.Decode(m); err != nil {
		return nil, err
	}
	size := int64(4 * m.n)
	return &method.Method{
		Name: "sgd", LayoutHash: protocol.Hash(state.AppendTable([]byte("sgd"), p.Model.Layout())[:32]), MaxPayload: size, MaxUpdate: size,
		Reducer: m, Applier: m, Comparer: m,
		NewTrainer: func(e engine.Engine) method.Trainer { return &sgdTrainer{sgd: m, engine: e} },
	}, nil
}

// dense is a payload, and an update.
type dense struct {
	body   []byte
	values []float32
}

func (d *dense) Bytes() []byte { return d.body }

func pack(values []float32) *dense {
	d := &dense{values: values}
	for _, v := range values {
		d.body = binary.LittleEndian.AppendUint32(d.body, math.Float32bits(v))
	}
	return d
}

func (m *sgd) Read(body []byte) (method.Payload, protocol.Verdict) {
	if len(body) != 4*m.n {
		return nil, protocol.VerdictBadShape
	}
	d := &dense{body: body, values: make([]float32, m.n)}
	for i := range d.values {
		d.values[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
		if !(math.Abs(float64(d.values[i])) < 1e6) { // so that no mean, and no step, is infinite
			return nil, protocol.VerdictNonFinite
		}
	}
	return d, protocol.VerdictOK
}

func (m *sgd) ReadUpdate(body []byte) (method.Update, protocol.Verdict) { return m.Read(body) }

func (m *sgd) Reduce(payloads []method.Payload) method.Update {
	if len(payloads) == 0 {
		return nil
	}
	mean := make([]float32, m.n)
	for i := range mean {
		sum := 0.0
		for _, p := range payloads {
			sum += float64(p.(*dense).values[i])
		}
		mean[i] = float32(sum / float64(len(payloads)))
	}
	return pack(mean)
}

func (m *sgd) Rate(uint64) float32                  { return float32(m.Rates) }
func (m *sgd) AcceptsRate(_ uint64, r float32) bool { return r == float32(m.Rates) }
func (m *sgd) StepSize(uint64) float64              { return m.Rates / 100 }

func (m *sgd) Apply(params []float32, u method.Update, rate float32) {
	if u != nil {
		for i, v := range u.(*dense).values {
			params[i] -= float32(rate * v)
		}
	}
}

func (m *sgd) Trial(p method.Payload, step uint64) engine.Trial {
	return engine.Trial{Deltas: func() engine.Step {
		return func(dst []float32, at int) {
			for i := range dst {
				dst[i] = m.Rate(step) * p.(*dense).values[at+i]
			}
		}
	}}
}

// Sample leaves everything out: every payload has every index.
func (m *sgd) Sample(payloads []method.Payload, _ protocol.Hash) [][]method.Chunk {
	return make([][]method.Chunk, len(payloads))
}

func (m *sgd) Differ(a, b method.Update) (count, first int) {
	one, other := make([]float32, m.n), make([]float32, m.n)
	m.Apply(one, a, 1)
	m.Apply(other, b, 1)
	for i := m.n - 1; i >= 0; i-- {
		if one[i] != other[i] {
			count, first = count+1, i
		}
	}
	if count == 0 {
		return 0, -1
	}
	return count, first
}

// sgdTrainer has no private state.
type sgdTrainer struct {
	*sgd
	engine engine.Engine
	tokens int
}

func (t *sgdTrainer) Begin(ctx context.Context, _ uint64, params []float32) error {
	t.tokens = 0
	return errors.Join(t.engine.Load(ctx, params), t.engine.ClearGradient(ctx))
}

func (t *sgdTrainer) Batch(ctx context.Context, b engine.Batch) (engine.Loss, error) {
	l, err := t.engine.Accumulate(ctx, b, 1)
	t.tokens += l.Tokens
	return l, err
}

func (t *sgdTrainer) Payload(ctx context.Context) ([]byte, error) {
	if t.tokens == 0 {
		return nil, method.ErrNothingTrained
	}
	g, err := t.engine.Gradient(ctx)
	mean := make([]float32, len(g))
	for i, v := range g {
		mean[i] = v / float32(t.tokens)
	}
	return pack(mean).body, err
}

func (t *sgdTrainer) Stored(context.Context) error                  { return nil }
func (t *sgdTrainer) Save(context.Context) ([]method.Tensor, error) { return nil, nil }

func (t *sgdTrainer) Load(_ context.Context, s []method.Tensor) error {
	_, _, err := method.Unpack(s, t.n, nil, nil)
	return err
}

// tuneSGD makes run parameters those of the method.
func tuneSGD(p *protocol.Params) {
	m, err := protocol.NewMethod("sgd", map[string]float64{"rate": 1})
	if err != nil {
		panic(err)
	}
	p.Method = m
}

func TestToyMethodConforms(t *testing.T) {
	p := params(Real)
	tuneSGD(&p)
	methodtest.Suite{Factory: newSGD, Params: p, Engine: func(m protocol.Model) (engine.Engine, error) { return newCPU("", m) }}.Run(t)
}

// A method that no other package knows trains a network of the real roles, with the real engine.
func TestToyMethodTrains(t *testing.T) {
	var first, last []float32
	c := Config{
		Seed: 1, Windows: 30, Miners: 3, Validators: 2, Aggregators: 1, Engine: Real, NewEngine: newCPU, Threads: 2,
		Methods: method.Factories{"sgd": newSGD}, tune: tuneSGD,
		alter: named("miner-0", func(_ *Node, _ *process, d *parts.Parts) { d.Engine = &kept{d.Engine, &first, &last} }),
	}
	r := runs(t, c)
	if r.Failed() || r.Applied < 5*c.Windows || r.Mismatches > 0 {
		t.Fatalf("%+v", r)
	}
	before, after := textLoss(t, first), textLoss(t, last)
	t.Logf("%.3f nats a token, at first %.3f", after, before)
	if after > before-0.5 {
		t.Errorf("the loss is %.3f nats a token, at first %.3f", after, before)
	}
}

// kept is an engine that keeps the parameters that were loaded first and last.
type kept struct {
	engine.Engine
	first, last *[]float32
}

func (e *kept) Load(ctx context.Context, params []float32) error {
	if *e.last = slices.Clone(params); *e.first == nil {
		*e.first = *e.last
	}
	return e.Engine.Load(ctx, params)
}

// textLoss is the mean loss on the beginning of the text.
func textLoss(t *testing.T, theta []float32) float64 {
	t.Helper()
	p := params(Real)
	e, err := newCPU("", p.Model)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Load(t.Context(), theta); err != nil {
		t.Fatal(err)
	}
	var tokens []int32
	for _, c := range harness.Text("sim text")[:1+64*p.SequenceLength] {
		tokens = append(tokens, int32(c))
	}
	n := len(tokens) - 1
	l, err := e.Loss(t.Context(), engine.Batch{Rows: 64, Cols: p.SequenceLength, Inputs: tokens[:n], Targets: tokens[1:]})
	if err != nil {
		t.Fatal(err)
	}
	return l.Mean()
}
