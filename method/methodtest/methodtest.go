// Package methodtest is the conformance suite of training methods. It tests what nodes require of
// every method; a method's own tests check its arithmetic against its specification.
package methodtest

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"templar/internal/engine"
	"templar/internal/workers"
	"templar/method"
	"templar/protocol"
)

// Suite is a method to be tested.
type Suite struct {
	Factory method.Factory
	// Params are run parameters with a small model, and the method's own parameters.
	Params protocol.Params
	// Engine makes an engine for the model.
	Engine func(protocol.Model) (engine.Engine, error)
}

// Run runs the suite.
func (s Suite) Run(t *testing.T) {
	for name, f := range map[string]func(*testing.T){
		"parameters":         s.parameters,
		"the same bits":      s.sameBits,
		"hostile payloads":   s.hostilePayloads,
		"hostile updates":    s.hostileUpdates,
		"nothing sent":       s.nothing,
		"trial steps":        s.trial,
		"private state":      s.private,
		"refused states":     s.refused,
		"rates":              s.rates,
		"samples":            s.samples,
		"payloads by chunks": s.chunks,

		"private state on a device":  s.onDevice().private,
		"refused states on a device": s.onDevice().refused,
		"nothing sent on a device":   s.onDevice().nothing,
		"device and host":            s.onDevice().Device,
	} {
		t.Run(name, f)
	}
}

