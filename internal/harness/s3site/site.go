// Package s3site puts aggregators among real parts: an S3 server on loopback, a
// chain whose blocks the caller makes, and as many miners as wanted, which do nothing but
// upload. Tests and benches share it.
package s3site

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"templar/internal/bulletin"
	"templar/internal/chain/ledger"
	"templar/internal/chain/manual"
	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/harness"
	"templar/internal/model"
	"templar/internal/parts"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/store/fs"
	"templar/internal/store/s3"
	"templar/internal/store/server"
	"templar/internal/telemetry"
	"templar/internal/wallet"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

// Start is the run's first window.
const Start = protocol.Window(2)

// access opens every bucket: rights are not what is tested here.
var access = store.Key{AccessKey: "owner", Secret: "owner-secret", Admin: true}

// Config describes a site.
type Config struct {
	Endpoint            string // of a server that Serve runs
	Miners, Aggregators int
	Params              protocol.Params // Stores, Aggregators and MaxTopKPeers are set here
	Unannounced         bool            // the caller announces the run
}

// Site is what aggregators work on.
type Site struct {
	Run   run.Run
	Chain *manual.Chain

	config      Config
	dialer      *s3.Dialer
	validator   *wallet.Wallet
	miners      []*wallet.Wallet
	aggregators []*wallet.Wallet
	payloads    []method.Payload
	made        sync.Once
	unmade      error
	disks       []string // folders of the aggregators' own
}

// Buckets are the buckets of a site with so many miners.
func Buckets(miners int) []string {
	names := []string{harness.AggregatorBucket, "validator"}
	for i := range miners {
		names = append(names, bucketOf(i))
	}
	return names
}

func bucketOf(miner int) string { return fmt.Sprintf("miner-%d", miner) }

// Serve runs an S3 server with a site's buckets on a free port until ctx ends, and passes
// its endpoint to ready before.
func Serve(ctx context.Context, dir string, miners int, ready func(endpoint string)) error {
	s, err := Open(dir, miners)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ready("http://" + l.Addr().String())
	return s.Serve(ctx, l)
}

