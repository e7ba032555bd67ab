package data

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"templar/internal/store"
	"templar/protocol"
)

// ErrCorrupt is wrapped when an object is not what its hash says.
var ErrCorrupt = errors.New("dataset object is damaged or was replaced")

// DefaultCacheBytes is the memory that a Dataset keeps shards in.
const DefaultCacheBytes = 256 << 20

// Dataset reads a dataset's pages. Shards are fetched when first needed, one at a
// time, verified, and kept in memory, those used last, as far as CacheBytes reaches.
// It is safe for concurrent use.
type Dataset struct {
	// CacheBytes may be changed before the first page is read. The newest shard is
	// kept whatever its size.
	CacheBytes int64

	bucket   store.Reader
	manifest Manifest
	starts   []uint64      // first token of each shard
	fetching chan struct{} // full while a shard is being fetched

	mu struct {
		sync.Mutex
		shards map[int][]uint16
		used   []int // indices of shards, the one used last at the end
		bytes  int64
	}
}

// Open reads the manifest with the hash that the run parameters announce.
func Open(ctx context.Context, bucket store.Reader, want protocol.Hash) (*Dataset, error) {
	m, err := openManifest(ctx, bucket, want)
	if err != nil {
		return nil, fmt.Errorf("open dataset %s: %w", want.Short(), err)
	}
	d := &Dataset{CacheBytes: DefaultCacheBytes, bucket: bucket, manifest: m, fetching: make(chan struct{}, 1)}
	d.mu.shards = make(map[int][]uint16)
	var start uint64
	for _, s := range m.Shards {
		d.starts = append(d.starts, start)
		start += s.Tokens
	}
	return d, nil
}

func openManifest(ctx context.Context, bucket store.Reader, want protocol.Hash) (Manifest, error) {
	key := ManifestKey(want)
	info, err := bucket.Head(ctx, key)
	if err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", key, err)
	}
	if info.Size < 0 || info.Size > maxManifest {
		return Manifest{}, fmt.Errorf("%w: %s has %d bytes", ErrCorrupt, key, info.Size)
	}
	raw, err := readTwice(ctx, bucket, key, int(info.Size), want)
	if err != nil {
		return Manifest{}, err
	}
	return decodeManifest(raw)
}

// Manifest describes the dataset.
func (d *Dataset) Manifest() Manifest { return d.manifest }

// Pages is the number of pages of a size, in tokens.
func (d *Dataset) Pages(pageTokens int) uint64 {
	if pageTokens <= 0 {
		return 0
	}
	return (d.manifest.Tokens - 1) / uint64(pageTokens)
}

// Page returns the pageTokens tokens of page id and the one after them.
func (d *Dataset) Page(ctx context.Context, id uint64, pageTokens int) ([]uint16, error) {
	if n := d.Pages(pageTokens); id >= n {
		return nil, fmt.Errorf("page %d of %d tokens: the dataset has %d", id, pageTokens, n)
	}
	at := id * uint64(pageTokens)
	out := make([]uint16, 0, pageTokens+1)
	for i := d.shardOf(at); len(out) <= pageTokens; i++ {
		tokens, err := d.shard(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", id, err)
		}
		tokens = tokens[at-d.starts[i]:]
		tokens = tokens[:min(len(tokens), pageTokens+1-len(out))]
		out = append(out, tokens...)
		at += uint64(len(tokens))
	}
	return out, nil
}

// HeldOut returns the tokens that no page holds. They are shared: do not change them.
func (d *Dataset) HeldOut(ctx context.Context) ([]uint16, error) {
	return d.shard(ctx, len(d.manifest.Shards))
}

// Prefetch brings the shards of pages into memory, so that Page finds them there.
func (d *Dataset) Prefetch(ctx context.Context, ids []uint64, pageTokens int) error {
	for _, id := range ids {
		if _, err := d.Page(ctx, id, pageTokens); err != nil {
			return err
		}
	}
	return nil
}

// shardOf returns the shard that holds training token at.
func (d *Dataset) shardOf(at uint64) int {
	i, found := slices.BinarySearch(d.starts, at)
	if !found {
		i--
	}
	return i
}

// shard returns a shard's tokens; the index after the last is the held-out one.
func (d *Dataset) shard(ctx context.Context, i int) ([]uint16, error) {
	if tokens, ok := d.cached(i); ok {
		return tokens, nil
	}
	select {
	case d.fetching <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-d.fetching }()
	if tokens, ok := d.cached(i); ok { // fetched while we waited
		return tokens, nil
	}
	tokens, err := d.fetch(ctx, i)
	if err == nil {
		d.keep(i, tokens)
	}
	return tokens, err
}

func (d *Dataset) fetch(ctx context.Context, i int) ([]uint16, error) {
	s := d.manifest.HeldOut
	if i < len(d.manifest.Shards) {
		s = d.manifest.Shards[i]
	}
	raw, err := readTwice(ctx, d.bucket, s.Key, int(s.Tokens)*tokenBytes, s.SHA256)
	if err != nil {
		return nil, err
	}
	tokens := make([]uint16, s.Tokens)
	for k := range tokens {
		tokens[k] = binary.LittleEndian.Uint16(raw[tokenBytes*k:])
		if int(tokens[k]) >= d.manifest.VocabSize {
			return nil, fmt.Errorf("%w: %s: token %d has id %d of a vocabulary of %d", ErrCorrupt, s.Key, k, tokens[k], d.manifest.VocabSize)
		}
	}
	return tokens, nil
}

func (d *Dataset) cached(i int) ([]uint16, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	tokens, ok := d.mu.shards[i]
	if ok {
		at := slices.Index(d.mu.used, i)
		d.mu.used = append(slices.Delete(d.mu.used, at, at+1), i)
	}
	return tokens, ok
}

func (d *Dataset) keep(i int, tokens []uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.shards[i] = tokens
	d.mu.used = append(d.mu.used, i)
	d.mu.bytes += int64(len(tokens)) * tokenBytes
	for len(d.mu.used) > 1 && d.mu.bytes > d.CacheBytes {
		oldest := d.mu.used[0]
		d.mu.used = d.mu.used[1:]
		d.mu.bytes -= int64(len(d.mu.shards[oldest])) * tokenBytes
		delete(d.mu.shards, oldest)
	}
}

// readTwice reads an object and, where that may help, tries once more.
func readTwice(ctx context.Context, r store.Reader, key string, size int, sum protocol.Hash) ([]byte, error) {
	raw, err := read(ctx, r, key, size, sum)
	if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDenied) {
		return raw, err
	}
	return read(ctx, r, key, size, sum)
}
