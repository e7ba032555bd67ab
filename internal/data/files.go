package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"templar/internal/store"
	"templar/protocol"
)

const (
	heldOutEvery    = 10      // of so many documents, one is held out,
	maxHeldOut      = 1 << 18 // until there are so many tokens
	fileShardTokens = 1 << 24
)

// FilesOptions say how files become a dataset.
type FilesOptions struct {
	Name        string // for people and for object keys
	ShardTokens int    // zero means 2^24
	BlockTokens int    // zero means 2^19
	Separator   int32  // put after each document; negative for none
	Workers     int    // goroutines that tokenize; zero means one
	// Progress is called after each document, from one goroutine.
	Progress func(Progress)
}

// Progress is how far a build has come.
type Progress struct {
	Files, AllFiles int
	Bytes, AllBytes int64 // bytes of text that are tokenized, of files in all
	Tokens          uint64
	Shards          int
	Resumed         bool           // what an earlier build left was taken up
	Skipped         map[string]int // documents left out, by reason
}

// fileBuild is a build under way. What stands in its exported fields is stored after
// each shard, so that a build that ends early goes on from there.
type fileBuild struct {
	Manifest Manifest
	Left     []int32 // tokens behind the last shard
	Out      []int32 // held out so far
	File     int     // next to read
	Record   int     // documents of it that are done
	Count    int     // documents in all
	Bytes    int64
	Skipped  map[string]int // documents left out, by reason

	bucket  store.Bucket
	t       Tokenizer
	o       FilesOptions
	inputs  []Input
	key     string // of the state
	resumed bool
}

// BuildFiles streams files into a dataset, holding a shard and a few documents in
// memory. A build that was interrupted goes on after its last shard when it is called
// again with the same files and options.
func BuildFiles(ctx context.Context, bucket store.Bucket, inputs []Input, t Tokenizer, o FilesOptions) (Manifest, protocol.Hash, error) {
	b, err := newFileBuild(ctx, bucket, inputs, t, o)
	if err == nil {
		err = b.run(ctx)
	}
	var hash protocol.Hash
	if err == nil {
		hash, err = b.finish(ctx)
	}
	if err != nil {
		return Manifest{}, protocol.Hash{}, fmt.Errorf("build dataset %s: %w", o.Name, err)
	}
	return b.Manifest, hash, nil
}

func newFileBuild(ctx context.Context, bucket store.Bucket, inputs []Input, t Tokenizer, o FilesOptions) (*fileBuild, error) {
	if o.ShardTokens == 0 {
		o.ShardTokens = fileShardTokens
	}
	if o.BlockTokens == 0 {
		o.BlockTokens = defaultBlockTokens
	}
	o.Workers = max(o.Workers, 1)
	if o.ShardTokens < 2 || o.ShardTokens > maxShardTokens || o.BlockTokens < 1 || o.BlockTokens > maxBlockTokens {
		return nil, fmt.Errorf("shards of %d tokens in blocks of %d: want 2 to %d and 1 to %d", o.ShardTokens, o.BlockTokens, maxShardTokens, maxBlockTokens)
	}
	if int(o.Separator) >= t.VocabSize() {
		return nil, fmt.Errorf("separator %d of a vocabulary of %d", o.Separator, t.VocabSize())
	}
	b := &fileBuild{bucket: bucket, t: t, o: o, inputs: inputs, Manifest: Manifest{
		Version: manifestVersion, Corpus: o.Name, Tokenizer: t.Name(), VocabSize: t.VocabSize(),
		TokenBytes: widthOf(t.VocabSize()), BlockSize: o.BlockTokens,
	}}
	sum := sha256.New()
	fmt.Fprintln(sum, manifestVersion, o.Name, t.Name(), o.ShardTokens, o.BlockTokens, o.Separator)
	for _, in := range inputs {
		fmt.Fprintf(sum, "%q %d %d %s\n", in.Path, in.Size, in.time, in.Kind)
	}
	b.key = "building-" + hex.EncodeToString(sum.Sum(nil)[:8]) + ".json"
	return b, b.resume(ctx)
}

