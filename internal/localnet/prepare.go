package localnet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"templar/internal/chain/ledger"
	"templar/internal/config"
	"templar/internal/data"
	"templar/internal/node"
	"templar/internal/run"
	"templar/internal/store"
	storefs "templar/internal/store/fs"
	"templar/internal/telemetry"
	"templar/internal/wallet"
	"templar/protocol"
)

const (
	datasetBucket    = "dataset"
	aggregatorBucket = "aggregator"
	netUID           = 1
	stakeUnit        = 1000
)

// Prepare writes the data directory and returns the commands that form the same
// network from separate processes.
func Prepare(ctx context.Context, o Options) ([]string, error) {
	n, err := prepare(ctx, &o)
	if err != nil {
		return nil, err
	}
	commands := []string{
		fmt.Sprintf("templar store serve --config %s --addr %s", Quote(n.path("store.json")), n.StoreAddr),
	}
	if o.Chain.Endpoint == "" {
		commands = append(commands, fmt.Sprintf("templar chain start --home %s --rpc %s --block-time %s", Quote(n.path("chain")), n.ChainAddr, n.params.BlockTime()))
	}
	for i, m := range n.names() {
		if o.Chain.Endpoint != "" && (m.role == telemetry.Miner || m.role == telemetry.Validator) {
			w := o.wallet(i, m)
			commands = append(commands, fmt.Sprintf("templar chain register --subtensor.chain_endpoint %s --netuid %d --wallet.path %s --wallet.name %s --wallet.hotkey %s --yes",
				Quote(o.Chain.Endpoint), o.Chain.NetUID, Quote(w.Path), Quote(w.Name), Quote(w.Hotkey)))
		} else if m.role == telemetry.Miner {
			commands = append(commands, fmt.Sprintf("templar chain register --endpoint http://%s --netuid %d --wallet.path %s --wallet.name %s --wallet.hotkey %s",
				n.ChainAddr, netUID, Quote(n.walletPath()), walletName, m.name))
		}
	}
	for _, m := range n.names() {
		switch {
		case m.corrupt != nil:
			commands = append(commands, fmt.Sprintf("templar localnet cheat %s --data-dir %s --windows %d", m.name, Quote(n.dir), o.Windows))
		default:
			commands = append(commands, fmt.Sprintf("templar %s --config %s --windows %d", m.role, Quote(n.path("nodes", m.name+".json")), o.Windows))
		}
	}
	return commands, nil
}

// Quote makes a path one word of a shell's command line.
func Quote(path string) string {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+=:@,", r)
	}
	if !strings.ContainsFunc(path, odd) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// prepare loads the network of the data directory, or makes a new one there. A new one
// is made beside it and renamed, so that the directory holds all of it or nothing.
func prepare(ctx context.Context, o *Options) (*network, error) {
	abs, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, err
	}
	o.DataDir = abs
	n, err := load(o)
	if !errors.Is(err, fs.ErrNotExist) {
		return n, err
	}
	if err := o.fits(); err != nil {
		return nil, err
	}
	if err := whole(o.DataDir, func(dir string) error {
		b := &builder{o: o, dir: dir}
		return b.build(ctx)
	}); err != nil {
		return nil, err
	}
	return load(o)
}

// whole makes a new directory beside its place and renames it, so that it holds all that make writes
// or does not exist.
func whole(dir string, make func(dir string) error) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty and holds no network: choose another --data-dir", dir)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	building, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".preparing-")
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	defer os.RemoveAll(building)
	if err := make(building); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := os.Rename(building, dir); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

// fits refuses a network that this machine cannot hold, before anything is made.
func (o *Options) fits() error {
	p, err := protocol.Preset(o.Preset)
	if err != nil {
		return err
	}
	n := network{Miners: o.Miners, Validators: o.Validators, adversaries: o.Adversaries}
	_, err = o.share(p, n.names())
	return err
}

// builder makes a new network in dir; paths in configurations are those of o.DataDir.
type builder struct {
	o       *Options
	dir     string
	network network
	params  protocol.Params
	wallets map[string]*wallet.Wallet
	store   config.StoreServer
	keys    map[string]config.Key // by bucket and right
}

func (b *builder) path(elem ...string) string {
	return filepath.Join(append([]string{b.dir}, elem...)...)
}

