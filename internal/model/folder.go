package model

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

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

// maxConfig bounds config.json in bytes.
const maxConfig = 1 << 20

// Save writes a folder that transformers loads as LlamaForCausalLM. Each file
// replaces its predecessor in one step and is on the disk when Save returns.
func Save(dir string, m protocol.Model, params []float32) error {
	layout := m.Layout()
	if len(params) != layout.Size() {
		return fmt.Errorf("save model: %d parameters for a model of %d", len(params), layout.Size())
	}
	text, err := encodeConfig(m)
	if err != nil {
		return fmt.Errorf("save model: config: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("save model: %w", err)
	}
	files := []struct {
		name  string
		write func(io.Writer) error
	}{
		{weightsFile, func(w io.Writer) error { return Write(w, layout, params) }},
		{generationFile, writeBytes([]byte("{\n  \"_from_model_config\": true\n}\n"))},
		{configFile, writeBytes(text)},
	}
	for _, f := range files {
		if err := replace(filepath.Join(dir, f.name), f.write); err != nil {
			return fmt.Errorf("save model: %w", err)
		}
	}
	return nil
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

// Load reads a folder that Save or transformers wrote.
func Load(dir string) (protocol.Model, []float32, error) {
	m, params, err := load(dir)
	if err != nil {
		return protocol.Model{}, nil, fmt.Errorf("load model %s: %w", dir, err)
	}
	return m, params, nil
}

func load(dir string) (m protocol.Model, params []float32, err error) {
	text, err := readBounded(filepath.Join(dir, configFile))
	if err != nil {
		return m, nil, err
	}
	if m, err = decodeConfig(text); err != nil {
		return m, nil, fmt.Errorf("%s: %w", configFile, err)
	}
	f, err := os.Open(filepath.Join(dir, weightsFile))
	if err != nil {
		if _, e := os.Stat(filepath.Join(dir, shardsFile)); errors.Is(err, fs.ErrNotExist) && e == nil {
			return m, nil, errors.New("sharded weights are not supported: save the model with one shard")
		}
		return m, nil, err
	}
	defer f.Close()
	if params, err = readWeights(f, m); err != nil {
		return m, nil, fmt.Errorf("%s: %w", weightsFile, err)
	}
	return m, params, nil
}

// readWeights checks the number of layers before it lays them out: config.json may
// be hostile, and the file's header bounds what it can ask for.
func readWeights(f *os.File, m protocol.Model) ([]float32, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	sr, err := safetensors.NewReader(f, info.Size())
	if err != nil {
		return nil, err
	}
	if n := len(sr.Header().Tensors); m.Layers > n {
		return nil, fmt.Errorf("%d tensors for a model of %d layers", n, m.Layers)
	}
	return fill(sr, m.Layout())
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(b) > maxConfig {
		err = fmt.Errorf("%s is over %d bytes", filepath.Base(path), maxConfig)
	}
	return b, err
}
