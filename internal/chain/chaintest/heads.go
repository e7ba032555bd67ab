package chaintest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"templar/internal/chain"
	"templar/protocol"
)

// testHeads demands a stream without gaps or repeats, in which each block names the
// one before, and the same blocks when asked for again.
func testHeads(t *testing.T, ctx context.Context, s Subject) {
	last := must[chain.Block](t, "head")(s.Chain.Head(ctx))
	var seen []chain.Block
	for range 5 {
		n := last.Number + 1
		b := must[chain.Block](t, "wait")(s.Chain.Wait(ctx, n))
		if b.Number != n || b.Parent != last.Hash || b.Hash.IsZero() || b.Hash == last.Hash {
			t.Fatalf("%+v does not follow %+v", b, last)
		}
		if b.Time.Before(last.Time) {
			t.Errorf("block %d is older than the block before", n)
		}
		seen, last = append(seen, b), b
	}
	for _, want := range seen {
		got := must[chain.Block](t, "block")(s.Chain.Block(ctx, want.Number))
		again := must[chain.Block](t, "wait")(s.Chain.Wait(ctx, want.Number))
		if !same(got, want) || !same(again, want) {
			t.Errorf("asked again for %+v, got %+v and %+v", want, got, again)
		}
	}
	head := must[chain.Block](t, "head")(s.Chain.Head(ctx))
	if head.Number < last.Number {
		t.Errorf("head %d went back behind %d", head.Number, last.Number)
	}
	first := must[chain.Block](t, "block 0")(s.Chain.Block(ctx, 0))
	second := must[chain.Block](t, "block 1")(s.Chain.Block(ctx, 1))
	if first.Number != 0 || second.Parent != first.Hash || second.Time.Before(first.Time) {
		t.Errorf("block 1 %+v does not follow block 0 %+v", second, first)
	}
}

func same(a, b chain.Block) bool {
	return a.Number == b.Number && a.Hash == b.Hash && a.Parent == b.Parent && a.Time.Equal(b.Time)
}

func testFuture(t *testing.T, ctx context.Context, s Subject) {
	head := must[chain.Block](t, "head")(s.Chain.Head(ctx))
	for _, n := range []uint64{head.Number + 1_000_000, 1 << 63, 1<<64 - 1} {
		if b, err := s.Chain.Block(ctx, n); !errors.Is(err, chain.ErrFuture) {
			t.Errorf("block %d: %+v, %v, want ErrFuture", n, b, err)
		}
	}
}

// testCancellation: every method obeys its context, also one that ended before.
func testCancellation(t *testing.T, ctx context.Context, s Subject) {
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := s.Chain.Wait(short, 1<<40); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait: %v, want the deadline", err)
	}
	for name, call := range map[string]func() error{
		"head":        func() error { _, err := s.Chain.Head(short); return err },
		"block":       func() error { _, err := s.Chain.Block(short, 1); return err },
		"wait":        func() error { _, err := s.Chain.Wait(short, 1); return err },
		"randomness":  func() error { _, err := s.Chain.Randomness(short, 1); return err },
		"metagraph":   func() error { _, err := s.Chain.Metagraph(short); return err },
		"commitments": func() error { _, err := s.Chain.Commitments(short); return err },
	} {
		if err := call(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s with an ended context: %v", name, err)
		}
	}
	r, err := s.Chain.Commit(short, s.Validator, []byte("late"))
	if err == nil && r.Status == chain.StatusIncluded {
		t.Error("a call with an ended context took effect")
	}
}

// testRandomness: each block has other bytes, which are the same for every reader at any
// time, and are waited for.
func testRandomness(t *testing.T, ctx context.Context, s Subject) {
	next := must[chain.Block](t, "head")(s.Chain.Head(ctx)).Number + 1
	seen := map[protocol.Hash]uint64{}
	for n := next; n < next+3; n++ {
		r := must[protocol.Hash](t, "randomness")(s.Chain.Randomness(ctx, n))
		if before, ok := seen[r]; ok || r.IsZero() {
			t.Errorf("randomness of block %d is %v, which block %d has too", n, r, before)
		}
		seen[r] = n
	}
	for r, n := range seen {
		if again := must[protocol.Hash](t, "randomness")(s.Chain.Randomness(ctx, n)); again != r {
			t.Errorf("randomness of block %d was %v, is %v", n, r, again)
		}
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if r, err := s.Chain.Randomness(short, 1<<40); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("randomness of a block that does not exist: %v, %v, want the deadline", r, err)
	}
}

// testManyWaiters: any number of callers may wait at once.
func testManyWaiters(t *testing.T, ctx context.Context, s Subject) {
	target := must[chain.Block](t, "head")(s.Chain.Head(ctx)).Number + 2
	var wg sync.WaitGroup
	got := make([]chain.Block, 8)
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = s.Chain.Wait(ctx, target); err != nil {
				t.Errorf("wait: %v", err)
			}
		})
	}
	wg.Wait()
	for _, b := range got {
		if b.Number != target || !same(b, got[0]) {
			t.Errorf("%+v, want block %d like the others", b, target)
		}
	}
}

// testReorganised: on chains whose newest blocks may be replaced, Wait returns only
// blocks that stay.
func testReorganised(t *testing.T, ctx context.Context, s Subject) {
	if s.Reorganise == nil {
		t.Skip("blocks of this chain are final")
	}
	b := must[chain.Block](t, "head")(s.Chain.Head(ctx))
	for range 4 {
		s.Reorganise(t)
		next := must[chain.Block](t, "wait")(s.Chain.Wait(ctx, b.Number+1))
		if next.Parent != b.Hash {
			t.Fatalf("%+v does not follow %+v, which was replaced after it was reported", next, b)
		}
		b = next
	}
}
