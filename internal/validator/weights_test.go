package validator

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"

	"templar/internal/chain"
	"templar/internal/mailbox"
	"templar/internal/replica"
	"templar/internal/run"
	"templar/internal/score"
	"templar/protocol"
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
	v.model = replica.New(v.Deps.Run, 10, 10, protocol.Hash{}, nil)
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
