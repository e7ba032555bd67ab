package protocol

import (
	"encoding/json"
	"strings"
	"testing"
)

type settings struct {
	Rate  float64 `json:"rate"`
	Count int     `json:"count"`
}

func method(t *testing.T, name string, params any) Method {
	t.Helper()
	m, err := NewMethod(name, params)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Equal parameters have equal bytes, however they were written.
func TestMethodHasOneForm(t *testing.T) {
	want := method(t, "toy", settings{Rate: 0.006, Count: 3})
	for _, doc := range []string{
		`{"name": "toy", "params": {"count": 3, "rate": 0.006}}`,
		`{"name": "toy", "params": {"rate": 6e-3, "count": 3.0}}`,
		`{"params": { "rate": 0.0060 }}`, // over what stands there
		`{}`,
	} {
		m := method(t, "toy", settings{Rate: 0.006, Count: 3})
		if err := json.Unmarshal([]byte(doc), &m); err != nil || m.Name != want.Name || string(m.Params) != string(want.Params) {
			t.Errorf("%s: %s %s, %v; want %s", doc, m.Name, m.Params, err, want.Params)
		}
	}
	if got := want.With("rate", 0.5).With("rate", 0.006); string(got.Params) != string(want.Params) {
		t.Errorf("set and set back: %s, want %s", got.Params, want.Params)
	}
}

// Another method's parameters are not mixed with those that stand there.
func TestAnotherMethodInheritsNothing(t *testing.T) {
	m := method(t, "toy", settings{Rate: 1, Count: 3})
	if err := json.Unmarshal([]byte(`{"name": "other", "params": {"depth": 2}}`), &m); err != nil || string(m.Params) != `{"depth":2}` {
		t.Errorf("%s, %v", m.Params, err)
	}
}

func TestMethodDecodeIsStrict(t *testing.T) {
	for doc, hint := range map[string]string{
		`{"count": 3, "rate": 1}`:              "",
		`{"count": 3}`:                         "rate",
		`{}`:                                   "count, rate",
		`{"count": 3, "rate": 1, "rite": 2}`:   "rite",
		`{"count": 3, "rate": "fast"}`:         "rate",
		`{"count": 3.5, "rate": 1}`:            "count",
		`{"count": 99999999999999, "rate": 1}`: "",
	} {
		var m Method
		if err := json.Unmarshal([]byte(`{"name": "toy", "params": `+doc+`}`), &m); err != nil {
			t.Fatal(err)
		}
		var s settings
		err := m.Decode(&s)
		if (err == nil) != (hint == "") || (err != nil && !strings.Contains(err.Error(), hint)) {
			t.Errorf("%s: error is %v, want one that says %q", doc, err, hint)
		}
	}
}

func TestMethodValidate(t *testing.T) {
	for name, m := range map[string]Method{
		"no name":      {Params: json.RawMessage(`{}`)},
		"a long name":  {Name: strings.Repeat("a", MaxMethodName+1), Params: json.RawMessage(`{}`)},
		"an odd name":  {Name: "a_b", Params: json.RawMessage(`{}`)},
		"no object":    {Name: "a", Params: json.RawMessage(`[]`)},
		"null":         {Name: "a", Params: json.RawMessage(`null`)},
		"none":         {Name: "a"},
		"another form": {Name: "a", Params: json.RawMessage(`{"b":1,"a":2}`)},
	} {
		if m.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := (Method{Name: "a-1", Params: json.RawMessage(`{"a":2}`)}).Validate(); err != nil {
		t.Error(err)
	}
}
