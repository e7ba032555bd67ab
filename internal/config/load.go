package config

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"templar/internal/telemetry"
	"templar/internal/userfile"
)

// Sources are what a Node is loaded from; a later one overrides an earlier one.
type Sources struct {
	File    string         // .json, .yaml or .yml; "" for none
	Environ []string       // "NAME=value", as from os.Environ; empty values count as unset
	Flags   *pflag.FlagSet // made with RoleFlags for the role; nil for none. Only flags that were given count.
}

// Load fills a Node for a role and reports every fault of the sources at once. It does
// not tell whether the Node is complete: Validate does. The warnings are lines for the
// operator about settings that have no effect or that endanger a secret.
func Load(role telemetry.Role, s Sources) (n Node, warnings []string, err error) {
	l := loader{schema: schemaOf(reflect.TypeFor[Node]()), merged: koanf.New(".")}
	l.check(l.merged.Load(structs.Provider(Default(), "koanf"), nil))
	l.file(s.File)
	l.environ(s.Environ, variables(role))
	l.bucketList(s.Environ)
	l.flags(s.Flags, flagKeys(role))
	slices.SortStableFunc(l.faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if err := errors.Join(l.faults...); err != nil {
		return Node{}, l.warnings, err
	}
	if err := l.merged.Unmarshal("", &n); err != nil {
		return Node{}, l.warnings, fmt.Errorf("configuration: %w", err)
	}
	// Save writes a Node that was not made from Default with an empty address.
	n.Admin.Address = cmp.Or(n.Admin.Address, Default().Admin.Address)
	n.Chain = n.Chain.resolved(l.netuid)
	if n.Chain.State == "" {
		n.Chain.State = filepath.Join(n.DataDir, "chain")
	}
	if role == telemetry.Aggregator {
		l.warnings = append(l.warnings, idle(n.Options)...)
	}
	if len(n.Buckets.Mirrors) == 0 {
		n.Buckets.Mirrors = nil
	}
	for i := range n.Buckets.Mirrors {
		n.Buckets.Mirrors[i].resolve()
	}
	for _, path := range []*string{&n.DataDir, &n.Run, &n.Wallet.Path, &n.Chain.State} {
		if *path, err = userfile.Expand(*path); err != nil {
			return Node{}, l.warnings, err
		}
	}
	return n, l.warnings, nil
}

type loader struct {
	schema   schema
	merged   *koanf.Koanf
	warnings []string
	faults   []error
	netuid   bool // a source has given the subnet
}

func (l *loader) check(err error) {
	if err != nil {
		l.faults = append(l.faults, err)
	}
}

func (l *loader) file(path string) {
	if path == "" {
		return
	}
	values, err := readFile(path)
	if err != nil {
		l.check(err)
		return
	}
	given := map[string]any{}
	for key, v := range values {
		if v, ok := l.fromFile(path, key, v); ok {
			given[key] = v
		}
	}
	if w := l.schema.exposed(path, given); w != "" {
		l.warnings = append(l.warnings, w)
	}
	l.merge(given)
}

// fromFile checks one value of the file. ok is false for an empty one and for a fault.
func (l *loader) fromFile(path, key string, v any) (_ any, ok bool) {
	t, known := l.schema[key]
	section, isSection := v.(map[string]any)
	switch {
	case known && v != nil:
		v, err := typed(t, v)
		if err != nil {
			l.check(fmt.Errorf("%s: %s: %w", path, key, err))
		}
		return v, err == nil
	case known:
	case !l.schema.isSection(key):
		l.check(fmt.Errorf("%s: %s: %w", path, key, l.schema.unknown(key)))
	case v != nil && !(isSection && len(section) == 0):
		l.check(fmt.Errorf("%s: %s: want a section with keys, not a value", path, key))
	}
	return nil, false
}

func (l *loader) environ(environ []string, known map[string]string) {
	l.warnings = append(l.warnings, review(environ, known)...)
	l.texts(env.Provider(".", env.Opt{
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			if value == "" {
				return "", nil
			}
			return known[name], value
		},
	}), known, "")
}

func (l *loader) flags(f *pflag.FlagSet, known map[string]string) {
	if f == nil {
		return
	}
	l.texts(posflag.ProviderWithFlag(f, ".", nil, func(f *pflag.Flag) (string, any) {
		return known[f.Name], f.Value.String()
	}), known, "--")
}

// texts merges a source whose values are text. names are the source's own names of
// keys; errors show them behind prefix.
func (l *loader) texts(p koanf.Provider, names map[string]string, prefix string) {
	k := koanf.New(".")
	l.check(k.Load(p, nil))
	given := map[string]any{}
	for name, key := range names {
		if key == "" || !k.Exists(key) {
			continue
		}
		v, err := parse(l.schema[key], k.String(key))
		if err != nil {
			l.check(fmt.Errorf("%s%s: %w", prefix, name, err))
			continue
		}
		given[key] = v
	}
	l.merge(given)
}

// merge lays one source over those before it.
func (l *loader) merge(given map[string]any) {
	if _, ok := given["chain.netuid"]; ok {
		l.netuid = true
	}
	resolve(given)
	l.check(l.merged.Load(confmap.Provider(given, "."), nil))
}

const r2Endpoint = "https://%s.r2.cloudflarestorage.com"

// resolve replaces a source's names for endpoints by the endpoints, so that a network
// or account from the environment overrides an endpoint from the file.
func resolve(given map[string]any) {
	for _, bucket := range []string{"buckets.gradients.", "buckets.results.", "buckets.dataset.", "buckets.aggregator."} {
		account, ok := given[bucket+"account_id"].(string)
		if _, explicit := given[bucket+"endpoint"]; ok && account != "" && !explicit {
			given[bucket+"endpoint"] = fmt.Sprintf(r2Endpoint, account)
		}
	}
	network, ok := given["chain.network"].(string)
	if _, explicit := given["chain.endpoint"]; !ok || network == "" || explicit {
		return
	}
	given["chain.endpoint"] = "" // Validate explains
	if c, err := (Chain{Network: network}).Resolve(true); err == nil {
		given["chain.endpoint"] = c.Endpoint
	}
}

// idle names the settings that are of no use to an aggregator.
func idle(o Options) (warnings []string) {
	for _, s := range []struct {
		key string
		set bool
	}{{"device", cmp.Or(o.Device, "cpu") != "cpu"}, {"precision", o.Precision != ""}, {"threads", o.Threads != 0}, {"blas", o.BLAS != ""}} {
		if s.set {
			warnings = append(warnings, "options."+s.key+" ignored: an aggregator has no model to compute")
		}
	}
	return warnings
}