// Open opens an S3 server with a site's buckets, which keeps them in a folder.
func Open(dir string, miners int) (*server.Server, error) {
	s, err := server.Open(server.Config{Dir: dir, Keys: []server.Key{access}})
	if err != nil {
		return nil, err
	}
	for _, name := range Buckets(miners) {
		if err := s.CreateBucket(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// New registers all members on a new chain and announces the run, unless the caller does. The chain is in the window
// before Start.
func New(ctx context.Context, c Config) (*Site, error) {
	s := &Site{config: c, dialer: s3.NewDialer(s3.Options{IdlePerHost: c.Miners})}
	for _, f := range []func(context.Context) error{s.createRun, s.commit, s.announce} {
		if err := f(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// Close drops the connections and removes what Parts made.
func (s *Site) Close() error {
	errs := []error{s.dialer.Close()}
	for _, dir := range s.disks {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}

// Kinds of hotkeys.
const (
	minerKeys      = 1 << 32
	aggregatorKeys = 2 << 32
)

// createRun makes the run and its chain.
func (s *Site) createRun(ctx context.Context) (err error) {
	if s.validator, err = harness.Key(0); err != nil {
		return err
	}
	if s.miners, err = keys(minerKeys, s.config.Miners); err != nil {
		return err
	}
	if s.aggregators, err = keys(aggregatorKeys, s.config.Aggregators); err != nil {
		return err
	}
	c := harness.Config{Params: s.config.Params, Now: time.Now(), Genesis: func(g *ledger.Genesis) { g.MaxNeurons = max(g.MaxNeurons, 1+s.config.Miners) }}
	c.Params.Stores, c.Params.Aggregators, c.Params.MaxTopKPeers = []string{s.config.Endpoint}, nil, max(1, s.config.Miners)
	c.Members = []harness.Member{{Role: telemetry.Validator, Hotkey: s.validator.Hotkey()}}
	for _, w := range s.miners {
		c.Members = append(c.Members, harness.Member{Role: telemetry.Miner, Hotkey: w.Hotkey()})
	}
	for _, w := range s.aggregators {
		c.Members = append(c.Members, harness.Member{Role: telemetry.Aggregator, Hotkey: w.Hotkey()})
	}
	site, err := harness.Build(ctx, c)
	s.Run, s.Chain = site.Run, site.Chain
	return err
}

// keys returns n hotkeys of a kind.
func keys(kind uint64, n int) (all []*wallet.Wallet, err error) {
	for i := range uint64(n) {
		w, err := harness.Key(kind + i)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// createPayloads makes gradients for the miners to take turns with. A site that uploads none holds none.
func (s *Site) createPayloads() error {
	s.made.Do(func() {
		for i := range min(4, s.config.Miners) {
			var payload method.Payload
			if payload, s.unmade = s.Run.Method.Encode(model.Init(s.Run.Params.Model, uint64(i))); s.unmade != nil {
				return
			}
			s.payloads = append(s.payloads, payload)
		}
	})
	return s.unmade
}

// commit puts the buckets of all members on the chain.
func (s *Site) commit(context.Context) error {
	send := func(w *wallet.Wallet, r telemetry.Role, bucket string) error {
		data, err := directory.Commitment{Role: r, Location: s.location(bucket)}.Encode()
		if err == nil {
			_, err = s.Chain.Send(w, ledger.Commit{Data: data})
		}
		return err
	}
	errs := []error{send(s.validator, telemetry.Validator, "validator")}
	for i, m := range s.miners {
		errs = append(errs, send(m, telemetry.Miner, bucketOf(i)))
	}
	return errors.Join(append(errs, s.AdvanceTo(Start-1))...)
}

func (s *Site) location(bucket string) store.Location {
	return store.Location{Endpoint: s.config.Endpoint, Bucket: bucket, AccessKey: access.AccessKey, Secret: access.Secret}
}

// Validator is the run's one validator, whose bucket is "validator".
func (s *Site) Validator() *wallet.Wallet { return s.validator }

// AdvanceTo makes blocks, now, until window w has begun.
func (s *Site) AdvanceTo(w protocol.Window) error {
	for {
		b, err := s.Chain.Advance(time.Now())
		if err != nil || b.Number >= s.Run.Params.FirstBlock(w) {
			return err
		}
	}
}

func (s *Site) announce(ctx context.Context) error {
	if s.config.Unannounced {
		return nil
	}
	own, err := s.Bucket("validator")
	if err != nil {
		return err
	}
	b := &bulletin.Board{Run: s.Run, Signer: s.validator, Own: own}
	return b.PostStart(ctx, s.Announcement())
}

// Bucket opens a bucket as every member does.
func (s *Site) Bucket(name string) (store.Bucket, error) { return s.dialer.Dial(s.location(name)) }

// BucketAt opens a bucket through another endpoint of the server.
func (s *Site) BucketAt(endpoint, name string) (store.Bucket, error) {
	l := s.location(name)
	l.Endpoint = endpoint
	return s.dialer.Dial(l)
}

// Upload stores every miner's gradient of w, and returns the bytes of all.
func (s *Site) Upload(ctx context.Context, w protocol.Window) (int64, error) {
	sizes, errs := make([]int64, len(s.miners)), make([]error, len(s.miners))
	clock.Wall{}.Each(len(s.miners), 16, func(i int) { sizes[i], errs[i] = s.upload(ctx, w, i) })
	var all int64
	for _, n := range sizes {
		all += n
	}
	return all, errors.Join(errs...)
}

// UID is a miner's.
func (s *Site) UID(miner int) protocol.UID { return protocol.UID(1 + miner) } // the validator is 0

func (s *Site) upload(ctx context.Context, w protocol.Window, miner int) (int64, error) {
	b, err := s.Bucket(bucketOf(miner))
	if err != nil {
		return 0, err
	}
	raw, err := s.Gradient(w, miner, miner)
	if err != nil {
		return 0, err
	}
	sealed, key, _ := wire.SplitGradient(raw)
	// Nothing here waits for the closing statement: the secret is not what is tested.
	k, err := wire.EncodeKey(&wire.Key{Run: s.Run.Hash, Window: w, UID: s.UID(miner), Hotkey: s.miners[miner].Hotkey(), Key: key}, s.miners[miner])
	if err == nil {
		err = store.PutBytes(ctx, b, protocol.RevealKey(w, s.UID(miner)), k, store.PutOptions{})
	}
	if err == nil {
		err = store.PutBytes(ctx, b, protocol.GradientKey(w, s.UID(miner)), sealed, store.PutOptions{})
	}
	return int64(len(sealed)), err
}

// Gradient is a miner's opened gradient of w; variants differ.
func (s *Site) Gradient(w protocol.Window, miner, variant int) ([]byte, error) {
	if err := s.createPayloads(); err != nil {
		return nil, err
	}
	return wire.EncodeGradient(&wire.Gradient{
		Run: s.Run.Hash, Window: w, UID: s.UID(miner), Hotkey: s.miners[miner].Hotkey(), Pages: []uint64{1}, Tokens: 1,
		Body: s.payloads[variant%len(s.payloads)].Bytes(),
	}, s.Run.Format(), wire.GradientKey{byte(w), byte(miner), byte(variant)}, s.miners[miner])
}

// Aggregator describes how an aggregator is built.
type Aggregator struct {
	Disturb func(store.Bucket) store.Bucket // what comes between it and the aggregator bucket; nil: nothing
	Retry   store.RetryPolicy
	Sink    telemetry.Sink
	Log     *slog.Logger // nil: none
}

// Parts are those of the i-th aggregator.
func (s *Site) Parts(ctx context.Context, i int, a Aggregator) (parts.Parts, error) {
	local, err := s.disk()
	if err != nil {
		return parts.Parts{}, err
	}
	if a.Log == nil {
		a.Log = slog.New(slog.DiscardHandler)
	}
	return parts.Build(ctx, parts.Spec{
		Name: fmt.Sprintf("aggregator-%d", i), Role: telemetry.Aggregator, Needs: parts.Of(telemetry.Aggregator),
		Run: s.Run, Signer: s.aggregators[i], Chain: s.Chain, Clock: clock.Wall{}, Local: local, Log: a.Log, Sink: a.Sink,
		Buckets: parts.Buckets{Dialer: s.dialer, Retry: a.Retry, Aggregator: s.location(harness.AggregatorBucket), Disturb: func(l store.Location, b store.Bucket) store.Bucket {
			if a.Disturb == nil || l.Bucket != harness.AggregatorBucket {
				return b
			}
			return a.Disturb(b)
		}},
	})
}

// disk is a new folder, which Close removes.
func (s *Site) disk() (store.Bucket, error) {
	dir, err := os.MkdirTemp("", "aggregator")
	if err != nil {
		return nil, err
	}
	s.disks = append(s.disks, dir)
	files, err := fs.Open(dir, fs.Options{Fsync: true})
	if err != nil {
		return nil, err
	}
	return files.Bucket("state"), files.CreateBucket("state")
}

// Announcement is that of the site's run.
func (s *Site) Announcement() wire.StartWindow {
	return wire.StartWindow{Run: s.Run.Hash, StartWindow: Start}
}
