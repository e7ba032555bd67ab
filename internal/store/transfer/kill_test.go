package transfer

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/s3"
	"templar/internal/store/server"
)

// go test ./internal/store/transfer -run Killed -kill-mib 1024 -v
var killMiB = flag.Int64("kill-mib", 48, "size in MiB of the objects whose transfer is killed")

const childMode = "TRANSFER_TEST_CHILD"

// killOptions: parts of a sixteenth, but of 5 MiB at least.
func killOptions(size int64) Options {
	return Options{Threads: 4, PartSize: max(store.MinPart, size/64), Threshold: 1}
}

// runChild is a process to be killed: TestMain's, with the arguments in the environment.
// It tells how far it is, a line each time, and stops in the middle until it is killed.
func runChild(mode string) int {
	d := s3.NewDialer(s3.Options{})
	b, err := d.Dial(location(os.Getenv("ENDPOINT")))
	path := os.Getenv("FILE")
	if err == nil {
		err = childTransfer(mode, b, path)
	}
	fmt.Fprintln(os.Stderr, "the child came to an end:", err)
	return 1
}

func childTransfer(mode string, b store.Bucket, path string) error {
	stop := func(p Progress) {
		fmt.Println(p.Done)
		if p.Done >= p.Total/2 {
			io.Copy(io.Discard, os.Stdin)
		}
	}
	if mode == "upload" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			return err
		}
		o := killOptions(info.Size())
		o.Progress = stop
		_, err = Upload(context.Background(), b, "key", f, info.Size(), o)
		return err
	}
	info, err := b.Head(context.Background(), "key")
	if err != nil {
		return err
	}
	o := killOptions(info.Size)
	o.Progress = stop
	_, err = Download(context.Background(), b, "key", path, o)
	return err
}

func location(endpoint string) store.Location {
	return store.Location{Endpoint: endpoint, Bucket: "bucket", AccessKey: "admin", Secret: "secret"}
}

// serve runs an embedded server and returns its directory, its address and its bucket.
func serve(t *testing.T) (dir, endpoint string, b store.Bucket) {
	t.Helper()
	dir = t.TempDir()
	s, err := server.Open(server.Config{Dir: dir, Keys: []server.Key{{AccessKey: "admin", Secret: "secret", Admin: true}}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err := errors.Join(err, s.CreateBucket("bucket")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	d := s3.NewDialer(s3.Options{})
	t.Cleanup(func() {
		d.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	endpoint = "http://" + l.Addr().String()
	b, err = d.Dial(location(endpoint))
	if err != nil {
		t.Fatal(err)
	}
	return dir, endpoint, b
}

// killInTheMiddle runs a child, kills it when half is done, and returns how much that was.
func killInTheMiddle(t *testing.T, mode, endpoint, path string, size int64) (done int64) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childMode+"="+mode, "ENDPOINT="+endpoint, "FILE="+path)
	child.Stderr = os.Stderr
	in, err1 := child.StdinPipe()
	out, err2 := child.StdoutPipe()
	if err := errors.Join(err1, err2, child.Start()); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for lines := bufio.NewScanner(out); done < size/2 && lines.Scan(); {
		if _, err := fmt.Sscan(lines.Text(), &done); err != nil {
			t.Fatal(err)
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, out)
	child.Wait()
	if code := child.ProcessState.ExitCode(); code != -1 && code != 1 || done < size/2 || done >= size {
		t.Fatalf("the child ended by itself (%d), or not in the middle: %d of %d bytes", code, done, size)
	}
	return done
}

// randomFile writes a file and returns its SHA-256.
func randomFile(t *testing.T, path string, size int64) (sum [32]byte) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, block := sha256.New(), content(1<<20)
	for at := int64(0); at < size; at += int64(len(block)) {
		copy(block, fmt.Sprint(at))
		if _, err := io.MultiWriter(f, h).Write(block[:min(int64(len(block)), size-at)]); err != nil {
			t.Fatal(err)
		}
	}
	h.Sum(sum[:0])
	return sum
}

func TestKilledUpload(t *testing.T) {
	size := *killMiB<<20 + 12345
	dir, endpoint, b := serve(t)
	path := filepath.Join(t.TempDir(), "source")
	sum := randomFile(t, path, size)
	done := killInTheMiddle(t, "upload", endpoint, path, size)

	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	counters := new(store.Counters)
	o := killOptions(size)
	o.SHA256 = &sum
	begin := time.Now()
	if _, err := Upload(t.Context(), store.Retry(store.Meter(b, counters), store.RetryPolicy{}, clock.Wall{}), "key", f, size, o); err != nil {
		t.Fatal(err)
	}
	sent := counters.Snapshot().BytesUp
	t.Logf("%d MiB: killed after %.1f MiB were acknowledged; the next run sent %.1f MiB in %v", *killMiB, mib(done), mib(sent), time.Since(begin).Round(time.Millisecond))
	if sent > size-done {
		t.Errorf("sent %d bytes, though %d of %d were there", sent, done, size)
	}
	body, _, err := b.Get(t.Context(), "key", size)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	h := sha256.New()
	if n, err := io.Copy(h, body); err != nil || n != size || [32]byte(h.Sum(nil)) != sum {
		t.Errorf("the object is not what was uploaded: %d bytes, %v", n, err)
	}
	wantNoGarbage(t, b)
	wantEmpty(t, filepath.Join(dir, "uploads"))
	wantEmpty(t, filepath.Join(dir, "tmp"))
}

func TestKilledDownload(t *testing.T) {
	size := *killMiB<<20 + 12345
	_, endpoint, b := serve(t)
	source, path := filepath.Join(t.TempDir(), "source"), filepath.Join(t.TempDir(), "copy")
	sum := randomFile(t, source, size)
	f, err := os.Open(source)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := b.Put(t.Context(), "key", f, size, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	done := killInTheMiddle(t, "download", endpoint, path, size)

	counters := new(store.Counters)
	o := killOptions(size)
	o.SHA256 = &sum
	begin := time.Now()
	if _, err := Download(t.Context(), store.Retry(store.Meter(b, counters), store.RetryPolicy{}, clock.Wall{}), "key", path, o); err != nil {
		t.Fatal(err)
	}
	fetched := counters.Snapshot().BytesDown
	inFlight := int64(o.Threads) * o.PartSize
	t.Logf("%d MiB: killed after %.1f MiB; the next run fetched %.1f MiB, %.1f of them again, in %v", *killMiB, mib(done), mib(fetched), mib(done+fetched-size), time.Since(begin).Round(time.Millisecond))
	if fetched > size-done+inFlight {
		t.Errorf("fetched %d bytes, though %d of %d were there and %d in flight", fetched, done, size, inFlight)
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 {
		t.Errorf("beside the file: %v, %v", names, err)
	}
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// wantEmpty waits until the server has cleared up after the connections that were cut.
func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	for tick, end := time.Tick(time.Millisecond), time.After(time.Minute); ; {
		left, err := os.ReadDir(dir)
		if err == nil && len(left) == 0 {
			return
		}
		select {
		case <-tick:
		case <-end:
			t.Fatalf("%s holds %v, %v", dir, left, err)
		}
	}
}
