package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"templar/internal/safetensors"
	"templar/protocol"
)

// Part is one file of a folder, readable at any place and as often as need be.
type Part struct {
	Name string
	Size int64
	io.ReaderAt
}

// Parts returns the files of a folder that transformers loads as LlamaForCausalLM: weights
// in float32, in shards of at most shardBytes, the shards' index if there are several, and
// the configuration. The weights are read out of params, which must not change meanwhile.
func Parts(m protocol.Model, params []float32, shardBytes int64) ([]Part, error) {
	l := m.Layout()
	parts, err := Weights("model", l, params, shardBytes)
	if err != nil {
		return nil, err
	}
	if len(parts) > 1 {
		text, err := encodeIndex(l, parts, shardBytes)
		if err != nil {
			return nil, err
		}
		parts = append(parts, bytesPart(shardsFile, text))
	}
	text, err := encodeConfig(m, safetensors.F32, Ends{})
	return append(parts, bytesPart(configFile, text)), err
}

// Weights returns values of a layout as safetensors files named after stem: one, or, above
// shardBytes, several.
func Weights(stem string, l protocol.Layout, values []float32, shardBytes int64) ([]Part, error) {
	if len(values) != l.Size() {
		return nil, fmt.Errorf("%d values for a layout of %d", len(values), l.Size())
	}
	shards := cut(l, SaveOptions{DType: safetensors.F32, ShardBytes: shardBytes})
	parts := make([]Part, len(shards))
	for i, s := range shards {
		v, err := safetensors.NewView(entries(s, safetensors.F32), values[s[0].Offset:s.Size()])
		if err != nil {
			return nil, err
		}
		name := stem + ".safetensors"
		if len(shards) > 1 {
			name = fmt.Sprintf("%s-%05d-of-%05d.safetensors", stem, i+1, len(shards))
		}
		parts[i] = Part{Name: name, Size: v.Size(), ReaderAt: v}
	}
	return parts, nil
}

func encodeIndex(l protocol.Layout, parts []Part, shardBytes int64) ([]byte, error) {
	index := shardIndex{WeightMap: make(map[string]string)}
	for i, s := range cut(l, SaveOptions{DType: safetensors.F32, ShardBytes: shardBytes}) {
		for _, t := range s {
			index.WeightMap[t.Name] = parts[i].Name
			index.Metadata.TotalSize += bytesOf(t, safetensors.F32)
		}
	}
	text, err := json.MarshalIndent(index, "", "  ")
	return append(text, '\n'), err
}

func bytesPart(name string, b []byte) Part {
	return Part{Name: name, Size: int64(len(b)), ReaderAt: bytes.NewReader(b)}
}

// Loader fills a layout's values from safetensors files, one after the other.
type Loader struct {
	match  *matcher
	values []float32
}

// NewLoader returns a Loader for a layout of our own.
func NewLoader(l protocol.Layout) *Loader { return &Loader{match: newMatcher(l)} }

// Add reads a file of size bytes. Every tensor must be one of the layout's, of its shape,
// finite, and in no other file.
func (l *Loader) Add(r io.Reader, size int64) error {
	sr, err := safetensors.NewReader(r, size)
	if err != nil {
		return err
	}
	places, err := l.match.match(sr.Header().Tensors)
	if err != nil {
		return err
	}
	if l.values == nil {
		l.values = make([]float32, l.match.layout.Size())
	}
	return read(sr, places, l.values)
}

// Values returns what was read, or an error that names a tensor which no file held.
func (l *Loader) Values() ([]float32, error) { return l.values, l.match.complete() }
