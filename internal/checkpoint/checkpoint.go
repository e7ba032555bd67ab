// Package checkpoint saves and loads a node's state at a window: in its bucket, for
// whoever joins, and in its own directory, for its next start.
//
// A checkpoint is a folder of objects: model.safetensors, in a miner's own directory
// momentum.safetensors as well, and manifest.json, which is signed and written last.
// Without a manifest that fits there is no checkpoint, so that none is ever torn.
package checkpoint

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"templar/internal/exchange"
	"templar/internal/model"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// State is what a checkpoint holds.
type State struct {
	Start    protocol.Window
	Next     protocol.Window // the parameters stand before this window
	Previous protocol.Hash   // of the Aggregate of Next-1; zero at the start
	Params   []float32

	// A miner's private state; never in a bucket that others read.
	Momentum  []float32
	Iteration uint64 // gradients made so far
}

// Manifest is manifest.json.
type Manifest struct {
	Run       protocol.Hash   `json:"run"`
	Start     protocol.Window `json:"start_window"`
	Next      protocol.Window `json:"next_window"`
	Step      uint64          `json:"global_step"`
	Previous  protocol.Hash   `json:"previous_aggregate"`
	StateHash protocol.Hash   `json:"state_hash"`
	Iteration uint64          `json:"iteration,omitempty"`
	Files     []File          `json:"files"`
}

// File is one object of a checkpoint.
type File struct {
	Name   string        `json:"name"`
	Size   int64         `json:"size"`
	SHA256 protocol.Hash `json:"sha256"`
}

const (
	// Domain is what a manifest is signed under.
	Domain = "templar checkpoint"

	manifestName = "manifest.json"
	modelName    = "model.safetensors"
	momentumName = "momentum.safetensors"
	maxManifest  = 1 << 20
	maxHeader    = 16 << 20 // of a safetensors file, in bytes
	folderPrefix = "checkpoint-"
	keepLast     = 3
)

// Save writes s into b and returns its folder and size. Older checkpoints in b but the
// last three are removed afterwards.
func Save(ctx context.Context, b store.Bucket, run exchange.Run, s State, signer protocol.Signer) (prefix string, size int64, err error) {
	prefix = protocol.CheckpointPrefix(s.Next)
	m := Manifest{
		Run: run.Hash, Start: s.Start, Next: s.Next, Step: run.Params.Step(s.Start, s.Next), Previous: s.Previous,
		StateHash: run.Codec.StateHash(s.Params), Iteration: s.Iteration,
	}
	tensors := []struct {
		name   string
		values []float32
	}{{modelName, s.Params}, {momentumName, s.Momentum}}
	for _, t := range tensors {
		if t.values == nil {
			continue
		}
		var buf bytes.Buffer
		if err := model.Write(&buf, run.Codec.Layout(), t.values); err != nil {
			return "", 0, err
		}
		f := File{Name: t.name, Size: int64(buf.Len()), SHA256: sha256.Sum256(buf.Bytes())}
		if err := put(ctx, b, prefix+t.name, buf.Bytes()); err != nil {
			return "", 0, err
		}
		m.Files = append(m.Files, f)
		size += f.Size
	}
	sealed, err := wire.Seal(Domain, m, signer)
	if err != nil {
		return "", 0, err
	}
	if err := put(ctx, b, prefix+manifestName, sealed); err != nil {
		return "", 0, err
	}
	return prefix, size, prune(ctx, b)
}

func put(ctx context.Context, b store.Bucket, key string, body []byte) error {
	if _, err := b.Put(ctx, key, bytes.NewReader(body), int64(len(body)), store.PutOptions{}); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// prune keeps the last three checkpoints.
func prune(ctx context.Context, b store.Bucket) error {
	windows, err := Windows(ctx, b)
	if err != nil || len(windows) <= keepLast {
		return err
	}
	return exchange.Prune(ctx, b, folderPrefix, windows[keepLast-1])
}

// Windows lists the checkpoints in a bucket, newest first, complete or not.
func Windows(ctx context.Context, r store.Reader) ([]protocol.Window, error) {
	var out []protocol.Window
	err := exchange.Each(ctx, r, folderPrefix, func(_ string, w protocol.Window) { out = append(out, w) })
	if err != nil {
		return nil, fmt.Errorf("list checkpoints: %w", err)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	slices.Reverse(out)
	return out, nil
}

// Load reads and verifies the checkpoint before window next that owner signed.
func Load(ctx context.Context, r store.Reader, run exchange.Run, next protocol.Window, owner protocol.Hotkey) (State, error) {
	prefix := protocol.CheckpointPrefix(next)
	s, err := load(ctx, r, prefix, run, next, owner)
	if err != nil {
		return State{}, fmt.Errorf("%s: %w", prefix, err)
	}
	return s, nil
}

func load(ctx context.Context, r store.Reader, prefix string, run exchange.Run, next protocol.Window, owner protocol.Hotkey) (State, error) {
	m, err := manifest(ctx, r, prefix, owner)
	if err != nil {
		return State{}, fmt.Errorf("%s: %w", manifestName, err)
	}
	if m.Run != run.Hash || m.Next != next || m.Next < m.Start {
		return State{}, errors.New("it is another run's or another window's")
	}
	if len(m.Files) > 2 || len(m.Files) == 2 && m.Files[0].Name == m.Files[1].Name {
		return State{}, errors.New("it names more files than there are kinds")
	}
	s := State{Start: m.Start, Next: m.Next, Previous: m.Previous, Iteration: m.Iteration}
	for _, f := range m.Files {
		values, err := tensors(ctx, r, prefix, f, run.Codec.Layout())
		if err != nil {
			return State{}, fmt.Errorf("%s: %w", f.Name, err)
		}
		switch f.Name {
		case modelName:
			s.Params = values
		case momentumName:
			s.Momentum = values
		default:
			return State{}, fmt.Errorf("unknown file %q", f.Name)
		}
	}
	if s.Params == nil {
		return State{}, errors.New("it holds no model")
	}
	if got := run.Codec.StateHash(s.Params); got != m.StateHash {
		return State{}, fmt.Errorf("state hash is %s, its manifest says %s", got.Short(), m.StateHash.Short())
	}
	return s, nil
}

func manifest(ctx context.Context, r store.Reader, prefix string, owner protocol.Hotkey) (m Manifest, err error) {
	b, err := get(ctx, r, prefix+manifestName, maxManifest)
	if err != nil {
		return m, err
	}
	by, err := wire.Open(Domain, b, &m)
	if err == nil && by != owner {
		err = fmt.Errorf("signed by %s, not by %s", by, owner)
	}
	return m, err
}

func tensors(ctx context.Context, r store.Reader, prefix string, f File, layout protocol.Layout) ([]float32, error) {
	b, err := get(ctx, r, prefix+f.Name, 4*int64(layout.Size())+maxHeader)
	if err != nil {
		return nil, err
	}
	if sum := protocol.Hash(sha256.Sum256(b)); int64(len(b)) != f.Size || sum != f.SHA256 {
		return nil, errors.New("damaged: size or SHA-256 does not match the manifest")
	}
	return model.Read(bytes.NewReader(b), int64(len(b)), layout)
}

func get(ctx context.Context, r store.Reader, key string, limit int64) ([]byte, error) {
	body, _, err := r.Get(ctx, key, limit)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, limit))
}
