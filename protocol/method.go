package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Method names a run's training method and holds its parameters. Only the method interprets
// them: it decodes them with Decode.
type Method struct {
	// Name is the method's id on the wire: 1 to MaxMethodName lower-case letters, digits and hyphens.
	Name string `json:"name"`
	// Params is a JSON object in canonical form: keys ascending, no spaces, each number the
	// shortest that gives its binary64. Equal parameters have equal bytes, so a run has one hash.
	Params json.RawMessage `json:"params"`
}

// MaxMethodName is the length of the longest method name in bytes.
const MaxMethodName = 32

// ValidMethodName reports whether a name can be a method's.
func ValidMethodName(s string) bool {
	return s != "" && len(s) <= MaxMethodName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// NewMethod returns a Method with parameters that marshal to a JSON object: a struct or a map.
func NewMethod(name string, params any) (Method, error) {
	b, err := json.Marshal(params)
	if err == nil {
		b, err = canonical(b)
	}
	if err != nil {
		return Method{}, fmt.Errorf("parameters of method %s: %w", name, err)
	}
	return Method{Name: name, Params: b}, nil
}

// canonical rewrites a JSON object in the form of Method.Params.
func canonical(b []byte) (json.RawMessage, error) {
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errors.New("not a JSON object")
	}
	return json.Marshal(m)
}

// With returns the Method with one parameter replaced or added. It panics when value has no
// JSON form.
func (m Method) With(key string, value any) Method {
	params := make(map[string]any)
	if err := json.Unmarshal(m.Params, &params); err != nil {
		panic(fmt.Sprintf("parameters of method %s: %v", m.Name, err))
	}
	params[key] = value
	out, err := NewMethod(m.Name, params)
	if err != nil {
		panic(err)
	}
	return out
}

// UnmarshalJSON reads a Method over the present one: parameters that are absent keep their
// values, unless the name differs.
func (m *Method) UnmarshalJSON(b []byte) error {
	var in struct {
		Name   string                     `json:"name"`
		Params map[string]json.RawMessage `json:"params"`
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return fmt.Errorf("method: %w", err)
	}
	params := make(map[string]json.RawMessage)
	if in.Name == "" || in.Name == m.Name {
		in.Name = m.Name
		if len(m.Params) > 0 {
			if err := json.Unmarshal(m.Params, &params); err != nil {
				return fmt.Errorf("method: %w", err)
			}
		}
	}
	maps.Copy(params, in.Params)
	out, err := NewMethod(in.Name, params)
	if err == nil {
		*m = out
	}
	return err
}

// Decode reads the parameters into a struct, whose json tags name all of them: an unknown
// parameter and one that is missing are errors.
func (m Method) Decode(into any) error {
	failed := func(err error) error { return fmt.Errorf("parameters of method %s: %w", m.Name, err) }
	dec := json.NewDecoder(bytes.NewReader(m.Params))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return failed(err)
	}
	b, err := json.Marshal(into)
	if err != nil {
		return failed(err)
	}
	var all, given map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(b, &all), json.Unmarshal(m.Params, &given)); err != nil {
		return failed(err)
	}
	maps.DeleteFunc(all, func(key string, _ json.RawMessage) bool { _, is := given[key]; return is })
	if len(all) > 0 {
		return failed(fmt.Errorf("method.params has no %s", strings.Join(slices.Sorted(maps.Keys(all)), ", ")))
	}
	return nil
}

// Validate checks what does not depend on the method.
func (m Method) Validate() error {
	if !ValidMethodName(m.Name) {
		return fmt.Errorf("method.name is %q: want 1 to %d lower-case letters, digits and hyphens", m.Name, MaxMethodName)
	}
	b, err := canonical(m.Params)
	if err != nil {
		return fmt.Errorf("method.params: %w", err)
	}
	if !bytes.Equal(b, m.Params) {
		return errors.New("method.params are not in their canonical form: keys ascending, no spaces")
	}
	return nil
}
