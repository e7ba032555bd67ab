// Package config is what an operator tells a node: one struct whose comments are the
// manual, filled from defaults, a file, the environment and flags, in this order.
//
// The file is JSON or YAML, by its extension, with the names in the koanf tags. The
// environment has the names of the Python original; see environment.go.
package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"templar/internal/store"
	"templar/internal/telemetry/influx"
	"templar/internal/telemetry/otlp"
	"templar/protocol"
)

// Node configures one role on one machine. Relative paths start at the working
// directory, "~/" at the home directory.
type Node struct {
	// Name stands in logs and in the live view. Default: role and uid.
	Name string `koanf:"name"`
	// DataDir holds the node's private durable state. Created if need be, mode 0700.
	DataDir string `koanf:"data_dir"`
	// Run is the file with the run parameters (JSON), as the run's owner hands it out.
	Run string `koanf:"run"`

	Wallet  Wallet  `koanf:"wallet"`
	Chain   Chain   `koanf:"chain"`
	Buckets Buckets `koanf:"buckets"`
	Options Options `koanf:"options"`

	Telemetry Telemetry `koanf:"telemetry"`
	Admin     Admin     `koanf:"admin"`
}

// Admin is the HTTP server by which an operator watches the node: /metrics, /healthz, /status and a
// page. It is read-only, serves no credential and asks for no password.
type Admin struct {
	// Address is host:port, port 0 for a free one, or off. Default: a free port of loopback,
	// written to admin.json in the data directory.
	Address string `koanf:"address"`
	// Hosts are the server's names besides localhost and its addresses: behind a proxy, the
	// proxy's. Requests to other names are refused.
	Hosts []string `koanf:"hosts"`
	// Profile serves /debug/pprof, for developers.
	Profile bool `koanf:"profile"`
}

// AdminOff is the Address of no server.
const AdminOff = "off"

// Telemetry says where metrics and the log go beside this machine. Default: nowhere.
type Telemetry struct {
	WandB    WandB    `koanf:"wandb"`
	InfluxDB InfluxDB `koanf:"influxdb"`
	Loki     Loki     `koanf:"loki"`
	OTLP     OTLP     `koanf:"otlp"`
}

// WandB is a run of Weights & Biases, which records the node.
type WandB struct {
	// Mode is online (record and upload), offline (record only, for "wandb sync") or off.
	// Default: online when there is a key, else off.
	Mode    string       `koanf:"mode"`
	Key     store.Secret `koanf:"key" json:"-"` // API key
	URL     string       `koanf:"url"`          // https://api.wandb.ai, also when empty
	Entity  string       `koanf:"entity"`       // the key's own, also when empty
	Project string       `koanf:"project"`      // templar, also when empty
	Group   string       `koanf:"group"`        // by role, when empty
	JobType string       `koanf:"job_type"`     // likewise
	Name    string       `koanf:"name"`         // M, V, A or E and the uid, when empty
	RunID   string       `koanf:"run_id"`       // one that is kept in the data directory, when empty
}

// Modes of WandB.
const (
	WandBOnline  = "online"
	WandBOffline = "offline"
	WandBOff     = "off"
)

// Recording reports whether a run is recorded, and whether it is uploaded.
func (w WandB) Recording() (record, upload bool) {
	switch {
	case w.Mode == WandBOff || w.Mode == "disabled": // the latter is W&B's own word
		return false, false
	case w.Mode == WandBOffline:
		return true, false
	}
	return w.Key != "", w.Key != ""
}

// InfluxDB is a server that takes metrics.
type InfluxDB struct {
	// API is the write interface: v1, v2 or v3 of InfluxDB, and what other servers have of them.
	// Default: v2.
	API string `koanf:"api"`
	// Original also writes the measurements of the Python original. CompatTags makes their
	// window and global_step tags, as they are there: old dashboards need it, and each point
	// is then a series of its own.
	Original   bool         `koanf:"original"`
	CompatTags bool         `koanf:"compat_tags"`
	Host       string       `koanf:"host"`           // host[:port], reached by https, or http(s)://host[:port]; empty: none
	Port       uint16       `koanf:"port"`           // of a host without one; 8086, also when 0
	Database   string       `koanf:"database"`       // tplr, also when empty
	Org        string       `koanf:"org"`            // tplr, also when empty
	User       string       `koanf:"user"`           // of v1 with authentication
	Token      store.Secret `koanf:"token" json:"-"` // that may write
}

