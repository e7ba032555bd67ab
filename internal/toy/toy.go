// Package toy has what a network needs that is to train hundreds of windows in a test: run
// parameters, a text, keys for its buckets and a genesis, all small.
package toy

import (
	"bytes"
	"errors"

	"templar/internal/chain/ledger"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/method"
	"templar/method/dctsign"
	"templar/protocol"
)

// Params are run parameters with windows of 12 s and a model of some 11 000 parameters. All
// buckets are at the one endpoint.
func Params(run, endpoint string) protocol.Params {
	p := protocol.Default()
	p.Run, p.Seed, p.Stores = run, 1, []string{endpoint}
	p.Model = protocol.Model{
		VocabSize: 256, HiddenSize: 16, Layers: 1, Heads: 2, KVHeads: 2, IntermediateSize: 32,
		MaxPositions: 16, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.1,
	}
	p.SequenceLength, p.PageTokens, p.PagesPerWindow, p.BatchSize = 16, 64, 2, 4
	p.Method = p.Method.With("learning_rate", 1e-2).With("warmup_steps", 2).With("t_max", 20).
		With("momentum_decay", 0.5).With("momentum_warmup", 2).With("target_chunk", 16).With("topk_compression", 16)
	p.BlockSeconds, p.BlocksPerWindow = 2, 6
	p.DeltaSeconds, p.SlackSeconds, p.GatherSeconds, p.PublicationSeconds, p.PeerGatherSeconds = 2, 2, 2, 2, 3
	p.MinimumPeers, p.ValidatorSampleRate, p.WindowsPerWeights, p.CheckpointFrequency, p.SampleValues = 1, 0.5, 2, 4, 64
	return p
}

// Methods are the training methods that a small network may use.
func Methods() method.Factories { return method.Factories{dctsign.Name: dctsign.New} }

// Text is something to learn: a few words in an order of no period, which the label fixes.
func Text(label string) []byte {
	words := []string{"light", "ray", "prism", "colour", "glass", "refracted", "the", "of", "is"}
	draw := protocol.NewDraw(label, protocol.Hash{})
	var b bytes.Buffer
	for range 1500 {
		b.WriteString(words[draw.Below(uint64(len(words)))])
		b.WriteByte(' ')
	}
	return b.Bytes()
}

// Location is where a bucket of CreateBucket lies, with the key that reads it or the one
// that writes.
func Location(endpoint, bucket string, write bool) store.Location {
	l := store.Location{Endpoint: endpoint, Bucket: bucket, AccessKey: bucket + "-read", Secret: "secret"}
	if write {
		l.AccessKey = bucket + "-write"
	}
	return l
}

// CreateBucket makes a bucket with a key that reads it and one that writes.
func CreateBucket(s interface {
	CreateBucket(name string) error
	AddKeys(keys ...store.Key) error
}, name string) error {
	key := func(write bool) store.Key {
		l := Location("", name, write)
		return store.Key{AccessKey: l.AccessKey, Secret: l.Secret, Grants: []store.Grant{{Bucket: name, Write: write}}}
	}
	return errors.Join(s.CreateBucket(name), s.AddKeys(key(false), key(true)))
}

// Member is a node with a role on the chain.
type Member struct {
	Role   telemetry.Role
	Hotkey protocol.Hotkey
}

// Stake is that of the validator that has the least.
const Stake = 1000

// Genesis is a chain, named so that other runs have other block hashes, on which the
// validators and miners among the members are registered, in order. Of the validators the
// first has the highest stake.
func Genesis(name string, p *protocol.Params, members []Member) ledger.Genesis {
	g := ledger.DefaultGenesis(name)
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
