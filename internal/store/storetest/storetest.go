// Package storetest is the conformance suite of the store port: what every adapter
// and every decorator must do alike.
package storetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"templar/internal/store"
)

// Fixture is a store to test. Only Bucket must be set: what a store has no notion
// of, its tests skip.
type Fixture struct {
	Bucket    store.Bucket // empty, to be read and written
	ReadOnly  store.Bucket // the same bucket through a key that may only read
	BadSecret store.Bucket // the same bucket through a good key id and a wrong secret
	Missing   store.Bucket // a bucket that is not there, through a key with rights to it
	// LosesAnswers says that calls may be carried out more than once, as by Retry over a
	// store that fails after it has done what it was asked.
	LosesAnswers bool
	// KeysAreFiles says that the store makes paths of keys, so that a and a/b cannot live
	// beside each other, nor "..", nor what is too long for a file's name.
	KeysAreFiles bool
}

// Run tests the store that open makes anew for each test.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, f Fixture)
	}{
		{"PutHeadGet", putHeadGet},
		{"Empty", empty},
		{"Large", large},
		{"Overwrite", overwrite},
		{"Delete", remove},
		{"Range", ranges},
		{"Limit", limit},
		{"ShortBody", shortBody},
		{"Keys", keys},
		{"InvalidArguments", invalid},
		{"ListOrderAndPages", list},
		{"ListPrefix", listPrefix},
		{"IfAbsent", ifAbsent},
		{"IfAbsentRace", ifAbsentRace},
		{"ReadersSeeWholeObjects", wholeObjects},
		{"ReadOnlyKey", readOnlyKey},
		{"WrongSecret", wrongSecret},
		{"MissingBucket", missingBucket},
		{"MissingObject", missingObject},
		{"CancelledContext", cancelled},
		{"RangeOfETag", rangeOfETag},
		{"Multipart", multipart},
		{"OnePart", onePart},
		{"PartsThatDoNotJoin", partsThatDoNotJoin},
		{"InvalidParts", invalidParts},
		{"UnfinishedUploads", unfinished},
		{"Abort", abort},
		{"CompleteTwice", completeTwice},
		{"CompleteIfAbsent", completeIfAbsent},
		{"CompleteIfAbsentRace", completeRace},
		{"CompleteIfAbsentSecond", secondCompletion},
		{"UploadRights", uploadRights},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// put stores data and fails the test if that does not work.
func put(t *testing.T, b store.Bucket, key string, data []byte) store.Info {
	t.Helper()
	info, err := b.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)), store.PutOptions{})
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return info
}

// get returns the whole object.
func get(t *testing.T, b store.Reader, key string) ([]byte, store.Info) {
	t.Helper()
	body, info, err := b.Get(t.Context(), key, -1)
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		t.Fatalf("read %q: %v", key, err)
	}
	return data, info
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// pattern is n bytes in which no two places look alike for long.
func pattern(n int) []byte {
	b := make([]byte, n)
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(n))
	_, _ = rand.NewChaCha8(seed).Read(b)
	return b
}

