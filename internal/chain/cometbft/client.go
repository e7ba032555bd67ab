package cometbft

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	ctypes "github.com/cometbft/cometbft/rpc/core/types"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/internal/clock"
	"templar/protocol"
)

// Opts say which chain to connect to.
type Opts struct {
	// Endpoint is the RPC server: http(s)://host:port, or host:port.
	Endpoint string
	// Others are servers of the same chain, which are asked in turn when one fails.
	Others []string
	// ChainID and NetUID must be the chain's; empty and 0 accept any.
	ChainID string
	NetUID  uint16
	// Verify, unless zero, is the hash of the genesis (GenesisHash): then nothing is
	// believed without the signatures of the chain's authorities, and a call that meets
	// a false answer fails. What was read is then up to one block older than the head.
	Verify protocol.Hash
	// Dir keeps weights that are committed and still to be revealed; empty: a restart loses
	// them, and the weights before stay in effect.
	Dir string
	// Clock defaults to the machine's.
	Clock clock.Clock
	Log   *slog.Logger // of reveals in the background; nil is silent
}

// patience is how long a call bears a server that does not answer. Wait and Submit go
// on until their context ends.
const patience = 15 * time.Second

// Client is a chain.Chain over a node's RPC server. It is safe for concurrent use, and
// survives restarts of the server.
type Client struct {
	rpc     *rpcClient
	clock   clock.Clock
	verify  *verifier // nil believes the server
	domain  ledger.Domain
	genesis chain.Block
	seen    atomic.Int64 // the highest height that the server has reported
	blocks  recentBlocks
	log     *slog.Logger

	commits *commits
	running context.Context // of reveals in the background; Close ends it
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

var _ chain.Chain = (*Client)(nil)

// Dial connects to a chain. It waits, until ctx ends, for the server to come up.
func Dial(ctx context.Context, o Opts) (*Client, error) {
	if o.Clock == nil {
		o.Clock = clock.Wall{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	rpc, err := newRPCClient(append([]string{o.Endpoint}, o.Others...), o.Clock, o.Log)
	if err != nil {
		return nil, fmt.Errorf("dial chain: %w", err)
	}
	c := &Client{rpc: rpc, clock: o.Clock, log: o.Log}
	c.running, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := c.open(ctx, o); err != nil {
		c.Close()
		return nil, fmt.Errorf("dial chain at %s: %w", strings.Join(append([]string{o.Endpoint}, o.Others...), ", "), err)
	}
	return c, nil
}

// open reads the genesis.
func (c *Client) open(ctx context.Context, o Opts) error {
	g, err := c.readGenesis(ctx, o.Verify)
	if err != nil {
		return err
	}
	if o.ChainID != "" && g.ChainID != o.ChainID {
		return fmt.Errorf("it is chain %q, not %q", g.ChainID, o.ChainID)
	}
	if o.NetUID != 0 && g.NetUID != o.NetUID {
		return fmt.Errorf("it has netuid %d, not %d", g.NetUID, o.NetUID)
	}
	c.domain, c.genesis.Time = g.Domain(), g.Time
	if c.genesis.Hash, err = g.Hash(); err != nil {
		return err
	}
	if err := c.rpc.agree(ctx, c.genesis.Hash); err != nil {
		return err
	}
	c.commits, err = openCommits(o.Dir, c.genesis.Hash)
	return err
}

func (c *Client) readGenesis(ctx context.Context, verify protocol.Hash) (ledger.Genesis, error) {
	if !verify.IsZero() {
		return c.trustGenesis(ctx, verify)
	}
	raw, err := c.query(ctx, queryGenesis, nil, 0)
	if err != nil {
		return ledger.Genesis{}, err
	}
	return ledger.DecodeGenesis(raw)
}

// Close ends reveals in the background, and drops idle connections.
func (c *Client) Close() error {
	c.stop()
	c.wg.Wait()
	c.rpc.close()
	return nil
}

// Genesis returns block 0.
func (c *Client) Genesis() chain.Block { return c.genesis }

// Head returns the newest block.
func (c *Client) Head(ctx context.Context) (chain.Block, error) {
	ctx, cancel := clock.WithTimeout(ctx, c.clock, patience)
	defer cancel()
	b, err := c.next(ctx, -1)
	if err != nil {
		return chain.Block{}, fmt.Errorf("chain head: %w", err)
	}
	return b, nil
}

// Block returns a block; number 0 is the genesis.
func (c *Client) Block(ctx context.Context, number uint64) (chain.Block, error) {
	ctx, cancel := clock.WithTimeout(ctx, c.clock, patience)
	defer cancel()
	if number > uint64(c.seen.Load()) {
		head, err := c.next(ctx, -1)
		if err != nil {
			return chain.Block{}, fmt.Errorf("block %d: %w", number, err)
		}
		if number > head.Number {
			return chain.Block{}, fmt.Errorf("block %d: %w, the head is %d", number, chain.ErrFuture, head.Number)
		}
	}
	return c.header(ctx, number)
}

// Wait returns block number as soon as it exists, however long the server is away.
func (c *Client) Wait(ctx context.Context, number uint64) (chain.Block, error) {
	for number > uint64(c.seen.Load()) {
		b, err := c.next(ctx, int64(min(number-1, 1<<62)))
		if err != nil {
			return chain.Block{}, fmt.Errorf("wait for block %d: %w", number, err)
		}
		if b.Number == number {
			return b, nil
		}
	}
	return c.header(ctx, number)
}

// next returns the newest block, if it can one after the given height. Of several servers, one that has fewer blocks than another
// had is left, and so is one that has no new block in time: it may be cut off from the chain.
func (c *Client) next(ctx context.Context, after int64) (b chain.Block, err error) {
	if c.rpc.several() {
		after = max(after, c.seen.Load()-1)
	}
	for range c.rpc.servers {
		_, turn := c.rpc.current()
		if b, err = c.nextOf(ctx, after); err == nil && int64(b.Number) > after || ctx.Err() != nil {
			break
		}
		why := err
		if err == nil && int64(b.Number) < c.seen.Load() {
			why = fmt.Errorf("its newest block is %d, of %d", b.Number, c.seen.Load())
		}
		c.rpc.leave(turn, why)
	}
	if err == nil {
		c.saw(int64(b.Number))
	}
	return b, err
}

func (c *Client) nextOf(ctx context.Context, after int64) (chain.Block, error) {
	var r signedBlock
	if err := c.rpc.persist(ctx, methodNext, map[string]any{"after": after}, &r); err != nil {
		return chain.Block{}, err
	}
	if r.Header == nil || r.Header.Header == nil {
		return c.genesis, nil // no block yet
	}
	if c.verify != nil {
		if err := c.verify.check(&r); err != nil {
			return chain.Block{}, err
		}
	}
	return c.block(&r)
}

func (c *Client) saw(height int64) {
	for {
		old := c.seen.Load()
		if height <= old || c.seen.CompareAndSwap(old, height) {
			return
		}
	}
}

func (c *Client) header(ctx context.Context, number uint64) (chain.Block, error) {
	if number == 0 {
		return c.genesis, ctx.Err()
	}
	if b, ok := c.blocks.get(number); ok {
		return b, ctx.Err()
	}
	b, err := c.signed(ctx, methodBlock, map[string]any{"height": int64(number)})
	if err != nil {
		return chain.Block{}, fmt.Errorf("block %d: %w", number, err)
	}
	return c.block(b)
}

// recentBlocks keeps blocks that the server has sent. A block of CometBFT is final, and roles ask for the
// blocks of a window again and again: under a flood each request may wait for its connection's share.
type recentBlocks struct {
	mu   sync.Mutex
	ring [256]chain.Block // by number, modulo its length; number 0 is none
}

func (r *recentBlocks) get(number uint64) (chain.Block, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.ring[number%uint64(len(r.ring))]
	return b, b.Number == number && number > 0
}

func (r *recentBlocks) put(b chain.Block) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[b.Number%uint64(len(r.ring))] = b
}

// Metagraph returns the newest state of the neurons.
func (c *Client) Metagraph(ctx context.Context) (m chain.Metagraph, err error) {
	if c.verify != nil {
		return c.provenMetagraph(ctx)
	}
	if err = c.queryJSON(ctx, queryMetagraph, &m); err != nil {
		return chain.Metagraph{}, fmt.Errorf("metagraph: %w", err)
	}
	return m, nil
}

// Commitments returns all neurons' newest commitments.
func (c *Client) Commitments(ctx context.Context) (all []chain.Commitment, err error) {
	if c.verify != nil {
		return c.provenCommitments(ctx)
	}
	if err = c.queryJSON(ctx, queryCommitments, &all); err != nil {
		return nil, fmt.Errorf("commitments: %w", err)
	}
	return all, nil
}

func (c *Client) provenMetagraph(ctx context.Context) (chain.Metagraph, error) {
	ctx, cancel := clock.WithTimeout(ctx, c.clock, patience)
	defer cancel()
	block, parts, err := c.prove(ctx, ledger.PrefixNeurons)
	if err != nil {
		return chain.Metagraph{}, fmt.Errorf("metagraph: %w", err)
	}
	return ledger.ReadMetagraph(block, parts[0])
}

func (c *Client) provenCommitments(ctx context.Context) ([]chain.Commitment, error) {
	ctx, cancel := clock.WithTimeout(ctx, c.clock, patience)
	defer cancel()
	_, parts, err := c.prove(ctx, ledger.PrefixNeurons, ledger.PrefixCommitments)
	if err != nil {
		return nil, fmt.Errorf("commitments: %w", err)
	}
	return ledger.ReadCommitments(parts[0], parts[1])
}

// Commit replaces the commitment of the hotkey that signs.
func (c *Client) Commit(ctx context.Context, s protocol.Signer, data []byte) (chain.Receipt, error) {
	return c.submit(ctx, s, ledger.Commit{Data: data})
}

func (c *Client) nonce(ctx context.Context, h protocol.Hotkey) (uint64, error) {
	raw, err := c.query(ctx, queryNonce, h[:], 0)
	if err != nil {
		return 0, fmt.Errorf("nonce: %w", err)
	}
	if len(raw) != 8 {
		return 0, fmt.Errorf("nonce: the server sent %d bytes", len(raw))
	}
	return binary.BigEndian.Uint64(raw), nil
}

func (c *Client) queryJSON(ctx context.Context, path string, v any) error {
	ctx, cancel := clock.WithTimeout(ctx, c.clock, patience)
	defer cancel()
	raw, err := c.query(ctx, path, nil, 0)
	if err != nil {
		return err
	}
	return decodeAnswer(raw, v)
}

func decodeAnswer(raw []byte, v any) error {
	if n := bytes.Count(raw, []byte{','}); n > maxListed {
		return fmt.Errorf("the server's answer lists more than %d values", maxListed)
	}
	return json.Unmarshal(raw, v)
}

// maxListed bounds the values of a list in an answer, before it is decoded: a list of nulls would
// take thirty times its bytes. The largest subnet's neurons are a tenth of it.
const maxListed = 1 << 20

func (c *Client) query(ctx context.Context, path string, data []byte, height int64) ([]byte, error) {
	var r ctypes.ResultABCIQuery
	params := map[string]any{"path": path, "data": hexBytes(data), "height": height, "prove": false}
	if err := c.rpc.persist(ctx, "abci_query", params, &r); err != nil {
		return nil, err
	}
	if r.Response.Code != 0 {
		return nil, queryError(r.Response.Log)
	}
	return r.Response.Value, nil
}

// queryError is what a node says in place of a value.
type queryError string

func (e queryError) Error() string { return string(e) }
