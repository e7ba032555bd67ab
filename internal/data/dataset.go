package data

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"templar/internal/store"
	"templar/protocol"
)

// ErrCorrupt is wrapped when an object is not what its hash says.
var ErrCorrupt = errors.New("dataset object is damaged or was replaced")

// DefaultCacheBytes is the memory that a Dataset keeps blocks in.
const DefaultCacheBytes = 256 << 20

// Dataset reads a dataset's pages. The blocks of a shard are fetched when first needed,
// one at a time, verified, and kept in memory, those used last, as far as CacheBytes
// reaches. It is safe for concurrent use.
type Dataset struct {
	// CacheBytes may be changed before the first page is read. The newest block is
	// kept whatever its size.
	CacheBytes int64

	sources  []store.Reader
	manifest Manifest
	starts   []uint64      // first token of each shard
	fetching chan struct{} // full while a block is being fetched

	mu struct {
		sync.Mutex
		blocks map[place][]int32
		used   []place // keys of blocks, the one used last at the end
		bytes  int64
	}
}

// place is a block of a shard; the shard after the last is the held-out one.
type place struct{ shard, block int }

// Open reads the manifest with the hash that the run parameters announce. What the
// bucket lacks, or has damaged, is read from the mirrors, in order.
func Open(ctx context.Context, bucket store.Reader, want protocol.Hash, mirrors ...store.Reader) (*Dataset, error) {
	d := &Dataset{
		CacheBytes: DefaultCacheBytes, sources: append([]store.Reader{bucket}, mirrors...), fetching: make(chan struct{}, 1),
	}
	raw, err := readSomewhere(ctx, d.sources, func(r store.Reader) ([]byte, error) { return readManifest(ctx, r, want) })
	if err == nil {
		d.manifest, err = decodeManifest(raw)
	}
	if err != nil {
		return nil, fmt.Errorf("open dataset %s: %w", want.Short(), err)
	}
	d.mu.blocks = make(map[place][]int32)
	var start uint64
	for _, s := range d.manifest.Shards {
		d.starts = append(d.starts, start)
		start += s.Tokens
	}
	return d, nil
}

func readManifest(ctx context.Context, r store.Reader, want protocol.Hash) ([]byte, error) {
	key := ManifestKey(want)
	info, err := r.Head(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if info.Size < 0 || info.Size > maxManifest {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrCorrupt, key, info.Size)
	}
	return read(ctx, r, key, int(info.Size), want)
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
func (d *Dataset) Page(ctx context.Context, id uint64, pageTokens int) ([]int32, error) {
	if n := d.Pages(pageTokens); id >= n {
		return nil, fmt.Errorf("page %d of %d tokens: the dataset has %d", id, pageTokens, n)
	}
	at := id * uint64(pageTokens)
	out := make([]int32, 0, pageTokens+1)
	for i := d.shardOf(at); len(out) <= pageTokens; i++ {
		var err error
		if out, err = d.read(ctx, out, i, int(at-d.starts[i]), pageTokens+1-len(out)); err != nil {
			return nil, fmt.Errorf("page %d: %w", id, err)
		}
		at = d.starts[i] + d.manifest.Shards[i].Tokens
	}
	return out, nil
}

// HeldOut returns the tokens that no page holds.
func (d *Dataset) HeldOut(ctx context.Context) ([]int32, error) {
	return d.read(ctx, nil, len(d.manifest.Shards), 0, int(d.manifest.HeldOut.Tokens))
}

// Prefetch brings the blocks of pages into memory, so that Page finds them there.
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

// read appends up to n of a shard's tokens, from one on.
func (d *Dataset) read(ctx context.Context, out []int32, shard, from, n int) ([]int32, error) {
	size := d.manifest.BlockSize
	for end := min(from+n, int(d.shard(shard).Tokens)); from < end; {
		tokens, err := d.block(ctx, place{shard, from / size})
		if err != nil {
			return nil, err
		}
		part := tokens[from%size : min(len(tokens), from%size+end-from)]
		out, from = append(out, part...), from+len(part)
	}
	return out, nil
}

func (d *Dataset) shard(i int) Shard {
	if i < len(d.manifest.Shards) {
		return d.manifest.Shards[i]
	}
	return d.manifest.HeldOut
}

func (d *Dataset) block(ctx context.Context, p place) ([]int32, error) {
	if tokens, ok := d.cached(p); ok {
		return tokens, nil
	}
	select {
	case d.fetching <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-d.fetching }()
	if tokens, ok := d.cached(p); ok { // fetched while we waited
		return tokens, nil
	}
	tokens, err := d.fetch(ctx, p)
	if err == nil {
		d.keep(p, tokens)
	}
	return tokens, err
}

func (d *Dataset) fetch(ctx context.Context, p place) ([]int32, error) {
	s, width := d.shard(p.shard), d.manifest.TokenBytes
	from, n := s.block(d.manifest.BlockSize, p.block)
	raw, err := readSomewhere(ctx, d.sources, func(r store.Reader) ([]byte, error) {
		return readRange(ctx, r, s.Key, from*width, n*width, s.Blocks[p.block])
	})
	if err != nil {
		return nil, err
	}
	tokens, err := d.manifest.decodeTokens(raw)
	if err != nil {
		return nil, fmt.Errorf("%s at token %d: %w", s.Key, from, err)
	}
	return tokens, nil
}

func (d *Dataset) cached(p place) ([]int32, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	tokens, ok := d.mu.blocks[p]
	if ok {
		at := slices.Index(d.mu.used, p)
		d.mu.used = append(slices.Delete(d.mu.used, at, at+1), p)
	}
	return tokens, ok
}

func (d *Dataset) keep(p place, tokens []int32) {
	const size = 4 // bytes of an int32
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.blocks[p] = tokens
	d.mu.used = append(d.mu.used, p)
	d.mu.bytes += int64(len(tokens)) * size
	for len(d.mu.used) > 1 && d.mu.bytes > d.CacheBytes {
		oldest := d.mu.used[0]
		d.mu.used = d.mu.used[1:]
		d.mu.bytes -= int64(len(d.mu.blocks[oldest])) * size
		delete(d.mu.blocks, oldest)
	}
}
