package strictjson

import (
	"errors"
	"strings"
	"testing"
)

type target struct {
	Text *string  `json:"text"`
	N    *float64 `json:"n"`
	List []int    `json:"list"`
}

func TestUnmarshal(t *testing.T) {
	for text, want := range map[string]string{ // an error's part, or what text holds
		`{"text": "right", "Text": "wrong", "TEXT": "wrong"}`:                   "=right",
		"\xef\xbb\xbf{\"text\": \"marked\"}":                                    "=marked",
		`{"text": "a", "score": NaN, "x": [Infinity, -Infinity, "NaN \" NaN"]}`: "=a",
		`{"text": null}`:                    "=",
		`{"text": "a", "text": "b"}`:        "duplicate",
		`{"x": {"y": 1, "y": 2}}`:           "duplicate",
		`{"n": NaN}`:                        "NaN",
		`{"n": "1"}`:                        "string",
		`{"list": [1.5]}`:                   "1.5",
		"{\"text\": \"\xff\"}":              "UTF-8",
		`{"text": "\ud800"}`:                "surrogate",
		`{"text": "a"} {}`:                  "after",
		`{"text": "a",}`:                    "invalid",
		``:                                  "unexpected end",
		"\xff\xfe{\x00":                     "UTF-16",
		strings.Repeat("[", 20000):          "JSON",
		lfs + "v1\noid sha256:00\nsize 1\n": "git lfs pull",
	} {
		var v target
		err := Unmarshal([]byte(text), &v)
		value, ok := strings.CutPrefix(want, "=")
		switch {
		case ok && (err != nil || v.Text == nil && value != "" || v.Text != nil && *v.Text != value):
			t.Errorf("%.60q: %v, %v", text, v.Text, err)
		case !ok && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%.60q: error %v, want %q", text, err, want)
		}
	}
	if err := Unmarshal([]byte(lfs), new(any)); !errors.Is(err, ErrLFS) {
		t.Error(err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"text": "a", "n": NaN, "list": [1]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v target
		var all any
		if Unmarshal(b, &v) == nil && Unmarshal(b, &all) != nil {
			t.Fatalf("%q is read into a struct, not into any", b)
		}
	})
}
