package data

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"templar/internal/store"
	"templar/protocol"
)

const (
	defaultShardTokens = 1 << 20
	defaultBlockTokens = 1 << 19 // what a reader fetches at once
	pieceBytes         = 1 << 20 // of text encoded at a time
)

// BuildOptions say how a dataset is cut.
type BuildOptions struct {
	// PageTokens is the run's page size: a corpus without one page is refused.
	PageTokens int
	// ShardTokens is the size of a shard; zero means 2^20.
	ShardTokens int
}

// Build writes a corpus that fits in memory as a dataset and returns its manifest and the hash that run
// parameters announce. Objects are named after their contents: building the same
// dataset again writes nothing, save what is missing or damaged, and building another
// one disturbs no run that uses the bucket.
func Build(ctx context.Context, bucket store.Bucket, c Corpus, t Tokenizer, o BuildOptions) (Manifest, protocol.Hash, error) {
	m := Manifest{
		Version: manifestVersion, Corpus: c.Name, Tokenizer: t.Name(), VocabSize: t.VocabSize(),
		TokenBytes: widthOf(t.VocabSize()), BlockSize: defaultBlockTokens,
	}
	hash, err := m.build(ctx, bucket, c, t, o)
	if err != nil {
		return Manifest{}, protocol.Hash{}, fmt.Errorf("build dataset of %s: %w", c.Name, err)
	}
	return m, hash, nil
}

func (m *Manifest) build(ctx context.Context, bucket store.Bucket, c Corpus, t Tokenizer, o BuildOptions) (protocol.Hash, error) {
	page := max(o.PageTokens, 1)
	size := o.ShardTokens
	if size <= 0 {
		size = defaultShardTokens
	}
	size = min(max(size, page+1), maxShardTokens) // so that the first shard shows whether there is a page
	cut := lineEnd(c.Text, len(c.Text)*9/10, len(c.Text)/200)
	heldOut := t.Encode(nil, c.Text[cut:])
	for tokens := range shards(c.Text[:cut], t, size) {
		if m.Shards == nil && (len(tokens) <= page || len(heldOut) < 2) {
			break
		}
		s, err := m.writeShard(ctx, bucket, fmt.Sprintf("%s/shard-%05d", c.Name, len(m.Shards)), tokens)
		if err != nil {
			return protocol.Hash{}, err
		}
		m.Shards, m.Tokens = append(m.Shards, s), m.Tokens+s.Tokens
	}
	if m.Shards == nil {
		return protocol.Hash{}, fmt.Errorf("the text is too short: %d bytes, with a tenth held out, do not fill one page of %d tokens", len(c.Text), page)
	}
	var err error
	if m.HeldOut, err = m.writeShard(ctx, bucket, c.Name+"/held-out", heldOut); err != nil {
		return protocol.Hash{}, err
	}
	return m.publish(ctx, bucket)
}

// publish writes the manifest.
func (m *Manifest) publish(ctx context.Context, bucket store.Bucket) (protocol.Hash, error) {
	raw, hash, err := m.encode()
	if err != nil {
		return protocol.Hash{}, err
	}
	return hash, write(ctx, bucket, ManifestKey(hash), raw, hash)
}

// shards yields the tokens of text in runs of n; the last may be shorter. A run is
// only valid until the next.
func shards(text []byte, t Tokenizer, n int) iter.Seq[[]int32] {
	return func(yield func([]int32) bool) {
		var tokens []int32
		for len(text) > 0 {
			piece := lineEnd(text, min(len(text), pieceBytes), pieceBytes/2)
			tokens = t.Encode(tokens, text[:piece])
			text = text[piece:]
			for len(tokens) >= n {
				if !yield(tokens[:n]) {
					return
				}
				tokens = tokens[:copy(tokens, tokens[n:])]
			}
		}
		if len(tokens) > 0 {
			yield(tokens)
		}
	}
}

// lineEnd returns the end of the last line that ends within the `back` bytes before
// at, or at itself.
func lineEnd(text []byte, at, back int) int {
	from := max(0, at-back)
	if i := bytes.LastIndexByte(text[from:at], '\n'); i >= 0 {
		return from + i + 1
	}
	return at
}
