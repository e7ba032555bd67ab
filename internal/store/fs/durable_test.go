package fs_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"templar/internal/store"
	"templar/internal/store/fs"
)

// body of the i-th object that the killed writer puts.
func body(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%06d ", i), 20_000) }

const writerDir = "FS_TEST_WRITER_DIR"

// TestWriter is no test but the process that TestKilledWriter kills.
func TestWriter(t *testing.T) {
	dir := os.Getenv(writerDir)
	if dir == "" {
		t.Skip("run by TestKilledWriter")
	}
	b := open(t, dir, fs.Options{}).Bucket("bucket")
	for i := 0; ; i++ {
		data := body(i)
		if _, err := b.Put(t.Context(), fmt.Sprintf("key-%06d", i), bytes.NewReader(data), int64(len(data)), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("stored %d\n", i)
	}
}

// TestKilledWriter: what a killed process had acknowledged is there, and nothing is
// there in part.
func TestKilledWriter(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir, fs.Options{}).CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	const stored = 20
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriter$")
	cmd.Env = append(os.Environ(), writerDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != fmt.Sprintf("stored %d", stored-1) {
	}
	cmd.Process.Kill()
	cmd.Wait()

	s := open(t, dir, fs.Options{})
	infos, err := s.Bucket("bucket").List(t.Context(), "", "", 1_000_000)
	if err != nil || len(infos) < stored {
		t.Fatalf("%d objects, %v; %d were acknowledged", len(infos), err, stored)
	}
	for i, info := range infos {
		r, _, err := s.Bucket("bucket").Get(t.Context(), info.Key, -1)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(data, body(i)) {
			t.Errorf("object %q is not whole: %d bytes, %v", info.Key, len(data), err)
		}
	}
	wantNoTemp(t, dir)
}

func wantNoTemp(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(dir, "tmp"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
}

// cutBody breaks off in the middle.
type cutBody struct{ left int }

func (c *cutBody) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := min(c.left, len(p))
	c.left -= n
	return n, nil
}

func TestCutUploadLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, fs.Options{})
	if err := s.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), "bucket", "key", &cutBody{100_000}, 200_000, fs.PutOptions{}); err == nil {
		t.Error("half a body was stored")
	}
	u, err := s.CreateUpload("bucket", "key", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutPart(t.Context(), u, 1, &cutBody{100_000}, 200_000, fs.PartOptions{}); err == nil {
		t.Error("half a part was stored")
	}
	if parts, err := s.Parts(u); err != nil || len(parts) != 0 {
		t.Errorf("parts %v, %v", parts, err)
	}
	for key, err := range s.Keys("bucket", "", "") {
		t.Errorf("key %q, %v", key, err)
	}
	wantNoTemp(t, dir)
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	then := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	s := open(t, dir, fs.Options{Now: func() time.Time { return then }})
	if err := s.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	header := map[string]string{"Content-Type": "text/plain"}
	before, err := s.Put(t.Context(), "bucket", "key", strings.NewReader("data"), 4, fs.PutOptions{Header: header})
	if err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, fs.Options{})
	after, err := s.Stat("bucket", "key")
	if err != nil || !after.Modified.Equal(then) || after.Header["Content-Type"] != "text/plain" || !bytes.Equal(after.ETag, before.ETag) {
		t.Errorf("after reopening: %+v, %v", after, err)
	}
	if err := s.DeleteBucket("bucket"); err == nil {
		t.Error("deleted a bucket that holds an object")
	}
	if err := s.Delete("bucket", "key", nil); err != nil {
		t.Error(err)
	}
	if err := s.DeleteBucket("bucket"); err != nil || s.HasBucket("bucket") {
		t.Errorf("bucket is still there: %v", err)
	}
}

func TestStaleUploadsAreDropped(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	s := open(t, dir, fs.Options{Now: func() time.Time { return now.Add(-8 * 24 * time.Hour) }})
	if err := s.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateUpload("bucket", "old", nil, nil); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, fs.Options{Now: func() time.Time { return now.Add(-8 * 24 * time.Hour) }})
	if _, err := s.CreateUpload("bucket", "old too", nil, nil); err != nil {
		t.Fatal(err)
	}
	if us, err := s.Uploads("bucket"); err != nil || len(us) != 2 {
		t.Errorf("%v, %v", us, err)
	}
	s = open(t, dir, fs.Options{})
	if us, err := s.Uploads("bucket"); err != nil || len(us) != 0 {
		t.Errorf("%v, %v", us, err)
	}
}

func TestOpenRefusesWhatIsNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Open(file, fs.Options{}); err == nil || !strings.Contains(err.Error(), "open object store") {
		t.Errorf("got %v", err)
	}
}
