package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"templar/internal/safetensors"
	"templar/protocol"
)

// config is the part of Hugging Face's config.json that says how a LLaMA computes.
// Other keys do not change the numbers and are not read.
type config struct {
	Architectures []string `json:"architectures"`
	ModelType     string   `json:"model_type"`
	protocol.Model

	HeadDim       *int            `json:"head_dim,omitempty"`
	HiddenAct     string          `json:"hidden_act"`
	AttentionBias bool            `json:"attention_bias"`
	MLPBias       bool            `json:"mlp_bias"`
	RopeScaling   json.RawMessage `json:"rope_scaling"`              // up to transformers 4
	Rope          *rope           `json:"rope_parameters,omitempty"` // from transformers 5 on

	// Written only.
	TorchDType       string  `json:"torch_dtype"` // up to transformers 4
	DType            string  `json:"dtype"`       // later
	AttentionDropout float64 `json:"attention_dropout"`
	PretrainingTP    int     `json:"pretraining_tp"`
	UseCache         bool    `json:"use_cache"`
	BOS              *int32  `json:"bos_token_id"`
	EOS              *int32  `json:"eos_token_id"`
	Pad              *int32  `json:"pad_token_id"`
}

type rope struct {
	Theta float64 `json:"rope_theta"`
	Type  string  `json:"rope_type"`
}

const architecture = "LlamaForCausalLM"

func encodeConfig(m protocol.Model, d safetensors.DType, s specials) ([]byte, error) {
	name := map[safetensors.DType]string{safetensors.F32: "float32", safetensors.BF16: "bfloat16"}[d]
	dim := m.HeadDim()
	return encodeJSON(config{
		Architectures: []string{architecture}, ModelType: "llama", Model: m, HeadDim: &dim, HiddenAct: "silu",
		Rope:       &rope{Theta: m.RopeTheta, Type: "default"},
		TorchDType: name, DType: name, PretrainingTP: 1, UseCache: true, BOS: s.bos, EOS: s.eos,
	})
}

func encodeJSON(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}

// decodeConfig refuses variants of the architecture that we would compute wrongly.
// Missing keys have the defaults of transformers' LlamaConfig.
func decodeConfig(b []byte) (protocol.Model, error) {
	c := config{HiddenAct: "silu", Model: protocol.Model{MaxPositions: 2048, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.02}}
	if err := json.Unmarshal(b, &struct {
		*config
		BOS any `json:"bos_token_id"` // written only, and lists in some models
		EOS any `json:"eos_token_id"`
		Pad any `json:"pad_token_id"`
	}{config: &c}); err != nil {
		return protocol.Model{}, err
	}
	if c.Rope != nil && c.Rope.Theta != 0 {
		c.RopeTheta = c.Rope.Theta
	}
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(!slices.Contains(c.Architectures, architecture), "architectures are %q: need %s", c.Architectures, architecture)
	refuse(c.HiddenAct != "silu", "hidden_act is %q: need silu", c.HiddenAct)
	refuse(c.AttentionBias || c.MLPBias, "attention_bias and mlp_bias are not supported")
	refuse(len(c.RopeScaling) > 0 && string(c.RopeScaling) != "null", "rope_scaling is not supported")
	refuse(c.Rope != nil && c.Rope.Type != "default" && c.Rope.Type != "", "rope_type %q is not supported", ropeType(c.Rope))
	errs = append(errs, c.Model.Validate())
	if err := errors.Join(errs...); err != nil {
		return protocol.Model{}, err
	}
	if c.HeadDim != nil && *c.HeadDim != c.Model.HeadDim() {
		return protocol.Model{}, fmt.Errorf("head_dim %d: only hidden_size/num_attention_heads = %d is supported", *c.HeadDim, c.Model.HeadDim())
	}
	return c.Model, nil
}

func ropeType(r *rope) string {
	if r == nil {
		return ""
	}
	return r.Type
}
