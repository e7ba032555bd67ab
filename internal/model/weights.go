package model

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"templar/internal/safetensors"
	"templar/protocol"
)

// Write writes parameters as one safetensors file.
func Write(w io.Writer, l protocol.Layout, params []float32) error {
	return safetensors.Write(w, entries(l, safetensors.F32), params)
}

func entries(l protocol.Layout, d safetensors.DType) []safetensors.Tensor {
	tensors := make([]safetensors.Tensor, len(l))
	for i, t := range l {
		tensors[i] = safetensors.Tensor{Name: t.Name, DType: d, Shape: t.Shape}
	}
	return tensors
}

// read reads a file's tensors to their places.
func read(sr *safetensors.Reader, places []*protocol.Tensor, params []float32) error {
	for i, t := range places {
		if t == nil {
			if err := sr.Next(nil); err != nil {
				return err
			}
			continue
		}
		dst := params[t.Offset:][:t.Size()]
		if err := sr.Next(dst); err != nil {
			return err
		}
		if j := slices.IndexFunc(dst, notFinite); j >= 0 {
			return fmt.Errorf("tensor %q: value %d is %v", sr.Header().Tensors[i].Name, j, dst[j])
		}
	}
	return nil
}

// matcher finds the places of the tensors of one file or more.
type matcher struct {
	layout  protocol.Layout
	missing map[string]*protocol.Tensor
}

func newMatcher(l protocol.Layout) *matcher {
	m := &matcher{layout: l, missing: make(map[string]*protocol.Tensor, len(l))}
	for i := range l {
		m.missing[l[i].Name] = &l[i]
	}
	return m
}

// match finds the place of each of a file's tensors, nil for one to skip.
func (m *matcher) match(file []safetensors.Tensor) ([]*protocol.Tensor, error) {
	places := make([]*protocol.Tensor, len(file))
	for i, t := range file {
		want := m.missing[t.Name]
		if want == nil {
			if redundant(t.Name) {
				continue
			}
			return nil, fmt.Errorf("tensor %q is not one of the model's, or stands in two files", t.Name)
		}
		if !slices.Equal(t.Shape, want.Shape) {
			return nil, fmt.Errorf("tensor %q has shape %v: the model's is %v", t.Name, t.Shape, want.Shape)
		}
		places[i] = want
		delete(m.missing, t.Name)
	}
	return places, nil
}

func (m *matcher) complete() error {
	for _, t := range m.layout {
		switch {
		case m.missing[t.Name] == nil:
		case t.Name == head:
			return fmt.Errorf("tensor %q is missing, and needed as config.json does not have \"tie_word_embeddings\": true (add it if the model's head is its embedding)", head)
		default:
			return fmt.Errorf("tensor %q is missing", t.Name)
		}
	}
	return nil
}

// head is the tensor that a model that ties it to the embedding lacks.
const head = "lm_head.weight"

// redundant names what older transformers stored although it follows from the rest:
// rotary frequencies, and the head of a model that ties it to the embedding.
func redundant(name string) bool {
	return strings.HasSuffix(name, ".rotary_emb.inv_freq") || name == head
}

func notFinite(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) }
