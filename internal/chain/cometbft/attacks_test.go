package cometbft_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"templar/internal/admit"
	"templar/internal/chain"
	"templar/internal/chain/chaintest"
	"templar/internal/chain/cometbft"
	"templar/internal/chain/ledger"
	"templar/internal/chain/ledger/ledgertest"
)

// post sends a body to an RPC server.
func post(t *testing.T, endpoint, body string) (status int, answer string) {
	t.Helper()
	r, err := http.Post(endpoint, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func rpcCall(method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
}

// One request is one call. As a batch, 30 kB could ask for gigabytes.
func TestRPCRefusesBatches(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	dial(t, n.Endpoint())
	one := rpcCall("genesis", "{}")
	for _, body := range []string{"[" + one + "]", " \n\t[" + strings.Repeat(one+",", 300) + one + "]", "[]"} {
		status, answer := post(t, n.Endpoint(), body)
		if status != http.StatusBadRequest || !strings.Contains(answer, "no batches") || len(answer) > 1000 {
			t.Errorf("a batch of %d bytes: status %d, %d bytes: %.200s", len(body), status, len(answer), answer)
		}
	}
}

// Methods that our clients do not need are not there: each would be a way to take something.
func TestRPCHasNoOtherMethods(t *testing.T) {
	g, validator := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	c := dial(t, n.Endpoint())
	for _, method := range []string{
		"check_tx", "tx_search", "block_search", "dump_consensus_state", "consensus_state", "unconfirmed_txs",
		"broadcast_tx_commit", "broadcast_tx_async", "broadcast_evidence", "subscribe", "net_info", "blockchain",
		"genesis_chunked", "dial_peers", "unsafe_flush_mempool", "", "rpc.discover",
	} {
		if _, answer := post(t, n.Endpoint(), rpcCall(method, `{"tx":"AA=="}`)); !strings.Contains(answer, "-32601") {
			t.Errorf("%s: %.200s", method, answer)
		}
	}
	for _, path := range []string{"/", "/check_tx?tx=0x00", "/websocket", "/debug/pprof/", "/dump_consensus_state", "/metrics"} {
		r, err := http.Get(n.Endpoint() + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: status %d", path, r.StatusCode)
		}
	}
	if r, err := http.Get(n.Endpoint() + "/health"); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("GET /health: %v, %v", r, err)
	} else {
		r.Body.Close()
	}
	if r, err := c.Commit(t.Context(), validator, []byte("x")); err != nil || r.Status != chain.StatusIncluded {
		t.Error(r, err)
	}
}

// A transaction that is only looked at must leave the hotkey free to send another one. The
// stranger has the transaction of another chain's test, or one that was sent before.
func TestRPCCheckHasNoSideEffect(t *testing.T) {
	g, validator := ledgertest.Genesis(t)
	n, err := cometbft.New(cometbft.Config{Home: initHome(t, g), Listen: "127.0.0.1:0", BlockInterval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	runNode(t, n)
	dial(t, n.Endpoint())
	sign := func(data string) string {
		tx, err := ledger.NewTx(validator, g.Domain(), 0, 200, ledger.Commit{Data: []byte(data)})
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(tx)
	}
	post(t, n.Endpoint(), rpcCall("check_tx", `{"tx":"`+sign("a")+`"}`))
	_, answer := post(t, n.Endpoint(), rpcCall("broadcast_tx_sync", `{"tx":"`+sign("b")+`"}`))
	var r struct{ Result struct{ Code int } }
	if err := json.Unmarshal([]byte(answer), &r); err != nil || r.Result.Code != 0 {
		t.Errorf("after a look at another transaction: %s", answer)
	}
}

func TestRPCRefusesOddRequests(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	dial(t, n.Endpoint())
	for name, c := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"too large":        {rpcCall("genesis", `{"x":"`+strings.Repeat("x", 40<<10)+`"}`), http.StatusRequestEntityTooLarge, "at most"},
		"nothing":          {"", http.StatusBadRequest, "-32700"},
		"not JSON":         {"x", http.StatusBadRequest, "-32700"},
		"deep":             {strings.Repeat(`{"a":`, 6000), http.StatusBadRequest, "-32700"},
		"listed params":    {rpcCall("genesis", `[1]`), http.StatusBadRequest, "-32700"},
		"no id":            {`{"jsonrpc":"2.0","method":"genesis","params":{}}`, http.StatusBadRequest, "-32600"},
		"an object as id":  {`{"jsonrpc":"2.0","id":{},"method":"genesis","params":{}}`, http.StatusBadRequest, "-32600"},
		"a long id":        {`{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 100) + `","method":"genesis"}`, http.StatusBadRequest, "-32600"},
		"bad height":       {rpcCall("block", `{"height":"x"}`), http.StatusOK, "want an integer"},
		"negative height":  {rpcCall("block", `{"height":"-1"}`), http.StatusOK, "error"},
		"height to come":   {rpcCall("block_results", `{"height":"99999999"}`), http.StatusOK, "error"},
		"many validators":  {rpcCall("validators", `{"page":"0","per_page":"100000000"}`), http.StatusOK, "error"},
		"proof of all":     {rpcCall("abci_query", `{"path":"/proof","data":""}`), http.StatusOK, "no proofs"},
		"unknown path":     {rpcCall("abci_query", `{"path":"/p2p/filter/addr/1.2.3.4:5"}`), http.StatusOK, "unknown path"},
		"data is not hex":  {rpcCall("abci_query", `{"path":"/nonce","data":"zz"}`), http.StatusOK, "data"},
		"not base64":       {rpcCall("broadcast_tx_sync", `{"tx":"?"}`), http.StatusOK, "tx"},
		"empty tx":         {rpcCall("broadcast_tx_sync", `{"tx":""}`), http.StatusOK, `"code":1`},
		"wrong hash":       {rpcCall("templar_outcome", `{"height":"1","hash":"AA=="}`), http.StatusOK, "32 bytes"},
		"height overflows": {rpcCall("templar_block", `{"height":"99999999999999999999"}`), http.StatusOK, "want an integer"},
	} {
		status, answer := post(t, n.Endpoint(), c.body)
		if status != c.status || !strings.Contains(answer, c.want) {
			t.Errorf("%s: status %d, want %d with %q: %.300s", name, status, c.status, c.want, answer)
		}
	}
}

// hold opens connections that send so much of a request and then nothing.
func hold(t *testing.T, endpoint string, n int, begin string) {
	t.Helper()
	address := strings.TrimPrefix(endpoint, "http://")
	for range n {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, begin); err != nil {
			t.Fatal(err)
		}
	}
}

// More connections than the server once had room for, idle, in the middle of a header, of a
// body, or waiting for a block, keep no client out.
func TestRPCConnectionsOfStrangers(t *testing.T) {
	if testing.Short() {
		t.Skip("opens thousands of connections")
	}
	body := rpcCall("templar_next", `{"after":"99999999"}`)
	for name, begin := range map[string]string{
		"idle":      "",
		"slow head": "POST / HTTP/1.1\r\nHost: x\r\n",
		"slow body": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
		"long poll": fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body),
	} {
		t.Run(name, func(t *testing.T) {
			g, validator := ledgertest.Genesis(t)
			n := start(t, initHome(t, g), "127.0.0.1:0")
			dial(t, n.Endpoint()) // it serves
			hold(t, n.Endpoint(), 1500, begin)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			c, err := cometbft.Dial(ctx, cometbft.Opts{Endpoint: n.Endpoint()})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if r, err := c.Commit(ctx, validator, []byte("x")); err != nil || r.Status != chain.StatusIncluded {
				t.Error(r, err)
			}
		})
	}
}

// Parallel reads of all that is large do not stop the blocks, and what they ask for is encoded
// once a block.
func TestRPCParallelReads(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	g.MaxNeurons = 1024
	for i := range 800 {
		g.Founders = append(g.Founders, ledger.Founder{Hotkey: chaintest.Key(t, uint64(1000+i)).Hotkey()})
	}
	n, err := cometbft.New(cometbft.Config{Home: initHome(t, g), Listen: "127.0.0.1:0", BlockInterval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	runNode(t, n)
	c := dial(t, n.Endpoint())
	head, err := c.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var readers sync.WaitGroup
	var reads atomic.Int64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 900}}
	defer client.CloseIdleConnections()
	for i := range 900 {
		body := rpcCall("abci_query", `{"path":"`+[]string{"/metagraph", "/genesis", "/commitments"}[i%3]+`"}`)
		readers.Go(func() {
			for ctx.Err() == nil {
				req, _ := http.NewRequestWithContext(ctx, http.MethodPost, n.Endpoint(), strings.NewReader(body))
				r, err := client.Do(req)
				if err != nil {
					continue
				}
				_, _ = io.Copy(io.Discard, r.Body)
				r.Body.Close()
				reads.Add(1)
			}
		})
	}
	within(t, time.Minute, "the flood", func() bool { return reads.Load() > 500 })
	wait, done := context.WithTimeout(t.Context(), time.Minute)
	defer done()
	if _, err := c.Wait(wait, head.Number+20); err != nil {
		t.Errorf("no blocks during %d reads: %v", reads.Load(), err)
	}
	cancel()
	readers.Wait()
}

// A client reads neither large headers, nor what a server redirects to.
func TestClientBoundsServer(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	n := start(t, initHome(t, g), "127.0.0.1:0")
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the client followed a redirect") }))
	defer inner.Close()
	for name, answer := range map[string]func(w http.ResponseWriter){
		"redirect":      func(w http.ResponseWriter) { w.Header().Set("Location", inner.URL); w.WriteHeader(307) },
		"large headers": func(w http.ResponseWriter) { w.Header().Set("X", strings.Repeat("x", 1<<20)) },
	} {
		var armed atomic.Bool
		address := proxy(t, n.Endpoint(), func(w http.ResponseWriter, _ []byte, _ func()) bool {
			if armed.Load() {
				answer(w)
			}
			return armed.Load()
		})
		c := dial(t, address)
		armed.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err := c.Head(ctx)
		cancel()
		if err == nil || name == "large headers" && !strings.Contains(err.Error(), "exceeded") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Hosts behind a listed proxy have limits of their own; others cannot choose whose they spend.
func TestRPCLimitsByHost(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	n, err := cometbft.New(cometbft.Config{Home: initHome(t, g), Listen: "127.0.0.1:0", BlockInterval: interval, Proxies: proxies(t, "127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	runNode(t, n)
	ask := func(from string) int {
		var last int
		conn, err := net.Dial("tcp", strings.TrimPrefix(n.Endpoint(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		body := rpcCall("block", `{"height":"1"}`)
		for range 120 { // 480 in costs, over the burst of a host
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\nContent-Length: %d\r\n\r\n%s", from, len(body), body)
			r, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, r.Body)
			r.Body.Close()
			if last = r.StatusCode; last == http.StatusTooManyRequests {
				break
			}
		}
		return last
	}
	dial(t, n.Endpoint())
	if got := ask("198.51.100.1"); got != http.StatusTooManyRequests {
		t.Errorf("a flood from one host ends with status %d", got)
	}
	r, err := http.NewRequest(http.MethodPost, n.Endpoint(), bytes.NewReader([]byte(rpcCall("genesis", "{}"))))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-For", "198.51.100.2")
	if resp, err := http.DefaultClient.Do(r); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("another host: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
}

func proxies(t *testing.T, texts ...string) admit.Proxies {
	t.Helper()
	p, err := admit.ParseProxies(texts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
