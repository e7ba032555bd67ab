package transfer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"templar/internal/store"
	"templar/internal/store/mem"
)

func TestMain(m *testing.M) {
	if child := os.Getenv(childMode); child != "" {
		os.Exit(runChild(child))
	}
	goleak.VerifyTestMain(m)
}

const part = store.MinPart

// small options make parts of what a test can afford.
func small() Options { return Options{Threads: 2, PartSize: part, Threshold: part + 1} }

// content is n bytes that compress to nothing else.
func content(n int) []byte {
	var seed [32]byte
	b := make([]byte, n)
	rand.NewChaCha8(seed).Read(b)
	return b
}

// traffic is a bucket that counts, and that a test may disturb.
type traffic struct {
	store.Bucket
	counters *store.Counters
	onPart   func(number int) error                       // before a part is stored
	onRange  func(offset int64, body io.Reader) io.Reader // what is read of a range
}

func newTraffic(t *testing.T) *traffic {
	t.Helper()
	s := mem.New(time.Now)
	if err := errors.Join(s.CreateBucket("bucket"), s.AddKeys(store.Key{AccessKey: "admin", Secret: "secret", Admin: true})); err != nil {
		t.Fatal(err)
	}
	b, err := s.Dial(store.Location{Bucket: "bucket", AccessKey: "admin", Secret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	counters := new(store.Counters)
	return &traffic{Bucket: store.Meter(b, counters), counters: counters}
}

func (b *traffic) PutPart(ctx context.Context, u store.Upload, number int, body io.ReaderAt, size int64) (store.Part, error) {
	if b.onPart != nil {
		if err := b.onPart(number); err != nil {
			return store.Part{}, err
		}
	}
	return b.Bucket.PutPart(ctx, u, number, body, size)
}

func (b *traffic) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	body, err := b.Bucket.GetRange(ctx, key, offset, n, etag)
	if err != nil || b.onRange == nil {
		return body, err
	}
	return io.NopCloser(b.onRange(offset, body)), nil
}

// moved returns the bytes that went up and down since the last time.
func (b *traffic) moved(last *store.Counts) (up, down int64) {
	now := b.counters.Snapshot()
	up, down = now.BytesUp-last.BytesUp, now.BytesDown-last.BytesDown
	*last = now
	return up, down
}

func (b *traffic) put(t *testing.T, key string, data []byte) store.Info {
	t.Helper()
	if _, err := b.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	info, err := b.Head(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func (b *traffic) want(t *testing.T, key string, data []byte) {
	t.Helper()
	body, _, err := b.Get(t.Context(), key, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, data) {
		t.Errorf("object %q: %d bytes, %v; not what was uploaded", key, len(got), err)
	}
}

// wantNoGarbage checks that no unfinished upload is left.
func wantNoGarbage(t *testing.T, b store.Bucket) {
	t.Helper()
	if left, err := b.Uploads(t.Context(), ""); err != nil || len(left) > 0 {
		t.Errorf("unfinished uploads: %v, %v", left, err)
	}
}

func wantFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, data) {
		t.Errorf("file of %d bytes, %v; not what was to be fetched", len(got), err)
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 {
		t.Errorf("beside the file: %v, %v", names, err)
	}
}

func upload1(t *testing.T, b store.Bucket, data []byte, o Options) (store.Info, error) {
	t.Helper()
	return Upload(t.Context(), b, "key", bytes.NewReader(data), int64(len(data)), o)
}

func TestLayout(t *testing.T) {
	const mib, tib = 1 << 20, 1 << 40
	for _, c := range []struct {
		size, wish, part int64
		count            int
	}{
		{0, 16 * mib, 16 * mib, 0}, {1, 16 * mib, 16 * mib, 1}, {16 * mib, 16 * mib, 16 * mib, 1}, {16*mib + 1, 16 * mib, 16 * mib, 2},
		{100 * mib, 16 * mib, 16 * mib, 7}, {5 * tib, 16 * mib, 525 * mib, 9987}, {1<<63 - 1, mib, 879609303 * mib, 10000},
	} {
		o := Options{PartSize: c.wish}
		l := o.layout(c.size)
		if l.part != c.part || l.count() != c.count || l.count() > store.MaxParts {
			t.Errorf("size %d: %d parts of %d, want %d of %d", c.size, l.count(), l.part, c.count, c.part)
		}
		var sum int64
		for i := range l.count() {
			at, n := l.at(i)
			if at != sum || n <= 0 || n > l.part {
				t.Fatalf("size %d: part %d is %d bytes at %d", c.size, i, n, at)
			}
			sum += n
		}
		if sum != c.size {
			t.Errorf("size %d: parts are %d bytes together", c.size, sum)
		}
	}
}

func TestSmallObjectIsOnePut(t *testing.T) {
	b := newTraffic(t)
	for _, n := range []int{0, 1, part} {
		data := content(n)
		var done int64
		o := small()
		o.Progress = func(p Progress) { done = p.Done }
		before := b.counters.Snapshot().Requests
		if _, err := upload1(t, b, data, o); err != nil {
			t.Fatal(err)
		}
		if got := b.counters.Snapshot().Requests - before; got != 1 || done != int64(n) {
			t.Errorf("%d bytes: %d requests, progress %d", n, got, done)
		}
		b.want(t, "key", data)
	}
}

func TestUploadInParts(t *testing.T) {
	b := newTraffic(t)
	data := content(3*part + 100)
	sum := sha256.Sum256(data)
	o := small()
	o.SHA256 = &sum
	var steps []int64
	o.Progress = func(p Progress) {
		if p.Total != int64(len(data)) || p.Moved != p.Done {
			t.Errorf("progress %+v", p)
		}
		steps = append(steps, p.Done)
	}
	info, err := upload1(t, b, data, o)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size != int64(len(data)) || info.LastModified.IsZero() || len(steps) != 4 || steps[3] != info.Size {
		t.Errorf("info %+v, progress %v", info, steps)
	}
	b.want(t, "key", data)
	wantNoGarbage(t, b)
}

// TestUploadGoesOn: what an earlier run stored is not sent again, unless the content is
// another one now.
func TestUploadGoesOn(t *testing.T) {
	b := newTraffic(t)
	data := content(4 * part)
	fault := errors.New("cable cut")
	b.onPart = func(number int) error {
		if number == 3 {
			return fault
		}
		return nil
	}
	o := small()
	o.Threads = 1
	if _, err := upload1(t, b, data, o); !errors.Is(err, fault) {
		t.Fatalf("got %v", err)
	}
	if _, err := b.Head(t.Context(), "key"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("half an object shows: %v", err)
	}
	b.onPart = nil
	var last store.Counts
	b.moved(&last)
	data[part]++ // part 2 has another content now; part 1 stands
	var end Progress
	o.Progress = func(p Progress) { end = p }
	if _, err := upload1(t, b, data, o); err != nil {
		t.Fatal(err)
	}
	if up, _ := b.moved(&last); up != 3*part {
		t.Errorf("sent %d bytes, want the parts 2, 3 and 4", up)
	}
	if want := (Progress{Done: 4 * part, Moved: 3 * part, Total: 4 * part}); end != want {
		t.Errorf("progress %+v, want %+v", end, want)
	}
	b.want(t, "key", data)
	wantNoGarbage(t, b)
}

// TestUploadGoesOnWithOtherParts: parts of another size, and more of them than there are
// now, do no harm.
func TestUploadGoesOnWithOtherParts(t *testing.T) {
	b := newTraffic(t)
	if _, err := b.CreateUpload(t.Context(), "key"); err != nil { // whose id was never told
		t.Fatal(err)
	}
	u, err := b.CreateUpload(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	for number, size := range map[int]int{1: part + 7, 2: 10, 9: part} {
		if _, err := b.Bucket.PutPart(t.Context(), u, number, bytes.NewReader(content(size)), int64(size)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.CreateUpload(t.Context(), "key-2"); err != nil { // another key's stays
		t.Fatal(err)
	}
	data := content(2*part + 5)
	if _, err := upload1(t, b, data, small()); err != nil {
		t.Fatal(err)
	}
	b.want(t, "key", data)
	if left, err := b.Uploads(t.Context(), ""); err != nil || len(left) != 1 || left[0].Key != "key-2" {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestUploadIfAbsent(t *testing.T) {
	b := newTraffic(t)
	first, second := content(2*part), content(2*part)
	second[0]++
	o := small()
	o.IfAbsent = true
	if _, err := upload1(t, b, first, o); err != nil {
		t.Fatal(err)
	}
	var last store.Counts
	b.moved(&last)
	if _, err := upload1(t, b, second, o); !errors.Is(err, store.ErrExists) {
		t.Errorf("got %v", err)
	}
	if up, _ := b.moved(&last); up != 0 {
		t.Errorf("sent %d bytes for nothing", up)
	}
	// Somebody is faster while the parts are on their way.
	if err := b.Delete(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	b.onPart = func(int) error {
		b.put(t, "key", []byte("theirs"))
		return nil
	}
	if _, err := upload1(t, b, second, o); !errors.Is(err, store.ErrExists) {
		t.Errorf("got %v", err)
	}
	b.want(t, "key", []byte("theirs"))
	wantNoGarbage(t, b)
}

// TestTwoUploadsIfAbsent: of two objects that differ in the first part only, while both are on their way, the one that is complete
// first stands. The other run ends at its next request, and neither touches the other's upload.
func TestTwoUploadsIfAbsent(t *testing.T) {
	b := newTraffic(t)
	ours, theirs := content(4*part), content(4*part)
	theirs[0]++
	o := small()
	o.Threads, o.IfAbsent = 1, true
	var sent int
	b.onPart = func(number int) error {
		if sent++; number != 3 || sent > 3 {
			return nil
		}
		if _, err := upload1(t, b.Bucket, theirs, o); err != nil {
			t.Error(err)
		}
		return nil
	}
	if _, err := upload1(t, b, ours, o); !errors.Is(err, store.ErrExists) {
		t.Errorf("got %v", err)
	}
	if sent != 3 {
		t.Errorf("%d parts were sent, of which the last in vain; want 3", sent)
	}
	b.want(t, "key", theirs)
	wantNoGarbage(t, b)
}

// TestRefusesTaken: a bucket that ignores the condition is found out, and one that refuses it as such.
func TestRefusesTaken(t *testing.T) {
	unknown := errors.New("status 500")
	for name, c := range map[string]struct {
		complete func(store.PutOptions) (store.PutOptions, error)
		refuses  bool
		err      error
	}{
		"honours":       {func(o store.PutOptions) (store.PutOptions, error) { return o, nil }, true, nil},
		"ignores":       {func(store.PutOptions) (store.PutOptions, error) { return store.PutOptions{}, nil }, false, nil},
		"does not know": {func(o store.PutOptions) (store.PutOptions, error) { return o, store.ErrInvalid }, false, nil},
		"fails":         {func(o store.PutOptions) (store.PutOptions, error) { return o, unknown }, false, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			b := newTraffic(t)
			b.put(t, "key", []byte("taken"))
			u, err := b.CreateUpload(t.Context(), "key")
			if err != nil {
				t.Fatal(err)
			}
			refuses, err := RefusesTaken(t.Context(), completing{b, c.complete}, u)
			if refuses != c.refuses || !errors.Is(err, c.err) {
				t.Errorf("%v, %v", refuses, err)
			}
		})
	}
}

// completing is a bucket with conditions of its own when an upload is completed.
type completing struct {
	store.Bucket
	complete func(store.PutOptions) (store.PutOptions, error)
}

func (c completing) CompleteUpload(ctx context.Context, u store.Upload, parts []store.Part, o store.PutOptions) (store.Info, error) {
	o, err := c.complete(o)
	if err != nil {
		return store.Info{}, err
	}
	return c.Bucket.CompleteUpload(ctx, u, parts, o)
}

// blind is a store, or a key, that does not show unfinished uploads.
type blind struct{ store.Bucket }

func (blind) Uploads(context.Context, string) ([]store.Upload, error) {
	return nil, store.ErrDenied
}

func TestUploadWithoutSeeingUploads(t *testing.T) {
	b := newTraffic(t)
	data := content(2 * part)
	if _, err := upload1(t, blind{b}, data, small()); err != nil {
		t.Fatal(err)
	}
	b.want(t, "key", data)
	wantNoGarbage(t, b)
}

// mute is a store that ceases to list unfinished uploads once the object is stored.
type mute struct {
	store.Bucket
	stored bool
}

func (m *mute) CompleteUpload(ctx context.Context, u store.Upload, parts []store.Part, o store.PutOptions) (store.Info, error) {
	m.stored = true
	return m.Bucket.CompleteUpload(ctx, u, parts, o)
}

func (m *mute) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	if m.stored {
		return nil, errors.New("out of order")
	}
	return m.Bucket.Uploads(ctx, prefix)
}

// TestUploadThatIsStoredSucceeded, whatever becomes of clearing up.
func TestUploadThatIsStoredSucceeded(t *testing.T) {
	b := newTraffic(t)
	data := content(2 * part)
	o := small()
	o.IfAbsent = true
	info, err := upload1(t, &mute{Bucket: b}, data, o)
	if err != nil || info.Size != int64(len(data)) {
		t.Errorf("%+v, %v", info, err)
	}
	b.want(t, "key", data)
}

func TestUploadRefusesOtherContent(t *testing.T) {
	b := newTraffic(t)
	sum := sha256.Sum256([]byte("something else"))
	o := small()
	o.SHA256 = &sum
	for _, n := range []int{10, 2 * part} {
		if _, err := upload1(t, b, content(n), o); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if got := b.counters.Snapshot().Requests; got != 0 {
		t.Errorf("%d requests", got)
	}
	if _, err := Upload(t.Context(), b, "key", strings.NewReader("short"), 2*part, small()); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("body that ends early: %v", err)
	}
}

func download1(t *testing.T, b store.Reader, path string, o Options) (store.Info, error) {
	t.Helper()
	return Download(t.Context(), b, "key", path, o)
}

func TestDownload(t *testing.T) {
	for _, n := range []int{0, 1, part, 3*part + 1} {
		b := newTraffic(t)
		data := content(n)
		b.put(t, "key", data)
		path := filepath.Join(t.TempDir(), "file")
		sum := sha256.Sum256(data)
		o := small()
		o.SHA256, o.Limit = &sum, int64(n)
		var done int64
		o.Progress = func(p Progress) { done = max(done, p.Done) }
		info, err := download1(t, b, path, o)
		if err != nil || info.Size != int64(n) || done != int64(n) {
			t.Errorf("%d bytes: %+v, %v, progress %d", n, info, err, done)
		}
		wantFile(t, path, data)
	}
}

func TestDownloadGoesOn(t *testing.T) {
	b := newTraffic(t)
	data := content(4 * part)
	b.put(t, "key", data)
	path := filepath.Join(t.TempDir(), "file")
	o := small()
	o.Threads = 1
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(p Progress) {
		if p.Done > 2*part+part/2 {
			cancel()
		}
	}
	b.onRange = func(_ int64, body io.Reader) io.Reader { return contextReader{ctx, body} }
	if _, err := Download(ctx, b, "key", path, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a file shows: %v", err)
	}
	// The journal's last line is torn, and a written part has been damaged since.
	journal, err := os.OpenFile(path+".journal", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	journal.WriteString(`{"part":2,"crc`)
	journal.Close()
	partial, err := os.OpenFile(path+".part", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	partial.WriteAt([]byte{data[part] + 1}, part)
	partial.Close()

	var end Progress
	b.onRange, o.Progress = nil, func(p Progress) { end = p }
	var last store.Counts
	b.moved(&last)
	if _, err := download1(t, b, path, o); err != nil {
		t.Fatal(err)
	}
	if _, down := b.moved(&last); down != 3*part {
		t.Errorf("fetched %d bytes, want the parts 2, 3 and 4", down)
	}
	if want := (Progress{Done: 4 * part, Moved: 3 * part, Total: 4 * part}); end != want {
		t.Errorf("progress %+v, want %+v", end, want)
	}
	wantFile(t, path, data)
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// TestTwoDownloadsIntoAFile: the second is refused, and disturbs nothing.
func TestTwoDownloadsIntoAFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no locks here")
	}
	b := newTraffic(t)
	data := content(3 * part)
	b.put(t, "key", data)
	b.put(t, "other", make([]byte, 10))
	path := filepath.Join(t.TempDir(), "file")
	begun := false
	b.onRange = func(_ int64, body io.Reader) io.Reader {
		if begun {
			return body
		}
		begun = true
		if _, err := Download(t.Context(), b, "other", path, small()); !errors.Is(err, ErrBusy) {
			t.Errorf("the second: %v", err)
		}
		return body
	}
	o := small()
	o.Threads = 1
	if _, err := download1(t, b, path, o); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, data)
	if _, err := Download(t.Context(), b, "other", path, small()); err != nil {
		t.Errorf("after the first: %v", err)
	}
}

func TestDownloadOfAReplacedObject(t *testing.T) {
	b := newTraffic(t)
	first, second := content(3*part), content(3*part)
	second[0]++
	b.put(t, "key", first)
	path := filepath.Join(t.TempDir(), "file")
	o := small()
	o.Threads = 1
	var once sync.Once
	b.onRange = func(_ int64, body io.Reader) io.Reader {
		once.Do(func() { b.put(t, "key", second) })
		return body
	}
	if _, err := download1(t, b, path, o); !errors.Is(err, store.ErrChanged) {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a mixture shows: %v", err)
	}
	if _, err := download1(t, b, path, o); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, second)
}

// TestDownloadOfBrokenBodies: each body brings some bytes and breaks off.
func TestDownloadOfBrokenBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTraffic(t)
		data := content(2*part + 10)
		b.put(t, "key", data)
		path := filepath.Join(t.TempDir(), "file")
		b.onRange = func(_ int64, body io.Reader) io.Reader { return io.LimitReader(body, 1<<19+1) }
		sum := sha256.Sum256(data)
		o := small()
		o.SHA256 = &sum
		var last store.Counts
		b.moved(&last)
		if _, err := download1(t, b, path, o); err != nil {
			t.Fatal(err)
		}
		if _, down := b.moved(&last); down > int64(len(data)) {
			t.Errorf("fetched %d bytes of %d", down, len(data))
		}
		wantFile(t, path, data)

		o.Threads = 1
		for _, n := range []int64{0, 1} {
			b.onRange = func(_ int64, body io.Reader) io.Reader { return io.LimitReader(body, n) }
			start := time.Now()
			if _, err := download1(t, b, path+"2", o); !errors.Is(err, io.ErrUnexpectedEOF) || time.Since(start) != 3*time.Second {
				t.Errorf("bodies of %d bytes: %v after %v", n, err, time.Since(start))
			}
		}
	})
}

func TestDownloadRefuses(t *testing.T) {
	b := newTraffic(t)
	b.put(t, "key", content(100))
	dir := t.TempDir()
	o := small()
	o.Limit = 99
	if _, err := download1(t, b, filepath.Join(dir, "a"), o); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	if _, err := Download(t.Context(), b, "nothing", filepath.Join(dir, "a"), small()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("missing: %v", err)
	}
	if _, err := download1(t, b, filepath.Join(dir, "no", "folder"), small()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	sum := sha256.Sum256([]byte("something else"))
	o = small()
	o.SHA256 = &sum
	if _, err := download1(t, b, filepath.Join(dir, "a"), o); !errors.Is(err, ErrCorrupt) {
		t.Errorf("other content: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestMemoryIsBounded: what a transfer allocates does not depend on the object.
func TestMemoryIsBounded(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Upload(t.Context(), endless{}, "key", zeros{}, endlessSize, Options{}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
		t.Errorf("upload of %d bytes allocates %d", endlessSize, got)
	}
}

// zeros is a body without end.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

// endless takes parts and forgets them.
type endless struct{ store.Bucket }

const endlessSize = 1 << 30

func (endless) Uploads(context.Context, string) ([]store.Upload, error) { return nil, nil }

func (endless) CreateUpload(context.Context, string) (store.Upload, error) {
	return store.Upload{}, nil
}

func (endless) PutPart(_ context.Context, _ store.Upload, number int, body io.ReaderAt, size int64) (store.Part, error) {
	_, err := io.Copy(io.Discard, io.NewSectionReader(body, 0, size))
	return store.Part{Number: number, Size: size}, err
}

func (endless) CompleteUpload(context.Context, store.Upload, []store.Part, store.PutOptions) (store.Info, error) {
	return store.Info{}, nil
}

func (endless) Head(context.Context, string) (store.Info, error) {
	return store.Info{Size: endlessSize}, nil
}
