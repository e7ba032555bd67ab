package versioned_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"templar/internal/versioned"
)

type content struct {
	A int `json:"a"`
}

func TestFile(t *testing.T) {
	f := versioned.File{Name: "a.json", Version: 2, Remedy: "do this"}
	raw, err := f.Encode(content{7})
	if err != nil || string(raw) != `{"version":2,"content":{"a":7}}` {
		t.Fatalf("%s, %v", raw, err)
	}
	for text, want := range map[string]string{
		string(raw):                         "",
		`{"version":1,"content":{"a":7}}`:   "",
		`{"a":7}`:                           "", // of a release that wrote no version
		`{"version":3,"content":{"b":[]}}`:  "a.json is of version 3, and this release reads version 2: do this",
		`{"version":-1,"content":{"a":7}}`:  "a.json is of version -1, and this release reads version 2: do this",
		`{"version":2,"content":{"a":"x"}}`: "a.json: ",
		`{"version":2,"conte`:               "a.json: ",
		``:                                  "a.json: ",
	} {
		var c content
		err := f.Decode([]byte(text), &c)
		if want == "" && (err != nil || c.A != 7) {
			t.Errorf("%s: %v, %v", text, c, err)
		}
		if want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
		if versioned.Is(err) != strings.Contains(want, "version") {
			t.Errorf("%s: Is(%v) is %v", text, err, versioned.Is(err))
		}
	}
	var list []content
	if err := f.Decode([]byte(`[{"a":7}]`), &list); err != nil || len(list) != 1 {
		t.Errorf("a list without a version: %v, %v", list, err)
	}
	f.Least = 1
	if err := f.Decode([]byte(`{"a":7}`), new(content)); !versioned.Is(err) || !strings.Contains(err.Error(), "version 0, and this release reads versions 1 to 2:") {
		t.Errorf("too old: %v", err)
	}
}

// A version is found before names that only the other version has.
func TestCheckJSON(t *testing.T) {
	f := versioned.File{Name: "a.json", Version: 2, Least: 2}
	for text, other := range map[string]bool{
		`{"version":2}`: false, `{"schema":2}`: false, `{"a":1}`: false, `{"version":`: false, `[]`: false, `{"version":"x"}`: false,
		`{"b":{"c":[]},"version":3}`: true, `{"schema":1,"b":0}`: true, `{"version":0}`: true,
	} {
		if err := f.CheckJSON([]byte(text)); versioned.Is(err) != other || (err != nil) != other {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	f := versioned.Folder{Protocol: 2, File: versioned.File{Name: "mark.json", Version: 1, Remedy: "do this"}}
	name := filepath.Join(dir, f.Name)
	if err := f.Check(dir); err != nil {
		t.Errorf("of a release without versions: %v", err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("Check writes")
	}
	for range 2 {
		if err := f.Enter(dir); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != `{"version":1,"protocol":2}`+"\n" {
		t.Errorf("%s, %v", b, err)
	}
	for text, want := range map[string]string{
		`{"version":2,"protocol":2,"x":1}`: name + " is of version 2, and this release reads version 1: do this",
		`{"version":1,"protocol":3}`:       name + " is of protocol version 3, and this release reads protocol version 2: do this",
		`{"version":1}`:                    name + " is of protocol version 0, and this release reads protocol version 2: do this",
		`{`:                                name + " is damaged",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for what, check := range map[string]func(string) error{"Enter": f.Enter, "Check": f.Check} {
			if err := check(dir); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s of %s: %v", what, text, err)
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
