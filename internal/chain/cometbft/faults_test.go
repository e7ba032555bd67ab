package cometbft_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/chaintest"
	"templar/internal/chain/ledger/ledgertest"
)

// proxy stands between client and node; fault may answer in the node's place.
func proxy(t *testing.T, endpoint string, fault func(w http.ResponseWriter, body []byte, forward func()) (handled bool)) string {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	rp := httputil.NewSingleHostReverseProxy(target)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		again := func() *http.Request {
			c := r.Clone(r.Context())
			c.Body = io.NopCloser(bytes.NewReader(body))
			return c
		}
		if fault(w, body, func() { rp.ServeHTTP(httptest.NewRecorder(), again()) }) {
			return
		}
		rp.ServeHTTP(w, again())
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// Whatever gets lost on the way, a call takes effect exactly once.
func TestSubmitOverLossyLine(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	for i, c := range []struct {
		name, method string
		forward      bool // the node gets the request; its answer is lost
	}{
		{"request lost", "broadcast_tx_sync", false},
		{"answer lost", "broadcast_tx_sync", true},
		{"no news of the block", "templar_next", false},
		{"outcome lost", "templar_outcome", false},
		{"nonce lost", "abci_query", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var faults atomic.Int32
			armed := atomic.Bool{}
			address := proxy(t, n.Endpoint(), func(_ http.ResponseWriter, body []byte, forward func()) bool {
				if !armed.Load() || !bytes.Contains(body, []byte(c.method)) || faults.Add(1) > 2 {
					return false
				}
				if c.forward {
					forward()
				}
				panic(http.ErrAbortHandler) // drops the connection
			})
			client := dial(t, address)
			armed.Store(true)
			target := chaintest.Key(t, 2).Hotkey()
			r, err := client.Admin().Stake(t.Context(), chaintest.Key(t, 0), target, 10)
			if err != nil || r.Status != chain.StatusIncluded {
				t.Fatal(r, err)
			}
			m, err := client.Metagraph(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := m.ByHotkey(target); got.Stake != uint64(10*(i+1)) {
				t.Errorf("stake %d after %d calls of 10", got.Stake, i+1)
			}
			if faults.Load() == 0 {
				t.Error("no fault happened")
			}
		})
	}
}

// A call whose context ends says that its outcome is open, and until when.
func TestSubmitOpenOutcome(t *testing.T) {
	g, validator := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	address := proxy(t, n.Endpoint(), func(_ http.ResponseWriter, body []byte, _ func()) bool {
		if bytes.Contains(body, []byte("broadcast_tx_sync")) {
			cancel()
		}
		return false
	})
	_, err := dial(t, address).Commit(ctx, validator, []byte("x"))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "open until block") {
		t.Errorf("error %v", err)
	}
}

