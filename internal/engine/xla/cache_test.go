package xla

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCache(t *testing.T) {
	c := cache{dir: filepath.Join(t.TempDir(), "programs"), key: "cpu"}
	if _, ok := c.get("a"); ok {
		t.Error("an empty cache has a program")
	}
	for _, text := range []string{"a", "b"} {
		if err := c.put(text, []byte("compiled "+text)); err != nil {
			t.Fatal(err)
		}
	}
	if got, ok := c.get("b"); !ok || string(got) != "compiled b" {
		t.Errorf("%q, %t", got, ok)
	}
	if _, ok := (cache{dir: c.dir, key: "cuda"}).get("a"); ok {
		t.Error("a program is found for another platform")
	}
	if _, ok := (cache{}).get("a"); ok {
		t.Error("no folder has a program")
	}
	// A damaged file is not given to a plug-in.
	b, err := os.ReadFile(c.path("a"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, b[:10], b[:len(b)-1], bytes.Replace(b, []byte("compiled"), []byte("Compiled"), 1)} {
		if err := os.WriteFile(c.path("a"), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, ok := c.get("a"); ok {
			t.Errorf("a damaged file of %d bytes is read", len(bad))
		}
	}
}

// The least recently used program goes first, and the newest stays whatever its size.
func TestCachePrune(t *testing.T) {
	c := cache{dir: t.TempDir()}
	began := time.Now().Add(-time.Hour)
	for i, text := range []string{"old", "used", "new"} {
		if err := c.put(text, make([]byte, 68)); err != nil { // with its hash 100 bytes
			t.Fatal(err)
		}
		at := began.Add(time.Duration(i) * time.Minute)
		if err := os.Chtimes(c.path(text), at, at); err != nil {
			t.Fatal(err)
		}
	}
	has := func(text string) bool { _, err := os.Stat(c.path(text)); return err == nil }
	for _, step := range []struct {
		limit          int64
		old, used, new bool
	}{{300, true, true, true}, {299, false, true, true}, {100, false, false, true}, {1, false, false, true}} {
		if err := c.prune(step.limit); err != nil {
			t.Fatal(err)
		}
		if has("old") != step.old || has("used") != step.used || has("new") != step.new {
			t.Errorf("limit %d: old %t, used %t, new %t", step.limit, has("old"), has("used"), has("new"))
		}
	}
}
