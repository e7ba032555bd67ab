package localnet

import (
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// inventory is the first column of the table of docs/ops/upgrade.md.
func inventory(t *testing.T) (patterns []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/ops/upgrade.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "### Files and their versions")
	table, _, _ = strings.Cut(table, "\n#")
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) == 5 && !strings.Contains(cells[1], "**") {
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
				patterns = append(patterns, m[1])
			}
		}
	}
	if len(patterns) < 20 {
		t.Fatalf("the table lists %q: is it still there?", patterns)
	}
	return patterns
}

// fits reports whether a path, or the end of it, is what a pattern describes.
func fits(pattern, name string) bool {
	parts, n := strings.Split(name, "/"), strings.Count(pattern, "/")+1
	if len(parts) < n || (strings.HasPrefix(pattern, "state/") != strings.HasPrefix(name, "state/")) {
		return false
	}
	ok, err := path.Match(pattern, strings.Join(parts[len(parts)-n:], "/"))
	return err == nil && ok
}

// requireInventory demands that the table of docs/ops/upgrade.md has every file of a localnet: a new kind of file needs a
// version, or a reason.
func requireInventory(t *testing.T, dir string) {
	t.Helper()
	patterns := inventory(t)
	seen := 0
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(file, dir+string(filepath.Separator)))
		if strings.HasPrefix(name, "store/buckets/") && !strings.HasPrefix(name, "store/buckets/dataset/manifest-") {
			return nil // objects of the protocol: docs/spec
		}
		if _, key, found := strings.Cut(name, "/buckets/"); found {
			if name, err = url.PathUnescape(strings.TrimSuffix(key, "=")); err != nil {
				return err
			}
		}
		for _, p := range patterns {
			if fits(p, name) {
				seen++
				return nil
			}
		}
		t.Errorf("%s is not in the table of files in docs/ops/upgrade.md: give it a version, and a row", name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 30 {
		t.Errorf("only %d files in %s", seen, dir)
	}
}
