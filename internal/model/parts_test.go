package model_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"templar/internal/model"
)

// What Parts returns is a folder that Load reads, in one file of weights or in shards.
func TestParts(t *testing.T) {
	m := small()
	params := model.Init(m, 1)
	for name, shard := range map[string]int64{"one file": 1 << 30, "shards": 3000, "a tensor each": 1} {
		t.Run(name, func(t *testing.T) {
			parts, err := model.Parts(m, params, shard)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for _, p := range parts {
				b, err := io.ReadAll(io.NewSectionReader(p, 0, p.Size+1))
				if err != nil || int64(len(b)) != p.Size {
					t.Fatalf("%s: %d bytes, %v; want %d", p.Name, len(b), err, p.Size)
				}
				if err := os.WriteFile(filepath.Join(dir, p.Name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, values, err := model.Load(dir)
			if err != nil || got != m || !slices.Equal(values, params) {
				t.Errorf("another model, %v", err)
			}
		})
	}
}

func TestLoader(t *testing.T) {
	m := small()
	params := model.Init(m, 1)
	parts, err := model.Weights("x", m.Layout(), params, 1)
	if err != nil || len(parts) < 3 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	add := func(l *model.Loader, p model.Part) error { return l.Add(io.NewSectionReader(p, 0, p.Size), p.Size) }
	l := model.NewLoader(m.Layout())
	for _, p := range slices.Backward(parts) {
		if _, err := l.Values(); err == nil {
			t.Error("complete before the last file")
		}
		if err := add(l, p); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := l.Values(); err != nil || !slices.Equal(got, params) {
		t.Errorf("other values, %v", err)
	}
	if err := add(l, parts[0]); err == nil || !strings.Contains(err.Error(), "two files") {
		t.Errorf("a file twice: %v", err)
	}
}
