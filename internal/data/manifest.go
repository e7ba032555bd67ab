package data

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"templar/protocol"
)

const (
	manifestVersion = 1
	tokenBytes      = 2        // little-endian
	maxManifest     = 64 << 20 // bytes
	maxShardTokens  = 1 << 28
)

// Shard is one object of tokens.
type Shard struct {
	Key    string        `json:"key"`
	Tokens uint64        `json:"tokens"`
	SHA256 protocol.Hash `json:"sha256"`
}

// Manifest describes a dataset. Its hash is the SHA-256 of its JSON as stored.
type Manifest struct {
	Version    int     `json:"version"`
	Corpus     string  `json:"corpus"`
	Tokenizer  string  `json:"tokenizer"`
	VocabSize  int     `json:"vocab_size"`
	TokenBytes int     `json:"token_bytes"`
	Tokens     uint64  `json:"tokens"` // in Shards
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
	if m.Version != manifestVersion || m.TokenBytes != tokenBytes {
		return fmt.Errorf("version %d with tokens of %d bytes: this release reads version %d with %d",
			m.Version, m.TokenBytes, manifestVersion, tokenBytes)
	}
	if m.VocabSize < 1 || m.VocabSize > 1<<16 {
		return fmt.Errorf("vocab_size %d does not fit 16-bit ids", m.VocabSize)
	}
	var total uint64
	for i, s := range m.Shards {
		if err := s.validate(); err != nil {
			return fmt.Errorf("shard %d: %w", i, err)
		}
		total += s.Tokens
	}
	if total != m.Tokens || total == 0 {
		return fmt.Errorf("shards hold %d tokens, announced are %d", total, m.Tokens)
	}
	if err := m.HeldOut.validate(); err != nil {
		return fmt.Errorf("held-out shard: %w", err)
	}
	return nil
}

func (s Shard) validate() error {
	if s.Key == "" {
		return errors.New("no key")
	}
	if s.Tokens == 0 || s.Tokens > maxShardTokens {
		return fmt.Errorf("%d tokens, want 1 to %d", s.Tokens, maxShardTokens)
	}
	return nil
}
