package collect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"templar/internal/versioned"
)

// Encode writes the report as indented JSON.
func (r Summary) Encode(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	return nil
}

// WriteJSON replaces the file at path with the report, all or nothing.
func (r Summary) WriteJSON(path string) error {
	return WriteFile(path, r.Encode)
}

var file = versioned.File{Version: Version, Least: Version, Remedy: "run the release that wrote it, or move it away"}

// ReadJSON reads a report that WriteJSON left. The error wraps fs.ErrNotExist when
// there is none.
func ReadJSON(path string) (Summary, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Summary{}, fmt.Errorf("read report: %w", err)
	}
	var r Summary
	if err := file.At(path).CheckJSON(b); err != nil {
		return Summary{}, fmt.Errorf("read report: %w", err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return Summary{}, fmt.Errorf("read report %s: %w", path, err)
	}
	if err := file.At(path).Check(r.Version); err != nil {
		return Summary{}, fmt.Errorf("read report: %w", err)
	}
	return r, nil
}

// WriteFile writes through a temporary file beside path, so that a reader or a
// crash never leaves a partial file.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(path); err == nil && info.Mode()&(os.ModeDevice|os.ModeNamedPipe) != 0 {
		return writeDevice(path, write)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	const ordinaryFile = 0o644 // CreateTemp's 0600 would prevent other users from reading it
	if err := errors.Join(write(f), f.Chmod(ordinaryFile), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// writeDevice writes to /dev/stdout and pipes, which must not be replaced by a file.
func writeDevice(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
