package model_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"templar/internal/model"
)

// editConfig changes keys of a folder's config.json; an empty value removes one.
func editConfig(t *testing.T, dir string, changes map[string]string) {
	t.Helper()
	path := filepath.Join(dir, "config.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]json.RawMessage
	if err := json.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	for key, value := range changes {
		if delete(config, key); value != "" {
			config[key] = json.RawMessage(value)
		}
	}
	if b, err = json.Marshal(config); err == nil {
		err = os.WriteFile(path, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// What changes a number is loaded right or refused by its name; what does not is not
// looked at.
func TestForeignConfig(t *testing.T) {
	for _, c := range []struct {
		changes map[string]string
		refusal string
	}{
		{changes: map[string]string{"use_cache": "1", "pretraining_tp": "1.0", "torch_dtype": "null", "attention_dropout": `"x"`, "Hidden_Size": "7", "unsloth_fixed": "true"}},
		{changes: map[string]string{"rope_scaling": `{"type": "linear", "factor": 1.0}`}},
		{changes: map[string]string{"rope_scaling": `{}`, "sliding_window": "null", "quantization_config": "null", "layer_types": `["full_attention"]`}},
		{changes: map[string]string{"head_dim": "null", "initializer_range": "0", "max_position_embeddings": "64.0", "hidden_act": `"swish"`, "architectures": ""}},
		{changes: map[string]string{"sliding_window": "4", "use_sliding_window": "false"}},
		{map[string]string{"rope_parameters": `{"rope_theta": 10000.0, "type": "linear", "factor": 4.0}`}, "rope_parameters"},
		{map[string]string{"rope_parameters": `{"rope_theta": 10000.0, "rope_type": "llama3"}`}, "rope_parameters: rope_type is llama3"},
		{map[string]string{"rope_parameters": `{"rope_theta": 10000.0, "rope_type": "default", "partial_rotary_factor": 0.5}`}, "partial_rotary_factor is 0.5"},
		{map[string]string{"rope_parameters": `{"full_attention": {"rope_type": "default"}}`}, "rope_parameters: full_attention"},
		{map[string]string{"rope_parameters": `{"rope_theta": 5.0, "rope_type": "default"}`}, "different things"},
		{map[string]string{"rope_scaling": `{"type": "dynamic", "factor": 2.0}`}, "rope_scaling"},
		{map[string]string{"rope_theta": "NaN", "rope_parameters": ""}, "NaN"},
		{map[string]string{"partial_rotary_factor": "0.5"}, "partial_rotary_factor"},
		{map[string]string{"sliding_window": "4"}, "sliding_window"},
		{map[string]string{"quantization_config": `{"bits": 4}`}, "quantization_config"},
		{map[string]string{"embedding_multiplier": "12.0"}, "embedding_multiplier"},
		{map[string]string{"logits_scaling": "8.0", "mlp_bias": "true"}, "logits_scaling"},
		{map[string]string{"layer_types": `["sliding_attention"]`}, "layer_types"},
		{map[string]string{"attention_bias": "true"}, "attention_bias"},
		{map[string]string{"architectures": `["MistralForCausalLM"]`}, "MistralForCausalLM"},
		{map[string]string{"hidden_size": "8.5"}, "hidden_size"},
		{map[string]string{"tie_word_embeddings": `"false"`}, "tie_word_embeddings"},
	} {
		dir := t.TempDir()
		if err := model.Save(dir, small(), model.Init(small(), 1)); err != nil {
			t.Fatal(err)
		}
		text := c.changes["rope_theta"]
		if text == "NaN" { // Python writes it; Go does not
			c.changes["rope_theta"] = `"NaN here"`
		}
		editConfig(t, dir, c.changes)
		if text == "NaN" {
			path := filepath.Join(dir, "config.json")
			b, _ := os.ReadFile(path)
			if err := os.WriteFile(path, []byte(strings.Replace(string(b), `"NaN here"`, "NaN", 1)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := model.Load(dir)
		if (err == nil) != (c.refusal == "") || (err != nil && !strings.Contains(err.Error(), c.refusal)) {
			t.Errorf("%v: error %v, want %q", c.changes, err, c.refusal)
		}
	}
}

// Ids that a folder knows stop generation and survive an export.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		config           map[string]string
		generation       string
		stop             []int32
		bos, eos, padded string
	}{
		{map[string]string{"bos_token_id": "1", "eos_token_id": "[2, 12]", "pad_token_id": "0"}, "", []int32{2, 12}, "1", "[2,12]", "0"},
		{map[string]string{"bos_token_id": "1", "eos_token_id": "2"}, `{"eos_token_id": [3, 4]}`, []int32{3, 4}, "1", "2", "null"},
		{map[string]string{"bos_token_id": "null", "eos_token_id": "null"}, `{"bos_token_id": 5, "eos_token_id": 6, "pad_token_id": 7}`, []int32{6}, "5", "6", "7"},
		{map[string]string{"bos_token_id": "", "eos_token_id": "", "pad_token_id": "-1"}, "", []int32{2}, "1", "2", "null"},
		{map[string]string{"bos_token_id": "null", "eos_token_id": "null"}, "", nil, "null", "null", "null"},
	} {
		dir, out := t.TempDir(), t.TempDir()
		if err := model.Save(dir, small(), model.Init(small(), 1)); err != nil {
			t.Fatal(err)
		}
		editConfig(t, dir, c.config)
		generation := filepath.Join(dir, "generation_config.json")
		if err := os.Remove(generation); err != nil {
			t.Fatal(err)
		}
		if c.generation != "" {
			if err := os.WriteFile(generation, []byte(c.generation), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		companions, err := model.ReadCompanions(dir)
		if err != nil {
			t.Fatal(err)
		}
		if stop, err := companions.StopIDs(); err != nil || !slices.Equal(stop, c.stop) {
			t.Errorf("%v: stops at %v, %v; want %v", c.config, stop, err, c.stop)
		}
		if err := model.SaveWith(out, small(), model.Init(small(), 1), model.SaveOptions{Companions: companions}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(out, "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		var config map[string]json.RawMessage
		if err := json.Unmarshal(b, &config); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]string{"bos_token_id": c.bos, "eos_token_id": c.eos, "pad_token_id": c.padded} {
			if got := strings.Join(strings.Fields(string(config[key])), ""); got != want {
				t.Errorf("%v %s: %s is exported as %s, want %s", c.config, c.generation, key, got, want)
			}
		}
	}
}

// Weights that are not there, or stand-ins, are named.
func TestWeightsThatAreNotSafetensors(t *testing.T) {
	dir := t.TempDir()
	if err := model.Save(dir, small(), model.Init(small(), 1)); err != nil {
		t.Fatal(err)
	}
	weights := filepath.Join(dir, "model.safetensors")
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
	if err := os.WriteFile(weights, []byte(pointer), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := model.Load(dir); err == nil || !strings.Contains(err.Error(), "git lfs pull") {
		t.Errorf("a pointer: %v", err)
	}
	if err := os.Rename(weights, filepath.Join(dir, "pytorch_model.bin")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := model.Load(dir); err == nil || !strings.Contains(err.Error(), "pickle") {
		t.Errorf("a pickle: %v", err)
	}
}

// transformers draws a head that the files lack and the configuration does not tie.
func TestMissingHeadIsExplained(t *testing.T) {
	tied, dir := small(), t.TempDir()
	tied.TieEmbeddings = true
	if err := model.Save(dir, tied, model.Init(tied, 1)); err != nil {
		t.Fatal(err)
	}
	editConfig(t, dir, map[string]string{"tie_word_embeddings": ""})
	if _, _, err := model.Load(dir); err == nil || !strings.Contains(err.Error(), `"tie_word_embeddings": true`) {
		t.Errorf("error is %v", err)
	}
}
