package protocol

import (
	"errors"
	"fmt"
)

// Model is a LLaMA configuration in the terms of Hugging Face's LlamaConfig.
type Model struct {
	VocabSize        int     `json:"vocab_size"`              // tokens: 1 to 4194304
	HiddenSize       int     `json:"hidden_size"`             // width of a token's vector: a multiple of twice the heads, at most 1048576
	Layers           int     `json:"num_hidden_layers"`       // 1 to 10000
	Heads            int     `json:"num_attention_heads"`     // of each layer: a multiple of the key and value heads
	KVHeads          int     `json:"num_key_value_heads"`     // heads of keys and values, which groups of heads share: 1 or more
	IntermediateSize int     `json:"intermediate_size"`       // width of the MLP: 1 to 16777216
	MaxPositions     int     `json:"max_position_embeddings"` // longest sequence, in tokens: 1 to 1073741824
	RopeTheta        float64 `json:"rope_theta"`              // base of the rotary position embedding: above 0
	NormEps          float64 `json:"rms_norm_eps"`            // added to the mean square in RMSNorm: above 0
	TieEmbeddings    bool    `json:"tie_word_embeddings"`     // whether input and output embedding are one tensor
	InitStd          float64 `json:"initializer_range"`       // standard deviation of the initial weights: above 0
}

// Bounds within which no size overflows and a table of tensors fits in memory: a run's file may be
// another's.
const (
	maxVocabulary   = 1 << 22 // token shards hold ids below
	maxHidden       = 1 << 20
	maxLayers       = 10_000
	maxIntermediate = 1 << 24
)

// HeadDim is the width of one attention head.
func (m *Model) HeadDim() int { return m.HiddenSize / m.Heads }

// Validate reports every fault of the configuration at once.
func (m *Model) Validate() error {
	var errs []error
	positive := func(name string, v, most int) {
		switch {
		case v <= 0:
			errs = append(errs, fmt.Errorf("model.%s is %d: must be positive", name, v))
		case v > most:
			errs = append(errs, fmt.Errorf("model.%s is %d: at most %d", name, v, most))
		}
	}
	positive("vocab_size", m.VocabSize, maxVocabulary)
	positive("hidden_size", m.HiddenSize, maxHidden)
	positive("num_hidden_layers", m.Layers, maxLayers)
	positive("num_attention_heads", m.Heads, maxHidden)
	positive("num_key_value_heads", m.KVHeads, maxHidden)
	positive("intermediate_size", m.IntermediateSize, maxIntermediate)
	positive("max_position_embeddings", m.MaxPositions, maxCount)
	if errs == nil && m.HiddenSize%(2*m.Heads) != 0 {
		errs = append(errs, fmt.Errorf("model.hidden_size %d must be an even multiple of num_attention_heads %d (rotary halves)", m.HiddenSize, m.Heads))
	}
	if errs == nil && m.Heads%m.KVHeads != 0 {
		errs = append(errs, fmt.Errorf("model.num_attention_heads %d must be a multiple of num_key_value_heads %d", m.Heads, m.KVHeads))
	}
	if !(m.RopeTheta > 0) || !(m.NormEps > 0) || !(m.InitStd > 0) {
		errs = append(errs, errors.New("model.rope_theta, rms_norm_eps and initializer_range must be positive"))
	}
	return errors.Join(errs...)
}

// Tensor is one parameter tensor in the flat parameter memory: Size() values from
// Offset on, row-major, one or two dimensions ([out, in] for a matrix).
type Tensor struct {
	Name   string
	Shape  []int
	Offset int
}

// Size is the number of values in the tensor.
func (t Tensor) Size() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Layout is the tensor table of a model, in the order of the flat memory, without
// gaps. It comes from the run parameters and never from another node's file.
type Layout []Tensor

// Size is the number of parameters.
func (l Layout) Size() int {
	if len(l) == 0 {
		return 0
	}
	last := l[len(l)-1]
	return last.Offset + last.Size()
}

// Layout returns the tensor table under Hugging Face's names.
func (m *Model) Layout() Layout {
	var l Layout
	add := func(name string, shape ...int) {
		l = append(l, Tensor{Name: name, Shape: shape, Offset: l.Size()})
	}
	kv := m.KVHeads * m.HeadDim()
	add("model.embed_tokens.weight", m.VocabSize, m.HiddenSize)
	for i := range m.Layers {
		p := fmt.Sprintf("model.layers.%d.", i)
		add(p+"input_layernorm.weight", m.HiddenSize)
		add(p+"self_attn.q_proj.weight", m.HiddenSize, m.HiddenSize)
		add(p+"self_attn.k_proj.weight", kv, m.HiddenSize)
		add(p+"self_attn.v_proj.weight", kv, m.HiddenSize)
		add(p+"self_attn.o_proj.weight", m.HiddenSize, m.HiddenSize)
		add(p+"post_attention_layernorm.weight", m.HiddenSize)
		add(p+"mlp.gate_proj.weight", m.IntermediateSize, m.HiddenSize)
		add(p+"mlp.up_proj.weight", m.IntermediateSize, m.HiddenSize)
		add(p+"mlp.down_proj.weight", m.HiddenSize, m.IntermediateSize)
	}
	add("model.norm.weight", m.HiddenSize)
	if !m.TieEmbeddings {
		add("lm_head.weight", m.VocabSize, m.HiddenSize)
	}
	return l
}
