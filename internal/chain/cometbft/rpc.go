package cometbft

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	rpccore "github.com/cometbft/cometbft/rpc/core"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	rpcserver "github.com/cometbft/cometbft/rpc/jsonrpc/server"
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

	maxRequestBytes = 1 << 20
)

// signedBlock is a block's header, the votes on it and its stamp, with the proof that
// it is the first transaction. All are nil before block 1.
type signedBlock struct {
	Header *types.SignedHeader `json:"header"`
	Stamp  *types.TxProof      `json:"stamp"` // nil in a block without transactions
}

// server answers clients.
type server struct {
	env    *rpccore.Environment
	app    *app
	newest atomic.Pointer[signedBlock]
}

// newServer serves CometBFT's safe methods and ours.
func newServer(env *rpccore.Environment, n *Node, a *app, logger *cometLogger) *http.Server {
	s := &server{env: env, app: a}
	routes := env.GetRoutes()
	routes[methodNext] = rpcserver.NewRPCFunc(func(c *rpctypes.Context, after int64) (*signedBlock, error) {
		return s.next(c.Context(), after)
	}, "after")
	routes[methodBlock] = rpcserver.NewRPCFunc(func(_ *rpctypes.Context, height int64) (*signedBlock, error) {
		return s.block(height)
	}, "height")
	routes[methodOutcome] = rpcserver.NewRPCFunc(func(_ *rpctypes.Context, height int64, hash []byte) (*outcome, error) {
		return a.outcome(height, hash)
	}, "height,hash")
	routes[methodStatus] = rpcserver.NewRPCFunc(func(*rpctypes.Context) (*Status, error) { return n.status(), nil }, "")
	routes["health"] = rpcserver.NewRPCFunc(func(*rpctypes.Context) (*ctypes.ResultHealth, error) {
		return &ctypes.ResultHealth{}, n.status().Fault()
	}, "")
	mux := http.NewServeMux()
	rpcserver.RegisterRPCFuncs(mux, routes, logger)
	return &http.Server{
		Handler:           http.MaxBytesHandler(mux, maxRequestBytes),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      nextPatience + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    1 << 16,
		ErrorLog:          logger.standard(),
	}
}

func (s *server) next(ctx context.Context, after int64) (*signedBlock, error) {
	patience := time.NewTimer(nextPatience)
	defer patience.Stop()
	for {
		height, advance := s.app.head()
		if height > after {
			return s.block(height)
		}
		select {
		case <-advance:
		case <-patience.C:
			return s.block(height)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// block caches the newest: all callers request it.
func (s *server) block(height int64) (*signedBlock, error) {
	if height == 0 {
		return &signedBlock{}, nil
	}
	if b := s.newest.Load(); b != nil && b.Header.Height == height {
		return b, nil
	}
	block := s.env.BlockStore.LoadBlock(height)
	if block == nil {
		return nil, fmt.Errorf("block %d is not kept", height)
	}
	b := &signedBlock{Header: &types.SignedHeader{Header: &block.Header, Commit: s.env.BlockStore.LoadBlockCommit(height)}}
	seen := b.Header.Commit == nil // the next block, which has the commit, is to come
	if seen {
		b.Header.Commit = s.env.BlockStore.LoadSeenCommit(height)
	}
	if len(block.Txs) > 0 {
		proof := block.Txs.Proof(0)
		b.Stamp = &proof
	}
	if seen {
		s.newest.Store(b)
	}
	return b, nil
}
