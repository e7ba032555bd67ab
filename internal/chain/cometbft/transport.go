package cometbft

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	jsonrpc "github.com/cometbft/cometbft/rpc/jsonrpc/client"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"

	"templar/internal/chain/ledger"
	"templar/internal/clock"
	"templar/protocol"
)

const (
	// maxResponseBytes holds a full block and a metagraph of the largest size.
	maxResponseBytes = 16 << 20
	requestTimeout   = nextPatience + 10*time.Second
	firstBackoff     = 20 * time.Millisecond
	lastBackoff      = time.Second
)

func hexBytes(b []byte) cmtbytes.HexBytes { return b }

// rpcClient calls one of the JSON-RPC servers of a chain, which may be away for a while. It stays with a server until that fails.
type rpcClient struct {
	servers []*server
	http    *http.Client
	clock   clock.Clock
	log     *slog.Logger
	turn    atomic.Uint64 // the server that is asked: this, modulo their number

	// chain is the hash of the genesis that every server must have, once it is known: with several
	// servers each is asked for it before it is asked for anything else.
	chain atomic.Pointer[protocol.Hash]
}

type server struct {
	client *jsonrpc.Client
	host   string
	ours   atomic.Bool // its genesis is the chain's
	failed atomic.Bool // it did not answer when it was asked last
}

func newRPCClient(endpoints []string, c clock.Clock, log *slog.Logger) (*rpcClient, error) {
	h := &http.Client{
		Transport: limited{&http.Transport{
			DisableCompression:     true, // a small answer must not unpack into a large one
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: maxHeaderBytes, // 10 MB by default
		}},
		// A server must not choose another one, which may be in this machine's own network.
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("the server redirects") },
	}
	r := &rpcClient{http: h, clock: c, log: log}
	for _, e := range endpoints {
		client, err := jsonrpc.NewWithHTTPClient(e, h)
		if err != nil {
			return nil, err
		}
		r.servers = append(r.servers, &server{client: client, host: hostOf(e)})
	}
	if len(r.servers) == 0 {
		return nil, errors.New("no endpoint")
	}
	return r, nil
}

// hostOf is the part of an endpoint that may stand in a log: what is before it may be a password.
func hostOf(endpoint string) string {
	if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
		return u.Host
	}
	return endpoint[strings.LastIndex(endpoint, "@")+1:]
}

func (r *rpcClient) close() { r.http.CloseIdleConnections() }

func (r *rpcClient) several() bool { return len(r.servers) > 1 }

// current is the server that is asked, and its turn.
func (r *rpcClient) current() (*server, uint64) {
	turn := r.turn.Load()
	return r.servers[turn%uint64(len(r.servers))], turn
}

// leave goes on to the next server, unless another call has done so since that turn. Without a reason it is not logged.
func (r *rpcClient) leave(turn uint64, why error) {
	if !r.several() || !r.turn.CompareAndSwap(turn, turn+1) {
		return
	}
	if s := r.servers[turn%uint64(len(r.servers))]; why != nil && s.failed.CompareAndSwap(false, true) {
		next, _ := r.current()
		r.log.Warn("leaving a server of the chain for the next", "server", s.host, "next", next.host, "err", why)
	}
}

// limited bounds the bodies of responses.
type limited struct{ *http.Transport }

func (l limited) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.Transport.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxResponseBytes)
	}
	return resp, err
}

// call makes one attempt at one server. A *rpctypes.RPCError is the server's own word; any other
// error leaves open whether the server has acted.
func (r *rpcClient) call(ctx context.Context, method string, params map[string]any, result any) error {
	s, turn := r.current()
	err := r.admit(ctx, s)
	if err == nil {
		err = r.ask(ctx, s, method, params, result)
	}
	switch {
	case err == nil || refused(err):
		s.failed.Store(false)
	case !errors.Is(ctx.Err(), context.Canceled):
		r.leave(turn, err)
	}
	return err
}

func (r *rpcClient) ask(ctx context.Context, s *server, method string, params map[string]any, result any) error {
	ctx, cancel := clock.WithTimeout(ctx, r.clock, r.limit(method))
	defer cancel()
	_, err := s.client.Call(ctx, method, params, result)
	return err
}

// limit is the time of an attempt. With several servers a silent one leaves time for the next within the patience of a call.
func (r *rpcClient) limit(method string) time.Duration {
	switch {
	case !r.several():
		return requestTimeout
	case method == methodNext:
		return nextPatience + 2*time.Second
	}
	return patience / 3
}

// errOtherChain means that a server has another genesis than the one before it.
var errOtherChain = errors.New("the server is one of another chain")

// admit finds out once whether a server is one of the chain.
func (r *rpcClient) admit(ctx context.Context, s *server) error {
	chain := r.chain.Load()
	if !r.several() || chain == nil || s.ours.Load() {
		return nil
	}
	var a ctypes.ResultABCIQuery
	err := r.ask(ctx, s, "abci_query", map[string]any{"path": queryGenesis, "data": hexBytes(nil), "height": int64(0), "prove": false}, &a)
	if err != nil {
		if refused(err) { // it says nothing of the call that was to be made
			err = errors.New(err.Error())
		}
		return err
	}
	g, err := ledger.DecodeGenesis(a.Response.Value)
	if err != nil {
		return fmt.Errorf("%w: %w", errOtherChain, err)
	}
	got, err := g.Hash()
	if err != nil || got != *chain {
		return fmt.Errorf("%w, %q", errOtherChain, g.ChainID)
	}
	s.ours.Store(true)
	return nil
}

// agree refuses servers of several chains, as far as they answer: which one is meant is not known.
func (r *rpcClient) agree(ctx context.Context, chain protocol.Hash) error {
	r.chain.Store(&chain)
	if !r.several() {
		return nil
	}
	for _, s := range r.servers {
		if err := r.admit(ctx, s); errors.Is(err, errOtherChain) {
			return fmt.Errorf("%s: %w", s.host, err)
		}
	}
	return ctx.Err()
}

// persist repeats a call that only reads until the server has answered or ctx ends.
func (r *rpcClient) persist(ctx context.Context, method string, params map[string]any, result any) error {
	for backoff := firstBackoff; ; backoff = min(2*backoff, lastBackoff) {
		err := r.call(ctx, method, params, result)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return endOf(ctx, err)
		}
		if refused(err) {
			return err
		}
		if r.clock.Sleep(ctx, backoff) != nil {
			return endOf(ctx, err)
		}
	}
}

// endOf names both why a call ended and what it last ran into.
func endOf(ctx context.Context, last error) error {
	if errors.Is(last, ctx.Err()) {
		return last
	}
	return fmt.Errorf("%w (%v)", ctx.Err(), last) //nolint:errorlint // it is the time that ended, callers must not see the cause as the reason
}

// refused reports whether the error is the server's answer.
func refused(err error) bool {
	var answer *rpctypes.RPCError
	return errors.As(err, &answer)
}
