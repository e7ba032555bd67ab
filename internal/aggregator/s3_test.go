package aggregator_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"templar/internal/aggregator"
	"templar/internal/clock"
	"templar/internal/harness/s3site"
	"templar/internal/harness/testnet"
	"templar/internal/role"
	"templar/internal/store"
	"templar/internal/store/fault"
	"templar/internal/telemetry"
	"templar/protocol"
)

const windows = 4

// quick are run parameters with short waits, and with patience for a busy machine.
func quick() protocol.Params {
	p := testnet.Params()
	p.BlockSeconds, p.BlocksPerWindow = 0.2, 60
	p.DeltaSeconds, p.SlackSeconds, p.GatherSeconds, p.KeySeconds, p.PublicationSeconds = 0.2, 5, 4, 1, 1
	return p
}

// published collects what aggregators publish.
type published struct {
	mu  sync.Mutex
	all []telemetry.Event
}

func (p *published) Emit(e telemetry.Event) {
	if _, ok := e.Body.(telemetry.Published); ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.all = append(p.all, e)
	}
}

func (p *published) by(node string) map[protocol.Window]telemetry.Published {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[protocol.Window]telemetry.Published)
	for _, e := range p.all {
		if e.Node == node {
			out[e.Window] = e.Body.(telemetry.Published)
		}
	}
	return out
}

// Two aggregators race for every window on a real S3 server, over connections that lose
// requests and, worse, answers: a Put that failed may have been stored. The one
// retries its requests as the commands do, the other must do without. There is one
// Aggregate of each window, the chain holds, and the archive has what is named. So it is when Aggregates are sent in parts.
func TestTwoAggregatorsOnABadS3(t *testing.T) {
	for name, inParts := range map[string]int64{"as a whole": 0, "in parts": 1} {
		t.Run(name, func(t *testing.T) { raceOnABadS3(t, inParts) })
	}
}

func raceOnABadS3(t *testing.T, inParts int64) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	site, stop := newSite(ctx, t, 4, 2)
	defer stop()
	prepareArchive(ctx, t, site)

	lossy := fault.Random(7, 0.15, fault.Fault{Err: fault.ErrReset}, fault.Fault{Err: fault.ErrReset, Persist: true})
	bad := func(b store.Bucket) store.Bucket { return fault.Wrap(b, clock.Wall{}, lossy) }
	retries := []store.RetryPolicy{{Attempts: 1}, {Base: 10 * time.Millisecond}}
	var reported published
	var running sync.WaitGroup
	for i, retry := range retries {
		d, err := site.Parts(ctx, i, s3site.Aggregator{Disturb: bad, Retry: retry, Sink: &reported})
		must(t, err)
		deps := d.ForAggregator()
		deps.Shelf.InParts = inParts
		running.Go(func() { must(t, aggregator.New(role.Config{Windows: windows}, deps).Run(ctx)) })
	}
	for w := s3site.Start; w < s3site.Start+windows; w++ {
		must(t, site.AdvanceTo(w))
		_, err := site.Upload(ctx, w)
		must(t, err)
		must(t, site.AdvanceTo(w+1))
		for len(reported.by("aggregator-0")) <= int(w-s3site.Start) && ctx.Err() == nil {
			must(t, clock.Wall{}.Sleep(ctx, 20*time.Millisecond))
		}
	}
	running.Wait()
	checkChain(ctx, t, site, &reported)
}

func newSite(ctx context.Context, t *testing.T, miners, aggregators int) (*s3site.Site, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	endpoint, done := make(chan string, 1), make(chan error, 1)
	dir := t.TempDir()
	go func() { done <- s3site.Serve(ctx, dir, miners, func(e string) { endpoint <- e }) }()
	select {
	case err := <-done:
		t.Fatal(err)
		return nil, nil
	case e := <-endpoint:
		site, err := s3site.New(ctx, s3site.Config{Endpoint: e, Miners: miners, Aggregators: aggregators, Params: quick()})
		must(t, err)
		return site, func() {
			must(t, site.Close())
			cancel()
			must(t, <-done)
		}
	}
}

// prepareArchive leaves behind what another run may have: another gradient of a
// miner, and something that is no gradient. Both are replaced.
func prepareArchive(ctx context.Context, t *testing.T, site *s3site.Site) {
	t.Helper()
	b, err := site.Bucket("aggregator")
	must(t, err)
	other, err := site.Gradient(s3site.Start+1, 1, 2)
	must(t, err)
	for key, body := range map[string][]byte{
		protocol.ArchiveKey(s3site.Start+1, site.UID(1)): other,
		protocol.ArchiveKey(s3site.Start+1, site.UID(2)): []byte("torn"),
	} {
		_, err := b.Put(ctx, key, bytes.NewReader(body), int64(len(body)), store.PutOptions{})
		must(t, err)
	}
}

// checkChain reads the chain of Aggregates and compares it with what was reported.
func checkChain(ctx context.Context, t *testing.T, site *s3site.Site, reported *published) {
	t.Helper()
	x, err := site.Parts(ctx, 0, s3site.Aggregator{})
	must(t, err)
	previous := protocol.Hash{}
	one, two := reported.by("aggregator-0"), reported.by("aggregator-1")
	for w := s3site.Start; w < s3site.Start+windows; w++ {
		a, hash, _, verdict := x.Aggregates().Fetch(ctx, w, 0, time.Now().Add(time.Minute))
		if !verdict.OK() {
			t.Fatalf("window %d: %v", w, verdict)
		}
		if a.Previous != previous || len(a.Included) != 4 {
			t.Errorf("window %d follows %s, want %s; includes %d, skips %v", w, a.Previous.Short(), previous.Short(), len(a.Included), a.Skipped)
		}
		previous = hash
		for _, in := range a.Included {
			if _, v := x.Aggregates().Archived(ctx, w, in); !v.OK() {
				t.Errorf("window %d: uid %d's gradient is %v in the archive", w, in.UID, v)
			}
		}
		for name, all := range map[string]map[protocol.Window]telemetry.Published{"aggregator-0": one, "aggregator-1": two} {
			p, ok := all[w]
			if ok && p.Hash != hash {
				t.Errorf("window %d: %s reported %s, %s is published", w, name, p.Hash.Short(), hash.Short())
			}
			if ok && p.Ours != (a.Aggregator == site.Run.Params.Aggregators[map[string]int{"aggregator-0": 0, "aggregator-1": 1}[name]]) {
				t.Errorf("window %d: %s says that ours is %v", w, name, p.Ours)
			}
		}
	}
	if got := one[s3site.Start]; got.SuccessRate() != 1 || got.Gather <= 0 || got.Publish <= 0 {
		t.Errorf("success rate %v, gather %v, publish %v", got.SuccessRate(), got.Gather, got.Publish)
	}
}

func object(ctx context.Context, t *testing.T, r store.Reader, key string) []byte {
	t.Helper()
	body, _, err := r.Get(ctx, key, -1)
	must(t, err)
	defer body.Close()
	b, err := io.ReadAll(body)
	must(t, err)
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
