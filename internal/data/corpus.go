package data

import (
	"bytes"
	"compress/bzip2"
	_ "embed" // for the default corpus
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

//go:embed corpus/opticks.txt.bz2
var opticks []byte

// maxCorpus bounds what is held in memory.
const maxCorpus = 1 << 30

// Corpus is a text to train on.
type Corpus struct {
	Name  string // for people and for object keys
	Text  []byte
	Files int
	Left  []Left // what is not in it, and why
}

// Opticks returns the corpus that the program carries: Isaac Newton's "Opticks", in
// the public domain (see corpus/README.md).
func Opticks() (Corpus, error) {
	text, err := io.ReadAll(bzip2.NewReader(bytes.NewReader(opticks)))
	if err != nil {
		return Corpus{}, fmt.Errorf("embedded corpus: %w", err)
	}
	return Corpus{Name: "opticks", Text: text, Files: 1}, nil
}

// ReadCorpus reads a text file, or every text file under a directory, in the order of
// their paths; JSON lines and parquet give their field "text". include, when not empty, is a glob that a file's name must match, or
// its path below the directory when the glob has a slash. Hidden files and binary
// files of a directory are left out, symbolic links are not followed.
func ReadCorpus(root, include string) (Corpus, error) {
	if _, err := path.Match(include, ""); err != nil {
		return Corpus{}, fmt.Errorf("corpus: include %q: %w", include, err)
	}
	info, err := os.Stat(root)
	if err != nil {
		return Corpus{}, fmt.Errorf("corpus: %w", err)
	}
	c := Corpus{Name: CorpusName(root)}
	if info.IsDir() {
		err = c.addTree(root, include)
	} else {
		err = c.addFile(root)
	}
	switch {
	case err != nil:
		return Corpus{}, fmt.Errorf("corpus: %w", err)
	case c.Files == 0:
		return Corpus{}, fmt.Errorf("corpus: no text file under %s matches %q", root, include)
	case len(c.Text) == 0:
		return Corpus{}, fmt.Errorf("corpus: %s is empty", root)
	}
	return c, nil
}

func (c *Corpus) addTree(root, include string) error {
	return filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == root {
			return err
		}
		if strings.HasPrefix(e.Name(), ".") {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !e.Type().IsRegular() || !included(root, name, include) {
			return nil
		}
		if err := c.addFile(name); errors.Is(err, ErrUnread) {
			c.Left = append(c.Left, Left{name, err})
		} else if err != nil {
			return err
		}
		return nil
	})
}

func included(root, name, include string) bool {
	if include == "" {
		return true
	}
	subject := filepath.Base(name)
	if strings.Contains(include, "/") {
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return false
		}
		subject = filepath.ToSlash(rel)
	}
	ok, _ := path.Match(include, subject) // ReadCorpus has checked the pattern
	return ok
}

// addFile appends a file's documents, with a line end where one lacks it.
func (c *Corpus) addFile(name string) error {
	in, err := newInput(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for d, err := range in.documents() {
		if err != nil {
			return err
		}
		if d.skip != "" {
			c.Left = append(c.Left, Left{name, errors.New(d.skip)})
			continue
		}
		if len(c.Text)+len(d.text) > maxCorpus {
			return fmt.Errorf("more than %d MiB of text: choose less, for example with --include", maxCorpus>>20)
		}
		c.Text = append(c.Text, d.text...)
		if n := len(c.Text); !d.continued && len(d.text) > 0 && c.Text[n-1] != '\n' {
			c.Text = append(c.Text, '\n')
		}
	}
	c.Files++
	return nil
}

// CorpusName is root's last element without extension, fit for an object key.
func CorpusName(root string) string {
	if abs, err := filepath.Abs(root); err == nil {
		root = abs
	}
	base := filepath.Base(root)
	base = strings.TrimSuffix(base, filepath.Ext(base))
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, base)
	if name = strings.Trim(name[:min(len(name), 64)], "-"); name == "" {
		return "corpus"
	}
	return name
}