func putHeadGet(t *testing.T, f Fixture) {
	data := pattern(1000)
	stored := put(t, f.Bucket, "key", data)
	if stored.Key != "key" || stored.Size != 1000 {
		t.Errorf("put returned %+v", stored)
	}
	head, err := f.Bucket.Head(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	got, info := get(t, f.Bucket, "key")
	if !bytes.Equal(got, data) {
		t.Error("got other bytes than were put")
	}
	if head != info || head.Key != "key" || head.Size != 1000 || head.ETag == "" || head.ETag != stored.ETag {
		t.Errorf("head %+v, get %+v, put %+v", head, info, stored)
	}
	if head.LastModified.IsZero() || !head.LastModified.Equal(head.LastModified.Truncate(time.Millisecond)) {
		t.Errorf("LastModified %v is not in whole milliseconds", head.LastModified)
	}
	listed, err := f.Bucket.List(t.Context(), "", "", 10)
	if err != nil || len(listed) != 1 || inSeconds(listed[0]) != inSeconds(head) {
		t.Errorf("list gives %+v, %v; head %+v", listed, err, head)
	}
}

// inSeconds is what a store says of an object wherever it says it: some date in milliseconds in listings
// only.
func inSeconds(i store.Info) store.Info {
	i.LastModified = i.LastModified.Truncate(time.Second)
	return i
}

func empty(t *testing.T, f Fixture) {
	put(t, f.Bucket, "empty", nil)
	if got, info := get(t, f.Bucket, "empty"); len(got) != 0 || info.Size != 0 {
		t.Errorf("got %d bytes, info %+v", len(got), info)
	}
}

func large(t *testing.T, f Fixture) {
	data := pattern(8<<20 + 1) // one byte over a round number
	put(t, f.Bucket, "large", data)
	if got, _ := get(t, f.Bucket, "large"); !bytes.Equal(got, data) {
		t.Error("got other bytes than were put")
	}
}

func overwrite(t *testing.T, f Fixture) {
	first := put(t, f.Bucket, "key", []byte("first, and longer"))
	second := put(t, f.Bucket, "key", []byte("second"))
	if got, info := get(t, f.Bucket, "key"); string(got) != "second" || info.Size != 6 {
		t.Errorf("got %q, %+v", got, info)
	}
	if first.ETag == second.ETag {
		t.Error("both bodies have the same ETag")
	}
}

func remove(t *testing.T, f Fixture) {
	put(t, f.Bucket, "a", []byte("a"))
	put(t, f.Bucket, "b", []byte("b"))
	for range 2 { // the second time there is nothing to delete
		if err := f.Bucket.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := f.Bucket.Head(t.Context(), "a")
	wantError(t, "head of a deleted object", err, store.ErrNotFound)
	if got, _ := get(t, f.Bucket, "b"); string(got) != "b" {
		t.Error("delete took another object along")
	}
}

func ranges(t *testing.T, f Fixture) {
	put(t, f.Bucket, "key", []byte("0123456789"))
	for _, r := range []struct {
		offset, n int64
		want      string
	}{{0, 10, "0123456789"}, {0, 1, "0"}, {3, 4, "3456"}, {9, 1, "9"}, {8, 100, "89"}, {0, 1 << 40, "0123456789"}, {10, 1, ""}, {1 << 40, 1, ""}} {
		body, err := f.Bucket.GetRange(t.Context(), "key", r.offset, r.n, "")
		if err != nil {
			t.Errorf("range %d+%d: %v", r.offset, r.n, err)
			continue
		}
		got, err := io.ReadAll(body)
		body.Close()
		if err != nil || string(got) != r.want {
			t.Errorf("range %d+%d: %q, %v; want %q", r.offset, r.n, got, err, r.want)
		}
	}
	for _, r := range [][2]int64{{-1, 1}, {0, 0}, {0, -1}, {1, 1<<63 - 1}} {
		_, err := f.Bucket.GetRange(t.Context(), "key", r[0], r[1], "")
		wantError(t, fmt.Sprint("range ", r), err, store.ErrInvalid)
	}
}

func limit(t *testing.T, f Fixture) {
	put(t, f.Bucket, "key", pattern(100))
	_, info, err := f.Bucket.Get(t.Context(), "key", 99)
	wantError(t, "limit 99 of 100", err, store.ErrTooLarge)
	if info.Size != 100 {
		t.Errorf("info beside ErrTooLarge: %+v", info)
	}
	body, _, err := f.Bucket.Get(t.Context(), "key", 100)
	if err != nil {
		t.Fatal(err)
	}
	body.Close()
	_, _, err = f.Bucket.Get(t.Context(), "key", 0)
	wantError(t, "limit 0", err, store.ErrTooLarge)
}

// shortBody: a source that ends before the announced size stores nothing.
func shortBody(t *testing.T, f Fixture) {
	put(t, f.Bucket, "key", []byte("before"))
	_, err := f.Bucket.Put(t.Context(), "key", strings.NewReader("short"), 6, store.PutOptions{})
	wantError(t, "body of 5 bytes announced as 6", err, store.ErrInvalid)
	if got, _ := get(t, f.Bucket, "key"); string(got) != "before" {
		t.Errorf("object is now %q", got)
	}
	// A longer source is cut: only size bytes are the body.
	if _, err := f.Bucket.Put(t.Context(), "key", strings.NewReader("longer"), 4, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, _ := get(t, f.Bucket, "key"); string(got) != "long" {
		t.Errorf("object is %q", got)
	}
}

// oddKeys are legal and live beside each other.
var oddKeys = []string{
	" leading and trailing ", "%2e%2e%2f", "+", "..", "A", "a", "a+", "a/", "a/../b", "a/b", "a/b/c",
	"a\u0301", "a=b&c=d?e#f", "gradient-17-3-v1", strings.Repeat("k", store.MaxKeyLen),
	"quote\"'<>&;", "~", "ä/ö/ü", "日本語", "🙂",
}

func keys(t *testing.T, f Fixture) {
	oddKeys := slices.DeleteFunc(slices.Clone(oddKeys), func(key string) bool {
		return f.KeysAreFiles && (strings.ContainsAny(key, "/") || key == ".." || len(key) > 255)
	})
	for _, key := range oddKeys {
		put(t, f.Bucket, key, []byte("body of "+key))
	}
	for _, key := range oddKeys {
		if got, _ := get(t, f.Bucket, key); string(got) != "body of "+key {
			t.Errorf("key %.40q: got %.50q", key, got)
		}
	}
	listed, err := f.Bucket.List(t.Context(), "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	compareKeys(t, listed, slices.Sorted(slices.Values(oddKeys)))
}

func compareKeys(t *testing.T, got []store.Info, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d keys listed, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i].Key != want[i] {
			t.Errorf("key %d is %.40q, want %.40q", i, got[i].Key, want[i])
		}
	}
}

func invalid(t *testing.T, f Fixture) {
	for _, key := range []string{"", "  ", "\xff", "a\nb", "a\x00b", strings.Repeat("k", store.MaxKeyLen+1)} {
		_, err := f.Bucket.Head(t.Context(), key)
		wantError(t, fmt.Sprintf("head %.10q", key), err, store.ErrInvalid)
		_, err = f.Bucket.Put(t.Context(), key, strings.NewReader("x"), 1, store.PutOptions{})
		wantError(t, fmt.Sprintf("put %.10q", key), err, store.ErrInvalid)
		wantError(t, fmt.Sprintf("delete %.10q", key), f.Bucket.Delete(t.Context(), key), store.ErrInvalid)
	}
	_, err := f.Bucket.Put(t.Context(), "key", strings.NewReader(""), -1, store.PutOptions{})
	wantError(t, "put of -1 bytes", err, store.ErrInvalid)
}

func list(t *testing.T, f Fixture) {
	var want []string
	for i := range 25 {
		want = append(want, fmt.Sprintf("key-%02d", i))
	}
	for i := range want {
		put(t, f.Bucket, want[(i*7)%len(want)], []byte("x"))
	}
	for _, page := range []int{1, 7, 25, 26} {
		var all []store.Info
		for after := ""; ; {
			infos, err := f.Bucket.List(t.Context(), "key-", after, page)
			if err != nil {
				t.Fatal(err)
			}
			if len(infos) > page {
				t.Fatalf("asked for %d, got %d", page, len(infos))
			}
			all = append(all, infos...)
			if len(infos) < page {
				break
			}
			after = infos[len(infos)-1].Key
		}
		compareKeys(t, all, want)
	}
	if infos, err := f.Bucket.List(t.Context(), "", "", 0); err != nil || len(infos) != 0 {
		t.Errorf("list of 0: %v, %v", infos, err)
	}
}

func listPrefix(t *testing.T, f Fixture) {
	sep := "/"
	if f.KeysAreFiles {
		sep = "-"
	}
	for _, key := range []string{"a", "ab", "ab" + sep + "1", "ab" + sep + "2", "abc", "b"} {
		put(t, f.Bucket, key, nil)
	}
	for _, c := range []struct {
		prefix, after string
		want          []string
	}{
		{"ab", "", []string{"ab", "ab" + sep + "1", "ab" + sep + "2", "abc"}},
		{"ab" + sep, "", []string{"ab" + sep + "1", "ab" + sep + "2"}},
		{"ab", "ab" + sep + "1", []string{"ab" + sep + "2", "abc"}},
		{"ab", "ab" + sep + "15", []string{"ab" + sep + "2", "abc"}}, // after need not exist
		{"b", "a", []string{"b"}},
		{"a", "b", nil},
		{"c", "", nil},
	} {
		infos, err := f.Bucket.List(t.Context(), c.prefix, c.after, 100)
		if err != nil {
			t.Fatalf("list %q after %q: %v", c.prefix, c.after, err)
		}
		compareKeys(t, infos, c.want)
	}
}

func ifAbsent(t *testing.T, f Fixture) {
	once := store.PutOptions{IfAbsent: true}
	if _, err := f.Bucket.Put(t.Context(), "key", strings.NewReader("one"), 3, once); err != nil {
		t.Fatal(err)
	}
	_, err := f.Bucket.Put(t.Context(), "key", strings.NewReader("two"), 3, once)
	wantError(t, "second put", err, store.ErrExists)
	if got, _ := get(t, f.Bucket, "key"); string(got) != "one" {
		t.Errorf("object is %q", got)
	}
}

func ifAbsentRace(t *testing.T, f Fixture) {
	const writers = 16
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		wg.Go(func() {
			data := pattern(1000 + i)
			_, errs[i] = f.Bucket.Put(t.Context(), "key", bytes.NewReader(data), int64(len(data)), store.PutOptions{IfAbsent: true})
		})
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Errorf("writers %d and %d both won", winner, i)
		default:
			wantError(t, fmt.Sprint("writer ", i), err, store.ErrExists)
		}
	}
	if winner < 0 {
		t.Fatal("nobody won")
	}
	if got, _ := get(t, f.Bucket, "key"); !bytes.Equal(got, pattern(1000+winner)) {
		t.Errorf("the object is not that of writer %d, who won", winner)
	}
}