// resume takes up what an earlier build left. A state that cannot be read is none.
func (b *fileBuild) resume(ctx context.Context) error {
	body, _, err := b.bucket.Get(ctx, b.key, maxManifest)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", b.key, err)
	}
	defer body.Close()
	saved := *b
	if err := json.NewDecoder(body).Decode(&saved); err != nil || saved.File > len(b.inputs) || saved.File < 0 || saved.Record < 0 {
		return nil
	}
	*b, b.resumed = saved, true
	return nil
}

func (b *fileBuild) save(ctx context.Context) error {
	raw, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return write(ctx, b.bucket, b.key, raw, sha256.Sum256(raw))
}

// run tokenizes all documents that are left.
func (b *fileBuild) run(ctx context.Context) error {
	return tokenize(ctx, b.pending(), b.t, b.o.Workers, func(p *parcel) error {
		b.add(p)
		for len(b.Left) >= b.o.ShardTokens {
			if err := b.shard(ctx, b.o.ShardTokens); err != nil {
				return err
			}
			if len(b.Left) < b.o.ShardTokens {
				if err := b.save(ctx); err != nil {
					return err
				}
			}
		}
		b.report()
		return nil
	})
}

// add takes a tokenized document in.
func (b *fileBuild) add(p *parcel) {
	b.File, b.Record, b.Bytes = p.file, p.record+1, b.Bytes+int64(len(p.text))
	if p.skip != "" {
		if b.Skipped == nil {
			b.Skipped = make(map[string]int)
		}
		b.Skipped[p.skip]++
		return
	}
	tokens := p.tokens
	if b.o.Separator >= 0 && !p.continued {
		tokens = append(tokens, b.o.Separator)
	}
	if b.Count%heldOutEvery == heldOutEvery-1 && len(b.Out) < maxHeldOut {
		b.Out = append(b.Out, tokens...)
	} else {
		b.Left = append(b.Left, tokens...)
	}
	b.Count++
}

func (b *fileBuild) report() {
	if b.o.Progress == nil {
		return
	}
	p := Progress{
		Files: b.File + 1, AllFiles: len(b.inputs), Bytes: b.Bytes, Resumed: b.resumed, Skipped: maps.Clone(b.Skipped),
		Tokens: b.Manifest.Tokens + uint64(len(b.Left)+len(b.Out)), Shards: len(b.Manifest.Shards),
	}
	for _, in := range b.inputs {
		p.AllBytes += in.Size
	}
	b.o.Progress(p)
}

// shard writes the first n tokens that are left.
func (b *fileBuild) shard(ctx context.Context, n int) error {
	m := &b.Manifest
	s, err := m.writeShard(ctx, b.bucket, fmt.Sprintf("%s/shard-%05d", b.o.Name, len(m.Shards)), b.Left[:n])
	if err != nil {
		return err
	}
	m.Shards, m.Tokens = append(m.Shards, s), m.Tokens+s.Tokens
	b.Left = slices.Delete(b.Left, 0, n)
	return nil
}

// finish writes what is left, the manifest last.
func (b *fileBuild) finish(ctx context.Context) (hash protocol.Hash, err error) {
	if len(b.Out) < 2 || b.Manifest.Tokens+uint64(len(b.Left)) < 2 {
		return hash, fmt.Errorf("%d documents are too few: one of %d is held out (text files are cut every %d KiB)", b.Count, heldOutEvery, pieceOfText>>10)
	}
	if len(b.Left) > 0 {
		if err := b.shard(ctx, len(b.Left)); err != nil {
			return hash, err
		}
	}
	if b.Manifest.HeldOut, err = b.Manifest.writeShard(ctx, b.bucket, b.o.Name+"/held-out", b.Out[:min(len(b.Out), math.MaxInt32)]); err != nil {
		return hash, err
	}
	if hash, err = b.Manifest.publish(ctx, b.bucket); err != nil {
		return hash, err
	}
	if err := b.bucket.Delete(ctx, b.key); err != nil && !errors.Is(err, store.ErrNotFound) {
		return hash, fmt.Errorf("remove %s: %w", b.key, err)
	}
	return hash, nil
}
