package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
)

var allRoles = []telemetry.Role{telemetry.Miner, telemetry.Validator, telemetry.Aggregator, telemetry.Evaluator}

// filled sets every key to a value that is not its default.
func filled(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Struct:
			filled(f)
		case reflect.String:
			f.SetString("x # y: \"z\"")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int:
			f.SetInt(3)
		case reflect.Uint16, reflect.Uint64:
			f.SetUint(4)
		}
	}
}

// What a template says, Load reads: all values of keys that have a flag or a variable, for every role.
func TestTemplateReadsBack(t *testing.T) {
	for _, role := range allRoles {
		var n Node
		filled(reflect.ValueOf(&n).Elem())
		n.Chain = Chain{Endpoint: "http://127.0.0.1:1", NetUID: 4, Backend: "x", State: "/s", Verify: "v"}
		n.Options.Peers, n.Admin.Hosts = []protocol.UID{1, 2}, []string{"a", "b"}
		n.DataDir, n.Run, n.Wallet.Path = "/d", "/r", "/w"
		path := filepath.Join(t.TempDir(), "node.yaml")
		if err := SaveTemplate(path, role, n); err != nil {
			t.Fatal(err)
		}
		got, _, err := Load(role, Sources{File: path})
		if err != nil {
			t.Fatalf("%s: %v\n%s", role, err, Template(role, n))
		}
		s, have, want := schemaOf(reflect.TypeFor[Node]()), reflect.ValueOf(got), reflect.ValueOf(n)
		settable := map[string]bool{}
		for _, key := range flagKeys(role) {
			settable[key] = true
		}
		for _, key := range variables(role) {
			settable[key] = !unused(role, key)
		}
		for key := range s {
			if settable[key] && key != "chain.network" && !reflect.DeepEqual(at(have, key), at(want, key)) {
				t.Errorf("%s: %s is %v, want %v", role, key, at(have, key), at(want, key))
			}
		}
		if err := SaveTemplate(path, role, n); err == nil {
			t.Errorf("%s: replaces a file", role)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", role, info.Mode(), err)
		}
	}
}

// at is the value of a key.
func at(v reflect.Value, key string) any {
	for name := range strings.SplitSeq(key, ".") {
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("koanf") == name {
				v = v.Field(i)
				break
			}
		}
	}
	return v.Interface()
}

// A template of defaults sets nothing, and has no keys that the role does not use.
func TestTemplateOfDefaults(t *testing.T) {
	for _, role := range allRoles {
		text := Template(role, Default())
		path := filepath.Join(t.TempDir(), "node.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, warnings, err := Load(role, Sources{File: path})
		want, _, _ := Load(role, Sources{})
		if err != nil || len(warnings) > 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %q\n%+v\n%+v", role, err, warnings, got, want)
		}
		if own := strings.Contains(text, "R2_GRADIENTS_"); own != (role == telemetry.Miner || role == telemetry.Validator) {
			t.Errorf("%s: own bucket %v", role, own)
		}
	}
	if s := Template(telemetry.Miner, Node{Buckets: Buckets{Dataset: Bucket{Key: Key{Secret: store.Secret("hunter2")}}}}); !strings.Contains(s, "secret: hunter2") {
		t.Error("a secret is not written")
	}
}

// A file that Save wrote of a Node without an admin server's address loads, with the default.
func TestSavedWithoutAdminAddress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.json")
	if err := Save(path, Node{Run: "run.json"}); err != nil {
		t.Fatal(err)
	}
	n, _, err := Load(telemetry.Miner, Sources{File: path})
	if err != nil || n.Admin.Address != Default().Admin.Address {
		t.Errorf("address %q, %v", n.Admin.Address, err)
	}
}

// A configuration says its role; other files are none.
func TestSniff(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, role := range allRoles {
		if err := SaveTemplate("a-"+string(role)+".yaml", role, Default()); err != nil {
			t.Fatal(err)
		}
	}
	write("x.json", `{"name": "aggregator-0", "chain": {"netuid": 1}}`)
	write("miner-3.json", `{"chain": {"netuid": 1}}`)
	write("y.json", `{"chain": {"netuid": 1}}`)
	write("store.json", `{"dir": "x", "buckets": ["alice"]}`)
	write("run.json", `{"run": "x"}`)
	write("broken.json", `{"chain"`)
	for name, want := range map[string]struct {
		role telemetry.Role
		is   bool
	}{
		"a-miner.yaml": {telemetry.Miner, true}, "a-validator.yaml": {telemetry.Validator, true}, "x.json": {telemetry.Aggregator, true},
		"miner-3.json": {telemetry.Miner, true}, "y.json": {"", true}, "store.json": {}, "run.json": {}, "broken.json": {}, "absent.json": {},
	} {
		if role, is := Sniff(name); role != want.role || is != want.is {
			t.Errorf("%s: %q, %v, want %q, %v", name, role, is, want.role, want.is)
		}
	}
}