// False answers of a server cause errors, never a panic or a wrong value.
func TestHostileServer(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	for name, answer := range map[string]string{
		"empty":        ``,
		"not json":     `<html>`,
		"null":         `{"jsonrpc":"2.0","id":%d,"result":null}`,
		"other type":   `{"jsonrpc":"2.0","id":%d,"result":[1,2]}`,
		"other chain":  `{"jsonrpc":"2.0","id":%d,"result":{"header":{"chain_id":"x","height":"7"}}}`,
		"negative":     `{"jsonrpc":"2.0","id":%d,"result":{"header":{"chain_id":"chaintest","height":"-7"}}}`,
		"empty header": `{"jsonrpc":"2.0","id":%d,"result":{"header":{}}}`,
		"endless":      strings.Repeat(" ", 17<<20),
		"refusal":      `{"jsonrpc":"2.0","id":%d,"error":{"code":-32603,"message":"no"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			var armed atomic.Bool
			address := proxy(t, n.Endpoint(), func(w http.ResponseWriter, body []byte, _ func()) bool {
				if !armed.Load() {
					return false
				}
				if strings.Contains(answer, "%d") {
					_, id, _ := bytes.Cut(body, []byte(`"id":`))
					var number int
					fmt.Sscan(string(id[:bytes.IndexByte(id, ',')]), &number)
					fmt.Fprintf(w, answer, number)
				} else {
					io.WriteString(w, answer)
				}
				return true
			})
			c := dial(t, address)
			armed.Store(true)
			ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
			defer cancel()
			// An empty result is CometBFT's way to say that there is no block yet.
			if b, err := c.Head(ctx); err == nil && b != c.Genesis() {
				t.Errorf("head %+v", b)
			}
			if b, err := c.Wait(ctx, 5); err == nil {
				t.Errorf("wait %+v", b)
			}
			if m, err := c.Metagraph(ctx); err == nil {
				t.Errorf("metagraph %+v", m)
			}
		})
	}
}

// A block is asked for once: it is final, and each request of an honest node waits for its share of a flooded server.
func TestBlocksAreAskedForOnce(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	var requests atomic.Int32
	c := dial(t, proxy(t, n.Endpoint(), func(http.ResponseWriter, []byte, func()) bool {
		requests.Add(1)
		return false
	}))
	second, err := c.Wait(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.Block(t.Context(), 1)
	if err != nil || second.Parent != first.Hash {
		t.Fatal(first, err)
	}
	before := requests.Load()
	for range 100 {
		one, err1 := c.Block(t.Context(), 1)
		two, err2 := c.Wait(t.Context(), 2)
		if one != first || two != second || err1 != nil || err2 != nil {
			t.Fatal(one, two, err1, err2)
		}
	}
	if n := requests.Load() - before; n > 0 {
		t.Errorf("%d requests for two blocks that were known", n)
	}
}

// After Run has returned, no goroutine of this package is left.
func TestRunLeavesNoGoroutine(t *testing.T) {
	g, validator := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	c := dial(t, n.Endpoint())
	if _, err := c.Commit(t.Context(), validator, []byte("x")); err != nil {
		t.Fatal(err)
	}
	n.stop()
	var left []string
	for range 100 { // one that has done its work may not have had its turn to end
		if left = goroutines(); len(left) == 0 {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
	t.Errorf("left behind:\n%s", strings.Join(left, "\n\n"))
}

// goroutines are the stacks of a node's.
func goroutines() (stacks []string) {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(stack, "templar/internal/chain/cometbft.") || strings.Contains(stack, "cometbft/consensus") {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// expired reports whether a refusal's reason is that the call was too late for the chain.
func expired(reason string) bool {
	var expiry, block uint64
	if n, _ := fmt.Sscanf(reason, "expiry block %d: the block is %d", &expiry, &block); n == 2 {
		return expiry < block
	}
	return strings.HasPrefix(reason, "no block up to ")
}

// A node that is killed without warning keeps every call that it acknowledged.
func TestKill(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	home := initHome(t, g)
	authority, target := chaintest.Key(t, 0), chaintest.Key(t, 2).Hotkey()
	var acknowledged uint64
	var last chain.Block
	for range 6 {
		child := startChild(t, home, childConfig{Interval: 10 * time.Millisecond})
		c := dial(t, child.endpoint)
		if last.Number > 0 {
			if b, err := c.Block(t.Context(), last.Number); err != nil || b != last {
				t.Errorf("block %+v became %+v, %v", last, b, err)
			}
		}
		for range 5 {
			r, err := c.Admin().Stake(t.Context(), authority, target, 1)
			if err != nil {
				t.Fatal(err)
			}
			if r.Status == chain.StatusIncluded {
				acknowledged++
			} else if !expired(r.Reason) { // blocks are fast here, and a machine busy
				t.Fatalf("refused: %s", r.Reason)
			}
		}
		m, err := c.Metagraph(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := m.ByHotkey(target); n.Stake != acknowledged {
			t.Fatalf("stake %d after %d acknowledged calls", n.Stake, acknowledged)
		}
		if last, err = c.Head(t.Context()); err != nil {
			t.Fatal(err)
		}
		child.kill()
	}
	if acknowledged == 0 {
		t.Error("no call was ever included")
	}
}
