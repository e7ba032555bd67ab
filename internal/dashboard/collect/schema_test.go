package collect_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/collect/collecttest"
	"templar/protocol"
)

// schema is the part of JSON Schema that docs/report.schema.json uses.
type schema struct {
	Ref           string            `json:"$ref"`
	Type          any               `json:"type"` // a word or a list of words
	Const         any               `json:"const"`
	Enum          []any             `json:"enum"`
	Pattern       string            `json:"pattern"`
	Minimum       *float64          `json:"minimum"`
	Maximum       *float64          `json:"maximum"`
	Required      []string          `json:"required"`
	Properties    map[string]schema `json:"properties"`
	PropertyNames *schema           `json:"propertyNames"`
	Additional    *schema           `json:"additionalProperties"`
	Items         *schema           `json:"items"`
	AllOf         []schema          `json:"allOf"`
	Defs          map[string]schema `json:"$defs"`
	Dialect       string            `json:"$schema"`
	Title         string            `json:"title"`
}

func documented(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func reportSchema(t *testing.T) schema {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(documented(t, "report.schema.json")))
	dec.DisallowUnknownFields() // a keyword that is not checked below would promise too much
	var s schema
	if err := dec.Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// faults lists what of value breaks s.
func (s schema) faults(root schema, at string, value any) (out []string) {
	if s.Ref != "" {
		s = root.Defs[strings.TrimPrefix(s.Ref, "#/$defs/")]
	}
	bad := func(fault bool, format string, args ...any) {
		if fault {
			out = append(out, at+": "+fmt.Sprintf(format, args...))
		}
	}
	bad(s.Type != nil && !s.accepts(value), "%T is not %v", value, s.Type)
	bad(s.Const != nil && s.Const != value, "%v is not %v", value, s.Const)
	bad(s.Enum != nil && !slices.Contains(s.Enum, value), "%v is not listed", value)
	for _, sub := range s.AllOf {
		out = append(out, sub.faults(root, at, value)...)
	}
	switch v := value.(type) {
	case float64:
		bad((s.Minimum != nil && v < *s.Minimum) || (s.Maximum != nil && v > *s.Maximum), "%v is out of range", v)
	case string:
		bad(!regexp.MustCompile(s.Pattern).MatchString(v), "%q does not match", v)
	case []any:
		for i, x := range v {
			out = append(out, s.Items.faults(root, fmt.Sprintf("%s[%d]", at, i), x)...)
		}
	case map[string]any:
		for _, name := range s.Required {
			_, ok := v[name]
			bad(!ok, "%s is missing", name)
		}
		for name, x := range v {
			out = append(out, s.property(name).faults(root, at+"."+name, x)...)
			if s.PropertyNames != nil {
				out = append(out, s.PropertyNames.faults(root, at+" key", name)...)
			}
		}
	}
	return out
}

func (s schema) property(name string) schema {
	if p, ok := s.Properties[name]; ok || s.Additional == nil {
		return p
	}
	return *s.Additional
}

func (s schema) accepts(value any) bool {
	words, ok := s.Type.([]any)
	if !ok {
		words = []any{s.Type}
	}
	return slices.ContainsFunc(words, func(word any) bool {
		number, isNumber := value.(float64)
		switch value.(type) {
		case nil:
			return word == "null"
		case string:
			return word == "string"
		case []any:
			return word == "array"
		case map[string]any:
			return word == "object"
		}
		return isNumber && (word == "number" || (word == "integer" && number == math.Trunc(number)))
	})
}

func decoded(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestReportsFollowTheSchema(t *testing.T) {
	s := reportSchema(t)
	_, example, _ := strings.Cut(string(documented(t, "report.md")), "```json\n")
	example, _, _ = strings.Cut(example, "```")
	for name, b := range map[string][]byte{
		"a run": encoded(t, collecttest.Played(12).Summary()), "nothing": encoded(t, collect.NewCollector(collect.Meta{}).Summary()), "the manual's example": []byte(example),
	} {
		if faults := s.faults(s, name, decoded(t, b)); len(faults) > 0 {
			t.Errorf("%s", strings.Join(faults, "\n"))
		}
	}
}

func TestSchemaCatchesFaults(t *testing.T) {
	s := reportSchema(t)
	for name, spoil := range map[string]func(r map[string]any){
		"missing field": func(r map[string]any) { delete(r, "seed") },
		"type":          func(r map[string]any) { r["initial_loss"] = "5.5" },
		"version":       func(r map[string]any) { r["version"] = 1.0 },
		"fraction":      func(r map[string]any) { r["tokens"] = 1.5 },
		"hash":          func(r map[string]any) { window(r)["aggregate_hash"] = "ab" },
		"verdict":       func(r map[string]any) { window(r)["skipped"] = map[string]any{"1": "ok"} },
		"uid":           func(r map[string]any) { window(r)["skipped"] = map[string]any{"miner-1": "late"} },
		"weight":        func(r map[string]any) { r["miners"].([]any)[0].(map[string]any)["weight"] = 1.5 },
	} {
		r := decoded(t, encoded(t, collecttest.Played(2).Summary()))
		spoil(r)
		if len(s.faults(s, name, r)) == 0 {
			t.Errorf("%s: accepted", name)
		}
	}
}

func window(r map[string]any) map[string]any { return r["windows"].([]any)[0].(map[string]any) }

func TestEveryFieldIsDocumented(t *testing.T) {
	s, manual := reportSchema(t), string(documented(t, "report.md"))
	miner := maps.Clone(s.Defs["miner"].Properties)
	maps.Copy(miner, s.Defs["standing"].Properties)
	for _, c := range []struct {
		of     any
		schema map[string]schema
	}{{collect.Summary{}, s.Properties}, {collect.Window{}, s.Defs["window"].Properties}, {collect.Miner{}, miner}, {collect.Standing{}, s.Defs["standing"].Properties}} {
		fields := jsonFields(reflect.TypeOf(c.of))
		if got, want := slices.Sorted(maps.Keys(c.schema)), slices.Compact(slices.Sorted(slices.Values(fields))); !slices.Equal(got, want) {
			t.Errorf("%T: schema has %v, want %v", c.of, got, want)
		}
		for _, f := range fields {
			if !strings.Contains(manual, "`"+f+"`") {
				t.Errorf("docs/report.md does not describe %s", f)
			}
		}
	}
	for v := protocol.VerdictMissing; !strings.HasPrefix(v.String(), "verdict("); v++ {
		if !strings.Contains(manual, "`"+v.String()+"`") || !slices.Contains(s.Defs["window"].Properties["skipped"].Additional.Enum, any(v.String())) {
			t.Errorf("verdict %v is not documented", v)
		}
	}
}

func jsonFields(typ reflect.Type) (names []string) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Anonymous {
			embedded := f.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			names = append(names, jsonFields(embedded)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
