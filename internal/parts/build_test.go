package parts_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/clock"
	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/harness"
	"templar/internal/parts"
	"templar/internal/store"
	"templar/internal/store/fault"
	"templar/internal/store/mem"
	"templar/internal/telemetry"
	"templar/protocol"
)

const endpoint = "http://store.test"

// spec is a miner's, in a network of one.
func spec(t *testing.T) parts.Spec {
	t.Helper()
	key, err := harness.Key(0)
	if err != nil {
		t.Fatal(err)
	}
	s := mem.New(time.Now)
	site, err := harness.Build(t.Context(), harness.Config{
		Params: harness.Params("parts", endpoint), Store: s, Text: data.Corpus{Name: "text", Text: harness.Text("parts"), Files: 1}, Now: time.Now(),
		Members: []harness.Member{{Name: "miner-0", Role: telemetry.Miner, Hotkey: key.Hotkey()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	at := func(bucket string, write bool) store.Location { return harness.Location(endpoint, bucket, write) }
	return parts.Spec{
		Name: "miner-0", Role: telemetry.Miner, Needs: parts.Of(telemetry.Miner), Run: site.Run, Signer: key, Chain: site.Chain, Clock: clock.Wall{},
		Engine: func(protocol.Model) (engine.Engine, error) { return new(closing), nil },
		Log:    slog.New(slog.DiscardHandler),
		Buckets: parts.Buckets{
			Dialer: s, Aggregator: at(harness.AggregatorBucket, false), Own: at("miner-0", true), AsPeer: at("miner-0", false),
			Dataset: []store.Location{at(harness.DatasetBucket, false)},
		},
	}
}

// closing is an engine that counts how often it is closed.
type closing struct {
	engine.Engine
	closed int
}

func (c *closing) Close() error { c.closed++; return nil }

// A fault of the transport is retried in every bucket that the node opened for itself, and
// each request is counted, also those of a decorator that comes between.
func TestBuildRetriesAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, failing := spec(t), true
		s.Buckets.Disturb = func(_ store.Location, b store.Bucket) store.Bucket {
			return fault.Wrap(b, clock.Wall{}, func(op fault.Op) fault.Fault {
				if failing && op.Try%2 == 1 {
					return fault.Fault{Err: fault.ErrReset, Persist: true}
				}
				return fault.Fault{}
			})
		}
		p, err := parts.Build(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		before := p.Traffic.Snapshot().Requests
		for name, b := range map[string]store.Reader{"aggregator": p.Aggregator, "own": p.Own, "as peer": p.OwnAsPeer} {
			if _, err := b.Head(t.Context(), "nothing"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := p.Traffic.Snapshot().Requests - before; n != 6 {
			t.Errorf("%d requests were counted, want 6", n)
		}
		if err := p.Close(); err != nil || p.Engine.(*closing).closed != 1 {
			t.Errorf("the engine is not closed: %v", err)
		}
	})
}

// No more requests than the limit reach a bucket at a time.
func TestBuildLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := spec(t)
		s.Buckets.Requests = 2
		s.Buckets.Disturb = func(_ store.Location, b store.Bucket) store.Bucket {
			return fault.Wrap(b, clock.Wall{}, fault.Always(fault.Fault{Delay: time.Second}, fault.Head))
		}
		p, err := parts.Build(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		clock.Wall{}.Each(6, 6, func(int) { p.Own.Head(t.Context(), "nothing") })
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("six requests of a second, two at a time, took %v", took)
		}
	})
}

// What was opened before an error is closed, and the error names the bucket.
func TestBuildFails(t *testing.T) {
	refuses := func(bucket string, write bool) func(*parts.Spec) {
		return func(s *parts.Spec) {
			s.Buckets.Dialer = refusing{s.Buckets.Dialer, harness.Location(endpoint, bucket, write)}
		}
	}
	for name, c := range map[string]struct {
		change func(*parts.Spec)
		want   string
		opened int // engines
	}{
		"aggregator":       {refuses(harness.AggregatorBucket, false), "aggregator bucket: refused", 0},
		"own":              {refuses("miner-0", true), "own bucket: refused", 0},
		"as peer":          {refuses("miner-0", false), "own bucket: refused", 0},
		"dataset":          {refuses(harness.DatasetBucket, false), `dataset bucket "dataset": refused`, 1},
		"untrusted store":  {func(s *parts.Spec) { s.Buckets.AsPeer.Endpoint = "http://elsewhere" }, "not one of the run's stores", 0},
		"vocabulary":       {func(s *parts.Spec) { p := *s.Run.Params; p.Model.VocabSize = 100; s.Run.Params = &p }, "has 256 tokens and the model's vocabulary 100", 1},
		"another data set": {func(s *parts.Spec) { p := *s.Run.Params; p.DatasetHash[0]++; s.Run.Params = &p }, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(t)
			var engines []*closing
			s.Engine = func(protocol.Model) (engine.Engine, error) {
				engines = append(engines, new(closing))
				return engines[len(engines)-1], nil
			}
			c.change(&s)
			_, err := parts.Build(t.Context(), s)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if len(engines) != c.opened {
				t.Errorf("%d engines were made, want %d", len(engines), c.opened)
			}
			for _, e := range engines {
				if e.closed != 1 {
					t.Errorf("an engine was closed %d times", e.closed)
				}
			}
		})
	}
}

type refusing struct {
	store.Dialer
	at store.Location
}

func (r refusing) Dial(l store.Location) (store.Bucket, error) {
	if l == r.at {
		return nil, errors.New("refused")
	}
	return r.Dialer.Dial(l)
}
