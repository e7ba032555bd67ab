package model_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"templar/internal/engine/cpu"
	"templar/internal/model"
	"templar/internal/safetensors"
	"templar/protocol"
)

func small() protocol.Model {
	return protocol.Model{
		VocabSize: 19, HiddenSize: 8, Layers: 2, Heads: 2, KVHeads: 1, IntermediateSize: 12,
		MaxPositions: 16, RopeTheta: 500, NormEps: 1e-5, InitStd: 0.05,
	}
}

func TestInit(t *testing.T) {
	m := small()
	m.HiddenSize, m.VocabSize = 64, 300
	p := model.Init(m, 7)
	if !slices.Equal(p, model.Init(m, 7)) || slices.Equal(p, model.Init(m, 8)) {
		t.Error("parameters do not follow from the seed")
	}
	for _, tensor := range m.Layout() {
		var sum, squares float64
		for _, v := range p[tensor.Offset:][:tensor.Size()] {
			sum, squares = sum+float64(v), squares+float64(v)*float64(v)
		}
		n := float64(tensor.Size())
		if len(tensor.Shape) == 1 {
			if sum != n {
				t.Errorf("%s is not one", tensor.Name)
			}
			continue
		}
		if std := math.Sqrt(squares / n); math.Abs(std/m.InitStd-1) > 0.2 || math.Abs(sum/n) > 5*m.InitStd/math.Sqrt(n) {
			t.Errorf("%s has mean %g and standard deviation %g", tensor.Name, sum/n, std)
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	for _, tied := range []bool{false, true} {
		m, dir := small(), filepath.Join(t.TempDir(), "new", "folder")
		m.TieEmbeddings = tied
		for seed := range uint64(2) { // the second replaces the first
			params := model.Init(m, seed)
			if err := model.Save(dir, m, params); err != nil {
				t.Fatal(err)
			}
			gotModel, got, err := model.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			if gotModel != m || !slices.Equal(got, params) {
				t.Errorf("loaded %+v, saved %+v, same parameters: %v", gotModel, m, slices.Equal(got, params))
			}
		}
		if files, _ := os.ReadDir(dir); len(files) != 3 {
			t.Errorf("the folder holds %v", files)
		}
	}
}

func TestSaveRefusesOtherSize(t *testing.T) {
	if err := model.Save(t.TempDir(), small(), make([]float32, 3)); err == nil {
		t.Fatal("no error")
	}
}

// edit changes config.json of a saved folder.
func edit(t *testing.T, change func(map[string]any)) string {
	t.Helper()
	dir := t.TempDir()
	if err := model.Save(dir, small(), model.Init(small(), 1)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	change(c)
	if b, err = json.Marshal(c); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLoadOldConfig(t *testing.T) {
	dir := edit(t, func(c map[string]any) {
		delete(c, "rope_parameters")
		delete(c, "dtype")
		delete(c, "head_dim")
		c["rope_theta"] = 777
		c["transformers_version"] = "4.30.0"
	})
	if m, _, err := model.Load(dir); err != nil || m.RopeTheta != 777 {
		t.Fatalf("theta %v, %v", m.RopeTheta, err)
	}
}

func TestLoadRefusesConfig(t *testing.T) {
	cases := map[string]struct {
		key   string
		value any
		want  string
	}{
		"other architecture": {"architectures", []string{"GPT2LMHeadModel"}, "architectures"},
		"activation":         {"hidden_act", "gelu", "hidden_act"},
		"bias":               {"attention_bias", true, "attention_bias"},
		"scaling":            {"rope_scaling", map[string]any{"rope_type": "llama3"}, "rope_scaling"},
		"rope type":          {"rope_parameters", map[string]any{"rope_type": "yarn", "rope_theta": 1}, "yarn"},
		"head width":         {"head_dim", 64, "head_dim"},
		"no heads":           {"num_attention_heads", 0, "num_attention_heads"},
		"many layers":        {"num_hidden_layers", 1 << 40, "layers"},
		"huge":               {"vocab_size", 1 << 60, "model.embed_tokens.weight"},
		"text":               {"hidden_size", "eight", "hidden_size"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := model.Load(edit(t, func(m map[string]any) { m[c.key] = c.value }))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestLoadMissingFiles(t *testing.T) {
	dir := edit(t, func(map[string]any) {})
	if err := os.Rename(filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "model.safetensors.index.json")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := model.Load(dir); err == nil || !strings.Contains(err.Error(), "sharded") {
		t.Errorf("sharded: %v", err)
	}
	if _, _, err := model.Load(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty folder: %v", err)
	}
}

func TestReadRefusesTensors(t *testing.T) {
	m := small()
	layout := m.Layout()
	params := model.Init(m, 1)
	renamed, reshaped := slices.Clone(layout), slices.Clone(layout)
	renamed[3].Name = "other"
	reshaped[2].Shape = []int{4, 16}
	spoiled := slices.Clone(params)
	spoiled[layout[4].Offset+1] = float32(math.NaN())
	cases := map[string]struct {
		layout protocol.Layout
		params []float32
		want   string
	}{
		"unknown":  {renamed, params, `"other"`},
		"shape":    {reshaped, params, layout[2].Name},
		"missing":  {layout[:len(layout)-2], params[:layout[len(layout)-2].Offset], layout[len(layout)-2].Name},
		"infinite": {layout, spoiled, layout[4].Name},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := model.Write(&b, c.layout, c.params); err != nil {
				t.Fatal(err)
			}
			_, err := model.Read(&b, int64(b.Len()), layout)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}

// Older transformers stored what follows from the rest, and in an order of their own.
func TestReadOtherOrderAndRedundant(t *testing.T) {
	m := small()
	m.TieEmbeddings = true
	layout, params := m.Layout(), model.Init(m, 1)
	tensors := []safetensors.Tensor{{Name: "model.layers.0.self_attn.rotary_emb.inv_freq", Shape: []int{2}}, {Name: "lm_head.weight", Shape: []int{1}}}
	values := []float32{1, 2, 3}
	for _, l := range slices.Backward(layout) {
		tensors = append(tensors, safetensors.Tensor{Name: l.Name, Shape: l.Shape})
		values = append(values, params[l.Offset:][:l.Size()]...)
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, tensors, values); err != nil {
		t.Fatal(err)
	}
	got, err := model.Read(&b, int64(b.Len()), layout)
	if err != nil || !slices.Equal(got, params) {
		t.Fatalf("parameters differ, or %v", err)
	}
}

func TestSize(t *testing.T) {
	m := small()
	var b bytes.Buffer
	if err := model.Write(&b, m.Layout(), model.Init(m, 1)); err != nil {
		t.Fatal(err)
	}
	if n := model.Size(m.Layout()); n != int64(b.Len()) {
		t.Fatalf("Size says %d, Write wrote %d", n, b.Len())
	}
}

func generate(t *testing.T, s model.Sampling, prompt []int32, n int) []int32 {
	t.Helper()
	m := small()
	m.InitStd = 1
	e, err := cpu.New(m, cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var out []int32
	err = model.Generate(t.Context(), e, model.Init(m, 3), prompt, n, s, func(id int32) error {
		out = append(out, id)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGenerate(t *testing.T) {
	prompt := []int32{1, 2, 3}
	greedy := generate(t, model.Sampling{Context: 8}, prompt, 30)
	if len(greedy) != 30 || !slices.Equal(greedy, generate(t, model.Sampling{Context: 8, Temperature: 1, TopK: 1, Seed: 5}, prompt, 30)) {
		t.Errorf("top-1 differs from greedy %v", greedy)
	}
	warm := model.Sampling{Context: 16, Temperature: 1.5, Seed: 5}
	a, b := generate(t, warm, prompt, 30), generate(t, warm, prompt, 30)
	warm.Seed++
	if !slices.Equal(a, b) || slices.Equal(a, generate(t, warm, prompt, 30)) {
		t.Error("tokens do not follow from the seed")
	}
}

// fixed is a model whose logits never change.
type fixed []float32

func (f fixed) Logits(context.Context, []float32, []int32) ([]float32, error) { return f, nil }

func TestGenerateDrawsInProportion(t *testing.T) {
	counts := make([]int, 4)
	logits := fixed{float32(math.Log(1)), float32(math.Log(16)), float32(math.Log(4)), float32(math.Log(0.5))}
	err := model.Generate(t.Context(), logits, nil, []int32{0}, 3000, model.Sampling{Temperature: 2, TopK: 2, Context: 1}, func(id int32) error {
		counts[id]++
		return nil
	})
	// At temperature 2 the odds of 16 to 4 become 4 to 2.
	if err != nil || counts[0]+counts[3] > 0 || math.Abs(float64(counts[1])/3000-2.0/3) > 0.05 {
		t.Fatalf("drew %v, %v", counts, err)
	}
}

func TestGenerateEnds(t *testing.T) {
	stop := errors.New("enough")
	emit := func(int32) error { return stop }
	if err := model.Generate(t.Context(), fixed{1}, nil, []int32{0}, 5, model.Sampling{Context: 1}, emit); !errors.Is(err, stop) {
		t.Errorf("emit's error: %v", err)
	}
	for _, s := range []model.Sampling{{}, {Context: 1, Temperature: -1}, {Context: 1, TopK: -1}, {Context: 1, Temperature: math.NaN()}} {
		if err := model.Generate(t.Context(), fixed{1}, nil, []int32{0}, 5, s, emit); err == nil || errors.Is(err, stop) {
			t.Errorf("%+v is taken", s)
		}
	}
	if err := model.Generate(t.Context(), fixed{1}, nil, nil, 5, model.Sampling{Context: 1}, emit); err == nil || errors.Is(err, stop) {
		t.Error("an empty prompt is taken")
	}
}