// wholeObjects: readers beside a writer see one of its bodies, never a mixture.
func wholeObjects(t *testing.T, f Fixture) {
	body := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 64<<10+i) }
	put(t, f.Bucket, "key", body(0))
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 20 {
			put(t, f.Bucket, "key", body(i))
		}
	})
	for range 2 {
		wg.Go(func() {
			for range 20 {
				got, info := get(t, f.Bucket, "key")
				if info.Size != int64(len(got)) || !bytes.Equal(got, body(int(got[0]))) {
					t.Errorf("read a mixture: %d bytes, size %d", len(got), info.Size)
				}
			}
		})
	}
	wg.Wait()
}

func readOnlyKey(t *testing.T, f Fixture) {
	if f.ReadOnly == nil {
		t.Skip("no keys")
	}
	put(t, f.Bucket, "key", []byte("data"))
	if got, _ := get(t, f.ReadOnly, "key"); string(got) != "data" {
		t.Errorf("read %q", got)
	}
	if _, err := f.ReadOnly.List(t.Context(), "", "", 10); err != nil {
		t.Error(err)
	}
	for _, o := range []store.PutOptions{{}, {IfAbsent: true}} {
		_, err := f.ReadOnly.Put(t.Context(), "new", strings.NewReader("x"), 1, o)
		wantLacksRight(t, "put", err)
	}
	wantLacksRight(t, "delete", f.ReadOnly.Delete(t.Context(), "key"))
	if got, _ := get(t, f.Bucket, "key"); string(got) != "data" {
		t.Errorf("object is now %q", got)
	}
}

