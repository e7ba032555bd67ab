package cometbft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/proxy"
	rpccore "github.com/cometbft/cometbft/rpc/core"
	"github.com/cometbft/cometbft/types"

	"templar/internal/admit"
	"templar/internal/chain/ledger"
	"templar/internal/clock"
)

// Config is what a Node needs.
type Config struct {
	// Home is a folder that Init made. One process at a time may use it.
	Home string
	// Listen is the RPC server's host:port; port 0 picks a free one.
	Listen string
	// BlockInterval is the pause between two blocks; 0 is what the folder says.
	BlockInterval time.Duration
	// RetainBlocks is how many past blocks are kept; 0 means DefaultRetainBlocks.
	RetainBlocks uint64
	// SnapshotEvery is how many blocks go by between snapshots of the state; 0 means
	// DefaultSnapshotEvery.
	SnapshotEvery uint64
	// Sync lists RPC endpoints of nodes of the chain. A node without any block then
	// begins with a snapshot from its peers, checked against the genesis's authorities
	// by way of these endpoints, instead of with block 1.
	Sync []string
	// Proxies are reverse proxies in front of the RPC server, which are believed about the
	// address of a client.
	Proxies admit.Proxies
	// Logger gets CometBFT's own messages, at level debug; nil drops them.
	Logger *slog.Logger
}

// DefaultSnapshotEvery is twenty minutes of 12-second blocks.
const DefaultSnapshotEvery = 100

// DefaultRetainBlocks is a week of 12-second blocks: nodes ask for the time and hash
// of blocks as far back as the windows that anyone may still recompute.
const DefaultRetainBlocks = 50_000

const (
	maxBlockBytes   = 1 << 20
	shortestTimeout = 500 * time.Millisecond
)

// Node is one CometBFT node with its RPC server.
type Node struct {
	config   Config
	network  Network
	id       string
	listener net.Listener
	openDB   cfg.DBProvider

	mu struct { // the fields of status
		sync.Mutex
		env       *rpccore.Environment
		app       *app
		lastBlock time.Time
	}
}

// New binds the RPC address, so that clients may already dial. Run must follow.
func New(c Config) (*Node, error) {
	if c.BlockInterval < 0 {
		return nil, errors.New("chain node: the block interval must be positive")
	}
	if c.RetainBlocks == 0 {
		c.RetainBlocks = DefaultRetainBlocks
	}
	if c.SnapshotEvery == 0 {
		c.SnapshotEvery = DefaultSnapshotEvery
	}
	// A snapshot is of no use without the blocks that come after it.
	c.SnapshotEvery = min(c.SnapshotEvery, max(c.RetainBlocks/4, 1))
	network, err := readNetwork(c.Home)
	if err == nil {
		err = homeFolder.Check(c.Home)
	}
	if err != nil {
		return nil, fmt.Errorf("chain node: %w", err)
	}
	if c.BlockInterval == 0 {
		c.BlockInterval = cmp.Or(time.Duration(network.BlockTime)*time.Millisecond, DefaultBlockTime)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("chain node: RPC: %w", err)
	}
	return &Node{config: c, network: network, listener: l, openDB: cfg.DefaultDBProvider}, nil
}

// BlockInterval is the pause between two blocks.
func (n *Node) BlockInterval() time.Duration { return n.config.BlockInterval }

// Endpoint is the URL of the RPC server.
func (n *Node) Endpoint() string { return "http://" + n.listener.Addr().String() }

// Run serves until ctx ends, and then returns nil. It returns an error when the node
// cannot start, or when its consensus fails: a node that makes no more blocks must not
// go on answering. CometBFT leaves two idle goroutines behind for its log file.
func (n *Node) Run(ctx context.Context) error {
	defer n.listener.Close()
	if err := n.run(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("chain node: %w", err)
	}
	return nil
}

func (n *Node) run(ctx context.Context) error {
	dbs := &databases{provider: n.openDB}
	defer dbs.close()
	logger := newLogger(n.config.Logger)
	var core *node.Node
	var a *app
	if err := recovered(func() (err error) {
		core, a, err = n.build(ctx, dbs, logger)
		return err
	}); err != nil {
		return err
	}
	defer core.ProxyApp().Stop() //nolint:errcheck // its clients cannot fail
	env, err := core.ConfigureRPC()
	if err != nil {
		return err
	}
	consensus, ok := env.ConsensusState.(interface{ Wait() })
	if !ok {
		return fmt.Errorf("cometbft's consensus %T cannot be waited for", env.ConsensusState)
	}
	n.mu.Lock()
	n.mu.env, n.mu.app, n.mu.lastBlock = env, a, time.Now()
	n.mu.Unlock()
	if err := recovered(core.Start); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	defer core.Stop() //nolint:errcheck // its only error is that it was stopped before
	halted := make(chan struct{})
	wg.Go(func() {
		consensus.Wait()
		close(halted)
	})
	wg.Go(func() { n.watch(ctx, a) })
	server := newServer(env, n, a, logger)
	defer server.Close()
	wg.Go(func() { server.Serve(n.listener) }) //nolint:errcheck // always ErrServerClosed
	select {
	case <-ctx.Done():
		return nil
	case <-halted:
		return fmt.Errorf("consensus stopped: %w", logger.failure())
	}
}

