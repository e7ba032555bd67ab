package cpu

import (
	"fmt"

	"templar/protocol"
)

// index is where each tensor begins in the flat memory.
type index struct {
	embed, norm, head int
	layers            []layerIndex
}

// layerIndex has one place for matrices of the same input that are contiguous: they
// are multiplied as one.
type layerIndex struct{ attnNorm, qkv, o, mlpNorm, gateUp, down int }

func newIndex(l protocol.Layout, m protocol.Model) (index, error) {
	at := make(map[string]int, len(l))
	for _, t := range l {
		at[t.Name] = t.Offset
	}
	x := index{embed: at["model.embed_tokens.weight"], norm: at["model.norm.weight"]}
	x.head = x.embed
	if !m.TieEmbeddings {
		x.head = at["lm_head.weight"]
	}
	for i := range m.Layers {
		find := func(name string) int { return at[fmt.Sprintf("model.layers.%d.%s.weight", i, name)] }
		q, kv := m.HiddenSize*m.HiddenSize, m.KVHeads*m.HeadDim()*m.HiddenSize
		if find("self_attn.k_proj") != find("self_attn.q_proj")+q || find("self_attn.v_proj") != find("self_attn.k_proj")+kv ||
			find("mlp.up_proj") != find("mlp.gate_proj")+m.IntermediateSize*m.HiddenSize {
			return index{}, fmt.Errorf("layer %d: queries, keys and values, or gate and up, are not contiguous", i)
		}
		x.layers = append(x.layers, layerIndex{
			attnNorm: find("input_layernorm"), mlpNorm: find("post_attention_layernorm"),
			qkv: find("self_attn.q_proj"), o: find("self_attn.o_proj"),
			gateUp: find("mlp.gate_proj"), down: find("mlp.down_proj"),
		})
	}
	return x, nil
}
