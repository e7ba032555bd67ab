package sim

import (
	"flag"
	"testing"
	"time"
)

var byzantineStudy = flag.Bool("byzantine", false, "1,000 windows of 64 miners with byzantine aggregators and validators: minutes")

var byzantineSeed = flag.Uint64("byzantine-seed", 1, "the seed of that run, and of its script")

// With a lying or equivocating aggregator and validators below half of the stake behind it, the lead among
// them, no false state becomes final, what was not final is undone within five windows, and no honest node is
// stranded: watch checks it all.
func TestByzantine(t *testing.T) {
	c := Config{Seed: *byzantineSeed, Windows: 60, Miners: 4, Validators: 4, Aggregators: 2, Engine: Cheap, Threads: 2}
	if *byzantineStudy {
		c.Windows, c.Miners = 1000, 64
	}
	c.Faults = Byzantine(c)
	began := time.Now()
	r := runs(t, c)
	t.Logf("%d windows, %d miners: %v of wall time, %d statements, %d windows applied by nodes, %d final, %d segments",
		r.Windows, c.Miners, time.Since(began).Round(time.Second), len(c.Faults), r.Applied, r.Final, r.Segments)
	if r.Failed() || r.Windows != c.Windows {
		t.Errorf("%d windows, %v", r.Windows, r.Violations)
	}
	if r.Undone == 0 || r.Final == 0 {
		t.Errorf("%d Aggregates were undone and %d windows are final: nothing was tried", r.Undone, r.Final)
	}
}
