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
		"huge":               {"vocab_size", 1 << 60, "vocab_size"},
		"large":              {"vocab_size", 1 << 22, "model.embed_tokens.weight"},
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
	if _, _, err := model.Load(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty folder: %v", err)
	}
	dir := edit(t, func(map[string]any) {})
	if err := os.Remove(filepath.Join(dir, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := model.Load(dir); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "model.safetensors") {
		t.Errorf("no weights: %v", err)
	}
}

// Shards hold all tensors, each file at most so large unless it has one tensor; going
// from one form to the other leaves nothing behind.
func TestShards(t *testing.T) {
	m, dir := small(), t.TempDir()
	params := model.Init(m, 1)
	for _, c := range []struct {
		bytes int64
		files int
	}{{0, 1}, {700, 10}, {1, len(m.Layout())}, {1 << 20, 1}} {
		if err := model.SaveWith(dir, m, params, model.SaveOptions{ShardBytes: c.bytes}); err != nil {
			t.Fatal(err)
		}
		gotModel, got, err := model.Load(dir)
		if err != nil || gotModel != m || !slices.Equal(got, params) {
			t.Fatalf("shards of %d bytes: loaded %+v, same parameters: %v, %v", c.bytes, gotModel, slices.Equal(got, params), err)
		}
		info, err := model.Describe(dir)
		if err != nil || len(info.Files) != c.files || info.Parameters != int64(len(params)) || info.Bytes < 4*info.Parameters {
			t.Errorf("shards of %d bytes: %+v, %v", c.bytes, info, err)
		}
	}
}

func TestSaveBF16(t *testing.T) {
	m, dir := small(), t.TempDir()
	params := model.Init(m, 1)
	if err := model.SaveWith(dir, m, params, model.SaveOptions{DType: safetensors.BF16, ShardBytes: 500}); err != nil {
		t.Fatal(err)
	}
	_, got, err := model.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if math.Abs(float64(v-params[i])) > math.Abs(float64(params[i]))/256 {
			t.Fatalf("parameter %d is %v, was %v", i, v, params[i])
		}
	}
	if info, err := model.Describe(dir); err != nil || !slices.Equal(info.DTypes, []string{"BF16"}) {
		t.Errorf("%+v, %v", info, err)
	}
}

