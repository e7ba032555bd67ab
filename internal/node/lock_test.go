//go:build unix

package node

import (
	"errors"
	"testing"

	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/exchange"
	"templar/internal/simnet"
	"templar/internal/store/flock"
	"templar/internal/telemetry"
)

// A data directory has one node at a time.
func TestDataDirectoryIsLocked(t *testing.T) {
	run := must(exchange.NewRun(simnet.Params()))(t)
	cfg := config.Node{DataDir: t.TempDir(), Buckets: config.Buckets{
		Aggregator: config.Bucket{Endpoint: "file://" + t.TempDir(), Name: "aggregates"},
	}}
	open := func() (*Node, error) {
		n := &Node{}
		n.Exchange = &exchange.Exchange{Run: run}
		return n, n.openBuckets(cfg, telemetry.Aggregator, dialer{}, clock.Wall{})
	}
	first, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(); !errors.Is(err, flock.ErrHeld) {
		t.Errorf("a second node on one data directory: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := open()
	if err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
