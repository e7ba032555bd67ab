//go:build unix

package node

import (
	"errors"
	"strings"
	"testing"

	"templar/internal/config"
	"templar/internal/harness"
	"templar/internal/harness/testnet"
	"templar/internal/parts"
	"templar/internal/run"
	"templar/internal/store/flock"
	"templar/internal/telemetry"
)

// A data directory has one node at a time, and so has a bucket that is a directory.
func TestDirectoriesAreLocked(t *testing.T) {
	run := must(run.New(testnet.Params(), harness.Methods()))(t)
	open := func(data, bucket string) (*Node, error) {
		return assemble(t, config.Node{DataDir: data, Buckets: config.Buckets{
			Aggregator: config.Bucket{Endpoint: "file://" + bucket, Name: "aggregates"},
		}}, parts.Spec{Role: telemetry.Aggregator, Run: run})
	}
	data, bucket := t.TempDir(), t.TempDir()
	first, err := open(data, bucket)
	if err != nil {
		t.Fatal(err)
	}
	for what, dirs := range map[string][2]string{"data directory": {data, t.TempDir()}, "aggregator bucket": {t.TempDir(), bucket}} {
		second, err := open(dirs[0], dirs[1])
		if !errors.Is(err, flock.ErrHeld) || !strings.HasPrefix(err.Error(), what) {
			t.Errorf("a second node on one %s: %v", what, err)
		}
		if err := second.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := open(data, bucket)
	if err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
