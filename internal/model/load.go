package model

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"templar/internal/safetensors"
	"templar/internal/strictjson"
	"templar/protocol"
)

const (
	maxConfig = 1 << 20  // bytes of config.json
	maxIndex  = 16 << 20 // bytes of an index of shards
	maxShards = 1000     // files of weights
)

// Load reads a folder that Save or transformers wrote, its weights in one file or in
// shards.
func Load(dir string) (protocol.Model, []float32, error) {
	m, params, err := load(dir)
	if err != nil {
		return protocol.Model{}, nil, fmt.Errorf("load model %s: %w", dir, err)
	}
	return m, params, nil
}

func load(dir string) (m protocol.Model, params []float32, err error) {
	if m, err = ReadConfig(dir); err != nil {
		return m, nil, err
	}
	parts, err := openWeights(dir)
	defer func() {
		for _, p := range parts {
			p.f.Close()
		}
	}()
	if err != nil {
		return m, nil, err
	}
	params, err = readParts(parts, m)
	return m, params, err
}

// ReadConfig reads a folder's config.json.
func ReadConfig(dir string) (m protocol.Model, err error) {
	text, err := readBounded(filepath.Join(dir, configFile), maxConfig)
	if err != nil {
		return m, err
	}
	if m, err = decodeConfig(text); err != nil {
		return m, fmt.Errorf("%s: %w", configFile, err)
	}
	return m, nil
}

// part is an open file of weights whose header has been read.
type part struct {
	name   string
	f      *os.File
	reader *safetensors.Reader
	places []*protocol.Tensor
}

// openWeights opens a folder's files of weights. What it returns is to be closed, also
// with an error.
func openWeights(dir string) (parts []*part, err error) {
	names := []string{weightsFile}
	if _, err := os.Stat(filepath.Join(dir, weightsFile)); errors.Is(err, fs.ErrNotExist) {
		if listed, e := shardNames(dir); e == nil {
			names = listed
		} else if pickled, _ := filepath.Glob(filepath.Join(dir, "pytorch_model*.bin")); len(pickled) > 0 {
			return nil, fmt.Errorf("weights are in %s, a Python pickle, which is not read: save the model as safetensors", filepath.Base(pickled[0]))
		} else if !errors.Is(e, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", shardsFile, e)
		}
	}
	for _, name := range names {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return parts, err
		}
		p := &part{name: name, f: f}
		parts = append(parts, p)
		info, err := f.Stat()
		if err == nil {
			p.reader, err = safetensors.NewReader(f, info.Size())
		}
		if err != nil {
			return parts, fmt.Errorf("%s: %w", name, err)
		}
	}
	return parts, nil
}

// shardNames reads which files the index names.
func shardNames(dir string) ([]string, error) {
	text, err := readBounded(filepath.Join(dir, shardsFile), maxIndex)
	if err != nil {
		return nil, err
	}
	var index struct { // the size in bytes, which is there too, is not needed
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := strictjson.Unmarshal(text, &index); err != nil {
		return nil, err
	}
	var names []string
	for _, name := range index.WeightMap {
		if !filepath.IsLocal(name) || filepath.Base(name) != name {
			return nil, fmt.Errorf("file name %q leaves the folder", name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 || len(names) > maxShards {
		return nil, fmt.Errorf("%d files: want 1 to %d", len(names), maxShards)
	}
	return names, nil
}

// readParts checks the number of layers before it lays them out, and all headers before
// it takes memory: config.json may be hostile, and the files bound what it can ask for.
func readParts(parts []*part, m protocol.Model) ([]float32, error) {
	tensors := 0
	for _, p := range parts {
		tensors += len(p.reader.Header().Tensors)
	}
	if m.Layers > tensors {
		return nil, fmt.Errorf("%s: %d tensors for a model of %d layers", parts[0].name, tensors, m.Layers)
	}
	layout := m.Layout()
	match := newMatcher(layout)
	for _, p := range parts {
		var err error
		if p.places, err = match.match(p.reader.Header().Tensors); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if err := match.complete(); err != nil {
		of := parts[0].name
		if len(parts) > 1 {
			of = shardsFile
		}
		return nil, fmt.Errorf("%s: %w", of, err)
	}
	params := make([]float32, layout.Size())
	for _, p := range parts {
		if err := read(p.reader, p.places, params); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return params, nil
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s is over %d bytes", filepath.Base(path), limit)
	}
	return b, err
}

// Info is what a folder holds, read without its weights.
type Info struct {
	Model      protocol.Model `json:"model"`
	Parameters int64          `json:"parameters"`
	DTypes     []string       `json:"dtypes"`
	Files      []string       `json:"files"` // of weights
	Bytes      int64          `json:"bytes"` // of weights
	Tokenizer  bool           `json:"tokenizer"`
}

// Describe reads a folder's configuration and the headers of its weights.
func Describe(dir string) (info Info, err error) {
	if info.Model, err = ReadConfig(dir); err != nil {
		return info, fmt.Errorf("model %s: %w", dir, err)
	}
	parts, err := openWeights(dir)
	for _, p := range parts {
		defer p.f.Close()
	}
	if err != nil {
		return info, fmt.Errorf("model %s: %w", dir, err)
	}
	for _, p := range parts {
		info.Files = append(info.Files, p.name)
		if stat, err := p.f.Stat(); err == nil {
			info.Bytes += stat.Size()
		}
		for _, t := range p.reader.Header().Tensors {
			info.Parameters += int64(t.Size())
			info.DTypes = append(info.DTypes, string(t.DType))
		}
	}
	slices.Sort(info.DTypes)
	info.DTypes = slices.Compact(info.DTypes)
	_, err = os.Stat(filepath.Join(dir, TokenizerFile))
	info.Tokenizer = err == nil
	return info, nil
}
