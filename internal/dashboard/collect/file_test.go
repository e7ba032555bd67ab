package collect_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/collect/collecttest"
)

func TestNumberJSON(t *testing.T) {
	for want, n := range map[string]collect.Measure{"null": collect.Unknown(), "1.5": 1.5, "0": 0} {
		b, err := json.Marshal(n)
		if err != nil || string(b) != want {
			t.Errorf("%v gives %s, %v; want %s", float64(n), b, err, want)
		}
	}
	if b, _ := json.Marshal([]collect.Measure{collect.Measure(math.Inf(1)), collect.Measure(math.Inf(-1))}); string(b) != "[null,null]" {
		t.Errorf("infinities give %s", b)
	}
	var back collect.Measure
	if err := json.Unmarshal([]byte("null"), &back); err != nil || back.Known() {
		t.Errorf("null gives %v, %v", float64(back), err)
	}
}

func TestReadJSONRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := collect.ReadJSON(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for name, text := range map[string]string{"half": `{"version":2,`, "other release": `{"version":1}`} {
		path := filepath.Join(dir, "report.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := collect.ReadJSON(path); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestWriteFileIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.json")
	if err := collecttest.Played(1).Summary().WriteJSON(path); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("disk full")
	err := collect.WriteFile(path, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("error %v, want %v", err, failed)
	}
	if _, err := collect.ReadJSON(path); err != nil {
		t.Errorf("the report that stood there: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files left, want the report alone", len(left))
	}
	if err := collecttest.Played(1).Summary().WriteJSON(filepath.Join(dir, "none", "report.json")); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("no directory: %v", err)
	}
}
