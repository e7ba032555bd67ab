package manual_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/chaintest"
	"templar/internal/chain/ledger/ledgertest"
	"templar/internal/chain/manual"
)

var start = time.Unix(1_800_000_000, 0)

func newChain(t testing.TB) *manual.Chain {
	t.Helper()
	g, _ := ledgertest.Genesis(t)
	c, err := manual.New(g, start)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	chaintest.Run(t, func(t *testing.T) chaintest.Subject {
		c := newChain(t)
		ticks(t, c)
		return ledgertest.Subject(t, c)
	})
}

// ticks makes blocks until the test ends.
func ticks(t *testing.T, c *manual.Chain) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	wg.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for at := start; ; at = at.Add(time.Second) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if _, err := c.Advance(at); err != nil {
				t.Error(err)
				return
			}
		}
	})
}

// Two runs have the same blocks, in whatever order the calls of a block came.
func TestDeterministic(t *testing.T) {
	run := func(order []uint64) (last chain.Block) {
		synctest.Test(t, func(t *testing.T) {
			c := newChain(t)
			for _, n := range order {
				go c.Register(t.Context(), chaintest.Key(t, n), chain.Registration{})
				synctest.Wait()
			}
			for i := range 5 {
				var err error
				if last, err = c.Advance(start.Add(time.Duration(i) * time.Second)); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		})
		return last
	}
	if a, b := run([]uint64{10, 11, 12}), run([]uint64{12, 10, 11}); a != b {
		t.Errorf("%+v and %+v", a, b)
	}
}

func TestSubmitTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Register(ctx, chaintest.Key(t, 10), chain.Registration{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v, want the deadline", err)
		}
		if _, err := c.Advance(start); err != nil {
			t.Fatal(err)
		}
		m, err := c.Metagraph(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.ByHotkey(chaintest.Key(t, 10).Hotkey()); ok {
			t.Error("a call that was taken back took effect")
		}
	})
}

func TestTimeDoesNotGoBack(t *testing.T) {
	if _, err := newChain(t).Advance(start.Add(-1)); err == nil {
		t.Error("a block before the genesis")
	}
}