// Server is where metrics go; its token opens it.
func (i InfluxDB) Server() influx.Server {
	address := strings.TrimSuffix(i.Host, "/")
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	if u, err := url.Parse(address); err == nil && u.Port() == "" {
		address = fmt.Sprintf("%s:%d", address, cmp.Or(i.Port, 8086))
	}
	return influx.Server{
		API: cmp.Or(i.API, influx.V2), URL: address, User: i.User, Token: i.Token.Reveal(), Original: i.Original, CompatTags: i.CompatTags,
		Org: cmp.Or(i.Org, "tplr"), Bucket: cmp.Or(i.Database, "tplr"), // the original's
	}
}

// Loki is a server that takes log lines.
type Loki struct {
	// URL is http(s)://[user:password@]host[:port][/path], without a path Loki's own; empty: none.
	URL store.Secret `koanf:"url" json:"-"`
	// Metadata sends window, uid and verdict of a line as structured metadata, which Loki 3 takes.
	Metadata bool `koanf:"structured_metadata"`
}

// OTLP is a collector of OpenTelemetry that takes traces.
type OTLP struct {
	// URL is http(s)://host[:port][/path], to which /v1/traces is added; empty: none.
	URL string `koanf:"url"`
	// Headers are sent with each request, for example to identify the node: name=value,name=value, values
	// percent-encoded.
	Headers store.Secret `koanf:"headers" json:"-"`
}

// Collector is where traces go.
func (o OTLP) Collector() otlp.Collector {
	return otlp.Collector{URL: o.URL, Headers: o.Headers.Reveal()}
}

// Wallet names a hotkey file in Bittensor's layout: <path>/<name>/hotkeys/<hotkey>.
type Wallet struct {
	Path   string `koanf:"path"`   // default ~/.bittensor/wallets
	Name   string `koanf:"name"`   // default "default"
	Hotkey string `koanf:"hotkey"` // default "default"
}

// Chain says where the chain is.
type Chain struct {
	// Backend is the name of the chain's kind: cometbft, which this program runs itself, or
	// bittensor. Default: by the endpoint's protocol.
	Backend string `koanf:"backend"`
	// Network is a name for an endpoint: finney, test, archive or local, or an endpoint
	// itself. A source (file, environment, flags) that gives an endpoint too means the
	// endpoint.
	Network string `koanf:"network"`
	// Endpoint is a node's RPC: http://host:port of our own chain, or ws:// and wss:// URLs
	// of Bittensor's. Several of one chain stand with commas between them: one is asked, and
	// the next when it fails.
	Endpoint string `koanf:"endpoint"`
	// NetUID is the subnet: default 1, on Bittensor's networks Templar's.
	NetUID uint16 `koanf:"netuid"`
	// State is a folder for what the chain's client must not lose, such as weights that are
	// committed and still to be revealed. Default: in the data directory.
	State string `koanf:"state"`
	// Verify is the hash of the chain's genesis, as "templar chain status" prints it:
	// then every header and state is checked, and the endpoint need not be trusted.
	// Default: the endpoint is believed.
	Verify string `koanf:"verify"`
}

// Genesis is Verify as a hash, zero when it is empty.
func (c Chain) Genesis() (h protocol.Hash, err error) {
	if c.Verify != "" && h.UnmarshalText([]byte(c.Verify)) != nil {
		return h, errors.New("want the 64 hexadecimal digits of a genesis hash")
	}
	return h, nil
}

// Buckets are the kinds of bucket that a node works with.
type Buckets struct {
	// Gradients is the node's own: it writes with the write key, and commits the read
	// key to the chain for everybody. An aggregator has none.
	Gradients OwnBucket `koanf:"gradients"`
	// Results is where an evaluator publishes its signed results; none: it keeps them in its data directory.
	Results OwnBucket `koanf:"results"`
	// Dataset holds the token shards; read only. An aggregator needs none.
	Dataset Bucket `koanf:"dataset"`
	// Mirrors hold the same shards: what Dataset lacks, or has damaged, is read there.
	Mirrors []Bucket `koanf:"dataset_mirrors"`
	// Aggregator holds the Aggregates. Only an aggregator has a key that writes.
	Aggregator Bucket `koanf:"aggregator"`
}

// Bucket is a bucket with one key.
type Bucket struct {
	// AccountID names an account of Cloudflare R2 and stands for its endpoint. A
	// source that gives an endpoint too means the endpoint.
	AccountID string `koanf:"account_id"`
	// Endpoint is http(s)://host[:port], or file:///directory for buckets of this machine,
	// which have no keys.
	Endpoint string `koanf:"endpoint"`
	Region   string `koanf:"region"` // default auto
	Name     string `koanf:"name"`
	Key      Key    `koanf:"key"`
}

// OwnBucket is a bucket with a key for peers and a key for its owner.
type OwnBucket struct {
	AccountID string `koanf:"account_id"` // as in Bucket
	Endpoint  string `koanf:"endpoint"`
	Region    string `koanf:"region"`
	Name      string `koanf:"name"`
	Read      Key    `koanf:"read"`
	Write     Key    `koanf:"write"`
}

