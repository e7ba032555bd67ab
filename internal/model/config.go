package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"templar/internal/safetensors"
	"templar/internal/strictjson"
	"templar/protocol"
)

// config is the part of Hugging Face's config.json that says how a LLaMA computes, as we
// write it.
type config struct {
	Architectures []string `json:"architectures"`
	ModelType     string   `json:"model_type"`
	protocol.Model

	HeadDim          int             `json:"head_dim"`
	HiddenAct        string          `json:"hidden_act"`
	AttentionBias    bool            `json:"attention_bias"`
	MLPBias          bool            `json:"mlp_bias"`
	RopeScaling      json.RawMessage `json:"rope_scaling"`    // up to transformers 4
	Rope             rope            `json:"rope_parameters"` // from transformers 5 on
	TorchDType       string          `json:"torch_dtype"`     // up to transformers 4
	DType            string          `json:"dtype"`           // later
	AttentionDropout float64         `json:"attention_dropout"`
	PretrainingTP    int             `json:"pretraining_tp"`
	UseCache         bool            `json:"use_cache"`
	BOS              IDs             `json:"bos_token_id"`
	EOS              IDs             `json:"eos_token_id"`
	Pad              IDs             `json:"pad_token_id"`
}

type rope struct {
	Theta float64 `json:"rope_theta"`
	Type  string  `json:"rope_type"`
}

const architecture = "LlamaForCausalLM"

func encodeConfig(m protocol.Model, d safetensors.DType, e Ends) ([]byte, error) {
	name := map[safetensors.DType]string{safetensors.F32: "float32", safetensors.BF16: "bfloat16"}[d]
	return encodeJSON(config{
		Architectures: []string{architecture}, ModelType: "llama", Model: m, HeadDim: m.HeadDim(), HiddenAct: "silu",
		Rope:       rope{Theta: m.RopeTheta, Type: "default"},
		TorchDType: name, DType: name, PretrainingTP: 1, UseCache: true, BOS: e.BOS, EOS: e.EOS, Pad: e.Pad,
	})
}

func encodeJSON(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}

// foreignConfig is config.json as transformers reads it. What is not here, and not in
// inert, does not change a number.
type foreignConfig struct {
	Architectures []string `json:"architectures"`
	ModelType     string   `json:"model_type"`

	VocabSize        int     `json:"vocab_size"`
	HiddenSize       int     `json:"hidden_size"`
	Layers           int     `json:"num_hidden_layers"`
	Heads            int     `json:"num_attention_heads"`
	KVHeads          *int    `json:"num_key_value_heads"`
	IntermediateSize int     `json:"intermediate_size"`
	MaxPositions     float64 `json:"max_position_embeddings"`
	RopeTheta        float64 `json:"rope_theta"`
	NormEps          float64 `json:"rms_norm_eps"`
	TieEmbeddings    bool    `json:"tie_word_embeddings"`

	HeadDim       *int           `json:"head_dim"`
	HiddenAct     string         `json:"hidden_act"`
	AttentionBias bool           `json:"attention_bias"`
	MLPBias       bool           `json:"mlp_bias"`
	RopeScaling   map[string]any `json:"rope_scaling"`
	Rope          map[string]any `json:"rope_parameters"`
}

// inert lists keys that other models compute with, and the values that have no effect.
// LlamaForCausalLM ignores them; another value means that the folder holds another model.
var inert = map[string][]any{
	"partial_rotary_factor": {1.0}, "rotary_pct": {1.0}, "quantization_config": {}, "sliding_window": {}, "layer_types": {},
	"attention_multiplier": {}, "embedding_multiplier": {1.0}, "residual_multiplier": {1.0}, "logits_scaling": {1.0}, "logit_scale": {1.0},
	"scale_emb": {1.0}, "scale_depth": {}, "dim_model_base": {}, "attn_logit_softcapping": {}, "final_logit_softcapping": {}, "query_pre_attn_scalar": {},
	"num_local_experts": {1.0, 0.0}, "num_experts": {1.0, 0.0}, "n_routed_experts": {}, "use_qk_norm": {false}, "qk_norm": {false}, "clip_qkv": {},
	"use_parallel_residual": {false}, "parallel_attn": {false}, "alibi": {false}, "no_rope_layers": {}, "rope_interleaved": {false}, "rope_interleave": {false}, "use_mrope": {false},
	"qkv_bias": {false}, "use_bias": {false}, "bias": {false}, "head_bias": {false}, "lm_head_bias": {false}, "o_bias": {false}, "use_bidirectional_attention": {false},
	"add_cross_attention": {false}, "is_encoder_decoder": {false}, "kv_lora_rank": {}, "q_lora_rank": {},
}

