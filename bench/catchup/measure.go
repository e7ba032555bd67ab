//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"syscall"
	"text/tabwriter"
	"time"

	"templar/internal/harness/s3site"
	"templar/internal/model"
	"templar/internal/parts"
	"templar/internal/replica"
	"templar/internal/run"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

type options struct {
	preset   string
	windows  int
	profile  string
	endpoint string
}

// bench is a node that is behind, and the windows that it has to catch up.
type bench struct {
	site   *s3site.Site
	x      parts.Parts
	target protocol.Window
	params []float32
	table  *tabwriter.Writer
}

func (o *options) measure(ctx context.Context) error {
	b, err := o.prepare(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("\n%d core(s), %d parameters\n", runtime.GOMAXPROCS(0), len(b.params))
	b.table = tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(b.table, "step\tseconds a window\tmillion parameters/s\tCPU seconds a window\tmillion parameters/CPU second")
	if err := b.steps(ctx, o.windows); err != nil {
		return err
	}
	all, err := b.follow(ctx, o.profile)
	if err != nil {
		return err
	}
	b.row("all, as Follow does it", all, o.windows)
	if err := b.table.Flush(); err != nil {
		return err
	}
	b.extrapolate(all, o.windows)
	return nil
}

func (b *bench) row(what string, l lap, windows int) {
	n, wall, cpu := float64(len(b.params))/1e6, l.wall.Seconds()/float64(windows), l.cpu.Seconds()/float64(windows)
	fmt.Fprintf(b.table, "%s\t%.3f\t%.0f\t%.3f\t%.0f\n", what, wall, n/wall, cpu, n/cpu)
}

func (b *bench) extrapolate(l lap, windows int) {
	scale := markParameters / float64(len(b.params)) * markWindows / float64(windows)
	size := float64(b.x.Run.Method.MaxUpdate) * markParameters / float64(len(b.params))
	fmt.Printf("100 windows of 1.2 billion parameters: %.0f s at this rate, or %.0f s of CPU time on %d idle core(s); %.0f s of transfer at 1 Gb/s meanwhile; the target is %d s\n",
		l.wall.Seconds()*scale, l.cpu.Seconds()*scale/float64(runtime.GOMAXPROCS(0)), runtime.GOMAXPROCS(0), size*8/markBits*markWindows, markSeconds)
}

// lap is the cost of a step: on a busy machine wall time alone is not meaningful.
type lap struct{ wall, cpu time.Duration }

func (l *lap) add(from lap) lap {
	now := clockNow()
	l.wall += now.wall - from.wall
	l.cpu += now.cpu - from.cpu
	return now
}

// clockNow is the process's wall and CPU time so far.
func clockNow() lap {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it fails for a bad pointer only
	return lap{wall: time.Since(processStart), cpu: time.Duration(u.Utime.Nano() + u.Stime.Nano())}
}

var processStart = time.Now()

// prepare creates theta_0 and a chain of Aggregates after it with random signs.
func (o *options) prepare(ctx context.Context) (*bench, error) {
	p, err := protocol.Preset(o.preset)
	if err != nil {
		return nil, err
	}
	site, err := s3site.New(ctx, s3site.Config{Endpoint: o.endpoint, Aggregators: 1, Params: p})
	if err != nil {
		return nil, err
	}
	d, err := site.Parts(ctx, 0, s3site.Aggregator{})
	if err != nil {
		return nil, err
	}
	b := &bench{site: site, x: d, target: s3site.Start + protocol.Window(o.windows), params: model.Init(p.Model, 1)}
	if err := site.AdvanceTo(b.target + 1); err != nil {
		return nil, err
	}
	var previous protocol.Hash
	for w := s3site.Start; w < b.target; w++ {
		if previous, err = b.publish(ctx, w, previous); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *bench) publish(ctx context.Context, w protocol.Window, previous protocol.Hash) (protocol.Hash, error) {
	x, announced := b.x, b.site.Announcement()
	raw, err := wire.EncodeAggregate(&wire.Aggregate{
		Run: x.Run.Hash, Window: w, Start: s3site.Start, Origin: announced.Hash(), UploadFrom: time.Now(), Delta: x.Run.Params.Delta(),
		LearningRate: x.Run.Method.Rate(x.Run.Params.Step(s3site.Start, w)), Previous: previous,
		Included: []wire.Included{{UID: 1}}, Aggregator: x.Signer.Hotkey(), Body: signs(x.Run, uint64(w)),
	}, x.Run.Format(), x.Signer)
	if err != nil {
		return previous, err
	}
	_, err = x.Aggregator.Put(ctx, protocol.AggregateKey(w, 0), bytes.NewReader(raw), int64(len(raw)), store.PutOptions{})
	return wire.AggregateHash(raw), err
}

// signs is the body of an update: no chunk is empty, every sign is drawn.
func signs(r run.Run, seed uint64) []byte {
	body := make([]byte, r.Method.MaxUpdate)
	random := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	flags := len(body) - (r.Space.Size()+7)/8
	_, _ = random.Read(body[flags:]) // never fails
	if odd := r.Space.Size() % 8; odd > 0 {
		body[len(body)-1] &= 1<<odd - 1
	}
	return body
}

// steps measures each step alone, one window after the other.
func (b *bench) steps(ctx context.Context, windows int) error {
	var fetch, verify, apply, hash lap
	state := append([]float32(nil), b.params...)
	for w := s3site.Start; w < b.target; w++ {
		at := clockNow()
		raw, err := get(ctx, b.x.Aggregator, protocol.AggregateKey(w, 0))
		if err != nil {
			return err
		}
		at = fetch.add(at)
		a, _, verdict := b.x.Run.Aggregate(raw, w, 0)
		if !verdict.OK() {
			return errors.New(verdict.String())
		}
		at = verify.add(at)
		b.x.Run.Method.Apply(state, a.Update, a.LearningRate)
		at = apply.add(at)
		b.x.Run.Space.Hash(state)
		hash.add(at)
	}
	b.row("fetch from loopback", fetch, windows)
	b.row("verify", verify, windows)
	b.row("apply", apply, windows)
	b.row("state hash", hash, windows)
	return nil
}

func get(ctx context.Context, r store.Reader, key string) ([]byte, error) {
	body, info, err := r.Get(ctx, key, -1)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	b := bytes.NewBuffer(make([]byte, 0, info.Size+bytes.MinRead))
	_, err = b.ReadFrom(body)
	return b.Bytes(), err
}

// follow catches up as a role does, with the state hash after every window.
func (b *bench) follow(ctx context.Context, profile string) (took lap, err error) {
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return took, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return took, err
		}
		defer pprof.StopCPUProfile()
	}
	r := replica.New(b.x.Run, b.site.Announcement(), replica.Head{Next: s3site.Start}, b.params)
	began := clockNow()
	done, err := r.Follow(ctx, b.x.Source(), b.target, time.Now().Add(time.Minute), func(*run.Aggregate, protocol.Hash, int64) error {
		r.StateHash()
		return nil
	})
	if err == nil && !done {
		err = errors.New("an Aggregate is missing")
	}
	took.add(began)
	return took, err
}
