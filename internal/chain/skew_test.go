package chain_test

import (
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/ledger/ledgertest"
	"templar/internal/chain/manual"
	"templar/internal/clock"
)

func TestSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := ledgertest.Genesis(t)
		c, err := manual.New(g, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		behind := time.Now().Add(5 * time.Second) // the chain's clock is ahead
		go func() {
			time.Sleep(time.Second)
			if _, err := c.Advance(behind); err != nil {
				t.Error(err)
			}
		}()
		got, err := chain.Skew(t.Context(), c, clock.Wall{})
		if err != nil || got != -4*time.Second {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestSkewFaults(t *testing.T) {
	const slack = 2 * time.Second
	for name, c := range map[string]struct {
		chain, store time.Duration
		faults       int
	}{
		"all agree":     {100 * time.Millisecond, -300 * time.Millisecond, 0},
		"chain":         {3 * time.Second, 0, 1},
		"store":         {0, -3 * time.Second, 1},
		"own":           {3 * time.Second, 3 * time.Second, 2},
		"far from each": {1500 * time.Millisecond, -1500 * time.Millisecond, 1},
	} {
		if f := chain.SkewFaults(map[string]time.Duration{"chain": c.chain, "store": c.store}, slack); len(f) != c.faults {
			t.Errorf("%s: %q", name, f)
		}
	}
}
