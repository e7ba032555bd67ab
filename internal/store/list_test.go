package store_test

import (
	"context"
	"fmt"
	"testing"

	"templar/internal/harness/testnet"
	"templar/internal/store"
	"templar/protocol"
)

// endless is a bucket whose listing goes on for ever.
type endless struct {
	store.Reader
	calls *int
}

func (e endless) List(_ context.Context, prefix, _ string, max int) ([]store.Info, error) {
	*e.calls++
	out := make([]store.Info, max)
	for i := range out {
		out[i].Key = fmt.Sprintf("%s%012d", prefix, *e.calls*max+i)
	}
	return out, nil
}

// EachKey reads every page, and passes over keys of another version.
func TestEachKey(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		for w := range protocol.Window(1100) { // over a page, and not in the order of keys
			net.Upload("aggregator", protocol.AggregateKey(w, 0), nil)
		}
		net.Upload("aggregator", "aggregator-99999-v0", nil)
		seen := make(map[protocol.Window]bool)
		err := store.EachKey(net.Context(), net.Bucket("aggregator"), "aggregator-", func(_ string, k protocol.Key) { seen[k.Window] = true })
		if len(seen) != 1100 || !seen[0] || !seen[1099] || err != nil {
			t.Errorf("%d windows, %v; want 1100", len(seen), err)
		}
	})
}

// A store without an end costs no more than a while.
func TestEndlessListing(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
		calls := 0
		err := store.EachKey(net.Context(), endless{calls: &calls}, protocol.PeersPrefix, func(string, protocol.Key) {})
		if err == nil || calls > 1000 {
			t.Errorf("%v after %d pages", err, calls)
		}
	})
}
