package cpu_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/model"
	"templar/internal/safetensors"
	"templar/protocol"
)

// golden is what transformers and PyTorch computed: testkit/engine/README.md.
type golden struct {
	Rows, Cols      int
	Inputs, Targets []int32
	Loss            float64
	SGD             []float64
	SGDRate         float32 `json:"sgd_rate"`
	Sign            []float64
	SignRate        float32 `json:"sign_rate"`

	model   protocol.Model
	params  []float32
	tensors map[string][]float32
}

func (g *golden) batch() engine.Batch {
	return engine.Batch{Rows: g.Rows, Cols: g.Cols, Inputs: g.Inputs, Targets: g.Targets}
}

func readGolden(t *testing.T, dir string) *golden {
	t.Helper()
	g := &golden{tensors: make(map[string][]float32)}
	text, err := os.ReadFile(filepath.Join(dir, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, g); err != nil {
		t.Fatal(err)
	}
	if g.model, g.params, err = model.Load(filepath.Join(dir, "model")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r, err := safetensors.NewReader(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	for _, tensor := range r.Header().Tensors {
		g.tensors[tensor.Name] = make([]float32, tensor.Size())
		if err := r.Next(g.tensors[tensor.Name]); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func TestGolden(t *testing.T) {
	dirs, err := filepath.Glob("../../../testkit/engine/testdata/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no goldens, %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			g := readGolden(t, dir)
			e, err := cpu.New(g.model, cpu.Options{Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if err := e.Load(t.Context(), g.params); err != nil {
				t.Fatal(err)
			}
			checkGradient(t, e, g)
			checkLogits(t, e, g)
			checkDescent(t, e, g, "SGD", g.SGD, func(v float32) float32 { return g.SGDRate * v })
			checkDescent(t, e, g, "sign-SGD", g.Sign, func(v float32) float32 {
				if v == 0 {
					return 0
				}
				return float32(math.Copysign(float64(g.SignRate), float64(v)))
			})
		})
	}
}

func checkGradient(t *testing.T, e *cpu.Engine, g *golden) {
	t.Helper()
	loss, err := e.Accumulate(t.Context(), g.batch(), 1)
	if err != nil {
		t.Fatal(err)
	}
	grads, err := e.Gradient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := math.Abs(loss.Sum-g.Loss) / g.Loss; !(d < 1e-5) {
		t.Errorf("loss is %v, want %v", loss.Sum, g.Loss)
	}
	worst := 0.0
	for _, tensor := range e.Layout() {
		d := distance(grads[tensor.Offset:][:tensor.Size()], g.tensors[tensor.Name])
		worst = max(worst, d)
		if !(d < 1e-3) {
			t.Errorf("%s: gradient differs by %g of its largest value", tensor.Name, d)
		}
	}
	t.Logf("loss apart by %g, gradients by at most %g", math.Abs(loss.Sum-g.Loss)/g.Loss, worst)
}

// checkLogits asks for the token after each prefix of the first sequence.
func checkLogits(t *testing.T, e *cpu.Engine, g *golden) {
	t.Helper()
	v := g.model.VocabSize
	for i := range g.Cols {
		got, err := e.Logits(t.Context(), g.Inputs[:i+1])
		if err != nil {
			t.Fatal(err)
		}
		if d := distance(got, g.tensors["logits"][i*v:][:v]); !(d < 1e-4) {
			t.Fatalf("logits after token %d differ by %g", i, d)
		}
	}
}

// checkDescent trains: an error of a gradient would grow.
func checkDescent(t *testing.T, e *cpu.Engine, g *golden, name string, want []float64, step func(float32) float32) {
	t.Helper()
	params := slices.Clone(g.params)
	if err := e.Load(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	counted, err := e.Loss(t.Context(), g.batch())
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		if err := e.ClearGradient(t.Context()); err != nil {
			t.Fatal(err)
		}
		loss, err := e.Accumulate(t.Context(), g.batch(), 1/float32(counted.Tokens))
		if err != nil {
			t.Fatal(err)
		}
		grads, err := e.Gradient(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(loss.Mean()-w) > 1e-3 {
			t.Fatalf("%s step %d: loss %v, want %v", name, i, loss.Mean(), w)
		}
		for j, v := range grads {
			params[j] -= step(v)
		}
		if err := e.Load(t.Context(), params); err != nil {
			t.Fatal(err)
		}
	}
}

// distance is the largest difference, relative to the largest value.
func distance(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	var apart, largest float64
	for i, w := range want {
		apart = max(apart, math.Abs(float64(got[i]-w)))
		largest = max(largest, math.Abs(float64(w)))
	}
	return apart / largest
}
