package cometbft

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	jsonrpc "github.com/cometbft/cometbft/rpc/jsonrpc/client"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"

	"templar/internal/clock"
)

const (
	// maxResponseBytes holds a full block and a metagraph of the largest size.
	maxResponseBytes = 16 << 20
	requestTimeout   = nextPatience + 10*time.Second
	firstBackoff     = 20 * time.Millisecond
	lastBackoff      = time.Second
)

func hexBytes(b []byte) cmtbytes.HexBytes { return b }

// rpcClient calls a JSON-RPC server that may be away for a while.
type rpcClient struct {
	client *jsonrpc.Client
	http   *http.Client
	clock  clock.Clock
}

func newRPCClient(endpoint string, c clock.Clock) (*rpcClient, error) {
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
	client, err := jsonrpc.NewWithHTTPClient(endpoint, h)
	if err != nil {
		return nil, err
	}
	return &rpcClient{client: client, http: h, clock: c}, nil
}

func (r *rpcClient) close() { r.http.CloseIdleConnections() }

// limited bounds the bodies of responses.
type limited struct{ *http.Transport }

func (l limited) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.Transport.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxResponseBytes)
	}
	return resp, err
}

// call makes one attempt. A *rpctypes.RPCError is the server's own word; any other
// error leaves open whether the server has acted.
func (r *rpcClient) call(ctx context.Context, method string, params map[string]any, result any) error {
	ctx, cancel := clock.WithTimeout(ctx, r.clock, requestTimeout)
	defer cancel()
	_, err := r.client.Call(ctx, method, params, result)
	return err
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
