package data

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"templar/internal/store"
	"templar/protocol"
)

// writeShard stores tokens as the object name-<hash>.bin.
func (m *Manifest) writeShard(ctx context.Context, bucket store.Bucket, name string, tokens []int32) (Shard, error) {
	if len(tokens) > maxShardTokens {
		return Shard{}, fmt.Errorf("%s: %d tokens are too many for one shard", name, len(tokens))
	}
	raw := make([]byte, 0, len(tokens)*m.TokenBytes)
	for _, t := range tokens {
		if t < 0 || int(t) >= m.VocabSize {
			return Shard{}, fmt.Errorf("%s: the tokenizer gave id %d of a vocabulary of %d", name, t, m.VocabSize)
		}
		if m.TokenBytes == 2 {
			raw = binary.LittleEndian.AppendUint16(raw, uint16(t))
		} else {
			raw = binary.LittleEndian.AppendUint32(raw, uint32(t))
		}
	}
	sum := protocol.Hash(sha256.Sum256(raw))
	s := Shard{Key: fmt.Sprintf("%s-%s.bin", name, sum.Short()), Tokens: uint64(len(tokens))}
	for at := 0; at < len(raw); at += m.BlockSize * m.TokenBytes {
		s.Blocks = append(s.Blocks, sha256.Sum256(raw[at:min(at+m.BlockSize*m.TokenBytes, len(raw))]))
	}
	return s, write(ctx, bucket, s.Key, raw, sum)
}

// decodeTokens refuses ids outside the vocabulary: they would index past a table.
func (m *Manifest) decodeTokens(raw []byte) ([]int32, error) {
	tokens := make([]int32, len(raw)/m.TokenBytes)
	for i := range tokens {
		var id uint32
		if m.TokenBytes == 2 {
			id = uint32(binary.LittleEndian.Uint16(raw[2*i:]))
		} else {
			id = binary.LittleEndian.Uint32(raw[4*i:])
		}
		if id >= uint32(m.VocabSize) {
			return nil, fmt.Errorf("%w: token %d has id %d of a vocabulary of %d", ErrCorrupt, i, id, m.VocabSize)
		}
		tokens[i] = int32(id)
	}
	return tokens, nil
}

// write stores an object unless it is there, whole, already.
func write(ctx context.Context, bucket store.Bucket, key string, raw []byte, sum protocol.Hash) error {
	if _, err := read(ctx, bucket, key, len(raw), sum); err == nil {
		return nil
	} else if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, ErrCorrupt) {
		return err
	}
	if _, err := bucket.Put(ctx, key, bytes.NewReader(raw), int64(len(raw)), store.PutOptions{}); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

// read returns an object of a known size and hash.
func read(ctx context.Context, r store.Reader, key string, size int, sum protocol.Hash) ([]byte, error) {
	body, _, err := r.Get(ctx, key, int64(size))
	if errors.Is(err, store.ErrTooLarge) {
		return nil, fmt.Errorf("%w: %s is larger than %d bytes", ErrCorrupt, key, size)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return verify(body, key, size, sum)
}

// readRange returns a part of an object of a known hash.
func readRange(ctx context.Context, r store.Reader, key string, from, size int, sum protocol.Hash) ([]byte, error) {
	body, err := r.GetRange(ctx, key, int64(from), int64(size), "")
	if err != nil {
		return nil, fmt.Errorf("read %s at byte %d: %w", key, from, err)
	}
	raw, err := verify(body, key, size, sum)
	if err != nil {
		return nil, fmt.Errorf("at byte %d: %w", from, err)
	}
	return raw, nil
}

func verify(body io.ReadCloser, key string, size int, sum protocol.Hash) ([]byte, error) {
	defer body.Close()
	raw := make([]byte, size)
	if n, err := io.ReadFull(body, raw); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%w: %s ends after %d of %d bytes", ErrCorrupt, key, n, size)
	} else if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	if got := protocol.Hash(sha256.Sum256(raw)); got != sum {
		return nil, fmt.Errorf("%w: %s has SHA-256 %s, want %s", ErrCorrupt, key, got.Short(), sum.Short())
	}
	return raw, nil
}

// readSomewhere asks each source until one has the object whole; a single one is asked
// twice where that may help.
func readSomewhere(ctx context.Context, sources []store.Reader, get func(store.Reader) ([]byte, error)) (raw []byte, err error) {
	for i := range max(len(sources), 2) {
		again := i >= len(sources)
		if again && (errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDenied)) {
			break
		}
		var e error
		if raw, e = get(sources[i%len(sources)]); e == nil {
			return raw, nil
		}
		if err = e; ctx.Err() != nil {
			break
		}
	}
	return nil, err
}
