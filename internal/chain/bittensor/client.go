package bittensor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/bittensor/rpc"
	"templar/internal/chain/bittensor/rules"
	"templar/internal/chain/bittensor/runtime"
	"templar/protocol"
)

// Opts say which subnet of which chain to connect to.
type Opts struct {
	// Endpoints are ws:// or wss:// URLs of nodes of the chain. One is used at a time, the
	// next when it fails.
	Endpoints []string
	// NetUID is the subnet.
	NetUID uint16
	// Genesis must be the hash of the chain's block 0. Zero takes the one that the first
	// endpoint names, and holds the others and every later connection to it.
	Genesis protocol.Hash
	// Dir is a folder for commits of weights whose reveal is still to come. Without it
	// weights cannot be set where the subnet wants such commits.
	Dir string
	// Signer, unless nil, reveals what a process before this one committed.
	Signer protocol.Signer
	// Log defaults to nothing.
	Log *slog.Logger
	// Dial opens a connection; it defaults to rpc.Dial.
	Dial func(ctx context.Context, url string) (*rpc.Conn, error)
}

// Client is a chain.Chain over nodes of the chain. It is safe for concurrent use, and
// survives the loss of connections.
type Client struct {
	opts    Opts
	log     *slog.Logger
	running context.Context // ends with Close
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	one     *turns // one call of a hotkey at a time
	reveal  *reveals

	mu struct {
		sync.Mutex
		changed  chan struct{} // closed and replaced by each change of what follows
		link     *link
		genesis  protocol.Hash
		final    block
		best     uint64
		arrived  map[uint64]time.Time // when the newest blocks were first heard of
		moved    time.Time            // when the final head moved
		stalled  bool
		recent   map[uint64]block // final blocks by number
		runtimes map[uint32]*Runtime
		graph    chain.Metagraph // the newest that was read
		fatal    error           // why no endpoint can ever serve
	}
}

var _ chain.Chain = (*Client)(nil)

// link is a connection that has been checked.
type link struct {
	*rpc.Conn
	url string
}

// block is a final block as far as it is known.
type block struct {
	number       uint64
	hash, parent protocol.Hash
	time         time.Time // zero until it has been asked for
}

const keepBlocks = 1024

// Runtime is a version of the chain's runtime.
type Runtime struct {
	*runtime.Metadata
	Spec, Transaction uint32
}

// patience is how long a call bears endpoints that do not answer. Wait and Submit go on
// until their context ends.
const patience = 45 * time.Second

// Dial connects. It returns when an endpoint has answered with the right chain and
// subnet; the client reconnects in the background until Close.
func Dial(ctx context.Context, o Opts) (*Client, error) {
	if o.Dial == nil {
		o.Dial = rpc.Dial
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if len(o.Endpoints) == 0 {
		return nil, errors.New("dial chain: no endpoint: set --subtensor.network or --subtensor.chain_endpoint")
	}
	for _, e := range o.Endpoints {
		if !strings.HasPrefix(e, "ws://") && !strings.HasPrefix(e, "wss://") {
			return nil, fmt.Errorf("dial chain: %q is not a ws:// or wss:// URL", e)
		}
	}
	c := &Client{opts: o, log: o.Log, one: newTurns()}
	c.mu.changed, c.mu.genesis = make(chan struct{}), o.Genesis
	c.mu.recent, c.mu.runtimes, c.mu.arrived = map[uint64]block{}, map[uint32]*Runtime{}, map[uint64]time.Time{}
	var err error
	if c.reveal, err = openReveals(o.Dir); err != nil {
		return nil, fmt.Errorf("dial chain: %w", err)
	}
	c.running, c.cancel = context.WithCancel(context.Background())
	c.wg.Go(func() { c.connect(c.running) })
	if err := c.checkSubnet(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("dial chain: %w", err), c.Close())
	}
	if o.Signer != nil {
		c.Resume(o.Signer)
	}
	return c, nil
}

// checkSubnet waits for the chain and looks whether the subnet is there.
func (c *Client) checkSubnet(ctx context.Context) error {
	var exists any
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := c.retry(short, true, func(l *link) error {
		s, err := c.stateAtFinal(ctx, l)
		if err != nil {
			return err
		}
		exists, err = s.value(ctx, "SubtensorModule", "NetworksAdded", c.opts.NetUID)
		return err
	})
	if err == nil && exists != true {
		err = fmt.Errorf("subnet %d does not exist on this chain: is --netuid right, and the network?", c.opts.NetUID)
	}
	return err
}

// Close ends the connection and all that runs in the background.
func (c *Client) Close() error {
	c.cancel()
	c.wg.Wait()
	return nil
}

// change wakes all waiting calls; the caller holds the lock.
func (c *Client) change() {
	close(c.mu.changed)
	c.mu.changed = make(chan struct{})
}

// Backoff between connections.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 60 * time.Second
	// goodFor is how long a connection must have lasted for the next pause to be short.
	goodFor = 30 * time.Second
)

