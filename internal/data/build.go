package data

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	"templar/internal/store"
	"templar/protocol"
)

const (
	defaultShardTokens = 1 << 20
	pieceBytes         = 1 << 20 // of text encoded at a time
)

// BuildOptions say how a dataset is cut.
type BuildOptions struct {
	// PageTokens is the run's page size: a corpus without one page is refused.
	PageTokens int
	// ShardTokens is the size of a shard; zero means 2^20.
	ShardTokens int
}

// Build writes a corpus as a dataset and returns its manifest and the hash that run
// parameters announce. Objects are named after their contents: building the same
// dataset again writes nothing, save what is missing or damaged, and building another
// one disturbs no run that uses the bucket.
func Build(ctx context.Context, bucket store.Bucket, c Corpus, t Tokenizer, o BuildOptions) (Manifest, protocol.Hash, error) {
	m := Manifest{
		Version: manifestVersion, Corpus: c.Name, Tokenizer: t.Name(), VocabSize: t.VocabSize(), TokenBytes: tokenBytes,
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
		s, err := writeShard(ctx, bucket, fmt.Sprintf("%s/shard-%05d", c.Name, len(m.Shards)), tokens)
		if err != nil {
			return protocol.Hash{}, err
		}
		m.Shards, m.Tokens = append(m.Shards, s), m.Tokens+s.Tokens
	}
	if m.Shards == nil {
		return protocol.Hash{}, fmt.Errorf("the text is too short: %d bytes, with a tenth held out, do not fill one page of %d tokens", len(c.Text), page)
	}
	var err error
	if m.HeldOut, err = writeShard(ctx, bucket, c.Name+"/held-out", heldOut); err != nil {
		return protocol.Hash{}, err
	}
	raw, hash, err := m.encode()
	if err != nil {
		return protocol.Hash{}, err
	}
	return hash, write(ctx, bucket, ManifestKey(hash), raw, hash)
}

// shards yields the tokens of text in runs of n; the last may be shorter. A run is
// only valid until the next.
func shards(text []byte, t Tokenizer, n int) iter.Seq[[]uint16] {
	return func(yield func([]uint16) bool) {
		var tokens []uint16
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

func writeShard(ctx context.Context, bucket store.Bucket, name string, tokens []uint16) (Shard, error) {
	if len(tokens) > maxShardTokens {
		return Shard{}, fmt.Errorf("%s: %d tokens are too many for one shard", name, len(tokens))
	}
	raw := make([]byte, 0, len(tokens)*tokenBytes)
	for _, t := range tokens {
		raw = binary.LittleEndian.AppendUint16(raw, t)
	}
	sum := protocol.Hash(sha256.Sum256(raw))
	key := fmt.Sprintf("%s-%s.bin", name, sum.Short())
	return Shard{Key: key, Tokens: uint64(len(tokens)), SHA256: sum}, write(ctx, bucket, key, raw, sum)
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