// decodeConfig refuses variants of the architecture that we would compute wrongly.
// Missing keys have the defaults of transformers' LlamaConfig.
func decodeConfig(b []byte) (protocol.Model, error) {
	c := foreignConfig{HiddenAct: "silu", VocabSize: 32000, HiddenSize: 4096, Layers: 32, Heads: 32, IntermediateSize: 11008,
		MaxPositions: 2048, NormEps: 1e-6}
	var all map[string]any
	if err := errors.Join(strictjson.Unmarshal(b, &c), strictjson.Unmarshal(b, &all)); err != nil {
		return protocol.Model{}, err
	}
	std, ok := all["initializer_range"].(float64)
	if !ok || !(std > 0) {
		std = 0.02
	}
	m := protocol.Model{
		VocabSize: c.VocabSize, HiddenSize: c.HiddenSize, Layers: c.Layers, Heads: c.Heads, KVHeads: c.Heads, IntermediateSize: c.IntermediateSize,
		MaxPositions: int(c.MaxPositions), NormEps: c.NormEps, TieEmbeddings: c.TieEmbeddings, InitStd: std,
	}
	if c.KVHeads != nil {
		m.KVHeads = *c.KVHeads
	}
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	nameless := len(c.Architectures) == 0 && c.ModelType == "llama"
	refuse(!nameless && !slices.Contains(c.Architectures, architecture), "architectures are %q: need %s", c.Architectures, architecture)
	refuse(c.ModelType != "" && c.ModelType != "llama", "model_type is %q: need llama", c.ModelType)
	refuse(c.HiddenAct != "silu" && c.HiddenAct != "swish", "hidden_act is %q: need silu", c.HiddenAct)
	refuse(c.AttentionBias || c.MLPBias, "attention_bias and mlp_bias are not supported")
	for _, key := range slices.Sorted(maps.Keys(inert)) {
		v := all[key]
		refuse(v != nil && !slices.Contains(inert[key], v) && !isOff(key, v, all), "%s is %v, which is not supported", key, v)
	}
	theta, err := c.theta(all)
	if errs = append(errs, err); errors.Join(errs...) != nil {
		return protocol.Model{}, errors.Join(errs...)
	}
	m.RopeTheta = theta
	if err := m.Validate(); err != nil {
		return protocol.Model{}, err
	}
	if c.HeadDim != nil && *c.HeadDim != m.HeadDim() {
		return protocol.Model{}, fmt.Errorf("head_dim %d: only hidden_size/num_attention_heads = %d is supported", *c.HeadDim, m.HeadDim())
	}
	return m, nil
}

// isOff reports whether a key has no effect because of its value or of another key's.
func isOff(key string, v any, all map[string]any) bool {
	switch key {
	case "sliding_window":
		return all["use_sliding_window"] == false
	case "layer_types":
		list, ok := v.([]any)
		return ok && !slices.ContainsFunc(list, func(v any) bool { return v != "full_attention" })
	}
	return false
}

// theta is the base of the rotation, where all keys for it agree and nothing scales it.
func (c *foreignConfig) theta(all map[string]any) (float64, error) {
	values := make(map[float64]bool)
	if _, there := all["rope_theta"]; there {
		values[c.RopeTheta] = true
	}
	for name, r := range map[string]map[string]any{"rope_scaling": c.RopeScaling, "rope_parameters": c.Rope} {
		for _, key := range slices.Sorted(maps.Keys(r)) {
			v := r[key]
			switch ok := false; {
			case key == "rope_theta":
				theta, isNumber := v.(float64)
				if values[theta] = true; !isNumber {
					return 0, fmt.Errorf("%s: rope_theta is %v", name, v)
				}
			case v == nil, key == "original_max_position_embeddings":
			default:
				switch key {
				case "rope_type", "type":
					ok = v == "default" || (v == "linear" && r["factor"] == 1.0)
				case "factor", "partial_rotary_factor", "attention_factor":
					ok = v == 1.0
				}
				if !ok {
					return 0, fmt.Errorf("%s: %s is %v: only rope_type default, without scaling, of whole heads is supported", name, key, v)
				}
			}
		}
	}
	switch len(values) {
	case 0:
		return 10000, nil
	case 1:
		for theta := range values {
			return theta, nil
		}
	}
	return 0, errors.New("rope_theta and rope_parameters say different things, and versions of transformers read one or the other: leave one out")
}

// Ends are the ids that begin and end texts and fill batches, as a folder's files say.
type Ends struct{ BOS, EOS, Pad IDs }

// IDs is what a key for token ids holds: nothing, one, or several.
type IDs struct {
	List []int32
	set  bool // the key is there
	many bool // it is a list
}

// MarshalJSON writes what was read.
func (i IDs) MarshalJSON() ([]byte, error) {
	switch {
	case i.many:
		return json.Marshal(i.List)
	case len(i.List) > 0:
		return json.Marshal(i.List[0])
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads null, a number or a list.
func (i *IDs) UnmarshalJSON(b []byte) error {
	*i = IDs{set: true}
	switch jsontext.Value(b).Kind() {
	case 'n':
		return nil
	case '[':
		i.many = true
		return strictjson.Unmarshal(b, &i.List)
	}
	var id int32
	if err := strictjson.Unmarshal(b, &id); err != nil {
		return err
	}
	if id >= 0 { // -1 stands for none
		i.List = []int32{id}
	}
	return nil
}

func oneID(id int32) IDs { return IDs{List: []int32{id}, set: true} }

// ends reads the ids of config.json or generation_config.json.
func decodeEnds(b []byte) (Ends, error) {
	var f struct {
		BOS IDs `json:"bos_token_id"`
		EOS IDs `json:"eos_token_id"`
		Pad IDs `json:"pad_token_id"`
	}
	err := strictjson.Unmarshal(b, &f)
	return Ends{BOS: f.BOS, EOS: f.EOS, Pad: f.Pad}, err
}

// or takes from another what is missing.
func (e Ends) or(o Ends) Ends {
	for _, p := range [][2]*IDs{{&e.BOS, &o.BOS}, {&e.EOS, &o.EOS}, {&e.Pad, &o.Pad}} {
		if len(p[0].List) == 0 {
			*p[0] = *p[1]
		}
	}
	return e
}
