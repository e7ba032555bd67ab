package cometbft

import (
	"context"
	"errors"
	"net/http"
	"time"

	rpccore "github.com/cometbft/cometbft/rpc/core"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	rpcserver "github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
)

const (
	// methodNext is our one addition to CometBFT's methods: the header of the newest
	// block as soon as its height is over "after", or of the newest block after
	// nextPatience. A long poll is prompt, and cheaper than polling or a subscription.
	methodNext   = "templar_next"
	nextPatience = 10 * time.Second

	maxRequestBytes = 1 << 20
)

// newServer serves CometBFT's safe methods and ours.
func newServer(env *rpccore.Environment, a *app, logger *cometLogger) *http.Server {
	routes := env.GetRoutes()
	routes[methodNext] = rpcserver.NewRPCFunc(func(c *rpctypes.Context, after int64) (*ctypes.ResultHeader, error) {
		return next(c.Context(), env, a, after)
	}, "after")
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

func next(ctx context.Context, env *rpccore.Environment, a *app, after int64) (*ctypes.ResultHeader, error) {
	patience := time.NewTimer(nextPatience)
	defer patience.Stop()
	for {
		height, advance := a.head()
		if height > after {
			return headerAt(env, height)
		}
		select {
		case <-advance:
		case <-patience.C:
			return headerAt(env, height)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func headerAt(env *rpccore.Environment, height int64) (*ctypes.ResultHeader, error) {
	if height == 0 {
		return &ctypes.ResultHeader{}, nil
	}
	meta := env.BlockStore.LoadBlockMeta(height)
	if meta == nil {
		return nil, errors.New("the newest block is not in the block store")
	}
	return &ctypes.ResultHeader{Header: &meta.Header}, nil
}
