package cometbft

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	rpccore "github.com/cometbft/cometbft/rpc/core"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"
)

const (
	// methodNext is the newest block as soon as its height is over "after", or the newest
	// block after nextPatience. A long poll is prompt, and cheaper than polling or a
	// subscription.
	methodNext   = "templar_next"
	nextPatience = 10 * time.Second
	// methodBlock is a past block.
	methodBlock = "templar_block"
	// methodOutcome is what became of a transaction in a block.
	methodOutcome = "templar_outcome"
	// methodStatus is the node's health.
	methodStatus = "templar_status"
)

// signedBlock is a block's header, the votes on it and its stamp, with the proof that
// it is the first transaction. All are nil before block 1.
type signedBlock struct {
	Header *types.SignedHeader `json:"header"`
	Stamp  *types.TxProof      `json:"stamp"` // nil in a block without transactions
}

// service answers calls. It reads views and stored blocks, and takes no lock that consensus
// needs; only a transaction goes to the mempool.
type service struct {
	env     *rpccore.Environment
	app     *app
	node    *Node
	answers answers
}

// newServer serves our methods, and those of CometBFT that our clients and joining nodes use.
func newServer(env *rpccore.Environment, n *Node, a *app, logger *cometLogger) *http.Server {
	s := &service{env: env, app: a, node: n}
	return newFront(s.methods(), n.config.Proxies, func() error { return n.status().Fault() }).server(logger)
}

func (s *service) methods() map[string]method {
	return map[string]method{
		methodNext:          {cost: 1, waits: true, answer: s.next},
		methodBlock:         {cost: 1, answer: s.atHeight(methodBlock, func(height int64) (any, error) { return s.block(height) })},
		methodOutcome:       {cost: 1, answer: s.outcome},
		methodStatus:        {cost: 1, answer: func(context.Context, params) (any, error) { return s.node.status(), nil }},
		"health":            {cost: 1, answer: func(context.Context, params) (any, error) { return &ctypes.ResultHealth{}, s.node.status().Fault() }},
		"abci_query":        {cost: 1, answer: s.query},
		"broadcast_tx_sync": {cost: 4, answer: s.broadcast},
		"genesis": {cost: 2, answer: func(ctx context.Context, _ params) (any, error) {
			return s.answers.at(ctx, s.app.view.Load().height, "genesis", func() (any, error) { return s.env.Genesis(nil) })
		}},
		"block":         {cost: 4, answer: s.atHeight("block", func(height int64) (any, error) { return s.env.Block(nil, &height) })},
		"block_results": {cost: 4, answer: s.atHeight("block_results", func(height int64) (any, error) { return s.env.BlockResults(nil, &height) })},
		// For nodes that begin with a snapshot.
		"commit":           {cost: 2, answer: s.atHeight("commit", func(height int64) (any, error) { return s.env.Commit(nil, &height) })},
		"consensus_params": {cost: 2, answer: s.atHeight("consensus_params", func(height int64) (any, error) { return s.env.ConsensusParams(nil, &height) })},
		"validators":       {cost: 2, answer: s.validators},
	}
}

// atHeight answers questions about a block, the newest unless the call says which.
func (s *service) atHeight(name string, answer func(height int64) (any, error)) func(context.Context, params) (any, error) {
	return func(ctx context.Context, p params) (any, error) {
		newest := s.app.view.Load().height
		height, err := p.integer("height", newest)
		if err != nil {
			return nil, err
		}
		return s.answers.at(ctx, newest, fmt.Sprint(name, " ", height), func() (any, error) { return answer(height) })
	}
}

func (s *service) next(ctx context.Context, p params) (any, error) {
	after, err := p.integer("after", -1)
	if err != nil {
		return nil, err
	}
	patience := time.NewTimer(nextPatience)
	defer patience.Stop()
	v := s.app.view.Load()
	for waiting := true; waiting && v.height <= after; v = s.app.view.Load() {
		select {
		case <-v.next:
		case <-patience.C:
			waiting = false
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.answers.at(ctx, v.height, methodNext, func() (any, error) { return s.block(v.height) })
}

func (s *service) block(height int64) (*signedBlock, error) {
	if height == 0 {
		return &signedBlock{}, nil
	}
	block := s.env.BlockStore.LoadBlock(height)
	if block == nil {
		return nil, fmt.Errorf("block %d is not kept", height)
	}
	b := &signedBlock{Header: &types.SignedHeader{Header: &block.Header, Commit: s.env.BlockStore.LoadBlockCommit(height)}}
	if b.Header.Commit == nil { // the next block, which has the commit, is to come
		b.Header.Commit = s.env.BlockStore.LoadSeenCommit(height)
	}
	if len(block.Txs) > 0 {
		proof := block.Txs.Proof(0)
		b.Stamp = &proof
	}
	return b, nil
}

func (s *service) outcome(_ context.Context, p params) (any, error) {
	height, err := p.integer("height", 0)
	if err != nil {
		return nil, err
	}
	hash, err := p.bytes("hash", fromBase64)
	if err != nil {
		return nil, err
	}
	return s.app.view.Load().outcome(height, hash)
}

func (s *service) query(ctx context.Context, p params) (any, error) {
	path, err := p.text("path")
	if err != nil {
		return nil, err
	}
	data, err := p.bytes("data", fromHex)
	if err != nil {
		return nil, err
	}
	height, err := p.integer("height", 0)
	if err != nil {
		return nil, err
	}
	v := s.app.view.Load()
	compute := func() (any, error) {
		return &ctypes.ResultABCIQuery{Response: v.respond(&abci.RequestQuery{Path: path, Data: data, Height: height})}, nil
	}
	if path == queryNonce { // cheap, and another one for each hotkey
		return compute()
	}
	if path != queryProof {
		data, height = nil, 0 // what does not count must not make another question
	}
	return s.answers.at(ctx, v.height, fmt.Sprintf("query %.40q %.80q %d", path, data, height), compute)
}

func (s *service) broadcast(ctx context.Context, p params) (any, error) {
	tx, err := p.bytes("tx", fromBase64)
	if err != nil {
		return nil, err
	}
	return s.env.BroadcastTxSync((&rpctypes.Context{HTTPReq: request(ctx)}), tx)
}

// request carries a context to CometBFT, which takes it from the HTTP request.
func request(ctx context.Context) *http.Request { return new(http.Request).WithContext(ctx) }

func (s *service) validators(ctx context.Context, p params) (any, error) {
	page, size, err := p.page()
	if err != nil || page < 1 || page > math.MaxInt16 || size < 1 {
		return nil, fmt.Errorf("page and per_page: want positive integers")
	}
	return s.atHeight(fmt.Sprint("validators ", page, " ", size), func(height int64) (any, error) {
		return s.env.Validators(nil, &height, &page, &size)
	})(ctx, p)
}
