package config

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"templar/internal/store"
	"templar/internal/telemetry"
)

// Template returns the configuration file of a role as YAML, with a comment for each key: its meaning and
// the environment variable that sets it too. Keys that have the value of Default stand commented out, so that a
// later default counts.
func Template(role telemetry.Role, n Node) string {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	RoleFlags(f, role)
	t := template{usage: map[string]string{}, variable: map[string]string{}}
	for flag, key := range flagKeys(role) {
		t.usage[key] = f.Lookup(flag).Usage
	}
	for name, key := range variables(role) {
		if key != "" && !unused(role, key) && (t.variable[key] == "" || name < t.variable[key]) {
			t.variable[key] = name
		}
	}
	fmt.Fprintf(&t.out, "%s Later sources override it: the environment, then flags\n# (templar %s --help). It may hold secrets: mode 0600.\n", templateHead(role), role)
	t.section("", 0, reflect.ValueOf(n), reflect.ValueOf(Default()))
	return t.out.String()
}

// templateHead begins the file of a role.
func templateHead(role telemetry.Role) string {
	return fmt.Sprintf("# Configuration of a %s.", role)
}

type template struct {
	out             strings.Builder
	usage, variable map[string]string // by key
}

// section writes the keys of a struct for which there is a flag or a variable; the meaning of others is in
// this package's comments.
func (t *template) section(prefix string, depth int, v, usual reflect.Value) {
	indent := strings.Repeat("  ", depth)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("koanf")
		key := strings.TrimPrefix(prefix+"."+name, ".")
		if v.Field(i).Kind() == reflect.Struct {
			if t.has(key) {
				fmt.Fprintf(&t.out, "\n%s%s:\n", indent, name)
				t.section(key, depth+1, v.Field(i), usual.Field(i))
			}
			continue
		}
		if !t.has(key) {
			continue
		}
		usage, variable := t.usage[key], t.variable[key]
		if variable != "" {
			variable = "(" + variable + ")"
		}
		if about := strings.TrimSpace(usage + " " + variable); about != "" {
			fmt.Fprintf(&t.out, "%s# %s\n", indent, about)
		}
		off := ""
		if reflect.DeepEqual(v.Field(i).Interface(), usual.Field(i).Interface()) {
			off = "# "
		}
		fmt.Fprintf(&t.out, "%s%s%s: %s\n", indent, off, name, scalar(v.Field(i)))
	}
}

// unused reports whether a role has no use for a bucket that the environment can name for every role.
func unused(role telemetry.Role, key string) bool {
	own, dataset := strings.HasPrefix(key, "buckets.gradients."), strings.HasPrefix(key, "buckets.dataset.")
	return (role == telemetry.Aggregator && (own || dataset)) || (role == telemetry.Evaluator && own)
}

// has reports whether a key, or one below it, can be set by a flag or a variable.
func (t *template) has(key string) bool {
	below := func(k string) bool { return k == key || strings.HasPrefix(k, key+".") }
	for k := range maps.Keys(t.usage) {
		if below(k) {
			return true
		}
	}
	return slices.ContainsFunc(slices.Collect(maps.Keys(t.variable)), below)
}

// scalar writes a value as YAML does.
func scalar(v reflect.Value) string {
	value := v.Interface()
	if secret, ok := value.(store.Secret); ok {
		value = secret.Reveal()
	}
	if v.Kind() == reflect.Slice {
		items := make([]string, v.Len())
		for i := range items {
			items[i] = scalar(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	b, err := yaml.Marshal(value)
	if err != nil {
		panic(err) // texts, numbers and lists of them have a form
	}
	return cmp.Or(strings.TrimSpace(string(b)), `""`)
}

// SaveTemplate writes Template to a file, mode 0600. It replaces no file.
func SaveTemplate(path string, role telemetry.Role, n Node) error {
	return createPrivate(path, []byte(Template(role, n)))
}
