// Package checkpoint saves and loads a node's state at a window: in its bucket, for nodes that
// join, and in its own directory, for its next start.
//
// A checkpoint is a folder of objects: the model in shards, as Hugging Face's transformers
// loads it; in a miner's own directory the tensors of its private state as well, under the
// method's names; and manifest.json, which is signed, names every file with its hash, and is
// written last. A folder without a matching manifest is not a checkpoint, so an interrupted
// Save leaves none.
//
// Files are encoded and decoded as streams: beside the state, saving and loading need a few
// buffers, whatever the size of the model.
package checkpoint

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"templar/internal/store"
	"templar/method"
	"templar/protocol"
)

// State is the contents of a checkpoint.
type State struct {
	Start    protocol.Window
	Next     protocol.Window // the parameters are those before this window
	Previous protocol.Hash   // of the Aggregate of Next-1; zero at the start
	Term     protocol.Term   // of that Aggregate
	Params   []float32
	// Hash is that of Params, for Save: nil means that Save computes it. It is called when the
	// parameters are written.
	Hash func() protocol.Hash

	// Private is a miner's private state; never in a bucket that others read.
	Private []method.Tensor
}

// Manifest is manifest.json.
type Manifest struct {
	Run       protocol.Hash   `json:"run"`
	Start     protocol.Window `json:"start_window"`
	Current   protocol.Window `json:"current_window"` // of the chain, when it was saved
	Next      protocol.Window `json:"next_window"`    // the sync window: the first that is not applied
	Step      uint64          `json:"global_step"`
	Previous  protocol.Hash   `json:"previous_aggregate"`
	Term      protocol.Term   `json:"term,omitempty"` // of that Aggregate
	StateHash protocol.Hash   `json:"state_hash"`
	Method    string          `json:"method"`
	Rate      float32         `json:"learning_rate"` // of the next window
	Private   []Tensor        `json:"private,omitempty"`
	Files     []File          `json:"files"` // ascending by name
}

// Tensor is a part of a miner's private state, by the name that the method gives it: a vector in
// files of its own, or a number.
type Tensor struct {
	Name   string `json:"name"`
	Vector bool   `json:"vector,omitempty"`
	Scalar uint64 `json:"scalar,omitempty"`
}

// File is one object of a checkpoint.
type File struct {
	Name   string        `json:"name"`
	Size   int64         `json:"size"`
	SHA256 protocol.Hash `json:"sha256"`
}

const (
	// Domain is the domain of a manifest's signature.
	Domain = "templar checkpoint"
	// Kept is the number of checkpoints that Save leaves in a bucket.
	Kept = 3

	manifestName = "manifest.json"
	modelStem    = "model"
	privateStem  = "private." // and the tensor's name
	folderPrefix = "checkpoint-"
	maxManifest  = 1 << 20
	maxHeader    = 16 << 20 // of a safetensors file, in bytes
)

// folders lists the objects of each checkpoint in a bucket.
func folders(ctx context.Context, r store.Reader) (map[protocol.Window][]string, error) {
	out := make(map[protocol.Window][]string)
	err := store.EachKey(ctx, r, folderPrefix, func(key string, k protocol.Key) { out[k.Window] = append(out[k.Window], key) })
	if err != nil {
		return nil, fmt.Errorf("list checkpoints: %w", err)
	}
	return out, nil
}

func isComplete(folder []string) bool {
	return slices.ContainsFunc(folder, func(key string) bool { return strings.HasSuffix(key, "/"+manifestName) })
}

// Windows lists the checkpoints in a bucket that have a manifest, newest first.
func Windows(ctx context.Context, r store.Reader) ([]protocol.Window, error) {
	all, err := folders(ctx, r)
	if err != nil {
		return nil, err
	}
	var out []protocol.Window
	for w, folder := range all {
		if isComplete(folder) {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out, nil
}
