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

// Size is the number of bytes that Write writes.
func Size(l protocol.Layout) int64 { return safetensors.Size(entries(l)) }

// Write writes parameters as one safetensors file.
func Write(w io.Writer, l protocol.Layout, params []float32) error {
	return safetensors.Write(w, entries(l), params)
}

func entries(l protocol.Layout) []safetensors.Tensor {
	tensors := make([]safetensors.Tensor, len(l))
	for i, t := range l {
		tensors[i] = safetensors.Tensor{Name: t.Name, Shape: t.Shape}
	}
	return tensors
}

// Read reads parameters from a safetensors file of size bytes. It must hold the
// layout's tensors, in any order and any type that can be read, with finite values.
func Read(r io.Reader, size int64, l protocol.Layout) ([]float32, error) {
	sr, err := safetensors.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	return fill(sr, l)
}

// fill allocates only once the file's own size vouches for the layout's.
func fill(sr *safetensors.Reader, l protocol.Layout) ([]float32, error) {
	places, err := match(sr.Header().Tensors, l)
	if err != nil {
		return nil, err
	}
	params := make([]float32, l.Size())
	for i, t := range places {
		if t == nil {
			if err := sr.Next(nil); err != nil {
				return nil, err
			}
			continue
		}
		dst := params[t.Offset:][:t.Size()]
		if err := sr.Next(dst); err != nil {
			return nil, err
		}
		if j := slices.IndexFunc(dst, notFinite); j >= 0 {
			return nil, fmt.Errorf("tensor %q: value %d is %v", sr.Header().Tensors[i].Name, j, dst[j])
		}
	}
	return params, nil
}

// match finds the place of each of the file's tensors, nil for one to skip.
func match(file []safetensors.Tensor, l protocol.Layout) ([]*protocol.Tensor, error) {
	missing := make(map[string]*protocol.Tensor, len(l))
	for i := range l {
		missing[l[i].Name] = &l[i]
	}
	places := make([]*protocol.Tensor, len(file))
	for i, t := range file {
		want := missing[t.Name]
		if want == nil {
			if redundant(t.Name) {
				continue
			}
			return nil, fmt.Errorf("tensor %q is not one of the model's", t.Name)
		}
		if !slices.Equal(t.Shape, want.Shape) {
			return nil, fmt.Errorf("tensor %q has shape %v: the model's is %v", t.Name, t.Shape, want.Shape)
		}
		places[i] = want
		delete(missing, t.Name)
	}
	for _, t := range l {
		if missing[t.Name] != nil {
			return nil, fmt.Errorf("tensor %q is missing", t.Name)
		}
	}
	return places, nil
}

// redundant names what older transformers stored although it follows from the rest:
// rotary frequencies, and the head of a model that ties it to the embedding.
func redundant(name string) bool {
	return strings.HasSuffix(name, ".rotary_emb.inv_freq") || name == "lm_head.weight"
}

func notFinite(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) }
