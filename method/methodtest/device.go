package methodtest

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"templar/internal/engine"
	"templar/internal/engine/enginetest"
	"templar/internal/workers"
	"templar/method"
	"templar/protocol"
)

// onDevice is the suite with an engine that holds and compresses the method's buffer.
func (s Suite) onDevice() Suite {
	open := s.Engine
	s.Engine = func(m protocol.Model) (engine.Engine, error) {
		e, err := open(m)
		if err != nil {
			return nil, err
		}
		return enginetest.Compressing(e), nil
	}
	return s
}

// Device compares trainers on engines that have a Compressor with trainers on such engines that do not show it, so that
// the host compresses: states and payloads are nearly the same, and so is a trial step that the engine decodes.
func (s Suite) Device(t *testing.T) {
	m := s.method(t, workers.Pool{})
	e, err := s.Engine(s.Params.Model)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if engine.CompressorOf(e) == nil {
		t.Fatal("the engine has no Compressor")
	}
	hidden, err := s.Engine(s.Params.Model)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hidden.Close() })
	device, host := m.NewTrainer(e), m.NewTrainer(struct{ engine.Engine }{hidden})
	equal := 0
	const windows = 7
	for step := range uint64(windows) {
		// A value that rounds the other way stays apart in what is left: each window begins from one state.
		if err := device.Load(t.Context(), saved(t, host)); err != nil {
			t.Fatal(err)
		}
		got, want := s.train(t, device, step, 1, false), s.train(t, host, step, 1, false)
		likeStates(t, saved(t, device), saved(t, host))
		same := bytes.Equal(got, want) || (m.Coder != nil && likePayloads(t, m, got, want))
		for _, trainer := range []method.Trainer{device, host} {
			if err := trainer.Stored(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if same {
			equal++
			likeStates(t, saved(t, device), saved(t, host))
		}
	}
	p, v := m.Read(s.train(t, host, windows, 1, true))
	if !v.OK() {
		t.Fatal(v)
	}
	s.decodedTrial(t, e, m.Trial(p, windows))
	t.Logf("%d of %d payloads have the host's values", equal, windows)
	if equal == 0 {
		t.Error("no payload is the host's: what is left of one was not compared")
	}
}

// likeStates compares private states: 1e-5 of the norm.
func likeStates(t *testing.T, got, want []method.Tensor) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d tensors, want %d", len(got), len(want))
	}
	for i, w := range want {
		if got[i].Name != w.Name || got[i].Scalar != w.Scalar || len(got[i].Values) != len(w.Values) {
			t.Fatalf("tensor %s: %d with %d values, of the host %s: %d with %d", got[i].Name, got[i].Scalar, len(got[i].Values), w.Name, w.Scalar, len(w.Values))
		}
		apart, norm := 0.0, 0.0
		for k, v := range w.Values {
			apart, norm = math.Hypot(apart, float64(got[i].Values[k]-v)), math.Hypot(norm, float64(v))
		}
		if !(apart <= 1e-5*norm) {
			t.Errorf("%s is %g off the host's, of a norm of %g", w.Name, apart, norm)
		}
	}
}

// likePayloads compares payloads: nearly all places are the same, and the values there within a step of
// quantisation. It reports whether all are the same but for the rounding of a chunk's scale.
func likePayloads(t *testing.T, m *method.Method, a, b []byte) bool {
	t.Helper()
	list := func(body []byte) (out []method.Chunk) {
		p, v := m.Read(body)
		if !v.OK() {
			t.Fatalf("the payload is %v", v)
		}
		m.Chunks(p, func(c method.Chunk) {
			out = append(out, method.Chunk{Index: slices.Clone(c.Index), Value: slices.Clone(c.Value)})
		})
		return out
	}
	got, want := list(a), list(b)
	sent, alike, same := 0, 0, 0
	for i, w := range want {
		largest := 0.0
		for _, v := range w.Value {
			largest = max(largest, math.Abs(float64(v)))
		}
		sent += len(w.Index)
		for k, at := range w.Index {
			n, ok := slices.BinarySearch(got[i].Index, at)
			if !ok {
				continue
			}
			apart := math.Abs(float64(got[i].Value[n] - w.Value[k]))
			if apart <= largest/100 {
				alike++
			}
			if apart <= largest*1e-6 && len(got[i].Index) == len(w.Index) {
				same++
			}
		}
	}
	if sent == 0 || 100*alike < 99*sent {
		t.Errorf("%d of %d values are the host's", alike, sent)
	}
	return same == sent
}
