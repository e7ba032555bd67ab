package dctsign_test

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/workers"
	"templar/method"
	"templar/method/dctsign"
	"templar/method/methodtest"
	"templar/protocol"
)

// small are run parameters of a model with a few thousand parameters.
func small() protocol.Params {
	p := protocol.Default()
	p.Model = protocol.Model{
		VocabSize: 32, HiddenSize: 16, Layers: 1, Heads: 2, KVHeads: 2, IntermediateSize: 32,
		MaxPositions: 16, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.1,
	}
	p.SequenceLength = 16
	p.Method = p.Method.With("target_chunk", 16).With("topk_compression", 16).With("momentum_warmup", 2)
	return p
}

func TestConformance(t *testing.T) {
	methodtest.Suite{Factory: dctsign.New, Params: small(), Engine: func(m protocol.Model) (engine.Engine, error) {
		return cpu.New(m, cpu.Options{Threads: 1})
	}}.Run(t)
}

func TestPresetsAreValid(t *testing.T) {
	for _, name := range []string{"tiny", "150m", "1b"} {
		p, err := protocol.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (method.Factories{dctsign.Name: dctsign.New}).New(&p, workers.Pool{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParametersAreChecked(t *testing.T) {
	for key, bad := range map[string]any{
		"learning_rate": 0, "weight_decay": -1, "warmup_steps": -1, "t_max": 0, "momentum_decay": 1.5, "momentum_warmup": -1,
		"target_chunk": 257, "topk_compression": 0, "eval_lr_factor": 0,
	} {
		p := small()
		p.Method = p.Method.With(key, bad)
		if _, err := dctsign.New(&p, workers.Pool{}); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is %v: error %v", key, bad, err)
		}
	}
	p := small()
	p.Method.Name = "unheard-of"
	if _, err := (method.Factories{dctsign.Name: dctsign.New}).New(&p, workers.Pool{}); err == nil || !strings.Contains(err.Error(), "dctsign") {
		t.Errorf("an unknown method: %v", err)
	}
}

func TestVectorsLearningRate(t *testing.T) {
	b, err := os.ReadFile("../../testkit/vectors/lr_schedule.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		BaseLR float64            `json:"base_lr"`
		Warmup int                `json:"warmup_steps"`
		TMax   int                `json:"t_max"`
		At     map[string]float64 `json:"lr_at_step"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	p := dctsign.Params{LearningRate: v.BaseLR, WarmupSteps: v.Warmup, TMax: v.TMax}
	for at, want := range v.At {
		step, err := strconv.ParseUint(at, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.RateAt(step); math.Abs(got-want) > 1e-9 {
			t.Errorf("learning rate at step %d is %v, want %v", step, got, want)
		}
	}
}

func TestAcceptsRate(t *testing.T) {
	p := small()
	m, err := dctsign.New(&p, workers.Pool{})
	if err != nil {
		t.Fatal(err)
	}
	const step = 5000
	rate := m.Rate(step)
	up, down := math.Nextafter32(rate, 1), math.Nextafter32(rate, 0)
	for lr, want := range map[float32]bool{
		rate: true, up: true, down: true,
		math.Nextafter32(up, 1): false, math.Nextafter32(down, 0): false, 0: false, float32(math.NaN()): false,
	} {
		if got := m.AcceptsRate(step, lr); got != want {
			t.Errorf("rate %v at a step of %v: accepted %v", lr, rate, got)
		}
	}
}
