package sim

import (
	"context"
	"errors"
	"strings"
	"testing"

	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/protocol"
)

// A run is a function of its Config: neither the number of threads nor the order in which
// they run changes a line of its story.
func TestRunsRepeat(t *testing.T) { eachMethod(t, runsRepeat) }

func runsRepeat(t *testing.T, tune func(Config) Config) {
	c := Config{Seed: 3, Windows: 20, Miners: 5, Validators: 2, Aggregators: 2, Engine: Cheap, Threads: 1}
	c.Faults = Random(c)
	c = tune(c)
	first := runs(t, c)
	if first.Failed() {
		t.Error(first.Violations)
	}
	c.Threads = 4
	if again := runs(t, c); again.Digest != first.Digest || again.State != first.State || again.Stats != first.Stats {
		t.Errorf("one thread: %+v\nfour: %+v", first, again)
	}
	c.Seed++
	if other := runs(t, c); other.Digest == first.Digest {
		t.Error("another seed gives the same trace")
	}
}

// The LLaMA, too, keeps the promise: under crashes in any phase, stores and connections that fail, clocks that are wrong and aggregators that
// publish false Aggregates.
func TestRealEngine(t *testing.T) { eachMethod(t, realEngine) }

func realEngine(t *testing.T, tune func(Config) Config) {
	for seed := range uint64(3) {
		c := Config{Seed: 1 + seed, Windows: 12, Miners: 3, Validators: 2, Aggregators: 1 + int(seed)%2, Engine: Real, NewEngine: newCPU, Threads: 2}
		c.Faults = Random(c)
		if r := runs(t, tune(c)); r.Failed() || r.Windows != 12 || r.Mismatches > 0 {
			t.Errorf("seed %d: %+v", c.Seed, r)
		}
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := Config{Seed: 1, Windows: 1000, Miners: 3, Validators: 1, Aggregators: 1, Engine: Cheap, Threads: 2}
	c.Progress = func(window int) {
		if window == 2 {
			cancel()
		}
	}
	if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	good := Config{Windows: 1, Miners: 1, Validators: 1, Aggregators: 1, Engine: Cheap}
	for name, spoil := range map[string]func(*Config){
		"windows": func(c *Config) { c.Windows = 0 }, "miners": func(c *Config) { c.Miners = 0 }, "engine": func(c *Config) { c.Engine = "steam" },
		"no such node": func(c *Config) { c.Faults = Script{{Who: "miner-1", What: doCrash}} },
	} {
		c := good
		spoil(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A failure shrinks to what it takes: here one fault of many, and few windows and nodes.
func TestShrink(t *testing.T) {
	c := Config{Seed: 5, Windows: 24, Miners: 4, Validators: 2, Aggregators: 1, Engine: Cheap, Threads: 2}
	c.Faults = append(Random(c)[:8], parse(t, "window 3..5: aggregator-0 down")...)
	c.alter = only("miner", samplesProvisional)
	r := runs(t, c)
	if !r.Failed() {
		t.Fatal("the planted bug was not found")
	}
	small, smallest, err := Shrink(t.Context(), c, r, 60)
	if err != nil {
		t.Fatal(err)
	}
	if len(small.Faults) != 1 || small.Miners != 1 || small.Windows > 12 || smallest.Violations[0].Invariant != Samples {
		t.Errorf("%d windows, %d miners, faults:\n%v%v", small.Windows, small.Miners, small.Faults, smallest.Violations)
	}
}

func newCPU(_ string, m protocol.Model) (engine.Engine, error) {
	return cpu.New(m, cpu.Options{Threads: 1})
}
