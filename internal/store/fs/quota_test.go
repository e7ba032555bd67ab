package fs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A body is refused that would leave less of the disk free than the server is to leave, in whatever form it comes, and a
// small one is still taken.
func TestMinFree(t *testing.T) {
	s, err := Open(t.TempDir(), Options{MinFree: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	free := int64(1500)
	s.quota.free = func(string) (int64, bool) { return free, true }
	put := func(size int) error {
		_, err := s.Put(t.Context(), "bucket", "key", strings.NewReader(strings.Repeat("x", size)), int64(size), PutOptions{})
		return err
	}
	up, err := s.CreateUpload("bucket", "large", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	part := func(size int) error {
		_, err := s.PutPart(t.Context(), up, 1, strings.NewReader(strings.Repeat("x", size)), int64(size), PartOptions{})
		return err
	}
	for name, send := range map[string]func(int) error{"an object": put, "a part": part} {
		if err := send(500); err != nil {
			t.Errorf("%s that leaves just enough: %v", name, err)
		}
		var full *QuotaError
		if err := send(501); !errors.As(err, &full) || !full.Disk {
			t.Errorf("%s that leaves too little: %v", name, err)
		}
	}
	free = 900
	if err := put(1); err == nil {
		t.Error("a nearly full disk takes more")
	}
	s.quota.free = func(string) (int64, bool) { return 0, false } // no figure, no bound
	if err := put(5000); err != nil {
		t.Error(err)
	}
}

// Each bucket's share of the disk is an equal part of what is free and of what they take already, so that a restart
// with full buckets gives the same.
func TestShare(t *testing.T) {
	dir := t.TempDir()
	one, err := Share(dir, 1)
	if err != nil || one <= 0 {
		t.Skip("the free space of the disk is not known here", err)
	}
	near := func(got, want int64) bool { return got > want-want/10 && got < want+want/10 } // others write to the disk too
	if four, err := Share(dir, 4); err != nil || !near(four, one/4) {
		t.Errorf("a quarter of %d is %d, %v", one, four, err)
	}
	const holds = int64(1) << 50 // a sparse file: more than the disk has
	f, err := os.Create(filepath.Join(dir, "object"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(holds); err != nil {
		t.Skip("no sparse files here:", err)
	}
	if two, err := Share(dir, 2); err != nil || !near(two, (holds+one)/2) {
		t.Errorf("half of what is held and free is %d, %v", two, err)
	}
	if share, err := Share(dir, 0); share != 0 || err != nil {
		t.Errorf("of no bucket: %d, %v", share, err)
	}
}
