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
	if entries, err := os.ReadDir(o.DataDir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty and holds no network: choose another --data-dir", o.DataDir)
	}
	if err := o.fits(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(o.DataDir), 0o755); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	building, err := os.MkdirTemp(filepath.Dir(o.DataDir), filepath.Base(o.DataDir)+".preparing-")
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	defer os.RemoveAll(building)
	b := &builder{o: o, dir: building}
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	if err := os.Remove(o.DataDir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := os.Rename(building, o.DataDir); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	return load(o)
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
		b.createWallets, b.createKeys, func() error { return b.createRun(ctx) }, b.createChain, b.createNodes,
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
func (b *builder) createKeys() error {
	b.keys = make(map[string]config.Key)
	b.store = config.StoreServer{Dir: b.o.path("store"), Buckets: []string{datasetBucket, aggregatorBucket}}
	for _, m := range b.network.names() {
		if m.role == telemetry.Miner || m.role == telemetry.Validator {
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
	return config.SaveStore(b.path("store.json"), b.store)
}

func newKey() config.Key {
	random := make([]byte, 30)
	rand.Read(random) // never fails
	return config.Key{ID: hex.EncodeToString(random[:10]), Secret: store.Secret(hex.EncodeToString(random[10:]))}
}

// createRun builds the dataset and fixes the run parameters.
func (b *builder) createRun(ctx context.Context) error {
	p, err := protocol.Preset(b.o.Preset)
	if err != nil {
		return err
	}
	corpus, err := readCorpus(b.o)
	if err != nil {
		return err
	}
	files, err := storefs.Open(b.path("store"), storefs.Options{Fsync: true})
	if err != nil {
		return err
	}
	if err := files.CreateBucket(datasetBucket); err != nil {
		return err
	}
	_, hash, err := data.Build(ctx, files.Bucket(datasetBucket), corpus, data.Bytes{}, data.BuildOptions{PageTokens: p.PageTokens})
	if err != nil {
		return err
	}
	b.network.Corpus, b.network.UnigramEntropy = corpus.Name, data.UnigramEntropy(corpus.Text)
	p.Run, p.Seed, p.DatasetHash = "localnet", b.o.Seed, hash
	p.Stores = []string{b.endpoint()}
	p.Aggregators = []protocol.Hotkey{b.wallets["aggregator-0"].Hotkey()}
	p.MinimumPeers = min(p.MinimumPeers, b.o.Miners)
	if b.o.Chain.Endpoint != "" {
		lateBlocks(&p, b.o.BlockTime)
	}
	if _, err := run.New(p, b.o.Backends.Methods); err != nil {
		return fmt.Errorf("run parameters: %w", err)
	}
	b.params = p
	return writeJSON(b.path("run.json"), p)
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
	random := make([]byte, 4)
	rand.Read(random) // never fails
	g := ledger.DefaultGenesis("localnet-" + hex.EncodeToString(random))
	g.NetUID = netUID
	g.Time = time.Now().UTC()
	g.MaxNeurons = max(g.MaxNeurons, len(b.network.names()))
	// The default rate limits are too long for a network that runs for minutes.
	g.Tempo, g.WeightsRateLimit = b.params.BlocksPerWindow, b.params.BlocksPerWindow/2
	for i := range b.o.Validators {
		hotkey := b.wallets[fmt.Sprintf("validator-%d", i)].Hotkey()
		g.Founders = append(g.Founders, ledger.Founder{Hotkey: hotkey, Stake: stakeUnit * uint64(b.o.Validators-i)})
		if i == 0 {
			g.Authorities = []protocol.Hotkey{hotkey}
		}
	}
	return b.o.Backends.Private.Init(b.path("chain"), g)
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

// node is a member's configuration, with no more rights than its role needs.
func (b *builder) node(i int, m member) config.Node {
	bucket := func(name, right string) config.Bucket {
		return config.Bucket{Endpoint: b.endpoint(), Name: name, Key: b.keys[name+"/"+right]}
	}
	c := config.Node{
		Name: m.name, DataDir: b.o.path("nodes", m.name), Run: b.o.path("run.json"),
		Wallet: b.o.wallet(i, m),
		Chain:  b.network.chain(&b.o.Backends),
		Buckets: config.Buckets{
			Dataset: bucket(datasetBucket, "read"), Aggregator: bucket(aggregatorBucket, "read"),
		},
	}
	if b.o.Chain.Endpoint != "" {
		c.Chain = b.o.Chain
	}
	switch m.role {
	case telemetry.Aggregator:
		c.Buckets.Aggregator = bucket(aggregatorBucket, "write")
	case telemetry.Miner, telemetry.Validator:
		c.Buckets.Gradients = config.OwnBucket{
			Endpoint: b.endpoint(), Name: m.name, Read: b.keys[m.name+"/read"], Write: b.keys[m.name+"/write"],
		}
	}
	return c
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
