package miner_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"templar/internal/checkpoint"
	"templar/internal/clock"
	"templar/internal/harness/testnet"
	"templar/internal/parts"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
)

// slowDisk takes its time for each file that is written.
type slowDisk struct {
	store.Bucket
	perFile time.Duration
}

func (s slowDisk) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if err := (clock.Wall{}).Sleep(ctx, s.perFile); err != nil {
		return store.Info{}, err
	}
	return s.Bucket.Put(ctx, key, body, size, o)
}

// A state that takes most of a window to be written delays no training: it is written while the
// next window trains, and is the state that stood between the two.
func TestSavingDoesNotBlockTraining(t *testing.T) {
	const windows = 8
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
		m := net.Node("miner-0")
		m.Alter = func(p parts.Parts) parts.Parts {
			p.Engine = slow{p.Engine, 250 * time.Millisecond} // a batch of a second, two a window
			p.Local = slowDisk{p.Local, 1200 * time.Millisecond}
			return p
		}
		net.Start()
		net.RunWindows(windows)
		begins := map[string][]time.Time{}
		for _, e := range net.Events(m.Name) {
			if p, ok := e.Body.(telemetry.Phase); ok {
				begins[p.Name] = append(begins[p.Name], e.Time)
			}
			if a, ok := e.Body.(telemetry.Applied); ok && !a.Provisional {
				begins["applied"] = append(begins["applied"], e.Time)
			}
		}
		for i, trains := range begins["training"][1:] {
			if wait := trains.Sub(begins["applied"][i]); wait > time.Second {
				t.Errorf("training begins %v after the update", wait)
			}
		}
		m.Stop()
		saved, err := checkpoint.Windows(net.Context(), m.Local)
		if err != nil || len(saved) == 0 || saved[0] < net.Window(windows-2) {
			t.Fatalf("saved before %v, %v", saved, err)
		}
		for _, next := range saved {
			s, err := checkpoint.LoadOwn(net.Context(), m.Local, net.Run, next, m.Signer.Hotkey())
			if err != nil {
				t.Fatal(err)
			}
			if _, iteration := private(t, s); iteration != uint64(next-s.Start) {
				t.Errorf("the state before window %d has %d iterations, want %d", next, iteration, next-s.Start)
			}
		}
		if strings.Contains(net.Logs(), "level=ERROR") {
			t.Error(net.Logs())
		}
	})
}

// slowSample takes its time for a sync sample.
type slowSample struct{ store.Bucket }

func (s slowSample) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if strings.HasPrefix(key, protocol.KindSample.Prefix()) {
		if err := (clock.Wall{}).Sleep(ctx, 4*time.Second); err != nil {
			return store.Info{}, err
		}
	}
	return s.Bucket.Put(ctx, key, body, size, o)
}

// A sync sample is uploaded while the next window trains.
func TestSampleDoesNotBlockTraining(t *testing.T) {
	const windows = 5
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
		m := net.Node("miner-0")
		m.Alter = func(p parts.Parts) parts.Parts {
			p.Engine, p.Own = slow{p.Engine, 250 * time.Millisecond}, slowSample{p.Own}
			return p
		}
		net.Start()
		net.RunWindows(windows)
		published, trains := map[protocol.Window]time.Time{}, map[protocol.Window]time.Time{}
		for _, e := range append(net.Events("aggregator-0"), net.Events(m.Name)...) {
			switch b := e.Body.(type) {
			case telemetry.Published:
				published[e.Window] = e.Time
			case telemetry.Phase:
				if _, again := trains[e.Window]; b.Name == "training" && !again {
					trains[e.Window] = e.Time
				}
			}
		}
		for i := range windows - 1 {
			w := net.Window(i)
			if wait := trains[w+1].Sub(published[w]); published[w].IsZero() || trains[w+1].IsZero() || wait > 2*time.Second {
				t.Errorf("window %d: training begins %v after the Aggregate of the window before", w+1, wait)
			}
		}
	})
}
