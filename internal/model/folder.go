package model

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"templar/internal/safetensors"
	"templar/protocol"
)

// The files of a folder. The configuration is written last: a folder without one is
// not a model.
const (
	weightsFile    = "model.safetensors"
	shardsFile     = "model.safetensors.index.json"
	generationFile = "generation_config.json"
	configFile     = "config.json"
)

// DefaultShardBytes is the size above which Save cuts weights, as transformers does.
const DefaultShardBytes = 5_000_000_000

// IsZero reports whether there is no id.
func (i IDs) IsZero() bool { return len(i.List) == 0 }

// SaveOptions say in which form a folder is written.
type SaveOptions struct {
	DType      safetensors.DType // F32, also when empty, or BF16
	ShardBytes int64             // the most in one file of weights; zero means DefaultShardBytes
	Companions Companions        // files that go along
}

// Save writes a folder that transformers loads as LlamaForCausalLM. Each file
// replaces its predecessor in one step and is on the disk when Save returns.
func Save(dir string, m protocol.Model, params []float32) error {
	return SaveWith(dir, m, params, SaveOptions{})
}

// SaveWith is Save with options.
func SaveWith(dir string, m protocol.Model, params []float32, o SaveOptions) error {
	if err := save(dir, m, params, o); err != nil {
		return fmt.Errorf("save model: %w", err)
	}
	return nil
}

func save(dir string, m protocol.Model, params []float32, o SaveOptions) error {
	layout := m.Layout()
	if len(params) != layout.Size() {
		return fmt.Errorf("%d parameters for a model of %d", len(params), layout.Size())
	}
	if o.DType == "" {
		o.DType = safetensors.F32
	}
	if o.ShardBytes <= 0 {
		o.ShardBytes = DefaultShardBytes
	}
	ids, err := o.Companions.Ends()
	if err != nil {
		return err
	}
	text, err := encodeConfig(m, o.DType, ids)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files, stale, err := weightFiles(layout, params, o)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(o.Companions)) {
		if name == configFile {
			continue // written anew
		}
		files = append(files, file{name, writeBytes(o.Companions[name])})
	}
	if o.Companions[generationFile] == nil {
		generation, err := encodeJSON(struct {
			FromModel bool `json:"_from_model_config"`
			BOS       IDs  `json:"bos_token_id,omitzero"`
			EOS       IDs  `json:"eos_token_id,omitzero"`
			Pad       IDs  `json:"pad_token_id,omitzero"`
		}{true, ids.BOS, ids.EOS, ids.Pad})
		if err != nil {
			return err
		}
		files = append(files, file{generationFile, writeBytes(generation)})
	}
	for _, f := range append(files, file{configFile, writeBytes(text)}) {
		if err := replace(filepath.Join(dir, f.name), f.write); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(dir, stale)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // transformers would take the old weights
	}
	return nil
}

// file is a file to write.
type file struct {
	name  string
	write func(io.Writer) error
}

func writeBytes(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

// replace writes a file beside path, makes it durable and renames it to path.
func replace(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(f), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