// Key is an S3 credential. It prints, logs and marshals without its secret; Save is
// the one way to write the secret down.
type Key struct {
	ID     string       `koanf:"id"`     // public name of the key
	Secret store.Secret `koanf:"secret"` // what signs requests; it has no flag
}

// MarshalJSON masks the secret: log handlers marshal whatever they are given.
func (k Key) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"id": k.ID, "secret": k.Secret.String()})
}

// Options are the switches of the roles.
type Options struct {
	// Windows to take part in, counted from the run's start window; 0 means no end.
	Windows uint64 `koanf:"windows"`
	// Device that the engine computes on: cpu, also when empty, cuda (the first GPU), cuda:N,
	// cuda:all or plugin:PATH (docs/gpu.md). An aggregator has no engine, and ignores Device,
	// Precision, Threads and BLAS.
	Device string `koanf:"device"`
	// Precision of a device's matrix products: float32, bf16, or empty for what suits the device
	// (bf16 on GPUs). The cpu computes in float32.
	Precision string `koanf:"precision"`
	// Threads of the engine; 0 means all cores.
	Threads int `koanf:"threads"`
	// BLAS multiplies the engine's matrices: builtin, also when empty, openblas or auto.
	BLAS string `koanf:"blas"`
	// Memory is how much the process may use, like 24GiB: batches are computed in smaller parts
	// to fit, and a node that cannot fit does not start. Default: nine tenths of the machine's.
	Memory string `koanf:"memory"`
	// Theta0 is the folder of the imported model whose state hash the run parameters state as theta_0,
	// from which a validator serves it. A run without theta_0 needs none.
	Theta0 string `koanf:"theta_0"`
	// Peers restricts gathers to these uids.
	Peers []protocol.UID `koanf:"peers"`
	// Test uses all peers, without the lead validator's selection.
	Test bool `koanf:"test"`
	// StoreGathers keeps gathered payloads in the data directory, those of the last
	// KeepGathers windows; 0 means as long as the aggregator keeps its own: the run's
	// payload_windows.
	StoreGathers bool   `koanf:"store_gathers"`
	KeepGathers  uint64 `koanf:"keep_gathers"`
	// Every is how many windows lie between two measurements of an evaluator; 0 means 1.
	Every uint64 `koanf:"every"`
	// Batches that a miner trains on in a window at most; 0 means until its pages or the
	// window end. Batches of held-out text that an evaluator measures each time; 0 means 8.
	Batches int `koanf:"batches"`
	// Tokenizer is the tokenizer.json of the dataset, by which an evaluator counts bytes and encodes
	// tasks. A dataset of bytes needs none.
	Tokenizer string `koanf:"tokenizer"`
	// Tasks are an evaluator's multiple-choice tasks: NAME=FILE with commas between, or a folder.
	Tasks string `koanf:"tasks"`
	// TasksEvery is how many windows lie between two measurements of tasks; 0 means checkpoint_frequency.
	TasksEvery uint64 `koanf:"tasks_every"`
	// TaskLimit is how many documents of each task are measured, the first ones, of MMLU for each subject; 0 means all.
	TaskLimit int `koanf:"task_limit"`
	// MMLUShots is how many worked examples stand before each question of MMLU, 0 to 5.
	MMLUShots int `koanf:"mmlu_shots"`
}

// DeviceName is the name in Options.Device, without what follows a colon. A number, as CUDA_DEVICE may
// have, is one of cuda's.
func DeviceName(device string) string {
	if _, err := strconv.ParseUint(device, 10, 16); err == nil {
		return "cuda"
	}
	name, _, _ := strings.Cut(device, ":")
	return name
}

// Default returns what holds where no source says otherwise.
func Default() Node {
	return Node{
		DataDir: "templar-data",
		Wallet:  Wallet{Path: "~/.bittensor/wallets", Name: "default", Hotkey: "default"},
		Chain:   Chain{NetUID: 1},
		Options: Options{Device: "cpu"},
		Admin:   Admin{Address: "127.0.0.1:0"},
	}
}

// Location is the bucket as the store package opens it.
func (b Bucket) Location() store.Location {
	return store.Location{Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Name, AccessKey: b.Key.ID, Secret: b.Key.Secret}
}

// Reading is the own bucket as peers will open it.
func (b OwnBucket) Reading() store.Location {
	return Bucket{Endpoint: b.Endpoint, Region: b.Region, Name: b.Name, Key: b.Read}.Location()
}

// Writing is the own bucket as its owner opens it.
func (b OwnBucket) Writing() store.Location {
	return Bucket{Endpoint: b.Endpoint, Region: b.Region, Name: b.Name, Key: b.Write}.Location()
}
