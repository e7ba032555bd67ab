package harness

import (
	"context"
	"errors"
	"time"

	"templar/internal/chain/ledger"
	"templar/internal/chain/manual"
	"templar/internal/data"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/internal/workers"
	"templar/method"
	"templar/protocol"
)

// Names of the buckets that no member owns.
const (
	AggregatorBucket = "aggregator"
	DatasetBucket    = "dataset"
)

// Member is a node of a network. All but aggregators have a bucket of their name.
type Member struct {
	Name   string
	Role   telemetry.Role
	Hotkey protocol.Hotkey
}

// Config describes a site.
type Config struct {
	Params  protocol.Params // Build adds the aggregators and the dataset's hash
	Members []Member
	Tune    func(*protocol.Params) // changes the parameters, when set
	Methods method.Factories       // nil: those of Methods
	Pool    *workers.Pool          // computes; nil: all cores

	// Store gets the buckets and the dataset. Without it, the site has neither.
	Store       Store
	Text        data.Corpus
	ShardTokens int // length of the dataset's shards; 0: one shard

	Genesis func(*ledger.Genesis) // changes the genesis, when set
	Now     time.Time             // of the first block
}

// Site is what the nodes of a network share: the run and the chain, beside the store.
type Site struct {
	Run   run.Run
	Chain *manual.Chain
}

// Build makes the buckets, the dataset, the run and the chain of a network.
func Build(ctx context.Context, c Config) (s Site, err error) {
	p := c.Params
	for _, m := range c.Members {
		if m.Role == telemetry.Aggregator {
			p.Aggregators = append(p.Aggregators, m.Hotkey)
		}
	}
	if c.Tune != nil {
		c.Tune(&p)
	}
	if c.Store != nil {
		if p.DatasetHash, err = c.fill(ctx, p.PageTokens); err != nil {
			return s, err
		}
	}
	if c.Methods == nil {
		c.Methods = Methods()
	}
	if c.Pool == nil {
		s.Run, err = run.New(p, c.Methods)
	} else {
		s.Run, err = run.NewWith(p, c.Methods, *c.Pool)
	}
	if err != nil {
		return s, err
	}
	g := genesis(&p, c.Members)
	if c.Genesis != nil {
		c.Genesis(&g)
	}
	s.Chain, err = manual.New(g, c.Now)
	return s, err
}

// fill makes the buckets, and the dataset in its own.
func (c *Config) fill(ctx context.Context, pageTokens int) (protocol.Hash, error) {
	errs := []error{CreateBucket(c.Store, DatasetBucket), CreateBucket(c.Store, AggregatorBucket)}
	for _, m := range c.Members {
		if m.Role != telemetry.Aggregator {
			errs = append(errs, CreateBucket(c.Store, m.Name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return protocol.Hash{}, err
	}
	b, err := c.Store.Dial(Location(c.Params.Stores[0], DatasetBucket, true))
	if err != nil {
		return protocol.Hash{}, err
	}
	_, hash, err := data.Build(ctx, b, c.Text, data.Bytes{}, data.BuildOptions{PageTokens: pageTokens, ShardTokens: c.ShardTokens})
	return hash, err
}

// Stake is that of the validator that has the least.
const Stake = 1000

// genesis is a chain, named after the run so that other runs have other block hashes, on
// which the validators and miners among the members are registered, in order. Of the
// validators the first has the highest stake.
func genesis(p *protocol.Params, members []Member) ledger.Genesis {
	g := ledger.DefaultGenesis(p.Run)
	g.Tempo, g.WeightsRateLimit, g.CommitRateLimit = p.BlocksPerWindow, 1, 0
	above := uint64(0)
	for _, m := range members {
		if m.Role == telemetry.Validator {
			above++
		}
	}
	for _, m := range members {
		switch m.Role {
		case telemetry.Validator:
			g.Founders = append(g.Founders, ledger.Founder{Hotkey: m.Hotkey, Stake: Stake * above})
			above--
		case telemetry.Miner:
			g.Founders = append(g.Founders, ledger.Founder{Hotkey: m.Hotkey})
		}
	}
	return g
}
