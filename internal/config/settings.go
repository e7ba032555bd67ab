package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"templar/internal/store"
	"templar/internal/telemetry"
)

// Setting is a key of a node's configuration, for documentation.
type Setting struct {
	Key       string
	Type      string // in words
	Default   string // "" for none
	Flag      string // without dashes, "" for none
	Usage     string // of the flag
	Variables []string
	Roles     []telemetry.Role // that have the flag or read a variable; all, if there is neither
}

// Settings lists all keys in the order of the file.
func Settings() ([]Setting, error) {
	usual := koanf.New(".")
	if err := usual.Load(structs.Provider(Default(), "koanf"), nil); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	var all []Setting
	types := schemaOf(reflect.TypeFor[Node]())
	for _, key := range keysOf("", reflect.TypeFor[Node]()) {
		s := Setting{Key: key, Type: typeWords(types[key])}
		if v := usual.Get(key); v != nil && !reflect.ValueOf(v).IsZero() && reflect.TypeOf(v).Kind() != reflect.Slice {
			s.Default = fmt.Sprint(v)
		}
		for _, role := range []telemetry.Role{telemetry.Miner, telemetry.Validator, telemetry.Aggregator, telemetry.Evaluator} {
			if s.of(role) {
				s.Roles = append(s.Roles, role)
			}
		}
		slices.Sort(s.Variables)
		s.Variables = slices.Compact(s.Variables)
		all = append(all, s)
	}
	return all, nil
}

// of adds a role's flag and variables, and reports whether there are any.
func (s *Setting) of(role telemetry.Role) (has bool) {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	RoleFlags(f, role)
	for flag, key := range flagKeys(role) {
		if key == s.Key {
			s.Flag, s.Usage, has = flag, cmp.Or(s.Usage, f.Lookup(flag).Usage), true
		}
	}
	for name, key := range variables(role) {
		if key == s.Key && !unused(role, key) {
			s.Variables, has = append(s.Variables, name), true
		}
	}
	return has
}

func keysOf(prefix string, t reflect.Type) (keys []string) {
	for i := range t.NumField() {
		key := strings.TrimPrefix(prefix+"."+t.Field(i).Tag.Get("koanf"), ".")
		if t.Field(i).Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(key, t.Field(i).Type)...)
		} else {
			keys = append(keys, key)
		}
	}
	return keys
}

func typeWords(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[store.Secret]():
		return "secret text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case isNumber(t):
		return "whole number"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return "list of sections"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return "list of names"
	case t.Kind() == reflect.Slice:
		return "list of uids"
	}
	return "text"
}
