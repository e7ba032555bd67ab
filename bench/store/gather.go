package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/harness"
	"templar/internal/mailbox"
	"templar/internal/model"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/internal/store/s3"
	"templar/internal/store/server"
	"templar/internal/wallet"
	"templar/protocol"
	"templar/wire"
)

const window = protocol.Window(7)

// gather has one node fetch and check the gradients of many peers, each in a bucket of
// its own with a key of its own, in one call.
func gather(ctx context.Context, rounds, peers int, size int64) error {
	dir, err := os.MkdirTemp("", "bench-gather")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	run, body, err := runOf(size)
	if err != nil {
		return err
	}
	before := runtime.NumGoroutine()
	open := new(atomic.Int64)
	d := s3.NewDialer(s3.Options{IdlePerHost: peers})
	list, stop, err := uploaded(ctx, filepath.Join(dir, "store"), d, run, body, peers, open)
	if err != nil {
		return err
	}
	var took, p50, p99 []time.Duration
	var heap uint64
	for range rounds {
		x := mailbox.Gatherer{Run: run, Schedule: schedule.Schedule{Params: run.Params, Clock: clock.Wall{}}}
		peak := watchHeap()
		start := time.Now()
		bounds := protocol.Bounds{Min: start.Add(-time.Hour), Max: start.Add(time.Hour)}
		got := x.Gather(ctx, window, list, bounds, start.Add(time.Minute))
		took, heap = append(took, time.Since(start)), max(heap, peak())
		var each []time.Duration
		for _, p := range got {
			if !p.Verdict.OK() {
				return fmt.Errorf("uid %d: %v", p.Peer.UID, p.Verdict)
			}
			each = append(each, p.Duration)
		}
		p50, p99 = append(p50, quantile(each, 0.5)), append(p99, quantile(each, 0.99))
	}
	used := open.Load()
	err = errors.Join(d.Close(), stop(), ctx.Err())
	fmt.Printf("\n%d peers x %.2f MiB in one gather: all %.2f s, a peer p50 %.2f s, p99 %.2f s (medians of %d)\n",
		peers, float64(len(body(0)))/mib, quantile(took, 0.5).Seconds(), quantile(p50, 0.5).Seconds(), quantile(p99, 0.5).Seconds(), rounds)
	fmt.Printf("peak heap %d MiB: client, server and gathered gradients; connections %d, then %d; goroutines before %d, after %d\n",
		heap/mib, used, settle(func() int { return int(open.Load()) }, 0), before, settle(runtime.NumGoroutine, before))
	return err
}

// runOf makes a run whose gradients have about size bytes, and returns what encodes one of
// a peer.
func runOf(size int64) (run.Run, func(uid int) []byte, error) {
	p, err := protocol.Preset("tiny")
	if err != nil {
		return run.Run{}, nil, err
	}
	signer, err := key(0)
	if err != nil {
		return run.Run{}, nil, err
	}
	p.Aggregators, p.Stores = []protocol.Hotkey{signer.Hotkey()}, []string{"http://127.0.0.1:1"}
	for ; ; p.Model.HiddenSize += 64 {
		p.Model.IntermediateSize = 3 * p.Model.HiddenSize
		run, err := run.New(p, harness.Methods())
		if err != nil {
			return run, nil, err
		}
		g, err := run.Method.Encode(model.Init(p.Model, 1))
		if err == nil && int64(len(g.Bytes())) < size {
			continue
		}
		encode := func(uid int) []byte {
			w, err := key(uid)
			if err != nil {
				return nil
			}
			b, _ := wire.EncodeGradient(&wire.Gradient{Run: run.Hash, Window: window, UID: protocol.UID(uid), Hotkey: w.Hotkey(), Pages: []uint64{1}, Body: g.Bytes()}, run.Format(), wire.GradientKey{1}, w)
			sealed, _, _ := wire.SplitGradient(b)
			return sealed
		}
		return run, encode, err
	}
}

func key(n int) (*wallet.Wallet, error) {
	return wallet.FromSeed([32]byte(binary.LittleEndian.AppendUint64(make([]byte, 24), uint64(n)+1)))
}

// uploaded starts a server with the bucket and gradient of every peer.
func uploaded(ctx context.Context, dir string, d *s3.Dialer, run run.Run, body func(uid int) []byte, n int, open *atomic.Int64) (peers []directory.Peer, stop func() error, err error) {
	s, err := server.Open(server.Config{Dir: dir})
	if err != nil {
		return nil, nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, counted{l, open}) }()
	stop = func() error { cancel(); return <-served }
	for uid := range n {
		name := fmt.Sprintf("peer-%d", uid)
		k := store.Key{AccessKey: name, Secret: store.Secret("secret of " + name), Grants: []store.Grant{{Bucket: name, Write: true}}}
		b, err1 := d.Dial(store.Location{Endpoint: "http://" + l.Addr().String(), Bucket: name, AccessKey: k.AccessKey, Secret: k.Secret})
		if err := errors.Join(s.CreateBucket(name), s.AddKeys(k), err1); err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		raw := body(uid)
		if _, err := b.Put(ctx, protocol.GradientKey(window, protocol.UID(uid)), bytes.NewReader(raw), int64(len(raw)), store.PutOptions{}); err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		w, err := key(uid)
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		reader := store.ReadOnly(b)
		peers = append(peers, directory.Peer{Neuron: chain.Neuron{UID: protocol.UID(uid), Hotkey: w.Hotkey()}, Bucket: reader})
	}
	return peers, stop, nil
}

// counted counts a listener's open connections.
type counted struct {
	net.Listener
	open *atomic.Int64
}

func (c counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return &countedConn{TCPConn: conn.(*net.TCPConn), open: c.open}, nil
}

// countedConn keeps TCPConn's sendfile.
type countedConn struct {
	*net.TCPConn
	open   *atomic.Int64
	closed atomic.Bool
}

func (c *countedConn) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.TCPConn.Close()
}

var _ io.ReaderFrom = (*countedConn)(nil)

// watchHeap samples the heap until the returned function is called, which returns the peak.
func watchHeap() func() uint64 {
	runtime.GC()
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		var most uint64
		for tick := time.Tick(5 * time.Millisecond); ; {
			metrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
			select {
			case <-tick:
			case <-stop:
				peak <- most
				return
			}
		}
	}()
	return func() uint64 { close(stop); return <-peak }
}

// settle waits a while for a count to come down to want.
func settle(count func() int, want int) int {
	deadline := time.After(5 * time.Second)
	for tick := time.Tick(10 * time.Millisecond); count() > want; {
		select {
		case <-tick:
		case <-deadline:
			return count()
		}
	}
	return count()
}
