// Package versioned gives a version to each file and folder that this program writes for itself.
//
// A release reads some versions of a file and refuses all others with an Error, which names the file, both versions
// and the remedy. The version is read before the rest, since a file of another version may have other names in it.
package versioned

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"templar/internal/strictjson"
)

// File is a kind of file.
type File struct {
	Name    string // as errors call it
	Version int    // that this release writes
	Least   int    // the oldest that it reads; 0 includes files of releases that wrote no version
	Remedy  string // what to do about a file of another version
}

// Error reports a file of a version that this release does not read.
type Error struct {
	File
	Have int
	Of   string // what has the version; empty: the file
}

func (e *Error) Error() string {
	of, reads := e.Of, fmt.Sprintf("version %d", e.Version)
	if of != "" {
		of += " "
	}
	if e.Least > 0 && e.Least < e.Version {
		reads = fmt.Sprintf("versions %d to %d", e.Least, e.Version)
	}
	return fmt.Sprintf("%s is of %sversion %d, and this release reads %s%s: %s", e.Name, of, e.Have, of, reads, e.Remedy)
}

// Is reports whether err is about a version.
func Is(err error) bool {
	var other *Error
	return errors.As(err, &other)
}

// At returns the kind with the name of one file.
func (f File) At(name string) File {
	f.Name = name
	return f
}

// Check refuses a version that this release does not read.
func (f File) Check(version int) error {
	if version < f.Least || version > f.Version {
		return &Error{File: f, Have: version}
	}
	return nil
}

// head is what stands in every file, under one of two names.
type head struct {
	Version  *int `json:"version"`
	Schema   *int `json:"schema"`
	Protocol int  `json:"protocol"`
}

// CheckJSON checks the member "version", or "schema", of a JSON object. A text that has none, or is damaged, is left to
// its decoder.
func (f File) CheckJSON(raw []byte) error {
	var h head
	if strictjson.Unmarshal(raw, &h) != nil {
		return nil
	}
	for _, version := range []*int{h.Version, h.Schema} {
		if version != nil {
			return f.Check(*version)
		}
	}
	return nil
}

type envelope struct {
	Version *int            `json:"version"`
	Content json.RawMessage `json:"content"`
}

// Encode returns a file with v as its content.
func (f File) Encode(v any) ([]byte, error) {
	content, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return json.Marshal(envelope{&f.Version, content})
}

// Decode reads the content of a file into v. A file of a release that wrote no version is content as a whole.
func (f File) Decode(raw []byte, v any) error {
	var e envelope
	if json.Unmarshal(raw, &e) != nil || e.Version == nil {
		e = envelope{new(int), raw}
	}
	if err := f.Check(*e.Version); err != nil {
		return err
	}
	if err := json.Unmarshal(e.Content, v); err != nil { // what json.Marshal wrote
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	return nil
}

// Folder is a kind of folder. A file in it, Name, has the version of what is beside it.
type Folder struct {
	File
	Protocol int // version of the protocol that the folder's objects are of; 0: it holds none
}

type mark struct {
	Version  int `json:"version"`
	Protocol int `json:"protocol,omitempty"`
}

// Enter checks the version of a folder, which it writes if there is none.
func (f Folder) Enter(dir string) error {
	found, err := f.check(dir)
	if err != nil || found {
		return err
	}
	raw, err := json.Marshal(mark{f.Version, f.Protocol})
	if err != nil {
		return err
	}
	return Write(filepath.Join(dir, f.Name), append(raw, '\n'))
}

// Check checks the version of a folder, for programs that only read it.
func (f Folder) Check(dir string) error {
	_, err := f.check(dir)
	return err
}

func (f Folder) check(dir string) (found bool, err error) {
	name := filepath.Join(dir, f.Name)
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // it is new, or a release without versions has written it
	}
	if err != nil {
		return false, err
	}
	var m mark
	if err := strictjson.Unmarshal(raw, &m); err != nil {
		return false, fmt.Errorf("%s is damaged: %w; restore it from a backup, or %s", name, err, f.Remedy)
	}
	if err := f.At(name).Check(m.Version); err != nil {
		return false, err
	}
	if m.Protocol != f.Protocol {
		other := f.At(name)
		other.Version, other.Least = f.Protocol, f.Protocol
		return false, &Error{File: other, Have: m.Protocol, Of: "protocol"}
	}
	return true, nil
}

// Write replaces the file at path, readable for its owner only. A crash leaves the old file or the new one.
func Write(path string, raw []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if d, err := os.Open(filepath.Dir(path)); err == nil { // Windows cannot sync a folder
		_ = d.Sync()
		d.Close()
	}
	return nil
}
