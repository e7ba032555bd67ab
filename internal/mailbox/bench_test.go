package mailbox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/harness/testnet"
	"templar/protocol"
	"templar/wire"
)

// many has gradients of about 1 MiB.
func many() protocol.Params {
	p := testnet.Params()
	p.Model.HiddenSize, p.Model.IntermediateSize, p.Model.Layers, p.Model.VocabSize = 512, 1536, 2, 1664
	return p
}

// BenchmarkGather256 fetches, checks and decodes 256 gradients of 1 MiB from the embedded
// S3 server over loopback in one call. Client and server share the machine. The opponents are
// net/http alone, which sends as many bytes from memory to a client that throws them away,
// and the same with a client that checks and decodes them.
func BenchmarkGather256(b *testing.B) {
	const n = 256
	s := newSite(b, many())
	var peers []directory.Peer
	size := 0
	for uid := range protocol.UID(n) {
		var p directory.Peer
		p, size = s.honest(uid)
		peers = append(peers, p)
	}
	b.Run("gather", func(b *testing.B) { benchGather(b, s, peers, size) })
	raw := s.encode(0)
	b.Run("net-http-decode", func(b *testing.B) {
		benchPlain(b, n, raw, func(body io.Reader) error {
			got := make([]byte, len(raw))
			if _, err := io.ReadFull(body, got); err != nil {
				return err
			}
			expect := wire.Expect{Run: s.x.Run.Hash, Window: window, Hotkey: peers[0].Hotkey}
			if _, v := wire.DecodeSealed(got, expect); !v.OK() {
				return errors.New(v.String())
			}
			return nil
		})
	})
	b.Run("net-http", func(b *testing.B) {
		benchPlain(b, n, raw, func(body io.Reader) error {
			_, err := io.Copy(io.Discard, body)
			return err
		})
	})
	s.stopped()
	if open := s.conns.Load(); open != 0 {
		b.Errorf("%d connections left", open)
	}
}

func benchGather(b *testing.B, s *site, peers []directory.Peer, size int) {
	b.SetBytes(int64(len(peers) * size))
	var took []time.Duration
	var peak uint64
	for b.Loop() {
		began := time.Now()
		bounds := protocol.Bounds{Min: began.Add(-time.Hour), Max: began}
		measure := watchHeap(b.Context())
		got := s.x.Gather(b.Context(), window, peers, bounds, began.Add(time.Minute))
		peak = max(peak, measure())
		for _, p := range got {
			if !p.Verdict.OK() {
				b.Fatalf("uid %d: %v", p.Peer.UID, p.Verdict)
			}
			took = append(took, p.Duration)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(size)/(1<<20), "MiB/peer")
	b.ReportMetric(took[len(took)/2].Seconds()*1e3, "p50-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "p99-ms")
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
}

func benchPlain(b *testing.B, n int, body []byte, take func(io.Reader) error) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(body) }))
	defer h.Close()
	c := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n}}
	defer c.CloseIdleConnections()
	b.SetBytes(int64(n * len(body)))
	for b.Loop() {
		clock.Wall{}.Each(n, n, func(int) {
			resp, err := c.Get(h.URL)
			if err == nil {
				err = take(resp.Body)
				resp.Body.Close()
			}
			if err != nil {
				b.Error(err)
			}
		})
	}
}

// watchHeap returns a function that returns the growth of the heap since then, in bytes.
func watchHeap(ctx context.Context) func() uint64 {
	heap := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	runtime.GC()
	before, peak, done := heap(), uint64(0), make(chan struct{})
	ctx, stop := context.WithCancel(ctx)
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			peak = max(peak, heap())
			select {
			case <-time.After(2 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	return func() uint64 {
		stop()
		<-done
		return max(peak, before) - before
	}
}
