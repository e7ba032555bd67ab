package aggregator_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/harness/testnet"
	"templar/internal/parts"
	"templar/internal/store"
	"templar/internal/telemetry"
)

// slowUpload takes its time for a gradient.
type slowUpload struct{ store.Bucket }

func (s slowUpload) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if strings.HasPrefix(key, "gradient-") {
		if err := (clock.Wall{}).Sleep(ctx, 150*time.Millisecond); err != nil {
			return store.Info{}, err
		}
	}
	return s.Bucket.Put(ctx, key, body, size, o)
}

// Miners that have missed windows come back, though they are not waited for: all of them after an
// outage of all stores, and one whose upload takes longer than those of the others.
func TestMissingPeersComeBack(t *testing.T) {
	for name, broken := range map[string][]string{"all": {"miner-0", "miner-1"}, "one": {"miner-1"}} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
				for _, m := range broken {
					net.Node(m).Alter = func(p parts.Parts) parts.Parts {
						p.Own = slowUpload{p.Own}
						return p
					}
				}
				net.Start()
				net.RunWindows(2)
				for _, m := range broken {
					net.Break(m, testnet.Unreachable)
				}
				net.RunWindows(3)
				for _, m := range broken {
					net.Heal(m)
				}
				net.RunWindows(4)
				published := testnet.Of[telemetry.Published](net, "aggregator-0")
				if got := published[net.Window(4)]; len(got.Included) != 2-len(broken) {
					t.Fatalf("during the outage %v are included", got.Included)
				}
				if got := published[net.Window(8)]; len(got.Included) != 2 {
					t.Errorf("after it %v are included, skipped: %v", got.Included, got.Skipped)
				}
			})
		})
	}
}
