package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"templar/internal/telemetry"
	"templar/internal/telemetry/influx"
	"templar/protocol"
)

func TestGoodFiles(t *testing.T) {
	for role, file := range map[telemetry.Role]string{
		telemetry.Miner: "miner.yaml", telemetry.Validator: "miner.yaml", telemetry.Aggregator: "aggregator.json",
	} {
		n, _, err := Load(role, Sources{File: filepath.Join("testdata/good", file)})
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if err := n.Validate(role, build); err != nil {
			t.Errorf("%s as %s: %v", file, role, err)
		}
	}
}

func TestBadFiles(t *testing.T) {
	wants, err := filepath.Glob("testdata/bad/*.want")
	if err != nil || len(wants) == 0 {
		t.Fatal("no fixtures", err)
	}
	for _, want := range wants {
		file := strings.TrimSuffix(want, ".want")
		t.Run(filepath.Base(file), func(t *testing.T) {
			lines, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = Load(telemetry.Miner, Sources{File: file})
			if err == nil {
				t.Fatal("accepted")
			}
			got := strings.Split(err.Error(), "\n")
			texts := strings.Split(strings.TrimSpace(string(lines)), "\n")
			if len(got) != len(texts) {
				t.Errorf("%d faults, want %d:\n%v", len(got), len(texts), err)
			}
			for i := range min(len(got), len(texts)) {
				if !strings.HasPrefix(got[i], file+": "+texts[i]) {
					t.Errorf("fault %q\nwant prefix %q", got[i], file+": "+texts[i])
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes a value: %v", err)
			}
		})
	}
}

func TestPrecedence(t *testing.T) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	RoleFlags(flags, telemetry.Miner)
	if err := flags.Parse([]string{"--netuid=7", "--peers=4,5", "--store-gathers=false"}); err != nil {
		t.Fatal(err)
	}
	n, _, err := Load(telemetry.Miner, Sources{
		File: "testdata/good/miner.yaml",
		Environ: []string{"NETUID=5", "WALLET_NAME=bob", "WALLET_HOTKEY=", "NETWORK=local",
			"R2_GRADIENTS_ACCOUNT_ID=ffffffffffffffffffffffffffffffff"},
		Flags: flags,
	})
	if err != nil {
		t.Fatal(err)
	}
	type want struct{ got, want any }
	for name, c := range map[string]want{
		"default":                       {n.Options.Device, "cpu"},
		"file":                          {n.Options.Threads, 2},
		"environment over file":         {n.Wallet.Name, "bob"},
		"empty variable is unset":       {n.Wallet.Hotkey, "miner"},
		"network over file's endpoint":  {n.Chain.Endpoint, "ws://127.0.0.1:9944"},
		"account over file's account":   {n.Buckets.Gradients.Endpoint, "https://ffffffffffffffffffffffffffffffff.r2.cloudflarestorage.com"},
		"flag over environment":         {n.Chain.NetUID, uint16(7)},
		"false flag over file":          {n.Options.StoreGathers, false},
		"flag's list replaces the file": {n.Options.Peers, []protocol.UID{4, 5}},
		"flag not given leaves file":    {n.DataDir, "/var/lib/templar"},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// original is a .env of the Python system.
func original() []string {
	env := []string{"WALLET_NAME=w", "WALLET_HOTKEY=h", "NETUID=3", "NETWORK=http://127.0.0.1:1", "TEMPLAR_RUN=run.json", "CUDA_DEVICE=cpu"}
	for _, b := range []string{"GRADIENTS", "DATASET", "AGGREGATOR"} {
		env = append(env, "R2_"+b+"_ACCOUNT_ID=0123456789abcdef0123456789abcdef", "R2_"+b+"_BUCKET_NAME="+strings.ToLower(b))
		for _, k := range []string{"READ", "WRITE"} {
			env = append(env, "R2_"+b+"_"+k+"_ACCESS_KEY_ID="+b+k+"ID", "R2_"+b+"_"+k+"_SECRET_ACCESS_KEY="+b+k+"SECRET")
		}
	}
	return env
}

func TestOriginalEnvironmentIsEnough(t *testing.T) {
	for role, keys := range map[telemetry.Role][4]string{
		telemetry.Miner:      {"GRADIENTSREAD", "GRADIENTSWRITE", "DATASETREAD", "AGGREGATORREAD"},
		telemetry.Validator:  {"GRADIENTSREAD", "GRADIENTSWRITE", "DATASETREAD", "AGGREGATORREAD"},
		telemetry.Aggregator: {"GRADIENTSREAD", "GRADIENTSWRITE", "DATASETREAD", "AGGREGATORWRITE"},
	} {
		n, warnings, err := Load(role, Sources{Environ: original()})
		if err != nil || len(warnings) > 0 {
			t.Fatal(err, warnings)
		}
		if err := n.Validate(role, build); err != nil {
			t.Errorf("%s: %v", role, err)
		}
		b := n.Buckets
		for i, k := range []Key{b.Gradients.Read, b.Gradients.Write, b.Dataset.Key, b.Aggregator.Key} {
			if k.ID != keys[i]+"ID" || k.Secret.Reveal() != keys[i]+"SECRET" {
				t.Errorf("%s: key %d is %s, want %s", role, i, k.ID, keys[i])
			}
		}
	}
}

func TestEnvironmentThatSetsNothing(t *testing.T) {
	_, warnings, err := Load(telemetry.Miner, Sources{Environ: []string{
		"WANDB_API_KEY=hunter2", "INFLUXDB_HOST=", "R2_GRADIENT_BUCKET_NAME=b", "PATH=/bin",
	}})
	want := []string{"R2_GRADIENT_BUCKET_NAME ignored: no such setting, did you mean R2_GRADIENTS_BUCKET_NAME?"}
	if err != nil || !slices.Equal(warnings, want) {
		t.Errorf("got %q, %v", warnings, err)
	}
	_, _, err = Load(telemetry.Miner, Sources{Environ: []string{"R2_DATASET_BUCKET_LIST=[{\"k\":\"hunter2\"}]", "NETUID=x"}})
	if err == nil || !strings.Contains(err.Error(), "NETUID: want a whole number from 0 to 65535\nR2_DATASET_BUCKET_LIST: ") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

// The original's variables say where metrics and the log go, and no form of a node shows
// what opens these servers.
func TestTelemetry(t *testing.T) {
	environ := append(original(), "INFLUXDB_HOST=influx.example", "INFLUXDB_PORT=443", "INFLUXDB_TOKEN=hunter2", "LOKI_URL=https://u:hunter2@logs.example/push",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318", "OTEL_EXPORTER_OTLP_HEADERS=key=hunter2")
	n, warnings, err := Load(telemetry.Miner, Sources{Environ: environ})
	if err != nil || len(warnings) > 0 || n.Validate(telemetry.Miner, build) != nil {
		t.Fatal(err, warnings, n.Validate(telemetry.Miner, build))
	}
	server := influx.Server{API: influx.V2, URL: "https://influx.example:443", Org: "tplr", Bucket: "tplr", Token: "hunter2"}
	if n.Telemetry.InfluxDB.Server() != server || n.Telemetry.Loki.URL.Reveal() != "https://u:hunter2@logs.example/push" {
		t.Errorf("%+v", n.Telemetry)
	}
	if c := n.Telemetry.OTLP.Collector(); c.URL != "http://collector:4318" || c.Headers != "key=hunter2" {
		t.Errorf("traces go to %+v", c)
	}
	asJSON, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	if all := fmt.Sprintf("%+v %#v %s", n, n, asJSON); strings.Contains(all, "hunter2") {
		t.Errorf("a secret shows in %s", all)
	}
	n.Telemetry.InfluxDB = InfluxDB{Host: "http://u:hunter2@influx.example"}
	n.Telemetry.Loki.URL = "hunter2@logs.example"
	n.Telemetry.OTLP = OTLP{URL: "hunter2:4318", Headers: "hunter2"}
	want := []string{
		"telemetry.influxdb.host: want [http(s)://]host[:port]: set INFLUXDB_HOST, telemetry.influxdb.host in the configuration file",
		"telemetry.influxdb.token: missing: set INFLUXDB_TOKEN, telemetry.influxdb.token in the configuration file",
		"telemetry.loki.url: want http(s)://[user:password@]host[:port][/path]: set LOKI_URL, telemetry.loki.url in the configuration file",
		"telemetry.otlp.url: want http(s)://host[:port][/path], like http://127.0.0.1:4318; a password belongs in the headers: set --otlp, OTEL_EXPORTER_OTLP_ENDPOINT, telemetry.otlp.url in the configuration file",
		"telemetry.otlp.headers: want headers as name=value,name=value, values percent-encoded: set OTEL_EXPORTER_OTLP_HEADERS, telemetry.otlp.headers in the configuration file",
	}
	if diff := cmp.Diff(want, strings.Split(n.Validate(telemetry.Miner, build).Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

// The port of InfluxDB is the host's, if it has one.
func TestInfluxDBAddress(t *testing.T) {
	for _, c := range []struct {
		host string
		port uint16
		want string // empty: refused
	}{
		{"influx.example", 0, "https://influx.example:8086"},
		{"influx.example", 443, "https://influx.example:443"},
		{"influx.example:9999", 443, "https://influx.example:9999"},
		{"http://127.0.0.1", 0, "http://127.0.0.1:8086"},
		{"http://127.0.0.1:8086", 0, "http://127.0.0.1:8086"},
		{"http://127.0.0.1:8086/", 0, "http://127.0.0.1:8086"},
		{"http://[::1]", 0, "http://[::1]:8086"},
		{"https://[::1]:443", 0, "https://[::1]:443"},
		{"http://influx.example/path", 0, ""},
		{"http://influx.example:8086/path", 0, ""},
		{"http://influx.example:", 0, ""},
		{"http://influx.example:port", 0, ""},
		{"hunter2@influx.example:8086", 0, ""},
		{"ftp://influx.example", 0, ""},
	} {
		v := validator{role: telemetry.Miner}
		i := InfluxDB{Host: c.host, Port: c.port, Token: "t"}
		v.telemetry(Telemetry{InfluxDB: i})
		if ok := len(v.faults) == 0; ok != (c.want != "") || ok && i.Server().URL != c.want {
			t.Errorf("%s: %s, %v", c.host, i.Server().URL, v.faults)
		}
	}
}

// An aggregator computes no model. What would say how is no flag of it, and elsewhere it is
// neither used nor judged: a file or an environment may be for all roles of a machine.
func TestAggregatorHasNoEngine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(path, []byte("options: {device: cuda, threads: -1, blas: mkl}"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, warnings, err := Load(telemetry.Aggregator, Sources{File: path, Environ: original()})
	want := []string{
		"options.device ignored: an aggregator has no model to compute",
		"options.threads ignored: an aggregator has no model to compute",
		"options.blas ignored: an aggregator has no model to compute",
	}
	if diff := cmp.Diff(want, warnings); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if err := n.Validate(telemetry.Aggregator, build); err != nil {
		t.Error(err)
	}
	n, warnings, err = Load(telemetry.Aggregator, Sources{Environ: append(original(), "CUDA_DEVICE=cuda:0")})
	if err != nil || len(warnings) > 0 || n.Options.Device != "cpu" {
		t.Error(n.Options, warnings, err)
	}
	for _, role := range []telemetry.Role{telemetry.Miner, telemetry.Validator, telemetry.Aggregator} {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		RoleFlags(flags, role)
		for _, name := range []string{"device", "threads", "blas"} {
			if has := flags.Lookup(name) != nil; has != (role != telemetry.Aggregator) {
				t.Errorf("%s: --%s is a flag: %v", role, name, has)
			}
		}
	}
}

// bucketListOf2 is R2_DATASET_BUCKET_LIST of two buckets, in the original's form.
const bucketListOf2 = ` [{"account_id": "0123456789abcdef0123456789abcdef", "name": "one",
  "credentials": {"read": {"access_key_id": "1ID", "secret_access_key": "1SECRET"}, "write": {"access_key_id": "w", "secret_access_key": "wSECRET"}}},
 {"endpoint": "https://data.example", "name": "two", "credentials": {"read": {"access_key_id": "2ID", "secret_access_key": "2SECRET"}}}] `

func TestDatasetBucketList(t *testing.T) {
	n, warnings, err := Load(telemetry.Miner, Sources{Environ: append(original(), bucketList+"="+bucketListOf2)})
	if err != nil || len(warnings) > 0 || n.Validate(telemetry.Miner, build) != nil {
		t.Fatal(err, warnings, n.Validate(telemetry.Miner, build))
	}
	const r2 = "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com"
	want := []Bucket{
		{AccountID: "0123456789abcdef0123456789abcdef", Endpoint: r2, Name: "one", Key: Key{"1ID", "1SECRET"}},
		{Endpoint: "https://data.example", Name: "two", Key: Key{"2ID", "2SECRET"}},
	}
	if diff := cmp.Diff(want, append([]Bucket{n.Buckets.Dataset}, n.Buckets.Mirrors...)); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"[]", "{}", "null", "[1]", `[{"hunter2":1}]`, `[{"name":"hunter2"}] x`, `[{"name":"hunter2"`, "hunter2"} {
		_, _, err := Load(telemetry.Miner, Sources{Environ: []string{bucketList + "=" + bad}})
		if err == nil || !strings.HasPrefix(err.Error(), bucketList+": want [{") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	n.Buckets.Mirrors[0].Key.Secret = ""
	want1 := "buckets.dataset_mirrors[0].key.secret: missing: set R2_DATASET_BUCKET_LIST, buckets.dataset_mirrors[0].key.secret in the configuration file"
	if err := n.Validate(telemetry.Miner, build); err == nil || err.Error() != want1 {
		t.Errorf("got %v", err)
	}
}

// Flags say where buckets are; none takes a secret.
func TestBucketFlags(t *testing.T) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	RoleFlags(flags, telemetry.Miner)
	args := []string{"--buckets.gradients.account_id=ffffffffffffffffffffffffffffffff", "--buckets.gradients.write.id=w", "--buckets.dataset.name=d", "--keep-gathers=7"}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	n, _, err := Load(telemetry.Miner, Sources{File: "testdata/good/miner.yaml", Environ: original(), Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	g := n.Buckets.Gradients
	if g.Endpoint != "https://ffffffffffffffffffffffffffffffff.r2.cloudflarestorage.com" || g.Write.ID != "w" || n.Buckets.Dataset.Name != "d" || n.Options.KeepGathers != 7 {
		t.Errorf("got %+v", n)
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if strings.Contains(f.Name, "secret") {
			t.Errorf("--%s would show a secret to everybody on the machine", f.Name)
		}
	})
	if n.Buckets.Mirrors[1].Key.ID != "0123" {
		t.Errorf("mirrors %+v", n.Buckets.Mirrors)
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	n := Default()
	n.Chain.Network = "nowhere"
	n.Buckets.Aggregator = Bucket{Endpoint: "https://u:hunter2@h", Name: "Aggregates", Key: Key{ID: "id"}}
	err := n.Validate(telemetry.Aggregator, build)
	if err == nil {
		t.Fatal("valid")
	}
	want := []string{
		"run: missing: set --run, TEMPLAR_RUN, run in the configuration file",
		`chain.endpoint: network "nowhere" is not one that this build can join (it has: finney, test, archive, dev, lite, local): set --subtensor.chain_endpoint, --subtensor.network, NETWORK, TEMPLAR_CHAIN_ENDPOINT, chain.endpoint in the configuration file`,
		"buckets.aggregator.endpoint: want http(s)://host[:port]: set --buckets.aggregator.account_id, --buckets.aggregator.endpoint, R2_AGGREGATOR_ACCOUNT_ID, R2_AGGREGATOR_ENDPOINT, buckets.aggregator.endpoint in the configuration file",
		"buckets.aggregator.name: want 3 to 63 of a-z, 0-9, '-' and '.': set --buckets.aggregator.name, R2_AGGREGATOR_BUCKET_NAME, buckets.aggregator.name in the configuration file",
		"buckets.aggregator.key.secret: missing: set R2_AGGREGATOR_WRITE_SECRET_ACCESS_KEY, buckets.aggregator.key.secret in the configuration file",
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

// Several servers of a chain stand with commas between them. Each must be an address.
func TestValidateChainEndpoints(t *testing.T) {
	for endpoint, want := range map[string]string{
		"http://a:26657": "", "http://a:26657, http://b:26657": "", "ws://a:9944,wss://b": "",
		"http://a:26657,b": "want http(s)://host[:port]", "http://a:26657,": "want http(s)://host[:port]",
		"http://a:26657,ws://b:9944": "want http(s)://host[:port]", "ws://a:9944,http://b": "want ws:// or wss:// URLs",
	} {
		n, _, err := Load(telemetry.Miner, Sources{Environ: append(original(), "TEMPLAR_CHAIN_ENDPOINT="+endpoint)})
		if err == nil {
			err = n.Validate(telemetry.Miner, build)
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", endpoint, err, want)
		}
	}
}

// build is the program that the tests' configurations are for.
var build = Build{Chains: []string{"bittensor", "cometbft"}, Devices: []string{"cpu", "npu"}}

func TestValidateEngine(t *testing.T) {
	n, _, err := Load(telemetry.Miner, Sources{Environ: append(original(), "CUDA_DEVICE=cuda:0")})
	if err != nil {
		t.Fatal(err)
	}
	n.Options.Threads, n.Options.BLAS = -1, "mkl"
	want := []string{
		`options.device: "cuda:0" is not in this build (it has: cpu, npu): set --device, CUDA_DEVICE, options.device in the configuration file`,
		`options.threads: must not be negative: set --threads, options.threads in the configuration file`,
		`options.blas: "mkl" is none of builtin, openblas, auto: set --blas, options.blas in the configuration file`,
	}
	for _, role := range []telemetry.Role{telemetry.Miner, telemetry.Validator} {
		if diff := cmp.Diff(want, strings.Split(fmt.Sprint(n.Validate(role, build)), "\n")); diff != "" {
			t.Errorf("%s: %s", role, diff)
		}
	}
}

func TestValidateRefusesOneKeyForReadingAndWriting(t *testing.T) {
	n, _, err := Load(telemetry.Miner, Sources{File: "testdata/good/miner.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	n.Buckets.Gradients.Read = n.Buckets.Gradients.Write
	if err := n.Validate(telemetry.Miner, build); err == nil || !strings.HasPrefix(err.Error(), "buckets.gradients.read.id: the same key") {
		t.Errorf("got %v", err)
	}
}

func TestSaveLoads(t *testing.T) {
	for _, file := range []string{"node.json", "node.yaml"} {
		want, _, err := Load(telemetry.Miner, Sources{File: "testdata/good/miner.yaml"})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), file)
		if err := Save(path, want); err != nil {
			t.Fatal(err)
		}
		got, warnings, err := Load(telemetry.Miner, Sources{File: path})
		if err != nil || len(warnings) > 0 {
			t.Fatal(err, warnings)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", file, info.Mode(), err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, warnings, _ := Load(telemetry.Miner, Sources{File: path}); len(warnings) != 1 || !strings.Contains(warnings[0], "chmod 600") {
			t.Errorf("%s: warnings %q for a file that others may read", file, warnings)
		}
	}
}

func TestSaveLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "node.json"), 0o700); err != nil { // cannot be replaced by a file
		t.Fatal(err)
	}
	if err := Save(filepath.Join(dir, "node.json"), Default()); err == nil {
		t.Fatal("saved over a folder")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestNothingPrintsSecrets(t *testing.T) {
	n, _, err := Load(telemetry.Miner, Sources{Environ: append(original(), bucketList+"="+bucketListOf2)})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, v := range []any{n, &n, n.Buckets, n.Buckets.Gradients, n.Buckets.Dataset, n.Buckets.Gradients.Write, n.Buckets.Dataset.Location()} {
		fmt.Fprintf(&out, "%v %+v %#v %s %q %x\n", v, v, v, v, v, v)
		for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
			slog.New(h).Info("loaded", "config", v)
		}
	}
	if err := json.NewEncoder(&out).Encode(n); err != nil {
		t.Fatal(err)
	}
	if i := strings.Index(out.String(), "SECRET"); i >= 0 {
		t.Errorf("a secret is out: ...%s...", out.String()[max(0, i-80):i+6])
	}
	if !strings.Contains(out.String(), "***") {
		t.Error("nothing was masked: the test is blind")
	}
}

func TestSettingsNameKeysOfTheFile(t *testing.T) {
	l, _, err := Load(telemetry.Miner, Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default().Options, l.Options); diff != "" {
		t.Errorf("the flags' or environment's absence changed the defaults: %s", diff)
	}
	known := schemaOf(reflect.TypeFor[Node]())
	for _, role := range []telemetry.Role{telemetry.Miner, telemetry.Validator, telemetry.Aggregator} {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		RoleFlags(flags, role)
		for name, key := range flagKeys(role) {
			if known[key] == nil || flags.Lookup(name) == nil {
				t.Errorf("%s: --%s sets %s: one of them does not exist", role, name, key)
			}
		}
		flags.VisitAll(func(f *pflag.Flag) {
			if flagKeys(role)[f.Name] == "" {
				t.Errorf("%s: --%s sets nothing", role, f.Name)
			}
		})
		for name, key := range variables(role) {
			if key != "" && known[key] == nil {
				t.Errorf("%s sets %s, which does not exist", name, key)
			}
		}
	}
}

func TestStoreServer(t *testing.T) {
	want := StoreServer{Dir: "objects", Buckets: []string{"alice", "dataset"}, Keys: []Access{
		{ID: "alice", Secret: "s1", Write: []string{"alice"}, Read: []string{"dataset"}}, {ID: "root", Secret: "s2", Admin: true},
	}}
	path := filepath.Join(t.TempDir(), "store.json")
	if err := SaveStore(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := LoadStore(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	k := got.Keys[0].Key()
	if !k.Allows("alice", true) || !k.Allows("dataset", false) || k.Allows("dataset", true) {
		t.Errorf("rights %+v", k.Grants)
	}
	for text, want := range map[string]string{
		`{"dir":"d","bukets":[]}`:                                                        `line 1: unknown name "bukets"`,
		"{\"dir\":\"d\",\n\"Dir\":\"e\"}":                                                `line 2: unknown name "Dir"`,
		"{\"dir\":\"d\",\n\"dir\":\"e\"}":                                                `line 2: the name "dir" appears twice`,
		`{"dir":"d","keys":[{"id":"abc","secret":{"hunter2":1}}]}`:                       "line 1",
		`{"keys":[{"id":"abc","secret":"hunter2","read":["x"]}]}`:                        "dir is missing",
		`{"dir":"d","keys":[{"id":"abc","secret":"hunter2","read":["nowhere"]}]}`:        `bucket "nowhere" is not in buckets`,
		`{"dir":"d","keys":[{"id":"abc","secret":"s"},{"id":"abc","secret":"hunter2"}]}`: "stands twice",
		`{"dir":"d"}`: "keys is empty",
		`{"dir":"d","buckets":["UP"],"keys":[{"id":"abc","secret":"hunter2"}]}`: "bucket name",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadStore(path); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := LoadStore("nowhere.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// FuzzFile: whatever stands in a file, Load returns, and what it accepts survives Save.
func FuzzFile(f *testing.F) {
	for _, dir := range []string{"good", "bad"} {
		files, err := filepath.Glob("testdata/" + dir + "/*")
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			if b, err := os.ReadFile(file); err == nil {
				f.Add(b, strings.HasSuffix(file, ".json"))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, isJSON bool) {
		path := filepath.Join(t.TempDir(), "node.yaml")
		if isJSON {
			path = filepath.Join(filepath.Dir(path), "node.json")
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		n, _, err := Load(telemetry.Miner, Sources{File: path})
		if err != nil {
			return
		}
		if err := Save(path, n); err != nil {
			t.Fatalf("cannot save what was loaded: %v", err)
		}
		again, _, err := Load(telemetry.Miner, Sources{File: path})
		if diff := cmp.Diff(n, again); err != nil || diff != "" {
			t.Fatalf("saved and loaded: %v %s", err, diff)
		}
	})
}
