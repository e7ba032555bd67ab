package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"

	"templar/internal/userfile"
)

// schema maps each key of the file, dotted, to the type of its value.
type schema map[string]reflect.Type

// schemaOf reads the koanf tags of a struct and of the structs in it.
func schemaOf(t reflect.Type) schema {
	s := schema{}
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("koanf")
		if f.Type.Kind() != reflect.Struct {
			s[key] = f.Type
			continue
		}
		for k, v := range schemaOf(f.Type) {
			s[key+"."+k] = v
		}
	}
	return s
}

// isSection tells whether keys lie under key.
func (s schema) isSection(key string) bool {
	for k := range s {
		if strings.HasPrefix(k, key+".") {
			return true
		}
	}
	return false
}

func (s schema) unknown(key string) error {
	known := make([]string, 0, len(s))
	for k := range s {
		known = append(known, k)
	}
	if near := Nearest(key, known); near != "" {
		return fmt.Errorf("unknown key, did you mean %s?", near)
	}
	return errors.New("unknown key, remove it")
}

// typed checks a value from a file against the type of its key. Text stays text and
// numbers stay numbers: YAML reads an unquoted 0123 as 83. No error quotes the value,
// which may be a secret in the wrong place.
func typed(t reflect.Type, v any) (any, error) {
	switch v := v.(type) {
	case string:
		if t.Kind() == reflect.String {
			return userfile.Trim(v), nil
		}
	case bool:
		if t.Kind() == reflect.Bool {
			return v, nil
		}
	case int, int64, uint64:
		if isNumber(t) {
			return parse(t, fmt.Sprint(v))
		}
	case float64: // every number of JSON
		if isNumber(t) {
			return parse(t, strconv.FormatFloat(v, 'f', -1, 64))
		}
	case []any:
		if t.Kind() == reflect.Slice {
			return typedList(t, v)
		}
	case map[string]any:
		if t.Kind() == reflect.Struct {
			return typedSection(t, v)
		}
	}
	return nil, want(t)
}

// typedSection checks an element of a list of sections.
func typedSection(t reflect.Type, section map[string]any) (any, error) {
	k, s := koanf.New("."), schemaOf(t)
	if err := k.Load(confmap.Provider(section, ""), nil); err != nil {
		return nil, want(t)
	}
	for key, v := range k.All() {
		if s[key] == nil {
			return nil, fmt.Errorf("%s: %w", key, s.unknown(key))
		}
		v, err := typed(s[key], v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if err := k.Set(key, v); err != nil {
			return nil, want(t)
		}
	}
	out := reflect.New(t)
	if err := k.Unmarshal("", out.Interface()); err != nil {
		return nil, want(t)
	}
	return out.Elem().Interface(), nil
}

func typedList(t reflect.Type, list []any) (any, error) {
	out := reflect.Zero(t)
	for _, v := range list {
		element, err := typed(t.Elem(), v)
		if err != nil && t.Elem().Kind() != reflect.Struct {
			err = want(t)
		}
		if err != nil {
			return nil, err
		}
		out = reflect.Append(out, reflect.ValueOf(element).Convert(t.Elem()))
	}
	return out.Interface(), nil
}

// parse reads a value from text: the environment's and the flags' form.
func parse(t reflect.Type, text string) (any, error) {
	switch t.Kind() {
	case reflect.String:
		return userfile.Trim(text), nil
	case reflect.Bool:
		if v, err := strconv.ParseBool(text); err == nil {
			return v, nil
		}
	case reflect.Int:
		if v, err := strconv.ParseInt(text, 10, t.Bits()); err == nil {
			return v, nil
		}
	case reflect.Uint16, reflect.Uint64:
		if v, err := strconv.ParseUint(text, 10, t.Bits()); err == nil {
			return v, nil
		}
	case reflect.Slice:
		return parseList(t, text)
	}
	return nil, want(t)
}

func parseList(t reflect.Type, text string) (any, error) {
	out := reflect.Zero(t)
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		element, err := parse(t.Elem(), word)
		if err != nil {
			return nil, want(t)
		}
		out = reflect.Append(out, reflect.ValueOf(element).Convert(t.Elem()))
	}
	return out.Interface(), nil
}

func isNumber(t reflect.Type) bool {
	return slices.Contains([]reflect.Kind{reflect.Int, reflect.Uint16, reflect.Uint64}, t.Kind())
}

// want says what a value of the type looks like.
func want(t reflect.Type) error {
	switch t.Kind() {
	case reflect.Bool:
		return errors.New("want true or false")
	case reflect.Uint16:
		return errors.New("want a whole number from 0 to 65535")
	case reflect.Int, reflect.Uint64:
		return errors.New("want a whole number")
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return errors.New("want a list of sections")
		}
		if t.Elem().Kind() == reflect.String {
			return errors.New("want a list of names")
		}
		return errors.New("want a list of uids (0 to 65535)")
	case reflect.Struct:
		return errors.New("want a section with keys, not a value")
	}
	return errors.New("want text (quote what looks like a number)")
}
