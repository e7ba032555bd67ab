package validator_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/harness/testnet"
	"templar/internal/parts"
	"templar/internal/score"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
)

// delayed is a bucket that takes some objects late.
type delayed struct {
	store.Bucket
	by func(key string) time.Duration
}

func (d delayed) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if err := (clock.Wall{}).Sleep(ctx, d.by(key)); err != nil {
		return store.Info{}, err
	}
	return d.Bucket.Put(ctx, key, body, size, o)
}

// begun is a store that dates objects by the beginning of their uploads, long before they were complete.
type begun struct{ store.Bucket }

func (b begun) Head(ctx context.Context, key string) (store.Info, error) {
	info, err := b.Bucket.Head(ctx, key)
	info.LastModified, info.ETag = info.LastModified.Add(-time.Hour), info.ETag+"-2"
	return info, err
}

// A miner that posts no sync samples pays for it. After a late Aggregate no miner does whose sample is on its way, also if the store dates
// the Aggregate by the beginning of its upload.
func TestSamplesAfterALateAggregate(t *testing.T) {
	const late = 4
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 1}, func(net *testnet.Network) {
		window := net.Run.Params.WindowTime()
		net.Node("aggregator-0").Alter = func(p parts.Parts) parts.Parts {
			p.Aggregator = delayed{p.Aggregator, func(key string) time.Duration {
				if key == protocol.AggregateKey(net.Window(late), 0) {
					return 5 * window / 2
				}
				return 0
			}}
			return p
		}
		net.Node("validator-0").Alter = func(p parts.Parts) parts.Parts {
			p.Aggregator = begun{p.Aggregator}
			return p
		}
		net.Node("miner-1").Alter = func(p parts.Parts) parts.Parts {
			p.Own = delayed{p.Own, func(key string) time.Duration {
				if strings.HasPrefix(key, protocol.KindSample.Prefix()) {
					return window / 4
				}
				return 0
			}}
			return p
		}
		net.Node("miner-2").Tamper = func(key string, body []byte) (string, []byte) {
			if strings.HasPrefix(key, protocol.KindSample.Prefix()) {
				key = ""
			}
			return key, body
		}
		net.Start()
		net.RunWindows(late + 5)
		scored := testnet.Of[telemetry.Scored](net, "validator-0")
		for i := 2; i < late+5; i++ {
			// The validator makes up for the windows that waited, one after the other.
			want := map[string]bool{"miner-2": i <= late || i > late+2}
			for _, l := range scored[net.Window(i)].Miners {
				if got := l.Sync != nil && l.Sync.Verdict == protocol.VerdictMissing; got != want[nodeOf(net, l)] {
					t.Errorf("window %d: the sample of %s before it: %+v", i, nodeOf(net, l), l.Sync)
				}
			}
		}
	})
}

// nodeOf names the node that a line is about.
func nodeOf(net *testnet.Network, l score.Line) string {
	for _, name := range []string{"miner-0", "miner-1", "miner-2"} {
		if net.Node(name).UID == l.UID {
			return name
		}
	}
	return ""
}
