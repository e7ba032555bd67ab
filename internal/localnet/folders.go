package localnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"templar/internal/chain/ledger"
	"templar/internal/config"
	"templar/internal/strictjson"
	"templar/internal/telemetry"
	"templar/internal/wallet"
)

// Ports of the chain's nodes in folders, those of CometBFT.
const (
	chainPort    = "26656" // for other nodes of the chain
	chainRPCPort = "26657"
)

// Hosts are where the processes of a network run that do not share a machine.
type Hosts struct {
	Store       string   `json:"store"`       // host:port at which all nodes reach the store
	Chain       []string `json:"chain"`       // hosts of the chain's authorities, at which all nodes reach them
	Admin       string   `json:"admin"`       // address of each node's admin server: config.Admin.Address
	Aggregators int      `json:"aggregators"` // the first publishes, the others stand by
}

// What is in the folder of the store.
const (
	storeFile     = "store.json"
	objectsFolder = "objects"
)

// foldersFile is in the folder of a network's folders, written last.
const foldersFile = "folders.json"

// folders is foldersFile: the options of the network, by which a second call knows it.
type folders struct {
	Version   int     `json:"version"`
	Network   network `json:"network"`
	Hosts     Hosts   `json:"hosts"`
	BlockTime int64   `json:"block_time_ms"` // 0: the preset's
}

const foldersVersion = 1

// Folders writes one folder for each process of a network whose processes run on hosts of their
// own: the store, the chain's authorities, and the nodes. A folder holds what its process needs and no
// secret of another's; paths in it are relative to it. The chain's genesis registers all miners
// and validators, and each node checks the chain's answers by the genesis's hash.
//
// o.BlockTime, if it is not 0, sets the pace: the run's times grow with its block time. The result are
// the commands, one for each folder. Called again with the same options, it changes nothing.
func Folders(ctx context.Context, o Options, h Hosts) ([]string, error) {
	abs, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, err
	}
	o.DataDir = abs
	f := &folders{Version: foldersVersion, Hosts: h, BlockTime: o.BlockTime.Milliseconds(), Network: network{
		Version: networkVersion, Preset: o.Preset, Seed: o.Seed, Miners: o.Miners, Validators: o.Validators, Aggregators: h.Aggregators,
		Source: o.Corpus, Include: o.Include, StoreAddr: h.Store,
	}}
	raw, err := os.ReadFile(o.path(foldersFile))
	if err == nil {
		return f.commands(o.DataDir), f.matches(raw, o.DataDir)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	return f.commands(o.DataDir), whole(o.DataDir, func(dir string) error {
		b := &builder{o: &o, dir: dir, network: f.Network}
		return f.build(ctx, b)
	})
}

// Install copies one of the folders to where its process is to run, unless something is there: for hosts
// that hold their secrets elsewhere, such as Kubernetes. The store's folder gets the dataset, which is made
// again if from does not have it, by o's preset and corpus. It reports whether there was something to copy.
func Install(ctx context.Context, o Options, from, to string) (installed bool, err error) {
	if _, err := os.Stat(to); err == nil {
		return false, nil
	}
	return true, whole(to, func(dir string) error {
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			return err
		}
		_, err := os.Stat(filepath.Join(dir, storeFile))
		if errors.Is(err, fs.ErrNotExist) {
			return private(dir)
		}
		if err == nil {
			_, _, _, err = buildDataset(ctx, &o, filepath.Join(dir, objectsFolder))
		}
		if err != nil {
			return err
		}
		return private(dir)
	})
}

// private takes all rights on what is in a folder from others than its owner, who gets them.
func private(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
}

// matches compares the options with those of folders that exist.
func (f *folders) matches(raw []byte, dir string) error {
	var existing folders
	if err := fileOf(filepath.Join(dir, foldersFile), foldersVersion).CheckJSON(raw); err != nil {
		return err
	}
	if err := strictjson.Config(raw, &existing); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, foldersFile), err)
	}
	if !reflect.DeepEqual(existing, *f) {
		return fmt.Errorf("%s holds a network of other options: use those, or another --data-dir", dir)
	}
	return nil
}

