package model

import (
	"encoding/json"
	"fmt"
	"io"

	"templar/internal/safetensors"
	"templar/protocol"
)

// shardIndex is model.safetensors.index.json: which file holds a tensor.
type shardIndex struct {
	Metadata struct {
		TotalSize int64 `json:"total_size"` // bytes of values
	} `json:"metadata"`
	WeightMap map[string]string `json:"weight_map"`
}

// weightFiles cuts the weights into files and names the file of the other form, which
// must not stay beside them.
func weightFiles(l protocol.Layout, params []float32, o SaveOptions) (files []file, stale string, err error) {
	shards := cut(l, o)
	if len(shards) == 1 {
		return []file{{weightsFile, writeWeights(l, params, o.DType)}}, shardsFile, nil
	}
	index := shardIndex{WeightMap: make(map[string]string)}
	for i, s := range shards {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		files = append(files, file{name, writeWeights(s, params, o.DType)})
		for _, t := range s {
			index.WeightMap[t.Name] = name
			index.Metadata.TotalSize += bytesOf(t, o.DType)
		}
	}
	text, err := json.MarshalIndent(index, "", "  ")
	return append(files, file{shardsFile, writeBytes(append(text, '\n'))}), weightsFile, err
}

// cut groups tensors, in order, into shards of at most ShardBytes; a larger tensor has
// one to itself.
func cut(l protocol.Layout, o SaveOptions) (shards []protocol.Layout) {
	from, size := 0, int64(0)
	for i, t := range l {
		n := bytesOf(t, o.DType)
		if i > from && size+n > o.ShardBytes {
			shards, from, size = append(shards, l[from:i]), i, 0
		}
		size += n
	}
	return append(shards, l[from:])
}

func bytesOf(t protocol.Tensor, d safetensors.DType) int64 {
	if d == safetensors.BF16 {
		return 2 * int64(t.Size())
	}
	return 4 * int64(t.Size())
}

// writeWeights writes a run of a layout.
func writeWeights(l protocol.Layout, params []float32, d safetensors.DType) func(io.Writer) error {
	return func(w io.Writer) error {
		return safetensors.Write(w, entries(l, d), params[l[0].Offset:l.Size()])
	}
}
