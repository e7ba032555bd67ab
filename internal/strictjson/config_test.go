package strictjson_test

import (
	"strings"
	"testing"

	"templar/internal/strictjson"
)

func TestConfig(t *testing.T) {
	type inner struct {
		C int `json:"c"`
	}
	type settings struct {
		A     int     `json:"a"`
		Inner inner   `json:"inner"`
		List  []inner `json:"list"`
	}
	s := settings{A: 1, Inner: inner{2}}
	if err := strictjson.Config([]byte("\xef\xbb\xbf{\"inner\": {}, \"list\": [{\"c\": 3}]}\n"), &s); err != nil || s.A != 1 || s.Inner.C != 2 || s.List[0].C != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	for text, want := range map[string]string{
		"{\n\"A\": 1}":                    "line 2",
		"{\n\"a\": 1,\n\"a\": 2}":         "line 3",
		"{\n\n\"b\": 1}":                  "line 3",
		"{\"inner\": {\n\"C\": 1}}":       "line 2",
		"{\"list\": [{},\n{\"x\": 1}]}":   "line 2",
		"{\"a\": 1}\n{}":                  "follows",
		"{\"a\": \"1\"}":                  "line 1",
		"{\"a\": 1,}":                     "line 1",
		"":                                "empty",
		"{\"a\": 1":                       "EOF",
		"{\"a\": 99999999999999999999999": "line 1",
	} {
		if err := strictjson.Config([]byte(text), new(settings)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}
