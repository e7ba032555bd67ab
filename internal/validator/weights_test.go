package validator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/mailbox"
	"templar/internal/replica"
	"templar/internal/run"
	"templar/internal/score"
	"templar/protocol"
	"templar/wire"
)

// moody is a chain with scripted answers to submissions.
type moody struct {
	chain.Chain
	answers   []error // nil: included; errRefused: refused; else: outcome unknown
	submitted int
}

var errRefused = errors.New("refused")

func (m *moody) SetWeights(context.Context, protocol.Signer, chain.Weights) (chain.Receipt, error) {
	err := m.answers[m.submitted]
	m.submitted++
	if errors.Is(err, errRefused) {
		return chain.Receipt{Status: chain.StatusFailed, Reason: "too soon"}, nil
	}
	return chain.Receipt{Status: chain.StatusIncluded}, err
}

// Weights are due every four windows from window 10 on, and are set once: in the next
// window when the chain refused them or did not answer, and after a restart when the
// book does not say that the chain took them.
func TestSetWeights(t *testing.T) {
	p := protocol.Default()
	p.WindowsPerWeights = 4
	lost := errors.New("connection lost")
	v := withBook(t, nil)
	c := &moody{answers: []error{nil, errRefused, lost, nil, lost, nil}}
	v.Log = slog.New(slog.DiscardHandler)
	v.Deps.Run, v.Chain, v.Outbox = run.Run{Params: &p}, c, &mailbox.Outbox{}
	v.model = replica.New(v.Deps.Run, wire.StartWindow{StartWindow: 10}, replica.Head{Next: 10}, nil)
	record := score.Record{Hotkey: protocol.Hotkey{1}, UID: 1, Rating: score.Rating{Mu: 25, Sigma: 8}, Final: 1, Evaluations: 1}
	var set []protocol.Window
	for w := protocol.Window(10); w < 25; w++ {
		v.book = score.Book{Next: w + 1, Weighed: v.book.Weighed, Records: []score.Record{record}}
		before := c.submitted
		if err := v.setWeights(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range c.submitted - before {
			set = append(set, w)
		}
		if w == 21 { // killed before it learned the outcome, and started again in the same window
			if err := v.setWeights(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := []protocol.Window{13, 17, 18, 19, 21}; !slices.Equal(set, want) || c.submitted != 6 {
		t.Errorf("submitted in windows %v and %d times, want %v and 6", set, c.submitted, want)
	}
	if saved, err := v.loadBook(t.Context()); err != nil || saved.Weighed != 21 {
		t.Errorf("the saved book says %d, %v; want 21", saved.Weighed, err)
	}
}

// secretive is a chain that takes weights as a commit and reveals them two blocks later,
// or never. It makes a block for each question for its head.
type secretive struct {
	chain.Chain
	head      uint64
	lost      map[uint64]bool // blocks whose commits are never revealed
	slow      int             // how many times Settle waits until its context ends
	submitted int
}

func (s *secretive) Head(context.Context) (chain.Block, error) {
	s.head++
	return chain.Block{Number: s.head}, nil
}

func (s *secretive) SetWeights(context.Context, protocol.Signer, chain.Weights) (chain.Receipt, error) {
	s.submitted++
	return chain.Receipt{Status: chain.StatusPending, Block: s.head + 1, EffectiveAt: s.head + 3}, nil
}

func (s *secretive) Settle(ctx context.Context, _ protocol.Signer, r chain.Receipt) (chain.Receipt, error) {
	if r.Status != chain.StatusPending || s.head < r.EffectiveAt {
		return r, fmt.Errorf("settled in block %d: %+v", s.head, r)
	}
	if s.slow > 0 {
		s.slow--
		<-ctx.Done()
		return r, ctx.Err()
	}
	if s.lost[r.Block] {
		return chain.Receipt{Block: r.Block, Reason: "the weights were not revealed"}, nil
	}
	return chain.Receipt{Status: chain.StatusIncluded, Block: r.Block, EffectiveAt: s.head}, nil
}

// A commit of weights is kept across restarts, counts when its reveal came, and is made
// again when it did not. A reveal that takes long does not hold up the windows.
func TestPendingWeights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := protocol.Default()
		p.WindowsPerWeights = 8
		c := &secretive{lost: map[uint64]bool{1: true}, slow: 1}
		v := withBook(t, nil)
		var said bytes.Buffer
		v.Log = slog.New(slog.NewTextHandler(&said, nil))
		v.Deps.Run, v.Chain, v.Outbox, v.Clock = run.Run{Params: &p}, c, &mailbox.Outbox{}, clock.Wall{}
		v.model = replica.New(v.Deps.Run, wire.StartWindow{StartWindow: 10}, replica.Head{Next: 10}, nil)
		record := score.Record{Hotkey: protocol.Hotkey{1}, UID: 1, Rating: score.Rating{Mu: 25, Sigma: 8}, Final: 1, Evaluations: 1}
		type step struct {
			weighed, pending protocol.Window
			submitted        int
		}
		want := []step{
			{0, 17, 1},  // committed in block 1
			{0, 17, 1},  // block 1
			{0, 17, 1},  // block 2
			{0, 17, 1},  // block 3: not decided within a block's time
			{0, 21, 2},  // block 4: not revealed, and set again in block 5
			{0, 21, 2},  // block 5
			{0, 21, 2},  // block 6
			{21, 0, 2},  // block 7: revealed
			{21, 25, 3}, // the next that are due
		}
		began := time.Now()
		for i, want := range want {
			w := protocol.Window(17 + i)
			v.book.Next, v.book.Records = w+1, []score.Record{record}
			if err := v.setWeights(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := (step{v.book.Weighed, v.book.Pending.Window, c.submitted}); got != want {
				t.Fatalf("after window %d: %+v, want %+v", w, got, want)
			}
			next := v.book.Next
			var err error
			if v.book, err = v.loadBook(t.Context()); err != nil { // as after a kill
				t.Fatal(err)
			}
			v.book.Next = max(v.book.Next, next)
		}
		if took := time.Since(began); took != p.BlockTime() {
			t.Errorf("a slow reveal took %v, want %v", took, p.BlockTime())
		}
		if n := strings.Count(said.String(), "level=WARN"); n != 1 || !strings.Contains(said.String(), "setting them again") {
			t.Errorf("warnings:\n%s", &said)
		}
	})
}
