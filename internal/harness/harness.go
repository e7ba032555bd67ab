// Package harness has what a network is made of that trains hundreds of windows in a test or
// in the simulator: run parameters, a text, hotkeys, buckets and a genesis, all small, and
// Build, which makes the site of a network of them. Package parts builds its nodes.
//
// Package testnet has the network for tests, in a bubble of virtual time; package s3site
// aggregators at an S3 server. The simulator (package sim) has a scheduler of its own.
package harness

import (
	"bytes"
	"encoding/binary"
	"errors"

	"templar/internal/store"
	"templar/internal/wallet"
	"templar/method"
	"templar/method/dctsign"
	"templar/method/sparseloco"
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
	p.DeltaSeconds, p.SlackSeconds, p.GatherSeconds, p.KeySeconds, p.PublicationSeconds, p.PeerGatherSeconds = 2, 2, 2, 2, 2, 3
	p.MinimumPeers, p.ValidatorSampleRate, p.WindowsPerWeights, p.CheckpointFrequency, p.SampleValues = 1, 0.5, 2, 4, 64
	return p
}

// Methods are the training methods that a small network may use.
func Methods() method.Factories {
	return method.Factories{dctsign.Name: dctsign.New, sparseloco.Name: sparseloco.New}
}

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

// Store is a store whose buckets a harness makes.
type Store interface {
	store.Dialer
	CreateBucket(name string) error
	AddKeys(keys ...store.Key) error
}

// CreateBucket makes a bucket with a key that reads it and one that writes.
func CreateBucket(s Store, name string) error {
	key := func(write bool) store.Key {
		l := Location("", name, write)
		return store.Key{AccessKey: l.AccessKey, Secret: l.Secret, Grants: []store.Grant{{Bucket: name, Write: write}}}
	}
	return errors.Join(s.CreateBucket(name), s.AddKeys(key(false), key(true)))
}

// Key returns the n-th of a fixed list of hotkeys.
func Key(n uint64) (*wallet.Wallet, error) {
	return wallet.FromSeed([32]byte(binary.LittleEndian.AppendUint64(make([]byte, 24), n)))
}
