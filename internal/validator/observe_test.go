package validator

import (
	"context"
	"testing"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/run"
	"templar/internal/score"
	"templar/protocol"
)

// slots is a chain without commitments of buckets.
type slots struct {
	chain.Chain
	neurons []chain.Neuron
}

func (s slots) Metagraph(context.Context) (chain.Metagraph, error) {
	return chain.Metagraph{Block: 1, Neurons: s.neurons}, nil
}

func (s slots) Commitments(context.Context) ([]chain.Commitment, error) { return nil, nil }

// A hotkey that takes over a paid miner's uid inherits no weight, also while it has no bucket
// to be gathered from; a hotkey that takes over no known uid is not observed.
func TestUIDChangesHands(t *testing.T) {
	p := protocol.Default()
	old := score.Record{Hotkey: protocol.Hotkey{1}, UID: 1, Rating: score.Rating{Mu: 40, Sigma: 2}, BinaryAverage: 0.5, SyncScore: 1, Final: 17, Evaluations: 9}
	c := slots{neurons: []chain.Neuron{{UID: 0, Hotkey: protocol.Hotkey{7}}, {UID: 1, Hotkey: protocol.Hotkey{8}}}}
	v := withBook(t, nil)
	v.Deps.Run, v.Clock, v.Directory = run.Run{Params: &p}, clock.Wall{}, directory.New(&p, c, nil)
	if err := v.Directory.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.book = score.Book{Next: 10, Records: []score.Record{old}}
	var s session
	v.observe(&s, nil, nil, nil)
	if len(s.seen) != 1 || s.seen[0].Hotkey != (protocol.Hotkey{8}) {
		t.Errorf("saw %+v, want only the hotkey that has taken uid 1", s.seen)
	}
	next, _, err := v.book.Close(10, s.seen, &p)
	if err != nil {
		t.Fatal(err)
	}
	if weights := next.Weights(p.PowerNormalisation); len(weights) > 0 {
		t.Errorf("weights %+v, want none", weights)
	}
}

// A chain's state may name a hotkey that can be no one's, such as the identity of the group, or one
// twice. The others are observed, and their scores are closed.
func TestHotkeyThatCannotBe(t *testing.T) {
	p := protocol.Default()
	record := func(uid protocol.UID) score.Record {
		return score.Record{Hotkey: protocol.Hotkey{byte(uid) + 1}, UID: uid, Rating: score.Rating{Mu: 25, Sigma: 8}}
	}
	c := slots{neurons: []chain.Neuron{{UID: 0, Hotkey: protocol.Hotkey{1}}, {UID: 1}, {UID: 2, Hotkey: protocol.Hotkey{1}}, {UID: 3, Hotkey: protocol.Hotkey{4}}}}
	v := withBook(t, nil)
	v.Deps.Run, v.Clock, v.Directory = run.Run{Params: &p}, clock.Wall{}, directory.New(&p, c, nil)
	if err := v.Directory.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.book = score.Book{Next: 10, Records: []score.Record{record(0), record(1), record(3)}}
	var s session
	v.observe(&s, nil, nil, nil)
	next, lines, err := v.book.Close(10, s.seen, &p)
	if err != nil || len(lines) != 2 || lines[0].UID != 0 || lines[1].UID != 3 {
		t.Fatalf("%d lines, %v; want those of uids 0 and 3", len(lines), err)
	}
	if _, err := next.Encode(); err != nil {
		t.Error(err)
	}
}
