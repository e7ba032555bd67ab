package data

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"templar/internal/versioned"
	"templar/protocol"
)

const (
	manifestVersion = 2
	maxManifest     = 64 << 20 // bytes
	maxShardTokens  = 1 << 28
	maxBlockTokens  = 1 << 22
	maxVocabulary   = 1 << 22
)

var manifestFile = versioned.File{
	Name: "the manifest", Version: manifestVersion, Least: manifestVersion, Remedy: "build the dataset again, or run a release of its version",
}

// Shard is one object of tokens, in blocks that are read and verified one by one.
type Shard struct {
	Key    string          `json:"key"`
	Tokens uint64          `json:"tokens"`
	Blocks []protocol.Hash `json:"blocks"` // SHA-256 of each; only the last may be short
}

// Manifest describes a dataset. Its hash is the SHA-256 of its JSON as stored.
type Manifest struct {
	Version    int     `json:"version"`
	Corpus     string  `json:"corpus"`
	Tokenizer  string  `json:"tokenizer"`
	VocabSize  int     `json:"vocab_size"`
	TokenBytes int     `json:"token_bytes"`  // 2 or 4, little-endian
	BlockSize  int     `json:"block_tokens"` // of a block
	Tokens     uint64  `json:"tokens"`       // in Shards
	Shards     []Shard `json:"shards"`
	HeldOut    Shard   `json:"held_out"` // for validation, not in Shards
}

// ManifestKey names the manifest of a hash in the dataset bucket.
func ManifestKey(hash protocol.Hash) string { return "manifest-" + hash.String() + ".json" }

func (m *Manifest) encode() ([]byte, protocol.Hash, error) {
	raw, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, protocol.Hash{}, fmt.Errorf("manifest: %w", err)
	}
	return raw, sha256.Sum256(raw), nil
}

func decodeManifest(raw []byte) (Manifest, error) {
	if err := manifestFile.CheckJSON(raw); err != nil {
		return Manifest{}, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var m Manifest
	if err := dec.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	if err := m.validate(); err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	return m, nil
}

func (m *Manifest) validate() error {
	if err := manifestFile.Check(m.Version); err != nil {
		return err
	}
	if m.VocabSize < 1 || m.VocabSize > maxVocabulary || m.TokenBytes != widthOf(m.VocabSize) {
		return fmt.Errorf("vocab_size %d in tokens of %d bytes: want 1 to %d in 2 bytes up to 65536, else in 4", m.VocabSize, m.TokenBytes, maxVocabulary)
	}
	if m.BlockSize < 1 || m.BlockSize > maxBlockTokens {
		return fmt.Errorf("block_tokens %d: want 1 to %d", m.BlockSize, maxBlockTokens)
	}
	var total uint64
	for i, s := range m.Shards {
		if err := s.validate(m.BlockSize); err != nil {
			return fmt.Errorf("shard %d: %w", i, err)
		}
		total += s.Tokens
	}
	if total != m.Tokens || total == 0 {
		return fmt.Errorf("shards hold %d tokens, announced are %d", total, m.Tokens)
	}
	if err := m.HeldOut.validate(m.BlockSize); err != nil {
		return fmt.Errorf("held-out shard: %w", err)
	}
	return nil
}

func (s Shard) validate(block int) error {
	if s.Key == "" {
		return errors.New("no key")
	}
	if s.Tokens == 0 || s.Tokens > maxShardTokens {
		return fmt.Errorf("%d tokens, want 1 to %d", s.Tokens, maxShardTokens)
	}
	if want := (int(s.Tokens) + block - 1) / block; len(s.Blocks) != want {
		return fmt.Errorf("%d blocks for %d tokens, want %d", len(s.Blocks), s.Tokens, want)
	}
	return nil
}

// block returns where in the object, in tokens, a block lies.
func (s Shard) block(size, i int) (from, tokens int) {
	from = i * size
	return from, min(size, int(s.Tokens)-from)
}

// widthOf is the bytes of a token on disk.
func widthOf(vocabulary int) int {
	if vocabulary <= 1<<16 {
		return 2
	}
	return 4
}
