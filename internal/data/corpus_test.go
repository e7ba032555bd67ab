package data

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpticks(t *testing.T) {
	c, err := Opticks()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(c.Text)
	if got := hex.EncodeToString(sum[:]); got != "d4a9ac22462b35e7821a4f2706c211093da678620a8f9997989ee7cf8d507bbd" {
		t.Errorf("SHA-256 %s is not the one in corpus/README.md", got)
	}
	if h := UnigramEntropy(c.Text); math.Abs(h-3.16) > 0.01 {
		t.Errorf("unigram entropy %.4f nats a byte, want about 3.16", h)
	}
	if bytes.Contains(bytes.ToLower(c.Text), []byte("gutenberg")) {
		t.Error("the text carries Project Gutenberg's name")
	}
}

func TestUnigramEntropy(t *testing.T) {
	for _, c := range []struct {
		text string
		want float64
	}{{"", 0}, {"aaaa", 0}, {"ab", math.Log(2)}, {"abcd", math.Log(4)}, {"aab", math.Log(3) - 2.0/3*math.Log(2)}} {
		if got := UnigramEntropy([]byte(c.text)); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%q: got %v, want %v", c.text, got, c.want)
		}
		if got := UnigramEntropy(Bytes{}.Encode(nil, []byte(c.text))); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%q as tokens: got %v, want %v", c.text, got, c.want)
		}
	}
}

func TestBytesTokenizer(t *testing.T) {
	text := []byte("a\x00é\xff")
	tokens := Bytes{}.Encode([]int32{7}, text)
	if len(tokens) != 1+len(text) || tokens[0] != 7 || !bytes.Equal(Bytes{}.Decode(tokens[1:]), text) {
		t.Errorf("%q became %v", text, tokens)
	}
	if got := (Bytes{}).Decode([]int32{'a', 256, 'b'}); string(got) != "ab" {
		t.Errorf("got %q", got)
	}
}

// tree writes files under a new directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "My Corpus.d")
	for name, text := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestReadCorpus(t *testing.T) {
	root := tree(t, map[string]string{
		"b.go": "b\n", "a/z.go": "z", "a/x.txt": "x\n", "c.go": "c\n", "bin.go": "\x00\x01", ".git/y.go": "no\n", ".hidden.go": "no\n",
	})
	for include, want := range map[string]string{
		"": "x\nz\nb\nc\n", "*.go": "z\nb\nc\n", "a/*": "x\nz\n", "?.go": "z\nb\nc\n", "*.txt": "x\n",
	} {
		c, err := ReadCorpus(root, include)
		if err != nil || string(c.Text) != want || c.Files != strings.Count(want, "\n") || c.Name != "my-corpus" {
			t.Errorf("%q: %q, %d files, name %q, error %v; want %q", include, c.Text, c.Files, c.Name, err, want)
		}
	}
	c, err := ReadCorpus(filepath.Join(root, "a", "z.go"), "")
	if err != nil || string(c.Text) != "z\n" || c.Name != "z" {
		t.Errorf("one file: %q, name %q, error %v", c.Text, c.Name, err)
	}
}

func TestReadCorpusRefuses(t *testing.T) {
	root := tree(t, map[string]string{"empty.txt": "", "bin": "a\x00"})
	for name, c := range map[string]struct{ path, include, want string }{
		"a path that is not there": {root + "/none", "", "no such file"},
		"an empty file":            {root + "/empty.txt", "", "is empty"},
		"a tree of empty files":    {root, "*.txt", "is empty"},
		"a binary file":            {root + "/bin", "", "not a text file"},
		"a filter without a match": {root, "*.rs", `no text file under`},
		"a broken filter":          {root, "[", "syntax error"},
	} {
		if _, err := ReadCorpus(c.path, c.include); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestReadCorpusNamesTheUnreadableFile(t *testing.T) {
	root := tree(t, map[string]string{"a.txt": "a\n", "locked.txt": "b\n"})
	if err := os.Chmod(filepath.Join(root, "locked.txt"), 0); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(filepath.Join(root, "locked.txt")); err == nil {
		f.Close()
		t.Skip("this user may read every file")
	}
	if _, err := ReadCorpus(root, ""); err == nil || !strings.Contains(err.Error(), "locked.txt") {
		t.Errorf("error %v", err)
	}
}
