package localnet

import (
	"errors"
	"fmt"
	"os"

	"templar/internal/adversary"
	"templar/internal/config"
	"templar/internal/node"
	"templar/internal/parts"
	"templar/internal/strictjson"
	"templar/internal/telemetry"
	"templar/internal/versioned"
	"templar/internal/wallet"
	"templar/protocol"
)

// networkVersion is the version of network.json.
//
//	1  2026-11  first form
//	2  2026-11  the observer is an evaluator
const networkVersion = 2

const networkFile = "network.json"

// fileOf is a file with the options of a network.
func fileOf(path string, version int) versioned.File {
	return versioned.File{Name: path, Version: version, Least: version, Remedy: "run the release that wrote it, or choose another --data-dir"}
}

// network is network.json: the options with which a data directory was prepared. It is written
// last, so that a directory without it is incomplete.
type network struct {
	Version        int     `json:"version"`
	Preset         string  `json:"preset"`
	Seed           uint64  `json:"seed"`
	Miners         int     `json:"miners"`
	Validators     int     `json:"validators"`
	Aggregators    int     `json:"aggregators,omitempty"` // 0 means one
	Adversaries    string  `json:"adversaries,omitempty"` // as adversary.Mix writes it
	Corpus         string  `json:"corpus"`
	Source         string  `json:"corpus_path"` // as given; empty is the embedded book
	Include        string  `json:"include"`
	UnigramEntropy float64 `json:"unigram_entropy"` // of the corpus, nats a token
	StoreAddr      string  `json:"store"`           // host:port
	ChainAddr      string  `json:"chain"`           // host:port

	params      *protocol.Params
	adversaries adversary.Mix
	dir         string
}

// member is one node of the network.
type member struct {
	name   string
	role   telemetry.Role
	uid    protocol.UID // as the chain will give it
	hotkey protocol.Hotkey
	// corrupt makes an adversary of the node; nil for an honest one.
	corrupt func(parts.Parts) parts.Parts
}

const walletName = "localnet"

// names lists all nodes with their roles: validators first, since the genesis gives
// them the first uids.
func (n *network) names() []member {
	var out []member
	add := func(r telemetry.Role, count int) {
		for i := range count {
			out = append(out, member{name: fmt.Sprintf("%s-%d", r, i), role: r})
		}
	}
	add(telemetry.Validator, n.Validators)
	add(telemetry.Miner, n.Miners)
	for _, a := range n.adversaries.Members() {
		out = append(out, member{name: a.Name(), role: telemetry.Miner, corrupt: a.Corrupt})
	}
	add(telemetry.Aggregator, max(n.Aggregators, 1))
	add(telemetry.Evaluator, 1)
	for i := range out {
		if out[i].role == telemetry.Validator || out[i].role == telemetry.Miner {
			out[i].uid = protocol.UID(i)
		}
	}
	return out
}

// members is names with the hotkeys of the nodes.
func (n *network) members() []member {
	var out []member
	for _, m := range n.names() {
		if w, err := wallet.Load(n.walletPath(), walletName, m.name); err == nil && m.role != telemetry.Evaluator {
			m.hotkey = w.Hotkey()
			out = append(out, m)
		}
	}
	return out
}

func (n *network) path(elem ...string) string {
	o := Options{DataDir: n.dir}
	return o.path(elem...)
}

func (n *network) walletPath() string { return n.path("wallets") }

// config reads a node's configuration file.
func (n *network) config(m member) (config.Node, error) {
	c, _, err := config.Load(m.role, config.Sources{File: n.path("nodes", m.name+".json")})
	return c, err
}

// load reads a data directory and checks that it is that of the requested network.
func load(o *Options) (*network, error) {
	n, err := read(o.DataDir)
	if err != nil {
		return nil, err
	}
	if err := n.accepts(o); err != nil {
		return nil, fmt.Errorf("%s holds another network: %w; use its flags, or another --data-dir", o.DataDir, err)
	}
	return n, nil
}

// read reads a data directory.
func read(dir string) (*network, error) {
	n := &network{dir: dir}
	b, err := os.ReadFile(n.path(networkFile))
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := fileOf(n.path(networkFile), networkVersion).CheckJSON(b); err != nil {
		return nil, err
	}
	if err := strictjson.Config(b, n); err != nil {
		return nil, fmt.Errorf("%s: %w", n.path(networkFile), err)
	}
	if n.adversaries, err = adversary.Parse(n.Adversaries); err != nil {
		return nil, fmt.Errorf("%s: %w", n.path(networkFile), err)
	}
	params, err := node.LoadParams(n.path("run.json"))
	if err != nil {
		return nil, err
	}
	n.params = &params
	return n, nil
}

// accepts reports the flags in which o differs from the options of the directory.
func (n *network) accepts(o *Options) error {
	var errs []error
	differ := func(flag string, have, want any) {
		if have != want {
			errs = append(errs, fmt.Errorf("--%s is %v there, not %v", flag, have, want))
		}
	}
	differ("preset", n.Preset, o.Preset)
	differ("seed", n.Seed, o.Seed)
	differ("miners", n.Miners, o.Miners)
	differ("validators", n.Validators, o.Validators)
	differ("adversaries", n.Adversaries, o.Adversaries.String())
	differ("corpus", n.Source, o.Corpus)
	differ("include", n.Include, o.Include)
	return errors.Join(errs...)
}