// sharded writes a model in shards and gives its index to change.
func sharded(t *testing.T, change func(dir string, weights map[string]any)) string {
	t.Helper()
	dir := t.TempDir()
	if err := model.SaveWith(dir, small(), model.Init(small(), 1), model.SaveOptions{ShardBytes: 700}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.safetensors.index.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var index map[string]any
	if err := json.Unmarshal(b, &index); err != nil {
		t.Fatal(err)
	}
	change(dir, index["weight_map"].(map[string]any))
	if b, err = json.Marshal(index); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLoadRefusesShards(t *testing.T) {
	const first, second = "model-00001-of-00010.safetensors", "model-00002-of-00010.safetensors"
	cases := map[string]struct {
		change func(dir string, weights map[string]any)
		want   string
	}{
		"leaves the folder": {func(_ string, w map[string]any) { w["x"] = "../x.safetensors" }, "leaves the folder"},
		"empty":             {func(_ string, w map[string]any) { clear(w) }, "0 files"},
		"not text":          {func(_ string, w map[string]any) { w["x"] = 3 }, "index.json"},
		"a file is missing": {func(dir string, _ map[string]any) { os.Remove(filepath.Join(dir, second)) }, second},
		"a file twice": {func(dir string, _ map[string]any) {
			b, _ := os.ReadFile(filepath.Join(dir, first))
			os.WriteFile(filepath.Join(dir, second), b, 0o644)
		}, "stands in two files"},
		"not listed": {func(_ string, w map[string]any) {
			for name, file := range w {
				if file == second {
					delete(w, name)
				}
			}
		}, "is missing"},
		"cut": {func(dir string, _ map[string]any) { os.Truncate(filepath.Join(dir, second), 300) }, second},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, _, err := model.Load(sharded(t, c.change)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestCompanions(t *testing.T) {
	m, dir := small(), t.TempDir()
	m.VocabSize = 256
	if err := model.SaveWith(dir, m, model.Init(m, 1), model.SaveOptions{Companions: model.BytesCompanions()}); err != nil {
		t.Fatal(err)
	}
	got, err := model.ReadCompanions(dir)
	if err != nil || len(got) != 4 || !bytes.Equal(got[model.TokenizerFile], model.BytesCompanions()[model.TokenizerFile]) {
		t.Fatalf("%d companions, %v", len(got), err)
	}
	m.VocabSize = 255 // fewer than the tokenizer has
	if err := model.SaveWith(dir, m, model.Init(m, 1), model.SaveOptions{Companions: got}); err != nil {
		t.Errorf("a vocabulary smaller than the tokenizer's: %v", err)
	}
}

// The special tokens that a tokenizer names go into config.json.
func TestSpecialTokens(t *testing.T) {
	file := `{"model": {"vocab": {"a": 0, "<s>": 1, "</s>": 2}}, "added_tokens": [{"id": 1, "content": "<s>"}, {"id": 2, "content": "</s>"}]}`
	c := model.Companions{model.TokenizerFile: []byte(file), "tokenizer_config.json": []byte(`{"bos_token": "<s>", "eos_token": {"content": "</s>"}}`)}
	dir := t.TempDir()
	if err := model.SaveWith(dir, small(), model.Init(small(), 1), model.SaveOptions{Companions: c}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil || !bytes.Contains(b, []byte(`"bos_token_id": 1`)) || !bytes.Contains(b, []byte(`"eos_token_id": 2`)) {
		t.Errorf("config.json is %s, %v", b, err)
	}
	if ids, err := c.StopIDs(); !slices.Equal(ids, []int32{2}) || err != nil {
		t.Errorf("a text ends with %v, %v", ids, err)
	}
	if _, _, err := model.Load(dir); err != nil {
		t.Error(err)
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
			_, err := readFile(&b, layout)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}

// readFile reads all parameters from one file.
func readFile(b *bytes.Buffer, l protocol.Layout) ([]float32, error) {
	loader := model.NewLoader(l)
	if err := loader.Add(b, int64(b.Len())); err != nil {
		return nil, err
	}
	return loader.Values()
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
	got, err := readFile(&b, layout)
	if err != nil || !slices.Equal(got, params) {
		t.Fatalf("parameters differ, or %v", err)
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
	if err := e.Load(t.Context(), model.Init(m, 3)); err != nil {
		t.Fatal(err)
	}
	var out []int32
	err = model.Generate(t.Context(), e, prompt, n, s, func(id int32) error {
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

func (f fixed) Logits(context.Context, []int32) ([]float32, error) { return f, nil }

func TestGenerateDrawsInProportion(t *testing.T) {
	counts := make([]int, 4)
	logits := fixed{float32(math.Log(1)), float32(math.Log(16)), float32(math.Log(4)), float32(math.Log(0.5))}
	err := model.Generate(t.Context(), logits, []int32{0}, 3000, model.Sampling{Temperature: 2, TopK: 2, Context: 1}, func(id int32) error {
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
	if err := model.Generate(t.Context(), fixed{1}, []int32{0}, 5, model.Sampling{Context: 1}, emit); !errors.Is(err, stop) {
		t.Errorf("emit's error: %v", err)
	}
	for _, s := range []model.Sampling{{}, {Context: 1, Temperature: -1}, {Context: 1, TopK: -1}, {Context: 1, Temperature: math.NaN()}} {
		if err := model.Generate(t.Context(), fixed{1}, []int32{0}, 5, s, emit); err == nil || errors.Is(err, stop) {
			t.Errorf("%+v is taken", s)
		}
	}
	if err := model.Generate(t.Context(), fixed{1}, nil, 5, model.Sampling{Context: 1}, emit); err == nil || errors.Is(err, stop) {
		t.Error("an empty prompt is taken")
	}
}