func (s Suite) method(t *testing.T, pool workers.Pool) *method.Method {
	t.Helper()
	p := s.Params
	m, err := s.Factory(&p, pool)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// theta are parameters that a model could begin with.
func (s Suite) theta() []float32 {
	r := rand.New(rand.NewPCG(1, 1))
	out := make([]float32, s.Params.Model.Layout().Size())
	for i := range out {
		out[i] = (r.Float32() - 0.5) / 8
	}
	return out
}

// miner is a trainer on an engine of its own.
func (s Suite) miner(t *testing.T, m *method.Method) method.Trainer {
	t.Helper()
	e, err := s.Engine(s.Params.Model)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return m.NewTrainer(e)
}

// train trains a window on data that the seed chooses, and returns the body to send.
func (s Suite) train(t *testing.T, trainer method.Trainer, step, seed uint64, stored bool) []byte {
	t.Helper()
	ctx, r := t.Context(), rand.New(rand.NewPCG(seed, step))
	if err := trainer.Begin(ctx, step, s.theta()); err != nil {
		t.Fatal(err)
	}
	cols := min(8, s.Params.SequenceLength)
	for range 2 {
		b := engine.Batch{Rows: 2, Cols: cols, Inputs: make([]int32, 2*cols), Targets: make([]int32, 2*cols)}
		for i := range b.Inputs {
			b.Inputs[i], b.Targets[i] = r.Int32N(int32(s.Params.Model.VocabSize)), r.Int32N(int32(s.Params.Model.VocabSize))
		}
		if _, err := trainer.Batch(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	body, err := trainer.Payload(ctx)
	if err != nil {
		t.Fatal(err)
	}
	body = slices.Clone(body)
	if stored {
		if err := trainer.Stored(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return body
}

// payloads are what n miners send in a window.
func (s Suite) payloads(t *testing.T, m *method.Method, n int) (all []method.Payload) {
	t.Helper()
	for i := range n {
		body := s.train(t, s.miner(t, m), 0, uint64(i), true)
		if int64(len(body)) > m.MaxPayload {
			t.Fatalf("a payload of %d bytes, at most %d", len(body), m.MaxPayload)
		}
		p, v := m.Read(body)
		if !v.OK() || !bytes.Equal(p.Bytes(), body) {
			t.Fatalf("the method's own payload is %v", v)
		}
		all = append(all, p)
	}
	return all
}

func (s Suite) parameters(t *testing.T) {
	m := s.method(t, workers.Pool{})
	if m.Name != s.Params.Method.Name || !protocol.ValidMethodName(m.Name) || m.LayoutHash.IsZero() || m.MaxPayload < 1 || m.MaxUpdate < 1 {
		t.Errorf("%+v", m)
	}
	p := s.Params
	p.Method = p.Method.With("no_such_parameter", 1)
	if _, err := s.Factory(&p, workers.Pool{}); err == nil {
		t.Error("an unknown parameter is no error")
	}
	p.Method = protocol.Method{Name: m.Name, Params: []byte("{}")}
	if _, err := s.Factory(&p, workers.Pool{}); err == nil && string(s.Params.Method.Params) != "{}" {
		t.Error("missing parameters are no error")
	}
}

// sameBits: the update and what it does depend neither on the workers, nor on the node.
func (s Suite) sameBits(t *testing.T) {
	m := s.method(t, workers.Pool{})
	sent := s.payloads(t, m, 3)
	var update []byte
	var after []float32
	for _, n := range []int{0, 1, 2, 5, 0} {
		m := s.method(t, workers.Pool{Workers: n, Each: goroutines})
		var read []method.Payload
		for _, p := range sent {
			own, v := m.Read(slices.Clone(p.Bytes()))
			if !v.OK() {
				t.Fatal(v)
			}
			read = append(read, own)
		}
		u := m.Reduce(read)
		if int64(len(u.Bytes())) > m.MaxUpdate {
			t.Fatalf("an update of %d bytes, at most %d", len(u.Bytes()), m.MaxUpdate)
		}
		again, v := m.ReadUpdate(slices.Clone(u.Bytes()))
		if !v.OK() {
			t.Fatalf("the method's own update is %v", v)
		}
		if count, first := m.Differ(u, again); count != 0 || first != -1 {
			t.Fatalf("an update differs in %d parameters, the first %d, from itself", count, first)
		}
		params := s.theta()
		m.Apply(params, again, m.Rate(7))
		if update == nil {
			update, after = u.Bytes(), params
			if slices.Equal(params, s.theta()) {
				t.Fatal("the update moves nothing: the case shows too little")
			}
			if count, first := m.Differ(u, nil); count == 0 || first < 0 {
				t.Errorf("the update differs in %d parameters, the first %d, from none", count, first)
			}
		}
		if !bytes.Equal(u.Bytes(), update) || !equalBits(params, after) {
			t.Fatalf("%d workers: another result", n)
		}
	}
}

// mutations of a body, as a hostile node may send them.
func mutations(body []byte, limit int64) (out [][]byte) {
	r := rand.New(rand.NewPCG(3, uint64(len(body))))
	out = append(out, nil, []byte{}, append(slices.Clone(body), 0), make([]byte, len(body)), bytes.Repeat([]byte{0xff}, len(body)))
	for range 400 {
		b := slices.Clone(body)
		switch r.IntN(3) {
		case 0:
			b = b[:r.IntN(len(b))]
		case 1:
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		default:
			for i := range b[r.IntN(len(b)):] {
				b[i] = byte(r.Uint32())
			}
		}
		out = append(out, b)
	}
	return slices.DeleteFunc(out, func(b []byte) bool { return int64(len(b)) > limit })
}

// hostilePayloads: each is a verdict, or a payload like any other.
func (s Suite) hostilePayloads(t *testing.T) {
	m := s.method(t, workers.Pool{})
	honest := s.payloads(t, m, 1)
	refused := 0
	for _, body := range mutations(honest[0].Bytes(), m.MaxPayload) {
		p, v := m.Read(body)
		if !v.OK() {
			refused++
			if p != nil || !v.Invalid() {
				t.Fatalf("verdict %v with payload %v", v, p)
			}
			continue
		}
		params := s.theta()
		m.Apply(params, m.Reduce(append(slices.Clone(honest), p)), m.Rate(0))
		finite(t, params)
		delta := make([]float32, len(params))
		m.Trial(p, 0).Deltas()(delta, 0)
		finite(t, delta)
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

func (s Suite) hostileUpdates(t *testing.T) {
	m := s.method(t, workers.Pool{})
	good := m.Reduce(s.payloads(t, m, 2)).Bytes()
	refused := 0
	for _, body := range mutations(good, m.MaxUpdate) {
		u, v := m.ReadUpdate(body)
		if !v.OK() {
			refused++
			if u != nil || !v.Invalid() {
				t.Fatalf("verdict %v with update %v", v, u)
			}
			continue
		}
		params := s.theta()
		m.Apply(params, u, m.Rate(0))
		finite(t, params)
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

func (s Suite) nothing(t *testing.T) {
	m := s.method(t, workers.Pool{})
	if u := m.Reduce(nil); u != nil {
		t.Fatalf("no payloads make the update %v", u)
	}
	params := s.theta()
	m.Apply(params, nil, m.Rate(3))
	if !equalBits(params, s.theta()) {
		t.Error("no update moves parameters")
	}
	if count, first := m.Differ(nil, nil); count != 0 || first != -1 {
		t.Errorf("nothing differs in %d parameters, the first %d, from nothing", count, first)
	}
	trainer := s.miner(t, m)
	if err := trainer.Begin(t.Context(), 0, s.theta()); err != nil {
		t.Fatal(err)
	}
	if body, err := trainer.Payload(t.Context()); err == nil {
		t.Errorf("without a batch it sends %d bytes", len(body))
	}
}

// trial: any range of the deltas is the same, and an engine takes the step and undoes it.
func (s Suite) trial(t *testing.T) {
	m := s.method(t, workers.Pool{})
	trial := m.Trial(s.payloads(t, m, 1)[0], 4)
	step := trial.Deltas()
	whole := make([]float32, s.Params.Model.Layout().Size())
	step(whole, 0)
	if !slices.ContainsFunc(whole, func(v float32) bool { return v != 0 }) {
		t.Fatal("the step moves nothing")
	}
	r := rand.New(rand.NewPCG(5, 5))
	for range 50 {
		at := r.IntN(len(whole))
		part := slices.Repeat([]float32{7}, r.IntN(len(whole)-at+1))
		step(part, at)
		if !equalBits(part, whole[at:at+len(part)]) {
			t.Fatalf("the deltas from %d on are not those of the whole", at)
		}
	}
	e, err := s.Engine(s.Params.Model)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	params := s.theta()
	if err := e.Load(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	undo, err := e.Try(t.Context(), step)
	if err != nil {
		t.Fatal(err)
	}
	if err := undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Params(t.Context(), params); err != nil || !equalBits(params, s.theta()) {
		t.Errorf("the parameters are not what they were: %v", err)
	}
	device, err := s.onDevice().Engine(s.Params.Model)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	s.decodedTrial(t, device, trial)
}

// decodedTrial: an engine that decodes the payload takes the same step, but where rounding decides a sign.
func (s Suite) decodedTrial(t *testing.T, e engine.Engine, trial engine.Trial) {
	t.Helper()
	if trial.Sent == nil {
		return
	}
	deltas := make([]float32, len(s.theta()))
	trial.Deltas()(deltas, 0)
	if err := e.Load(t.Context(), s.theta()); err != nil {
		t.Fatal(err)
	}
	undo, err := trial.Try(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	params, off := s.theta(), 0
	if err := e.Params(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	for i, p := range s.theta() {
		if math.Abs(float64(p-deltas[i]-params[i])) > 1e-6*(1+math.Abs(float64(deltas[i]))) {
			off++
		}
	}
	if 1000*off > len(params) {
		t.Errorf("%d of %d parameters move differently", off, len(params))
	}
	if err := undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Params(t.Context(), params); err != nil || !equalBits(params, s.theta()) {
		t.Errorf("the parameters are not what they were: %v", err)
	}
}

// saved is a state in memory of its own.
func saved(t *testing.T, p method.Private) (out []method.Tensor) {
	t.Helper()
	tensors, err := p.Save(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tensor := range tensors {
		tensor.Values = slices.Clone(tensor.Values)
		out = append(out, tensor)
	}
	return out
}

// private: a miner that was restarted goes on as one that was not.
func (s Suite) private(t *testing.T) {
	m := s.method(t, workers.Pool{})
	steady := s.miner(t, m)
	for step := range uint64(7) {
		state := saved(t, steady)
		if len(state) > method.MaxTensors {
			t.Fatalf("%d tensors, at most %d", len(state), method.MaxTensors)
		}
		for _, tensor := range state {
			if !method.ValidTensorName(tensor.Name) || (tensor.Values != nil && len(tensor.Values) != len(s.theta())) {
				t.Fatalf("tensor %q of %d values", tensor.Name, len(tensor.Values))
			}
		}
		restarted := s.miner(t, m)
		if err := restarted.Load(t.Context(), state); err != nil {
			t.Fatal(err)
		}
		stored := step != 3 // once the store does not take it
		if !bytes.Equal(s.train(t, steady, step, 1, stored), s.train(t, restarted, step, 1, stored)) {
			t.Fatalf("step %d: a restart changes what is sent", step)
		}
		if !slices.EqualFunc(saved(t, steady), saved(t, restarted), func(a, b method.Tensor) bool {
			return a.Name == b.Name && a.Scalar == b.Scalar && equalBits(a.Values, b.Values)
		}) {
			t.Fatalf("step %d: a restart changes the state", step)
		}
	}
	vectors := 0
	for _, tensor := range saved(t, steady) {
		if tensor.Values != nil {
			vectors++
		}
	}
	if vectors != m.Private || m.Vectors < m.Private {
		t.Errorf("the private state has %d vectors: the method says %d, of %d that its trainer holds", vectors, m.Private, m.Vectors)
	}
}

// refused: a state that is no state of the method is refused, and changes nothing.
func (s Suite) refused(t *testing.T) {
	m := s.method(t, workers.Pool{})
	trainer := s.miner(t, m)
	s.train(t, trainer, 0, 1, true)
	before := saved(t, trainer)
	with := func(extra ...method.Tensor) []method.Tensor { return append(saved(t, trainer), extra...) }
	cases := map[string][]method.Tensor{"an unknown tensor": with(method.Tensor{Name: "no.such"})}
	if len(before) > 0 {
		cases["one missing"], cases["one twice"] = before[1:], with(before[0])
	}
	for i, tensor := range before {
		if tensor.Values != nil {
			short, bad := saved(t, trainer), saved(t, trainer)
			short[i].Values = short[i].Values[1:]
			bad[i].Values[0] = float32(math.NaN())
			cases[tensor.Name+" too short"], cases[tensor.Name+" not finite"] = short, bad
		}
	}
	for name, state := range cases {
		if err := trainer.Load(t.Context(), state); err == nil {
			t.Errorf("%s: no error", name)
		}
		if !slices.EqualFunc(saved(t, trainer), before, func(a, b method.Tensor) bool {
			return a.Name == b.Name && a.Scalar == b.Scalar && equalBits(a.Values, b.Values)
		}) {
			t.Fatalf("%s: the state has changed", name)
		}
	}
}

func (s Suite) rates(t *testing.T) {
	m := s.method(t, workers.Pool{})
	for _, step := range []uint64{0, 1, 10, 1000, 1 << 40} {
		rate, unit := m.Rate(step), m.StepSize(step)
		if !(rate >= 0) || math.IsInf(float64(rate), 0) || !(unit > 0) || math.IsInf(unit, 0) {
			t.Errorf("step %d: rate %v, step size %v", step, rate, unit)
		}
		if !m.AcceptsRate(step, rate) || m.AcceptsRate(step, 2*rate+1) || m.AcceptsRate(step, float32(math.NaN())) {
			t.Errorf("step %d: it does not accept just the rate %v", step, rate)
		}
	}
}

// samples: the same places of each payload, which the seed chooses.
func (s Suite) samples(t *testing.T) {
	m := s.method(t, workers.Pool{})
	sent := s.payloads(t, m, 3)
	first := m.Sample(sent, protocol.Hash{1})
	again := m.Sample(sent[:1], protocol.Hash{1})
	if len(first) != len(sent) || len(m.Sample(nil, protocol.Hash{1})) != 0 {
		t.Fatalf("%d samples of %d payloads", len(first), len(sent))
	}
	for i, sample := range first {
		if len(sample) != len(first[0]) {
			t.Fatalf("payload %d: %d chunks, of another %d", i, len(sample), len(first[0]))
		}
		for _, ch := range sample {
			if len(ch.Index) != len(ch.Value) || !slices.IsSorted(ch.Index) {
				t.Fatalf("payload %d: %d indices, %d values", i, len(ch.Index), len(ch.Value))
			}
		}
	}
	if !slices.EqualFunc(first[0], again[0], func(a, b method.Chunk) bool {
		return slices.Equal(a.Index, b.Index) && equalBits(a.Value, b.Value)
	}) {
		t.Error("a payload's sample depends on the others")
	}
}

// chunks: what a payload was taken apart into makes it again.
func (s Suite) chunks(t *testing.T) {
	m := s.method(t, workers.Pool{})
	if m.Coder == nil {
		t.Skip("the method has no Coder")
	}
	encoded, err := m.Encode(s.theta())
	if err != nil {
		t.Fatal(err)
	}
	var chunks []method.Chunk
	m.Chunks(encoded, func(c method.Chunk) {
		chunks = append(chunks, method.Chunk{Index: slices.Clone(c.Index), Value: slices.Clone(c.Value)})
	})
	packed, err := m.Pack(chunks)
	if err != nil {
		t.Fatal(err)
	}
	if count, _ := m.Differ(m.Reduce([]method.Payload{packed}), m.Reduce([]method.Payload{encoded})); count > 0 {
		t.Errorf("%d parameters move differently", count)
	}
	if _, err := m.Pack(append(chunks, method.Chunk{})); err == nil {
		t.Error("a chunk too many is no error")
	}
}

func goroutines(n int, f func(int)) {
	var g sync.WaitGroup
	for i := range n {
		g.Go(func() { f(i) })
	}
	g.Wait()
}

func equalBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func finite(t *testing.T, values []float32) {
	t.Helper()
	for i, v := range values {
		if v-v != 0 {
			t.Fatalf("value %d is %v", i, v)
		}
	}
}