func (b *builder) build(ctx context.Context) error {
	o := b.o
	b.network = network{
		Version: networkVersion, Preset: o.Preset, Seed: o.Seed, Miners: o.Miners, Validators: o.Validators,
		Adversaries: o.Adversaries.String(), adversaries: o.Adversaries,
		Source: o.Corpus, Include: o.Include,
	}
	if err := b.addresses(); err != nil {
		return err
	}
	for _, step := range []func() error{
		b.createWallets,
		func() error { return b.createKeys(o.path("store"), b.path("store.json")) },
		func() error { return b.createRun(ctx, b.path("store")) },
		func() error { return writeJSON(b.path("run.json"), b.params) },
		b.createChain, b.createNodes,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return writeJSON(b.path(networkFile), b.network)
}

// addresses picks two free ports on loopback. They do not change afterwards: peers
// find each other's buckets by them.
func (b *builder) addresses() error {
	for _, addr := range []*string{&b.network.StoreAddr, &b.network.ChainAddr} {
		l, err := listen()
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // held until both are picked
		*addr = l.Addr().String()
	}
	return nil
}

func (b *builder) endpoint() string { return "http://" + b.network.StoreAddr }

func (b *builder) createWallets() error {
	b.wallets = make(map[string]*wallet.Wallet)
	for i, m := range b.network.names() {
		if i < len(b.o.Wallets) {
			given := b.o.wallet(i, m)
			w, err := wallet.Load(given.Path, given.Name, given.Hotkey)
			if err != nil {
				return err
			}
			b.wallets[m.name] = w
			continue
		}
		w, err := wallet.Create(b.path("wallets"), walletName, m.name)
		if err != nil {
			return err
		}
		b.wallets[m.name] = w
	}
	return nil
}

// wallet is where the i-th member's hotkey is.
func (o *Options) wallet(i int, m member) config.Wallet {
	if i < len(o.Wallets) {
		return config.Wallet{Path: o.WalletPath, Name: o.Wallets[i], Hotkey: "default"}
	}
	return config.Wallet{Path: o.path("wallets"), Name: walletName, Hotkey: m.name}
}

// createKeys gives each bucket a key that reads and one that writes.
func (b *builder) createKeys(objects, file string) error {
	b.keys = make(map[string]config.Key)
	b.store = config.StoreServer{Dir: objects, Buckets: []string{datasetBucket, aggregatorBucket}}
	for _, m := range b.network.names() {
		if m.role != telemetry.Aggregator {
			b.store.Buckets = append(b.store.Buckets, m.name)
		}
	}
	for _, bucket := range b.store.Buckets {
		read, write := newKey(), newKey()
		b.keys[bucket+"/read"], b.keys[bucket+"/write"] = read, write
		b.store.Keys = append(b.store.Keys,
			config.Access{ID: read.ID, Secret: read.Secret, Read: []string{bucket}},
			config.Access{ID: write.ID, Secret: write.Secret, Write: []string{bucket}})
	}
	return config.SaveStore(file, b.store)
}

func newKey() config.Key {
	random := make([]byte, 30)
	rand.Read(random) // never fails
	return config.Key{ID: hex.EncodeToString(random[:10]), Secret: store.Secret(hex.EncodeToString(random[10:]))}
}

// createRun builds the dataset in the store's folder, and fixes the run parameters.
func (b *builder) createRun(ctx context.Context, objects string) error {
	p, corpus, hash, err := buildDataset(ctx, b.o, objects)
	if err != nil {
		return err
	}
	b.network.Corpus, b.network.UnigramEntropy = corpus.Name, data.UnigramEntropy(corpus.Text)
	p.Run, p.Seed, p.DatasetHash = "localnet", b.o.Seed, hash
	p.Stores = []string{b.endpoint()}
	for _, m := range b.network.names() {
		if m.role == telemetry.Aggregator {
			p.Aggregators = append(p.Aggregators, b.wallets[m.name].Hotkey())
		}
	}
	p.MinimumPeers = min(p.MinimumPeers, b.o.Miners)
	if b.o.Chain.Endpoint != "" {
		lateBlocks(&p, b.o.BlockTime)
	}
	if _, err := run.New(p, b.o.Backends.Methods); err != nil {
		return fmt.Errorf("run parameters: %w", err)
	}
	b.params = p
	return nil
}

// buildDataset writes the dataset to a folder of buckets.
func buildDataset(ctx context.Context, o *Options, objects string) (p protocol.Params, corpus data.Corpus, hash protocol.Hash, err error) {
	if p, err = protocol.Preset(o.Preset); err != nil {
		return p, corpus, hash, err
	}
	if corpus, err = readCorpus(o); err != nil {
		return p, corpus, hash, err
	}
	files, err := storefs.Open(objects, storefs.Options{Fsync: true})
	if err != nil {
		return p, corpus, hash, err
	}
	if err := files.CreateBucket(datasetBucket); err != nil && !errors.Is(err, store.ErrExists) {
		return p, corpus, hash, err
	}
	_, hash, err = data.Build(ctx, files.Bucket(datasetBucket), corpus, data.Bytes{}, data.BuildOptions{PageTokens: p.PageTokens})
	return p, corpus, hash, err
}

// finality is how many blocks after its own a block of Bittensor's is final, at most.
const finality = 4

// lateBlocks sets a run's times for a chain on which a node hears of a block when it is
// final: uploads are due that much later, and the window must have room for it.
func lateBlocks(p *protocol.Params, blockTime time.Duration) {
	p.BlockSeconds = blockTime.Seconds()
	p.DeltaSeconds += finality * p.BlockSeconds
	needed := p.Delta() + p.Slack() + p.Gather() + p.Publication()
	p.BlocksPerWindow = max(p.BlocksPerWindow, uint64(needed/blockTime)+2)
}

func readCorpus(o *Options) (data.Corpus, error) {
	if o.Corpus == "" {
		return data.Opticks()
	}
	return data.ReadCorpus(o.Corpus, o.Include)
}

// createChain makes the genesis: validators are founders with stake, the highest for
// validator-0, so that it leads. Miners register when they start.
func (b *builder) createChain() error {
	if b.o.Chain.Endpoint != "" {
		return nil // it exists
	}
	return b.o.Backends.Private.Init(b.path("chain"), b.genesis())
}

// genesis has the validators as founders.
func (b *builder) genesis() ledger.Genesis {
	random := make([]byte, 4)
	rand.Read(random) // never fails
	g := ledger.DefaultGenesis("localnet-" + hex.EncodeToString(random))
	g.NetUID = netUID
	g.Time = time.Now().UTC()
	g.MaxNeurons = max(g.MaxNeurons, len(b.network.names()))
	// The default rate limits are too long for a network that runs for minutes.
	g.Tempo, g.WeightsRateLimit = b.params.BlocksPerWindow, b.params.BlocksPerWindow/2
	for i := range b.network.Validators {
		hotkey := b.wallets[fmt.Sprintf("validator-%d", i)].Hotkey()
		g.Founders = append(g.Founders, ledger.Founder{Hotkey: hotkey, Stake: stakeUnit * uint64(b.network.Validators-i)})
		if i == 0 {
			g.Authorities = []protocol.Hotkey{hotkey}
		}
	}
	return g
}

func (b *builder) createNodes() error {
	if err := os.Mkdir(b.path("nodes"), 0o700); err != nil {
		return err
	}
	for i, m := range b.network.names() {
		if err := config.Save(b.path("nodes", m.name+".json"), b.node(i, m)); err != nil {
			return err
		}
	}
	return nil
}

// node is a member's configuration.
func (b *builder) node(i int, m member) config.Node {
	c := config.Node{
		Name: m.name, DataDir: b.o.path("nodes", m.name), Run: b.o.path("run.json"),
		Wallet: b.o.wallet(i, m),
		Chain:  b.network.chain(&b.o.Backends),
	}
	if b.o.Chain.Endpoint != "" {
		c.Chain = b.o.Chain
	}
	c.Buckets = b.buckets(m)
	return c
}

// buckets are a member's, with no more rights than its role needs.
func (b *builder) buckets(m member) config.Buckets {
	bucket := func(name, right string) config.Bucket {
		return config.Bucket{Endpoint: b.endpoint(), Name: name, Key: b.keys[name+"/"+right]}
	}
	c := config.Buckets{Dataset: bucket(datasetBucket, "read"), Aggregator: bucket(aggregatorBucket, "read")}
	switch m.role {
	case telemetry.Aggregator:
		c.Aggregator = bucket(aggregatorBucket, "write")
	case telemetry.Miner, telemetry.Validator:
		c.Gradients = b.own(m)
	case telemetry.Evaluator:
		c.Results = b.own(m)
	}
	return c
}

// own is a member's bucket.
func (b *builder) own(m member) config.OwnBucket {
	return config.OwnBucket{Endpoint: b.endpoint(), Name: m.name, Read: b.keys[m.name+"/read"], Write: b.keys[m.name+"/write"]}
}

// chain is how a node finds the network's chain.
func (n *network) chain(b *node.Backends) config.Chain {
	return config.Chain{Backend: b.Private.Backend, Endpoint: "http://" + n.ChainAddr, NetUID: netUID}
}

func writeJSON(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}
