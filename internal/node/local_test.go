package node

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/internal/chain/manual"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/data"
	"templar/internal/directory"
	"templar/internal/harness"
	"templar/internal/harness/testnet"
	"templar/internal/model"
	"templar/internal/parts"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/internal/wallet"
	"templar/protocol"
	"templar/wire"
)

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// assemble makes a node without a model, whose buckets lie in directories.
func assemble(t *testing.T, c config.Node, s parts.Spec) (*Node, error) {
	t.Helper()
	s.Name, s.Needs, s.Clock, s.Log = string(s.Role), parts.Of(s.Role), clock.Wall{}, slog.New(slog.DiscardHandler)
	s.Needs.Model = false
	n := &Node{}
	if err := n.place(&s, c, new(Buckets), Env{}); err != nil {
		return n, err
	}
	return n, n.build(t.Context(), s)
}

// local assembles the buckets of a node that lie in directories.
func local(t *testing.T, run run.Run, c chain.Chain, r telemetry.Role, signer *wallet.Wallet, endpoint string) *Node {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir, cfg.Run = t.TempDir(), "run.json"
	cfg.Chain.Endpoint = "http://127.0.0.1:1"
	cfg.Buckets = config.Buckets{
		Gradients: config.OwnBucket{Endpoint: endpoint, Name: string(r)}, Dataset: config.Bucket{Endpoint: endpoint, Name: "dataset"},
		Aggregator: config.Bucket{Endpoint: endpoint, Name: "aggregates"},
	}
	if err := cfg.Validate(r, config.Build{Chains: []string{"cometbft"}, Devices: []string{"cpu"}}); err != nil {
		t.Fatal(err)
	}
	n, err := assemble(t, cfg, parts.Spec{Role: r, Run: run, Chain: c, Signer: signer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// Nodes whose buckets are directories of one machine pass objects as others do: the own
// bucket is checked, committed, found by peers, gathered from, and the Aggregate read.
func TestLocalBuckets(t *testing.T) {
	ctx := t.Context()
	root := t.TempDir()
	endpoint := "file://" + root
	p := testnet.Params()
	p.Stores = []string{endpoint}
	run := must(run.New(p, harness.Methods()))(t)
	signer := testnet.Key(t, 1)
	g := ledger.DefaultGenesis("local")
	g.CommitRateLimit, g.Founders = 0, []ledger.Founder{{Hotkey: signer.Hotkey()}}
	c := must(manual.New(g, time.Now()))(t)

	aggregator := local(t, run, c, telemetry.Aggregator, testnet.Key(t, 2), endpoint)
	miner := local(t, run, c, telemetry.Miner, signer, endpoint)
	if _, err := directory.CheckOwn(ctx, miner.Clock, miner.Own, miner.OwnAsPeer, 2*time.Second); err != nil {
		t.Fatal(err)
	}
	commit(t, c, miner)
	if err := aggregator.Directory.Refresh(ctx); err != nil {
		t.Fatal(err)
	}

	body := must(run.Method.Encode(model.Init(p.Model, 1)))(t)
	b := must(wire.EncodeGradient(&wire.Gradient{Run: run.Hash, Window: 7, Hotkey: signer.Hotkey(), Pages: []uint64{1}, Tokens: 64, Body: body.Bytes()}, run.Format(), wire.GradientKey{1}, signer))(t)
	b, _, _ = wire.SplitGradient(b)
	if err := miner.Outbox().Put(ctx, protocol.GradientKey(7, 0), b); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	got := aggregator.Gatherer().Gather(ctx, 7, aggregator.Directory.Candidates(), protocol.Bounds{Min: now.Add(-time.Minute), Max: now}, now.Add(10*time.Second))
	if len(got) != 1 || !got[0].Verdict.OK() || !bytes.Equal(got[0].Raw, b) {
		t.Fatalf("gathered %+v", got)
	}

	if _, err := aggregator.Aggregator.Put(ctx, protocol.AggregateKey(7, 0), bytes.NewReader(b), int64(len(b)), store.PutOptions{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := miner.Aggregator.Head(ctx, protocol.AggregateKey(7, 0)); err != nil {
		t.Error(err)
	}

	// A second reader leaves alone what the owner is writing.
	unfinished := filepath.Join(root, "miner", "tmp", "unfinished")
	if err := os.WriteFile(unfinished, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := directory.New(run.Params, c, &Buckets{}).Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(unfinished); err != nil {
		t.Error(err)
	}
}

// A commitment can name no directory but the run's, and none outside of it.
func TestLocalBucketsStayInside(t *testing.T) {
	root := t.TempDir()
	for _, l := range []store.Location{
		{Endpoint: "file://" + root, Bucket: ".."}, {Endpoint: "file://" + root, Bucket: "a/b"}, {Endpoint: "file://" + root, Bucket: ""},
	} {
		if _, err := new(Buckets).Dial(l); err == nil {
			t.Errorf("bucket %q was opened", l.Bucket)
		}
	}
	if _, err := new(Buckets).Dial(store.Location{Endpoint: "file://" + root, Bucket: "nobodys"}); err != nil {
		t.Error(err)
	}
	if left := must(os.ReadDir(root))(t); len(left) > 0 {
		t.Errorf("looking made %v", left)
	}
}

// What the dataset bucket lacks comes from a mirror.
func TestDatasetMirrors(t *testing.T) {
	root := t.TempDir()
	p := testnet.Params()
	p.Stores = []string{"file://" + root}
	mirror, release, err := openDirectory(filepath.Join(root, "second"), "second")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	corpus := data.Corpus{Name: "text", Text: bytes.Repeat([]byte("light and shade "), 500), Files: 1}
	_, hash, err := data.Build(t.Context(), mirror, corpus, data.Bytes{}, data.BuildOptions{PageTokens: p.PageTokens})
	if err != nil {
		t.Fatal(err)
	}
	at := datasets(config.Buckets{
		Dataset: config.Bucket{Endpoint: p.Stores[0], Name: "first"}, Mirrors: []config.Bucket{{Endpoint: p.Stores[0], Name: "second"}},
	})
	sources := must(parts.Datasets(new(Buckets), at, store.RetryPolicy{}, clock.Wall{}))(t)
	text := must(data.Open(t.Context(), sources[0], hash, sources[1:]...))(t)
	if _, err := text.Page(t.Context(), 0, p.PageTokens); err != nil {
		t.Error(err)
	}
}

// commit puts a node's bucket on the chain.
func commit(t *testing.T, c *manual.Chain, n *Node) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- directory.Commit(t.Context(), n.Chain, n.Signer, n.Commitment) }()
	for {
		if _, err := c.Advance(time.Now()); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