// build puts the node together and replays blocks that the application lacks.
func (n *Node) build(ctx context.Context, dbs *databases, logger *cometLogger) (*node.Node, *app, error) {
	c := n.nodeConfig()
	doc, err := readGenesis(c)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s has no genesis: the folder was never initialised", n.config.Home)
	}
	if err == nil {
		err = homeFolder.Enter(n.config.Home)
	}
	if err != nil {
		return nil, nil, err
	}
	// CometBFT would wait for it too, but not for ctx.
	if err := clock.SleepUntil(ctx, clock.Wall{}, doc.GenesisTime); err != nil {
		return nil, nil, err
	}
	if err := n.network.awaitNames(ctx, lookup, n.config.Logger); err != nil {
		return nil, nil, err
	}
	authority, err := readAuthority(c)
	if err != nil {
		return nil, nil, err
	}
	nodeKey, err := p2p.LoadNodeKey(c.NodeKeyFile())
	if err != nil {
		return nil, nil, err
	}
	n.id = string(nodeKey.ID())
	if err := n.trustSnapshot(ctx, c, doc); err != nil {
		return nil, nil, err
	}
	db, err := dbs.open(&cfg.DBContext{ID: "app", Config: c})
	if err != nil {
		return nil, nil, err
	}
	a, err := newApp(db, n.config)
	if err != nil {
		return nil, nil, err
	}
	key, ok := authority.Key.PrivKey.(ed25519.PrivKey)
	if !ok {
		return nil, nil, fmt.Errorf("%s holds a key of type %s, want ed25519", c.PrivValidatorKeyFile(), authority.Key.PrivKey.Type())
	}
	a.lottery, a.gate = newLottery(doc, key), newGate(n.network)
	core, err := node.NewNodeWithContext(ctx, c, authority, nodeKey, proxy.NewConnSyncLocalClientCreator(a),
		func() (*types.GenesisDoc, error) { return doc, nil }, dbs.open, node.DefaultMetricsProvider(c.Instrumentation), logger)
	if err == nil {
		a.gate.connected = func() (ids []string) {
			for _, p := range core.Switch().Peers().List() {
				ids = append(ids, string(p.ID()))
			}
			return ids
		}
	}
	return core, a, err
}

func homeConfig(home string) *cfg.Config {
	c := cfg.DefaultConfig()
	c.SetRoot(home)
	return c
}

func (n *Node) nodeConfig() *cfg.Config {
	c := homeConfig(n.config.Home)
	c.Moniker = "templar"
	c.RPC.ListenAddress = "" // we serve it ourselves, to own the listener
	n.setP2P(c.P2P)
	c.FilterPeers = true
	c.Mempool.MaxTxBytes = ledger.MaxTxSize
	c.TxIndex.Indexer = "null" // clients look into blocks instead
	c.Consensus.PeerGossipSleepDuration = 10 * time.Millisecond
	c.Consensus.TimeoutCommit = n.config.BlockInterval
	c.Consensus.TimeoutPropose = max(n.config.BlockInterval, shortestTimeout)
	c.Consensus.TimeoutPrevote = min(max(n.config.BlockInterval, shortestTimeout/2), time.Second)
	c.Consensus.TimeoutPrecommit = c.Consensus.TimeoutPrevote
	return c
}

// setP2P connects the node to the peers that its folder names, and to no others that
// it hears of: authorities know each other.
func (n *Node) setP2P(c *cfg.P2PConfig) {
	c.PexReactor = false
	// The application bounds the peers (peers.go): CometBFT's own bound is the same for strangers
	// and authorities, and counts connections before it is known whose they are.
	c.MaxNumInboundPeers, c.UnconditionalPeerIDs = maxIncoming, strings.Join(newGate(n.network).listed, ",")
	c.HandshakeTimeout = 5 * time.Second
	c.ListenAddress, c.ExternalAddress = "tcp://127.0.0.1:0", n.network.External
	c.PersistentPeers = strings.Join(n.network.Peers, ",")
	c.PersistentPeersMaxDialPeriod = 5 * time.Second
	local := n.network.Listen == "" || n.network.loopback()
	if n.network.Listen != "" {
		c.ListenAddress = "tcp://" + n.network.Listen
	}
	c.AddrBookStrict, c.AllowDuplicateIP = !local, local
	c.FlushThrottleTimeout = 10 * time.Millisecond
}

// trustSnapshot configures CometBFT to begin with a snapshot, and the header to trust: one
// that the genesis's authorities signed.
func (n *Node) trustSnapshot(ctx context.Context, c *cfg.Config, doc *types.GenesisDoc) error {
	if len(n.config.Sync) == 0 {
		return nil
	}
	hash, err := GenesisHash(doc)
	if err != nil {
		return err
	}
	client, err := Dial(ctx, Opts{Endpoint: n.config.Sync[0], Verify: hash})
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer client.Close()
	head, err := client.Head(ctx)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if head.Number == 0 {
		return nil // nothing to catch up with
	}
	servers := n.config.Sync
	if len(servers) == 1 { // CometBFT wants a witness; the signatures are what counts
		servers = append(servers, servers[0])
	}
	c.StateSync.Enable, c.StateSync.RPCServers = true, servers
	c.StateSync.TrustHeight, c.StateSync.TrustHash = int64(head.Number), head.Hash.String()
	c.StateSync.TrustPeriod = 100 * 365 * 24 * time.Hour
	c.StateSync.DiscoveryTime = 5 * time.Second
	return c.StateSync.ValidateBasic()
}

// databases remembers what CometBFT opens: it leaves them open, and the home locked,
// when it fails to start.
type databases struct {
	provider cfg.DBProvider
	opened   []dbm.DB
}

func (d *databases) open(c *cfg.DBContext) (dbm.DB, error) {
	db, err := d.provider(c)
	if err != nil {
		return nil, fmt.Errorf("open database %s in %s: %w (is another node using the folder?)", c.ID, c.Config.DBDir(), err)
	}
	d.opened = append(d.opened, db)
	return db, nil
}

// close ignores errors: most are closed already, and each block was synced.
func (d *databases) close() {
	for _, db := range d.opened {
		_ = db.Close()
	}
}
