//go:build unix

package fs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"templar/internal/store"
)

// Row 12: in a directory that another process writes, no FIFO or device holds up a reader, and no link leads to
// another bucket's objects or out of the store.
func TestOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("k", 3*maxComponent) // under folders of its own
	for _, bucket := range []string{"mine", "theirs"} {
		if err := s.CreateBucket(bucket); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"real", long} {
			if _, err := s.Put(t.Context(), bucket, key, strings.NewReader("secret"), 6, PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	mine, theirs := s.path("buckets", "mine"), s.path("buckets", "theirs")
	for name, make := range map[string]func(string) error{
		"fifo":   func(path string) error { return unix.Mkfifo(path, 0o600) },
		"link":   func(path string) error { return os.Symlink(filepath.Join(theirs, "real="), path) },
		"device": func(path string) error { return os.Symlink("/dev/zero", path) },
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"broken": func(path string) error { return os.Symlink("nothing", path) },
		"zero":   func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) },
	} {
		err := make(filepath.Join(mine, name+"="))
		if name == "zero" && errors.Is(err, unix.EPERM) {
			t.Log("a device file needs root: not tried")
		} else if err != nil {
			t.Fatal(err)
		}
	}
	// The folder of a long key, replaced by a link to another bucket's.
	folder := strings.Repeat("k", maxComponent) + "+"
	if err := os.RemoveAll(filepath.Join(mine, folder)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("..", "theirs", folder), filepath.Join(mine, folder)); err != nil {
		t.Fatal(err)
	}
	// A bucket that is a link itself.
	if err := os.Symlink("theirs", s.path("buckets", "linked")); err != nil {
		t.Fatal(err)
	}
	shared, err := Open(dir, Options{Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ bucket, key string }{{"mine", "fifo"}, {"mine", "link"}, {"mine", "device"}, {"mine", "folder"}, {"mine", "broken"}, {"mine", "zero"}, {"mine", long}, {"linked", "real"}} {
		b := shared.Bucket(c.bucket)
		watchdog := time.AfterFunc(10*time.Second, func() { panic("waits for " + c.key) }) // an open of a FIFO has no end
		if _, _, err := b.Get(t.Context(), c.key, -1); err == nil {
			t.Errorf("%s/%.10s was read", c.bucket, c.key)
		}
		if _, err := b.Head(t.Context(), c.key); err == nil {
			t.Errorf("%s/%.10s has a head", c.bucket, c.key)
		}
		if body, err := b.GetRange(t.Context(), c.key, 0, 1, ""); err == nil {
			body.Close()
			t.Errorf("a part of %s/%.10s was read", c.bucket, c.key)
		}
		watchdog.Stop()
	}
	infos, err := shared.Bucket("mine").List(t.Context(), "", "", 100)
	if err != nil || len(infos) != 1 || infos[0].Key != "real" {
		t.Errorf("listed %v, %v", infos, err)
	}
	if _, err := shared.Bucket("linked").List(t.Context(), "", "", 100); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("listing a linked bucket: %v", err)
	}
	if _, err := s.Put(t.Context(), "mine", "link", strings.NewReader("own"), 3, PutOptions{}); err != nil {
		t.Error(err)
	}
	f, o, err := s.Open("theirs", "real")
	if err != nil || o.Size != 6 {
		t.Fatalf("another bucket's object was overwritten through a link: %+v, %v", o, err)
	}
	f.Close()
}
