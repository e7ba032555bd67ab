//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"syscall"
	"time"

	"templar/internal/aggregator"
	"templar/internal/harness/s3site"
	"templar/internal/role"
	"templar/internal/telemetry"
	"templar/protocol"
)

const header = "miners  included  payloads MiB  gather s  aggregate s  publish s  all s  CPU s  peak heap MiB  per miner: CPU ms  MiB"

// measure runs an aggregator for one window. All gradients are uploaded before it starts.
func measure(ctx context.Context, endpoint string, miners, hidden int) error {
	p, err := protocol.Preset("150m")
	if err != nil {
		return err
	}
	p.Model.HiddenSize, p.Model.IntermediateSize, p.Model.Layers, p.Model.VocabSize = hidden, 4*hidden, 4, 4096
	p.SlackSeconds = 30 // for the uploads, on a busy machine
	p.DeltaSeconds, p.GatherSeconds = 5, 30
	site, err := s3site.New(ctx, s3site.Config{Endpoint: endpoint, Miners: miners, Aggregators: 1, Params: p})
	if err != nil {
		return err
	}
	defer site.Close()
	if err := site.AdvanceTo(s3site.Start); err != nil {
		return err
	}
	size, err := site.Upload(ctx, s3site.Start)
	if err != nil {
		return err
	}
	if err := site.AdvanceTo(s3site.Start + 1); err != nil {
		return err
	}
	w := &watch{}
	d, err := site.Parts(ctx, 0, s3site.Aggregator{
		Sink: w, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	stop := w.sample()
	err = aggregator.New(role.Config{Windows: 1}, d.ForAggregator()).Run(ctx)
	stop()
	if err != nil {
		return err
	}
	return w.print(miners, size)
}

// watch follows the aggregator's window.
type watch struct {
	began     time.Time // of gathering
	cpu       time.Duration
	took      time.Duration
	base      uint64
	peak      atomic.Uint64
	gathering atomic.Bool
	published telemetry.Published
}

// Emit takes the aggregator's events, which come from one goroutine.
func (w *watch) Emit(e telemetry.Event) {
	switch b := e.Body.(type) {
	case telemetry.Phase:
		if b.Name == "gathering" {
			runtime.GC()
			debug.FreeOSMemory()
			w.base, w.began, w.cpu = heap(), time.Now(), cpu()
			w.gathering.Store(true)
		}
	case telemetry.Published:
		w.gathering.Store(false)
		w.published, w.took, w.cpu = b, time.Since(w.began), cpu()-w.cpu
	}
}

// sample samples the heap until stop.
func (w *watch) sample() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(2 * time.Millisecond); ; {
			select {
			case <-quit:
				tick.Stop()
				return
			case <-tick.C:
				if n := heap(); w.gathering.Load() && n > w.peak.Load() {
					w.peak.Store(n)
				}
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it fails for a bad pointer only
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (w *watch) print(miners int, size int64) error {
	p, memory := w.published, float64(w.peak.Load()-min(w.base, w.peak.Load()))/(1<<20)
	if len(p.Included) != miners {
		return errors.Join(fmt.Errorf("%d of %d miners are in the Aggregate: %s", len(p.Included), miners, telemetry.Skipped(p.Skipped)))
	}
	fmt.Printf("%6d  %8d  %12.1f  %8.2f  %11.2f  %9.2f  %5.2f  %5.2f  %13.1f  %17.1f  %4.2f\n", miners, len(p.Included), float64(size)/(1<<20),
		p.Gather.Seconds(), p.Aggregate.Seconds(), p.Publish.Seconds(), w.took.Seconds(), w.cpu.Seconds(), memory,
		1000*w.cpu.Seconds()/float64(miners), memory/float64(miners))
	return nil
}
