package mailbox_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/harness/testnet"
	"templar/internal/store"
	"templar/protocol"
)

// paced is a store whose n-th answer (from 1 on) pauses before each byte as it says.
type paced struct {
	store.Reader
	asked int
	pause func(attempt, at int) time.Duration
	limit int64 // largest limit asked for
}

func (p *paced) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	p.asked++
	p.limit = max(p.limit, limit)
	body, info, err := p.Reader.Get(ctx, key, limit)
	if err != nil {
		return nil, info, err
	}
	attempt := p.asked
	if err := (clock.Wall{}).Sleep(ctx, p.pause(attempt, -1)); err != nil {
		return nil, info, err
	}
	return &pacedBody{ReadCloser: body, ctx: ctx, pause: func(at int) time.Duration { return p.pause(attempt, at) }}, info, nil
}

type pacedBody struct {
	io.ReadCloser
	ctx   context.Context
	at    int
	pause func(at int) time.Duration
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if err := (clock.Wall{}).Sleep(b.ctx, b.pause(b.at)); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), 10)])
	b.at += n
	return n, err
}

const never = 24 * time.Hour

// What an attempt may take, and what is given up and asked for again. The gather lasts
// 16 s, so that an attempt may stall for 4 s; the object comes 10 bytes at a time.
func TestGatherKeepsPace(t *testing.T) {
	const total = 16 * time.Second
	for name, c := range map[string]struct {
		pause    func(attempt, at, reads int) time.Duration // at -1 is before the answer
		want     protocol.Verdict
		attempts int
		within   time.Duration
	}{
		"at once":         {func(int, int, int) time.Duration { return 0 }, protocol.VerdictOK, 1, 0},
		"slow but steady": {func(_, _, reads int) time.Duration { return total * 3 / 4 / time.Duration(reads) }, protocol.VerdictOK, 1, total * 4 / 5},
		"hangs once": {func(attempt, at, _ int) time.Duration {
			if attempt == 1 {
				return never
			}
			return 0
		}, protocol.VerdictOK, 2, 5 * time.Second},
		"stalls once in the middle": {func(attempt, at, _ int) time.Duration {
			if attempt == 1 && at >= 500 {
				return never
			}
			return 0
		}, protocol.VerdictOK, 2, 7 * time.Second},
		"answers late": {func(_, at, _ int) time.Duration { // after 5 s: the last attempt waits for it
			if at < 0 {
				return 5 * time.Second
			}
			return 0
		}, protocol.VerdictOK, 3, 14 * time.Second},
		"drips": {func(_, at, _ int) time.Duration {
			if at >= 0 {
				return time.Second
			}
			return 0
		}, protocol.VerdictUnreachable, 3, total},
		"hangs": {func(int, int, int) time.Duration { return never }, protocol.VerdictUnreachable, 3, total},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
				net.CommitAll()
				x := net.Refreshed("aggregator-0")
				body := gradient(t, net, "miner-0", nil)
				net.Upload("miner-0", protocol.GradientKey(window, 0), body)
				peers := x.Directory.Peers()
				s := &paced{Reader: peers[0].Bucket, pause: func(attempt, at int) time.Duration { return c.pause(attempt, at, len(body)/10) }}
				p := directory.Peer{Neuron: peers[0].Neuron, Bucket: s}
				began := time.Now()
				got := x.Gatherer().Gather(net.Context(), window, []directory.Peer{p}, protocol.Bounds{Min: began.Add(-time.Minute), Max: began.Add(time.Minute)}, began.Add(total))[0]
				if got.Verdict != c.want || got.Attempts != c.attempts || got.Duration > c.within {
					t.Errorf("%v after %d attempts and %v; want %v, %d, at most %v", got.Verdict, got.Attempts, got.Duration, c.want, c.attempts, c.within)
				}
				if got.Verdict.OK() && !bytes.Equal(got.Raw, body) {
					t.Error("another body")
				}
			})
		})
	}
}

// However many peers hang, drip, or ask for a large buffer and send nothing, those
// behind them are served at once.
func TestGatherStarvesNobody(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3}, func(net *testnet.Network) {
		net.CommitAll()
		for _, name := range []string{"miner-0", "miner-1", "miner-2"} {
			net.Upload(name, protocol.GradientKey(window, net.Node(name).UID), gradient(t, net, name, nil))
		}
		x := net.Refreshed("aggregator-0")
		honest := x.Directory.Peers()
		var peers []directory.Peer
		for i := range 600 {
			p := honest[i%len(honest)]
			p.Bucket = &paced{Reader: p.Bucket, pause: func(_, at int) time.Duration {
				switch {
				case i%2 == 0:
					return never
				case at < 0:
					return 0
				}
				return time.Second
			}}
			peers = append(peers, p)
		}
		began := time.Now()
		bounds := protocol.Bounds{Min: began.Add(-time.Minute), Max: began}
		got := x.Gatherer().Gather(net.Context(), window, append(peers, honest...), bounds, began.Add(15*time.Second))
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("took %v", took)
		}
		for i, p := range got {
			if (i < len(peers) && p.Verdict != protocol.VerdictUnreachable) || (i >= len(peers) && (!p.Verdict.OK() || p.Duration > 0)) {
				t.Fatalf("peer %d: %v after %v", i, p.Verdict, p.Duration)
			}
		}
	})
}
