package userfile

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	for path, want := range map[string]string{
		"": "", "x": "x", "/x/~": "/x/~", "x~": "x~", "~": home, "~/": home, "~/a/b": filepath.Join(home, "a", "b"), "./~x": "./~x",
	} {
		if got, err := Expand(path); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", path, got, err, want)
		}
	}
	if _, err := Expand("~other/x"); err == nil || !strings.Contains(err.Error(), "write the path out") {
		t.Errorf("another person's home: %v", err)
	}
}

func TestTrim(t *testing.T) {
	for s, want := range map[string]string{
		"secret": "secret", "secret\n": "secret", "secret\r\n": "secret", "\ufeffsecret\r\n": "secret", " \ufeff secret ": "secret", "a b": "a b", "": "",
	} {
		if got := Trim(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	if b, err := JSON([]byte("\ufeff{}")); err != nil || string(b) != "{}" {
		t.Errorf("with a byte order mark: %q, %v", b, err)
	}
	for b, want := range map[string]string{
		"\xff\xfe{\x00}\x00": "UTF-16", "\xfe\xff\x00{\x00}": "UTF-16", "": "empty", " \r\n": "empty",
		"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n": "git lfs pull",
	} {
		if _, err := JSON([]byte(b)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", b, err, want)
		}
	}
}
