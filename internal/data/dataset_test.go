package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"templar/internal/store"
	"templar/protocol"
)

// bucket is a store.Bucket in a map that counts what is asked of it.
type bucket struct {
	store.Bucket // has no parts
	mu           sync.Mutex
	objects      map[string][]byte
	gets         map[string]int
	puts         int
	onGet        func(key string, body []byte) ([]byte, error) // may spoil an answer
}

func newBucket() *bucket { return &bucket{objects: map[string][]byte{}, gets: map[string]int{}} }

func (b *bucket) Head(_ context.Context, key string) (store.Info, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, ok := b.objects[key]
	if !ok {
		return store.Info{}, store.ErrNotFound
	}
	return store.Info{Key: key, Size: int64(len(body))}, nil
}

func (b *bucket) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	info, err := b.Head(ctx, key)
	if err != nil {
		return nil, info, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gets[key]++
	body := b.objects[key]
	if b.onGet != nil {
		if body, err = b.onGet(key, slices.Clone(body)); err != nil {
			return nil, info, err
		}
	}
	if limit >= 0 && int64(len(body)) > limit {
		return nil, info, store.ErrTooLarge
	}
	return io.NopCloser(bytes.NewReader(body)), info, nil
}

func (b *bucket) Put(_ context.Context, key string, body io.ReaderAt, size int64, _ store.PutOptions) (store.Info, error) {
	raw := make([]byte, size)
	if _, err := body.ReadAt(raw, 0); err != nil && err != io.EOF {
		return store.Info{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.puts++
	b.objects[key] = raw
	return store.Info{Key: key, Size: size}, nil
}

func (b *bucket) GetRange(ctx context.Context, key string, offset, n int64, _ string) (io.ReadCloser, error) {
	body, _, err := b.Get(ctx, key, -1)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(body)
	if err != nil || offset > int64(len(raw)) {
		return nil, errors.Join(err, store.ErrInvalid)
	}
	return io.NopCloser(bytes.NewReader(raw[offset:min(offset+n, int64(len(raw)))])), nil
}

func (b *bucket) List(context.Context, string, string, int) ([]store.Info, error) {
	return nil, errors.ErrUnsupported
}

func (b *bucket) Delete(_ context.Context, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, key)
	return nil
}

// text is n bytes in lines of ten.
func text(n int) Corpus {
	var buf bytes.Buffer
	for i := 0; buf.Len() < n; i++ {
		fmt.Fprintf(&buf, "%09d\n", i*7919)
	}
	return Corpus{Name: "numbers", Text: buf.Bytes()[:n], Files: 1}
}

// build makes a dataset of 1000 bytes: 900 to train on in shards of 64, 100 held out.
func build(t *testing.T, b *bucket) (Manifest, *Dataset) {
	t.Helper()
	m, hash, err := Build(t.Context(), b, text(1000), Bytes{}, BuildOptions{PageTokens: 16, ShardTokens: 64})
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(t.Context(), b, hash)
	if err != nil {
		t.Fatal(err)
	}
	return m, d
}

func TestDatasetHoldsTheCorpus(t *testing.T) {
	m, d := build(t, newBucket())
	want := Bytes{}.Encode(nil, text(1000).Text)
	if m.Tokens != 900 || len(m.Shards) != 15 || m.Shards[14].Tokens != 4 || m.HeldOut.Tokens != 100 {
		t.Fatalf("manifest %+v", m)
	}
	for _, size := range []int{1, 16, 63, 64, 65, 200, 899} { // pages within, across and over several shards
		var all []int32
		for id := range d.Pages(size) {
			page, err := d.Page(t.Context(), id, size)
			if err != nil || len(page) != size+1 {
				t.Fatalf("page %d of %d: %d tokens, %v", id, size, len(page), err)
			}
			if id > 0 && page[0] != all[len(all)-1] {
				t.Fatalf("page %d of %d does not begin with the last one's end", id, size)
			}
			all = append(all[:max(0, len(all)-1)], page...)
		}
		if !slices.Equal(all, want[:len(all)]) || 900-len(all) >= size {
			t.Errorf("pages of %d tokens hold %d tokens, or other ones", size, len(all))
		}
	}
	heldOut, err := d.HeldOut(t.Context())
	if err != nil || !slices.Equal(heldOut, want[900:]) {
		t.Errorf("held out are %d tokens, %v", len(heldOut), err)
	}
}

func TestPageRefusesStrangeIDs(t *testing.T) {
	_, d := build(t, newBucket())
	for _, c := range []struct {
		id   uint64
		size int
	}{{56, 16}, {1 << 63, 16}, {0, 0}, {0, -1}, {0, 900}, {1, 899}} {
		if _, err := d.Page(t.Context(), c.id, c.size); err == nil {
			t.Errorf("page %d of %d tokens was read", c.id, c.size)
		}
	}
}

func TestBuildIsIdempotent(t *testing.T) {
	b := newBucket()
	m, _ := build(t, b)
	puts := b.puts
	again, _ := build(t, b)
	if b.puts != puts || !cmp.Equal(again, m) {
		t.Errorf("%d objects were written again", b.puts-puts)
	}
	b.objects[m.Shards[3].Key][5] ^= 1
	delete(b.objects, m.Shards[4].Key)
	if build(t, b); b.puts != puts+2 {
		t.Errorf("%d objects were written to mend one and replace one", b.puts-puts)
	}
}

func TestDatasetsShareABucket(t *testing.T) {
	b := newBucket()
	_, one := build(t, b)
	other := text(1000)
	other.Text[3] = 'x'
	if _, _, err := Build(t.Context(), b, other, Bytes{}, BuildOptions{PageTokens: 16, ShardTokens: 64}); err != nil {
		t.Fatal(err)
	}
	page, err := one.Page(t.Context(), 0, 16)
	if err != nil || page[3] == 'x' {
		t.Errorf("building another dataset changed the first: %v, %v", page, err)
	}
}

func TestBuildRefusesShortText(t *testing.T) {
	for _, n := range []int{0, 1, 9, 100, 113} { // 113 bytes leave 101 to train on
		b := newBucket()
		_, _, err := Build(t.Context(), b, text(n), Bytes{}, BuildOptions{PageTokens: 101})
		if err == nil || !strings.Contains(err.Error(), "too short") || b.puts != 0 {
			t.Errorf("%d bytes: error %v, %d objects written", n, err, b.puts)
		}
	}
	if _, _, err := Build(t.Context(), newBucket(), text(114), Bytes{}, BuildOptions{PageTokens: 101}); err != nil {
		t.Errorf("114 bytes: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	b := newBucket()
	m, _ := build(t, b)
	_, hash, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), b, protocol.Hash{1}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown hash: %v", err)
	}
	b.objects[ManifestKey(hash)][10] ^= 1
	if _, err := Open(t.Context(), b, hash); !errors.Is(err, ErrCorrupt) {
		t.Errorf("changed manifest: %v", err)
	}
	for name, spoil := range map[string]func(*Manifest){
		"version":      func(m *Manifest) { m.Version = 1 },
		"token width":  func(m *Manifest) { m.TokenBytes = 4 },
		"wide tokens":  func(m *Manifest) { m.VocabSize = 1<<16 + 1 },
		"vocabulary":   func(m *Manifest) { m.VocabSize, m.TokenBytes = 1<<30, 4 },
		"block size":   func(m *Manifest) { m.BlockSize = 0 },
		"lacks blocks": func(m *Manifest) { m.HeldOut.Blocks = nil },
		"total":        func(m *Manifest) { m.Tokens++ },
		"no shard":     func(m *Manifest) { m.Shards, m.Tokens = nil, 0 },
		"empty shard":  func(m *Manifest) { m.Shards[0].Tokens = 0 },
		"huge shard":   func(m *Manifest) { m.HeldOut.Tokens = 1 << 60 },
		"nameless one": func(m *Manifest) { m.HeldOut.Key = "" },
	} {
		bad := m
		bad.Shards = slices.Clone(m.Shards)
		spoil(&bad)
		raw, hash, err := bad.encode()
		if err != nil {
			t.Fatal(err)
		}
		b.objects[ManifestKey(hash)] = raw
		if _, err := Open(t.Context(), b, hash); err == nil || !strings.Contains(err.Error(), "manifest") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamagedShard(t *testing.T) {
	flip := func(raw []byte) []byte { raw[9] ^= 1; return raw }
	short := func(raw []byte) []byte { return raw[:len(raw)-1] }
	for name, c := range map[string]struct {
		spoil func([]byte) []byte
		fail  error
		times int // answers that are spoiled
		want  error
		gets  int
	}{
		"damaged once":  {flip, nil, 1, nil, 2},
		"damaged":       {flip, nil, 9, ErrCorrupt, 2},
		"short":         {short, nil, 9, ErrCorrupt, 2},
		"failed once":   {nil, io.ErrNoProgress, 1, nil, 2},
		"failed":        {nil, io.ErrNoProgress, 9, io.ErrNoProgress, 2},
		"access denied": {nil, store.ErrDenied, 9, store.ErrDenied, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBucket()
			m, d := build(t, b)
			key := m.Shards[1].Key
			b.gets[key] = 0
			b.onGet = func(k string, raw []byte) ([]byte, error) {
				if k != key || b.gets[k] > c.times {
					return raw, nil
				}
				if c.fail != nil {
					return nil, c.fail
				}
				return c.spoil(raw), nil
			}
			_, err := d.Page(t.Context(), 4, 16) // tokens 64 to 80
			if !errors.Is(err, c.want) || b.gets[key] != c.gets {
				t.Errorf("error %v after %d reads; want %v after %d", err, b.gets[key], c.want, c.gets)
			}
			if err != nil && !strings.Contains(err.Error(), key) {
				t.Errorf("%v does not name %s", err, key)
			}
		})
	}
}

// A manifest that lies about the vocabulary must not send ids past an embedding table.
func TestForeignTokenIsRefused(t *testing.T) {
	b := newBucket()
	m, _ := build(t, b)
	m.VocabSize = 20 // the text has digits, from 48 on
	raw, hash, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	b.objects[ManifestKey(hash)] = raw
	d, err := Open(t.Context(), b, hash)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Page(t.Context(), 0, 16); !errors.Is(err, ErrCorrupt) {
		t.Errorf("error %v", err)
	}
}

func TestCacheKeepsWithinItsBudget(t *testing.T) {
	b := newBucket()
	m, d := build(t, b)
	d.CacheBytes = 3 * 64 * 4
	gets := func(i int) int { return b.gets[m.Shards[i].Key] }
	b.gets = map[string]int{}
	for _, i := range []uint64{0, 1, 2, 0, 3, 0, 1} { // 3 pushes out 1, since 0 was used again
		if _, err := d.Page(t.Context(), 4*i, 16); err != nil {
			t.Fatal(err)
		}
		if d.mu.bytes > d.CacheBytes {
			t.Fatalf("%d bytes are kept, the budget is %d", d.mu.bytes, d.CacheBytes)
		}
	}
	if got := []int{gets(0), gets(1), gets(2), gets(3)}; !slices.Equal(got, []int{1, 2, 1, 1}) {
		t.Errorf("reads of shards 0 to 3: %v", got)
	}
	d.CacheBytes = 0
	for range 2 {
		if _, err := d.Page(t.Context(), 40, 16); err != nil { // within shard 10
			t.Fatal(err)
		}
	}
	if gets(10) != 1 {
		t.Errorf("the newest shard was not kept: %d reads", gets(10))
	}
}

func TestPrefetchAndConcurrentReads(t *testing.T) {
	b := newBucket()
	m, d := build(t, b)
	b.gets = map[string]int{}
	ids := []uint64{0, 20, 40}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := d.Prefetch(t.Context(), ids, 16); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, i := range []int{0, 5, 10} {
		if n := b.gets[m.Shards[i].Key]; n != 1 {
			t.Errorf("shard %d was read %d times", i, n)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.fetching <- struct{}{} // a fetch that hangs
	if _, err := d.Page(ctx, 50, 16); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for another's fetch: %v", err)
	}
	if _, err := d.Page(ctx, 20, 16); err != nil {
		t.Errorf("what is in memory needs no fetch: %v", err)
	}
}

func FuzzDecodeManifest(f *testing.F) {
	m := Manifest{Version: 2, Corpus: "c", Tokenizer: "bytes", VocabSize: 256, TokenBytes: 2, BlockSize: 3, Tokens: 5,
		Shards: []Shard{{"a", 5, make([]protocol.Hash, 2)}}, HeldOut: Shard{"b", 2, make([]protocol.Hash, 1)}}
	raw, _, err := m.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := decodeManifest(raw)
		if err != nil {
			return
		}
		again, _, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeManifest(again); err != nil {
			t.Fatalf("a manifest that was read cannot be read again: %v", err)
		}
	})
}
