package cometbft_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/cometbft"
	"templar/internal/chain/ledger/ledgertest"
)

// gateway is a server of a node's chain with faults of its own.
type gateway struct {
	*httptest.Server
	fault atomic.Pointer[func(method string, w http.ResponseWriter, r *http.Request) bool] // true: it has answered
}

func newGateway(t *testing.T, node string) *gateway {
	t.Helper()
	target, err := url.Parse(node)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	forward.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	g := &gateway{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var call struct{ Method string }
		_ = json.Unmarshal(body, &call)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if f := g.fault.Load(); f == nil || !(*f)(call.Method, w, r) {
			r.Body = io.NopCloser(bytes.NewReader(body))
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() { g.CloseClientConnections(); g.Close() })
	return g
}

func (g *gateway) fail(f func(method string, w http.ResponseWriter, r *http.Request) bool) {
	g.fault.Store(&f)
}

func down(_ string, w http.ResponseWriter, _ *http.Request) bool {
	w.WriteHeader(http.StatusBadGateway)
	return true
}

func well(string, http.ResponseWriter, *http.Request) bool { return false }

func silent(_ string, _ http.ResponseWriter, r *http.Request) bool {
	<-r.Context().Done()
	return true
}

func several(t *testing.T, log io.Writer, endpoint string, others ...string) (*cometbft.Client, error) {
	t.Helper()
	c, err := cometbft.Dial(t.Context(), cometbft.Opts{Endpoint: endpoint, Others: others, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// A client of two servers reads and submits while either fails, and says once which one it has left.
func TestServersInTurn(t *testing.T) {
	g, validator := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	a, b := newGateway(t, n.Endpoint()), newGateway(t, n.Endpoint())
	var log strings.Builder
	c, err := several(t, &log, a.URL, b.URL)
	if err != nil {
		t.Fatal(err)
	}
	works := func() {
		t.Helper()
		head, err := c.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if next, err := c.Wait(t.Context(), head.Number+2); err != nil || next.Number != head.Number+2 {
			t.Fatal(next, err)
		}
		if _, err := c.Metagraph(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r, err := c.Commit(t.Context(), validator, []byte(head.Hash.String())); err != nil || r.Status != chain.StatusIncluded {
			t.Fatal(r, err)
		}
	}
	works()
	a.fail(down)
	works()
	b.fail(down)
	a.fail(well)
	works()
	host := strings.TrimPrefix(a.URL, "http://")
	if got := strings.Count(log.String(), "leaving a server of the chain for the next"); got != 2 || !strings.Contains(log.String(), "server="+host) {
		t.Errorf("logged:\n%s", log.String())
	}
}

// A call to a server that never answers is repeated at the next one while its caller waits.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	g, _ := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	a, b := newGateway(t, n.Endpoint()), newGateway(t, n.Endpoint())
	c, err := several(t, io.Discard, a.URL, b.URL)
	if err != nil {
		t.Fatal(err)
	}
	a.fail(silent)
	if _, err := c.Metagraph(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A transaction that the first server takes and does not hand on is sent to the next.
func TestSubmitGoesToTheNextServer(t *testing.T) {
	g, validator := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	a, b := newGateway(t, n.Endpoint()), newGateway(t, n.Endpoint())
	c, err := several(t, io.Discard, a.URL, b.URL)
	if err != nil {
		t.Fatal(err)
	}
	a.fail(func(method string, w http.ResponseWriter, r *http.Request) bool {
		if method != "broadcast_tx_sync" {
			return false
		}
		var call struct{ ID json.RawMessage }
		if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"code":0,"data":"","log":"","codespace":"","hash":""}}`, call.ID)
		a.fail(down)
		return true
	})
	if r, err := c.Commit(t.Context(), validator, []byte("kept")); err != nil || r.Status != chain.StatusIncluded {
		t.Fatal(r, err)
	}
}

// A server of another chain is refused when the client begins, and never asked for anything but its genesis later.
func TestServersOfOneChain(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	g.ChainID = "stranger"
	stranger := start(t, initHome(t, g), "127.0.0.1:0")
	if _, err := several(t, io.Discard, n.Endpoint(), stranger.Endpoint()); err == nil || !strings.Contains(err.Error(), `another chain, "stranger"`) {
		t.Fatalf("servers of two chains: %v", err)
	}
	a, b := newGateway(t, n.Endpoint()), newGateway(t, stranger.Endpoint())
	b.fail(down) // while the client begins
	c, err := several(t, io.Discard, a.URL, b.URL)
	if err != nil {
		t.Fatal(err)
	}
	before, err := c.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.fail(func(method string, w http.ResponseWriter, _ *http.Request) bool {
		if method != "abci_query" {
			t.Errorf("the stranger was asked %s", method)
		}
		return false
	})
	a.fail(down)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if head, err := c.Head(ctx); err == nil {
		t.Fatalf("the stranger's head: %+v", head)
	}
	a.fail(well)
	if after, err := c.Head(t.Context()); err != nil || after.Number < before.Number {
		t.Fatal(after, err)
	}
}

// A server that lags behind the others is left: the head never goes back.
func TestServerThatLags(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	a, b := newGateway(t, n.Endpoint()), newGateway(t, n.Endpoint())
	var old atomic.Pointer[[]byte]
	lag := func(method string, w http.ResponseWriter, r *http.Request) bool { // the first block that it was asked for, for ever
		if method != "templar_next" {
			return false
		}
		if old.Load() == nil {
			answer, err := http.Post(n.Endpoint(), "application/json", r.Body)
			if err != nil {
				t.Error(err)
				return false
			}
			defer answer.Body.Close()
			body, _ := io.ReadAll(answer.Body)
			old.Store(&body)
		}
		w.Write(*old.Load())
		return true
	}
	c, err := several(t, io.Discard, a.URL, b.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	a.fail(lag)
	head, err := c.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		next, err := c.Wait(t.Context(), head.Number+2)
		if err != nil {
			t.Fatal(err)
		}
		if head, err = c.Head(t.Context()); err != nil || head.Number < next.Number {
			t.Fatalf("block %d, then head %d, %v", next.Number, head.Number, err)
		}
	}
}