// connect keeps a connection up until ctx ends.
func (c *Client) connect(ctx context.Context) {
	pause, failures := firstPause, []error{}
	for i := 0; ctx.Err() == nil; i++ {
		url := c.opts.Endpoints[i%len(c.opts.Endpoints)]
		began := time.Now()
		up, err := c.serve(ctx, url)
		if ctx.Err() != nil {
			return
		}
		c.log.Log(ctx, level(up), "chain connection lost", "endpoint", url, "err", err)
		failures = append(failures, err)
		if time.Since(began) > goodFor || up {
			pause, failures = firstPause, nil
		}
		if len(failures) >= attempts*len(c.opts.Endpoints) || allWrong(failures, len(c.opts.Endpoints)) {
			c.giveUp(errors.Join(failures[len(failures)-len(c.opts.Endpoints):]...))
			failures = nil
		}
		var e *rpc.Error
		if errors.As(err, &e) && rules.RateLimited(e.Code) {
			pause = max(pause, 4*time.Second)
		}
		// Another endpoint is asked at once; each round of all has its pause.
		if (i+1)%len(c.opts.Endpoints) == 0 || len(c.opts.Endpoints) == 1 {
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, lastPause)
		}
	}
}

func level(up bool) slog.Level {
	if up {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// attempts of each endpoint before waiting calls fail.
const attempts = 3

// errWrongChain is wrapped when an endpoint is of another chain.
var errWrongChain = errors.New("another chain")

func allWrong(failures []error, n int) bool {
	if len(failures) < n {
		return false
	}
	for _, err := range failures[len(failures)-n:] {
		if !errors.Is(err, errWrongChain) {
			return false
		}
	}
	return true
}

// giveUp fails the calls that wait for a connection. Later ones wait again.
func (c *Client) giveUp(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.fatal = err
	c.change()
}

// serve opens one connection, checks it and follows the chain on it until it ends. up
// reports whether it was ever in use.
func (c *Client) serve(ctx context.Context, url string) (up bool, err error) {
	dctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, err := c.opts.Dial(dctx, url)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	l := &link{conn, url}
	if err := c.checkGenesis(dctx, l); err != nil {
		return false, fmt.Errorf("%s: %w", url, err)
	}
	defer c.drop(l)
	return c.follow(ctx, l)
}

// checkGenesis holds an endpoint to the chain that this client is for.
func (c *Client) checkGenesis(ctx context.Context, l *link) error {
	got, err := blockHash(ctx, l, 0)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.genesis.IsZero() {
		c.mu.genesis = got
	}
	if got != c.mu.genesis {
		return fmt.Errorf("it serves %w, of genesis %v, not %v", errWrongChain, runtime.Hex(got[:]), runtime.Hex(c.mu.genesis[:]))
	}
	return nil
}

// use makes l the connection for all calls.
func (c *Client) use(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.link, c.mu.fatal = l, nil
	c.change()
}

func (c *Client) drop(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.link == l {
		c.mu.link = nil
	}
	c.change()
}

// current returns the connection, and waits for one. When all endpoints fail while it
// waits and hasty is set, it returns their errors.
func (c *Client) current(ctx context.Context, hasty bool) (*link, error) {
	for {
		c.mu.Lock()
		l, changed, fatal := c.mu.link, c.mu.changed, c.mu.fatal
		c.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if l != nil && l.Err() == nil {
			return l, nil
		}
		if fatal != nil && hasty {
			return nil, fatal
		}
		select {
		case <-changed:
		case <-time.After(time.Second): // the connection may have ended without a signal
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), fatal)
		}
	}
}

// try does work that only asks: it is done again on another connection when one is
// lost, limits requests or lacks the state. It gives up after patience.
func (c *Client) try(ctx context.Context, work func(l *link) error) error {
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.retry(short, false, work)
}

// persist is try until the context ends.
func (c *Client) persist(ctx context.Context, work func(l *link) error) error {
	return c.retry(ctx, false, work)
}

func (c *Client) retry(ctx context.Context, hasty bool, work func(l *link) error) error {
	pause, tries := firstPause, 0
	for {
		l, err := c.current(ctx, hasty)
		if err != nil {
			return err
		}
		if err = work(l); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		again, leave := retryable(err)
		if tries++; !again || leave && tries > 3*len(c.opts.Endpoints) && !rateLimited(err) {
			return err
		}
		if leave && len(c.opts.Endpoints) > 1 {
			l.Close()
		}
		if errors.Is(err, rpc.ErrClosed) {
			continue // current waits
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
		pause = min(2*pause, lastPause)
	}
}

func rateLimited(err error) bool {
	var e *rpc.Error
	return errors.As(err, &e) && rules.RateLimited(e.Code)
}

// retryable reports whether a request that failed may succeed when it is made again, and
// whether it should go to another endpoint.
func retryable(err error) (again, otherEndpoint bool) {
	if errors.Is(err, rpc.ErrClosed) {
		return true, false
	}
	if errors.Is(err, errBehind) {
		return true, false
	}
	var e *rpc.Error
	if !errors.As(err, &e) {
		return false, false
	}
	return rules.RateLimited(e.Code) || discarded(e), true
}

// Health is how well the client is connected.
type Health struct {
	Endpoint string        // empty while there is none
	Final    uint64        // newest final block
	Best     uint64        // newest block
	Stalled  time.Duration // since the final head moved, if the best one moved away from it
}

// Health says how well the client is connected.
func (c *Client) Health() Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := Health{Final: c.mu.final.number, Best: c.mu.best}
	if c.mu.link != nil {
		h.Endpoint = c.mu.link.url
	}
	if c.mu.stalled {
		h.Stalled = time.Since(c.mu.moved)
	}
	return h
}

// Genesis returns the hash of block 0.
func (c *Client) Genesis() protocol.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.genesis
}