// wantLacksRight wants the refusal of a key that is known.
func wantLacksRight(t *testing.T, what string, err error) {
	t.Helper()
	if wantError(t, what, err, store.ErrDenied); errors.Is(err, store.ErrUnauthenticated) {
		t.Errorf("%s: %v, of a good key", what, err)
	}
}

// refused checks that every operation fails with want.
func refused(t *testing.T, b store.Bucket, ctx context.Context, want error) {
	t.Helper()
	_, err := b.Head(ctx, "key")
	wantError(t, "head", err, want)
	_, _, err = b.Get(ctx, "key", -1)
	wantError(t, "get", err, want)
	_, err = b.GetRange(ctx, "key", 0, 1, "")
	wantError(t, "get range", err, want)
	_, err = b.List(ctx, "", "", 10)
	wantError(t, "list", err, want)
	_, err = b.Put(ctx, "key", strings.NewReader("x"), 1, store.PutOptions{})
	wantError(t, "put", err, want)
	wantError(t, "delete", b.Delete(ctx, "key"), want)
	refusedParts(t, b, ctx, want)
}

func wrongSecret(t *testing.T, f Fixture) {
	if f.BadSecret == nil {
		t.Skip("no keys")
	}
	put(t, f.Bucket, "key", []byte("data"))
	refused(t, f.BadSecret, t.Context(), store.ErrUnauthenticated)
}

func missingBucket(t *testing.T, f Fixture) {
	if f.Missing == nil {
		t.Skip("no second bucket")
	}
	refused(t, f.Missing, t.Context(), store.ErrNotFound)
}

func missingObject(t *testing.T, f Fixture) {
	_, err := f.Bucket.Head(t.Context(), "nothing")
	wantError(t, "head", err, store.ErrNotFound)
	_, _, err = f.Bucket.Get(t.Context(), "nothing", -1)
	wantError(t, "get", err, store.ErrNotFound)
	_, err = f.Bucket.GetRange(t.Context(), "nothing", 0, 1, "")
	wantError(t, "get range", err, store.ErrNotFound)
}

func cancelled(t *testing.T, f Fixture) {
	put(t, f.Bucket, "key", []byte("data"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	refused(t, f.Bucket, ctx, context.Canceled)
	if got, _ := get(t, f.Bucket, "key"); string(got) != "data" {
		t.Errorf("a cancelled call changed the object to %q", got)
	}
}