func (f *folders) build(ctx context.Context, b *builder) error {
	b.wallets = make(map[string]*wallet.Wallet)
	for _, m := range f.Network.names() {
		w, err := wallet.Create(b.path(m.name, "wallets"), walletName, m.name)
		if err != nil {
			return err
		}
		b.wallets[m.name] = w
	}
	if err := os.Mkdir(b.path("store"), 0o700); err != nil {
		return err
	}
	if err := b.createKeys(objectsFolder, b.path("store", storeFile)); err != nil {
		return err
	}
	if err := b.createRun(ctx, b.path("store", objectsFolder)); err != nil {
		return err
	}
	if f.BlockTime != 0 {
		b.params.Pace(time.Duration(f.BlockTime) * time.Millisecond)
	}
	if err := b.params.Validate(); err != nil {
		return fmt.Errorf("run parameters: %w", err)
	}
	genesis, err := f.createChain(b)
	if err != nil {
		return err
	}
	for i, m := range f.Network.names() {
		if err := f.createNode(b, i, m, genesis); err != nil {
			return err
		}
	}
	return writeJSON(b.path(foldersFile), f)
}

// createChain makes the folders of the chain's authorities and returns the hash of the genesis.
func (f *folders) createChain(b *builder) (string, error) {
	var homes, addresses []string
	for i, host := range f.Hosts.Chain {
		homes = append(homes, b.path(chainName(i)))
		addresses = append(addresses, net.JoinHostPort(host, chainPort))
	}
	g := b.genesis()
	for _, m := range f.Network.names() {
		if m.role == telemetry.Miner {
			g.Founders = append(g.Founders, ledger.Founder{Hotkey: b.wallets[m.name].Hotkey()})
		}
	}
	return b.o.Backends.Private.InitNetwork(homes, addresses, b.params.BlockTime(), g)
}

func (f *folders) createNode(b *builder, i int, m member, genesis string) error {
	// Nodes are spread over the authorities, and go on to the next one when theirs fails.
	var servers []string
	for k := range f.Hosts.Chain {
		servers = append(servers, "http://"+net.JoinHostPort(f.Hosts.Chain[(i+k)%len(f.Hosts.Chain)], chainRPCPort))
	}
	c := config.Node{
		Name: m.name, DataDir: "state", Run: "run.json",
		Wallet:  config.Wallet{Path: "wallets", Name: walletName, Hotkey: m.name},
		Chain:   config.Chain{Backend: b.o.Backends.Private.Backend, NetUID: netUID, Verify: genesis, Endpoint: strings.Join(servers, ",")},
		Buckets: b.buckets(m),
		Admin:   config.Admin{Address: f.Hosts.Admin, Hosts: []string{m.name}},
	}
	if err := config.Save(b.path(m.name, "node.json"), c); err != nil {
		return err
	}
	return writeJSON(b.path(m.name, "run.json"), b.params)
}

func chainName(i int) string { return fmt.Sprintf("chain-%d", i) }

// commands are those of the processes in dir, in the order in which they are started. They listen on all
// interfaces of their hosts.
func (f *folders) commands(dir string) (out []string) {
	add := func(folder, command string) {
		out = append(out, fmt.Sprintf("cd %s && templar %s", Quote(filepath.Join(dir, folder)), command))
	}
	_, port, _ := net.SplitHostPort(f.Hosts.Store)
	add("store", "store serve --config "+storeFile+" --addr 0.0.0.0:"+port)
	for i := range f.Hosts.Chain {
		add(chainName(i), "chain start --home . --rpc 0.0.0.0:"+chainRPCPort)
	}
	for _, m := range f.Network.names() {
		add(m.name, string(m.role)+" --config node.json")
	}
	return out
}
