package sim

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/sys/cpu"

	"templar/internal/harness"
	"templar/internal/store"
	"templar/internal/store/fs"
	"templar/internal/store/s3"
	"templar/internal/store/server"
	"templar/method/dctsign"
	"templar/protocol"
)

// The state at the end does not depend on what holds the objects, on which kernels
// compute, on how many nodes compute at once, or on the order in which what happens at the
// same instant happens.
func TestSameStateEverywhere(t *testing.T) { eachMethod(t, sameStateEverywhere) }

func sameStateEverywhere(t *testing.T, tune func(Config) Config) {
	base := Config{Seed: 7, Windows: 8, Miners: 4, Validators: 2, Aggregators: 1, Engine: Cheap, Threads: 1, tune: largeChunks}
	base.Faults = parse(t, "window 2: miner-1 crash at training\nwindow 3..4: aggregator-0 down\nwindow 4: validator-1 cut from store")
	variants := map[string]func(*testing.T, *Config){
		"store: directory": func(t *testing.T, c *Config) {
			c.open = func(now func() time.Time) (harness.Store, error) { return openFiles(t, now) }
		},
		"store: S3": func(t *testing.T, c *Config) {
			c.open = func(now func() time.Time) (harness.Store, error) { return serveS3(t, now) }
		},
		"kernel: reference": func(t *testing.T, _ *Config) { withoutVectors(t) },
		"threads: 4":        func(_ *testing.T, c *Config) { c.Threads = 4 },
	}
	for ties := range uint64(4) {
		variants[fmt.Sprintf("order: %d", ties+1)] = func(_ *testing.T, c *Config) { c.ties = ties + 1 }
	}
	want := runs(t, tune(base))
	if want.Failed() || want.Windows != base.Windows {
		t.Fatalf("%+v", want)
	}
	stories := map[string]bool{want.Digest: true}
	for name, vary := range variants {
		t.Run(name, func(t *testing.T) {
			c := base
			vary(t, &c)
			got := runs(t, tune(c))
			if got.State != want.State || got.Failed() {
				t.Errorf("state %s, want %s; %v", got.State.Short(), want.State.Short(), got.Violations)
			}
			stories[got.Digest] = true
		})
	}
	if len(stories) < 2 {
		t.Error("another order of events gives the same trace: the seed of ties has no effect")
	}
}

// largeChunks makes chunks of the size that the fast kernels take. No validator sets weights: a transaction that
// arrives one block later changes the hashes from which pages are drawn.
func largeChunks(p *protocol.Params) {
	p.WindowsPerWeights = 1000
	p.Model.HiddenSize, p.Model.IntermediateSize = 64, 64
	p.Method = p.Method.With("target_chunk", 64)
	if p.Method.Name == dctsign.Name {
		p.Method = p.Method.With("topk_compression", 32)
	}
}

func withoutVectors(t *testing.T) {
	if !cpu.X86.HasAVX2 {
		t.Skip("this machine has the reference kernels only")
	}
	cpu.X86.HasAVX2 = false
	t.Cleanup(func() { cpu.X86.HasAVX2 = true })
}

// files is a directory as an object store. Everybody may do everything.
type files struct{ *fs.Store }

func openFiles(t *testing.T, now func() time.Time) (harness.Store, error) {
	s, err := fs.Open(t.TempDir(), fs.Options{Now: now})
	return files{s}, err
}

func (files) AddKeys(...store.Key) error { return nil }

func (f files) Dial(l store.Location) (store.Bucket, error) { return f.Bucket(l.Bucket), nil }

// overHTTP is an S3 server, asked over HTTP.
type overHTTP struct {
	*server.Server
	dialer   *s3.Dialer
	endpoint string
}

func serveS3(t *testing.T, now func() time.Time) (harness.Store, error) {
	s, err := server.Open(server.Config{Dir: t.TempDir(), Now: now})
	if err != nil {
		return nil, err
	}
	front := httptest.NewServer(s.Handler())
	o := overHTTP{s, s3.NewDialer(s3.Options{}), front.URL}
	t.Cleanup(func() {
		if err := o.dialer.Close(); err != nil {
			t.Error(err)
		}
		front.Close()
	})
	return o, nil
}

func (o overHTTP) Dial(l store.Location) (store.Bucket, error) {
	l.Endpoint = o.endpoint
	return o.dialer.Dial(l)
}
