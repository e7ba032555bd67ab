package cometbft_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/cometbft"
	"templar/internal/chain/ledger/ledgertest"
	"templar/protocol"
)

// forger changes a node's answers to requests that mention a method.
type forger struct {
	method  string
	alter   func(answer []byte) []byte
	altered atomic.Int32
}

func (l *forger) serve(t *testing.T, endpoint string) string {
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
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		rp.ServeHTTP(answer, r)
		out := answer.Body.Bytes()
		if bytes.Contains(body, []byte(l.method)) {
			if changed := l.alter(out); !bytes.Equal(changed, out) {
				out = changed
				l.altered.Add(1)
			}
		}
		_, _ = w.Write(out)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func swap(pattern, by string) func([]byte) []byte {
	re := regexp.MustCompile(pattern)
	return func(b []byte) []byte { return re.ReplaceAll(b, []byte(by)) }
}

// flipValue changes one bit in the value of an ABCI answer.
func flipValue(b []byte) []byte {
	re := regexp.MustCompile(`"value": ?"([^"]+)"`)
	m := re.FindSubmatchIndex(b)
	if m == nil {
		return b
	}
	raw, err := base64.StdEncoding.DecodeString(string(b[m[2]:m[3]]))
	if err != nil {
		return b
	}
	raw[len(raw)/2] ^= 1
	return bytes.Join([][]byte{b[:m[2]], []byte(base64.StdEncoding.EncodeToString(raw)), b[m[3]:]}, nil)
}

// Whatever a server changes in its answers, a client that verifies does not believe it.
func TestVerifyCatchesLiar(t *testing.T) {
	g, validator := ledgertest.Genesis(t)
	home := initHome(t, g)
	n := start(t, home, "127.0.0.1:0")
	honest := dial(t, n.Endpoint())
	if r, err := honest.Commit(t.Context(), validator, []byte("x")); err != nil || r.Status != chain.StatusIncluded {
		t.Fatal(r, err)
	}
	if _, err := honest.Wait(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	other := protocol.Hash{1}
	head := func(ctx context.Context, c *cometbft.Client) error { _, err := c.Head(ctx); return err }
	block := func(ctx context.Context, c *cometbft.Client) error { _, err := c.Block(ctx, 2); return err }
	metagraph := func(ctx context.Context, c *cometbft.Client) error { _, err := c.Metagraph(ctx); return err }
	commitments := func(ctx context.Context, c *cometbft.Client) error { _, err := c.Commitments(ctx); return err }
	submit := func(ctx context.Context, c *cometbft.Client) error {
		_, err := c.Commit(ctx, validator, []byte("y"))
		return err
	}
	for name, l := range map[string]struct {
		method string
		alter  func([]byte) []byte
		call   func(context.Context, *cometbft.Client) error
	}{
		"time of the head":    {"templar_next", swap(`"time": ?"2\d{3}`, `"time":"2001`), head},
		"state root":          {"templar_next", swap(`"app_hash": ?"[0-9A-F]{8}`, `"app_hash":"00000000`), head},
		"signature":           {"templar_next", swap(`"signature": ?"[^"]{8}`, `"signature":"AAAAAAAA`), head},
		"no signature":        {"templar_next", swap(`"block_id_flag": ?2`, `"block_id_flag":1`), head},
		"authorities":         {"templar_next", swap(`"validators_hash": ?"[0-9A-F]{8}`, `"validators_hash":"00000000`), head},
		"stamp":               {"templar_next", swap(`"data": ?"/[^"]{4}`, `"data":"/AAAA`), head},
		"parent":              {"templar_block", swap(`"last_block_id": ?\{"hash": ?"[0-9A-F]{8}`, `"last_block_id":{"hash":"00000000`), block},
		"another block":       {"templar_block", swap(`"height": ?"2"`, `"height":"3"`), block},
		"metagraph":           {"abci_query", flipValue, metagraph},
		"commitments":         {"abci_query", flipValue, commitments},
		"empty metagraph":     {"abci_query", swap(`"value": ?"[^"]+"`, `"value":"AAAAAQAAAAAAAAAA"`), metagraph},
		"what became of it":   {`"block_results"`, swap(`"txs_results": ?\[\{"code": ?0,(.*?)\},\{"code": ?0`, `"txs_results":[{"code":0,$1},{"code":5`), submit},
		"transactions hidden": {`"block"`, swap(`"txs": ?\["([^"]+)","[^"]+"`, `"txs":["$1"`), submit},
	} {
		t.Run(name, func(t *testing.T) {
			p := &forger{method: "nothing", alter: l.alter}
			c := dialVerified(t, p.serve(t, n.Endpoint()), home)
			p.method = l.method
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := l.call(ctx, c)
			if err == nil || ctx.Err() != nil || p.altered.Load() == 0 {
				t.Errorf("%d altered answers: %v", p.altered.Load(), err)
			}
		})
	}
	if _, err := cometbft.Dial(t.Context(), cometbft.Opts{Endpoint: n.Endpoint(), Verify: other}); err == nil || !strings.Contains(err.Error(), "another chain, or its answer is false") {
		t.Errorf("another genesis: %v", err)
	}
}

// A node that catches up may have left a state behind when a client asks about it: the client
// asks about the next.
func TestProofOfAStateLeftBehind(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	home := initHome(t, g)
	n := start(t, home, "127.0.0.1:0")
	refuse, behind := swap(`"code": ?0`, `"code":1`), &forger{method: "/proof"}
	behind.alter = func(answer []byte) []byte {
		if behind.altered.Load() == 2 {
			return answer
		}
		return refuse(answer)
	}
	c := dialVerified(t, behind.serve(t, n.Endpoint()), home)
	if _, err := c.Wait(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if m, err := c.Metagraph(t.Context()); err != nil || len(m.Neurons) == 0 || behind.altered.Load() != 2 {
		t.Errorf("%d neurons, %v after %d refusals", len(m.Neurons), err, behind.altered.Load())
	}
}

// The first block after a standstill has the time at which it was made, although its
// header carries the time at which the standstill began.
func TestTimeAfterStandstill(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	home := initHome(t, g)
	first := start(t, home, "127.0.0.1:0")
	c := dial(t, first.Endpoint())
	if _, err := c.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	first.stop()
	stopped := time.Now()
	within(t, time.Minute, "a standstill", func() bool { return time.Since(stopped) > 700*time.Millisecond })
	again := time.Now()
	c = dial(t, start(t, home, "127.0.0.1:0").Endpoint())
	fresh, err := c.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for number := uint64(2); ; number++ {
		b, err := c.Wait(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		if b.Time.After(stopped) || number > fresh.Number+5 {
			if b.Time.Before(again) {
				t.Errorf("block %d is of %v, made after %v", b.Number, b.Time, again)
			}
			return
		}
	}
}
