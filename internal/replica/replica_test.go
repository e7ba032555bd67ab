package replica_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"templar/internal/attest"
	"templar/internal/clock"
	"templar/internal/harness/testnet"
	"templar/internal/model"
	"templar/internal/replica"
	"templar/internal/run"
	"templar/internal/store"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

const start = protocol.Window(3)

var announced = wire.StartWindow{StartWindow: start}

func newReplica(net *testnet.Network) *replica.Replica {
	return replica.New(net.Run, announced, replica.Head{Next: start}, model.Init(net.Run.Params.Model, 1))
}

// update is an Update that depends on the seed.
func update(t *testing.T, net *testnet.Network, seed uint64) method.Update {
	t.Helper()
	g, err := net.Run.Method.Encode(model.Init(net.Run.Params.Model, seed))
	if err != nil {
		t.Fatal(err)
	}
	return net.Run.Method.Reduce([]method.Payload{g})
}

// successor is an Aggregate that r accepts.
func successor(t *testing.T, net *testnet.Network, r *replica.Replica, seed uint64) *run.Aggregate {
	t.Helper()
	a := &run.Aggregate{Aggregate: wire.Aggregate{
		Run: net.Run.Hash, Window: r.Next(), Start: start, Origin: announced.Hash(), Previous: r.Previous(), UploadFrom: time.Now(), Delta: time.Second,
		LearningRate: net.Run.Method.Rate(r.Step()), Aggregator: net.Node("aggregator-0").Signer.Hotkey(),
		Included: []wire.Included{{UID: 1}},
	}}
	a.Set(update(t, net, seed))
	return a
}

func TestCommitChecksEachField(t *testing.T) {
	testnet.Test(t, testnet.Config{}, func(net *testnet.Network) {
		for says, change := range map[string]func(*run.Aggregate){
			"is next":              func(a *run.Aggregate) { a.Window++ },
			"where 3 is next":      func(a *run.Aggregate) { a.Window-- },
			"starts at window":     func(a *run.Aggregate) { a.Start-- },
			"was announced as":     func(a *run.Aggregate) { a.Origin[0]++ },
			"follows":              func(a *run.Aggregate) { a.Previous[31]++ },
			"learning rate":        func(a *run.Aggregate) { a.LearningRate *= 1.001 },
			"has learning rate 0;": func(a *run.Aggregate) { a.LearningRate = 0 },
		} {
			r := newReplica(net)
			a, before := successor(t, net, r, 2), r.StateHash()
			change(a)
			if err := r.Commit(a, protocol.Hash{9}); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%v, want an error that says %q", err, says)
			}
			if r.Next() != start || r.StateHash() != before || !r.Previous().IsZero() {
				t.Errorf("%q: a refused Aggregate left something behind", says)
			}
		}
	})
}

func TestCommit(t *testing.T) {
	testnet.Test(t, testnet.Config{}, func(net *testnet.Network) {
		r := newReplica(net)
		want := slices.Clone(r.Params())
		for i := range 3 {
			a := successor(t, net, r, uint64(i))
			if i == 1 {
				a.Included = nil
				a.Set(nil) // an empty window: a step, and nothing moves
			}
			net.Run.Method.Apply(want, a.Update, a.LearningRate)
			if err := r.Commit(a, protocol.Hash{byte(i + 1)}); err != nil {
				t.Fatal(err)
			}
			if r.Step() != uint64(i+1) || r.Next() != start+protocol.Window(i)+1 || r.Previous() != (protocol.Hash{byte(i + 1)}) {
				t.Errorf("step %d, next %d, previous %s", r.Step(), r.Next(), r.Previous())
			}
			if !slices.Equal(r.Params(), want) || &r.Working()[0] != &r.Params()[0] {
				t.Errorf("window %d: other parameters than Apply gives", a.Window)
			}
		}
	})
}

// Guesses move only the working state, and the Aggregates correct it to the last bit.
func TestGuessThenCommit(t *testing.T) {
	testnet.Test(t, testnet.Config{}, func(net *testnet.Network) {
		guessing, sure := newReplica(net), newReplica(net)
		theta0 := guessing.StateHash()
		for seed := range uint64(3) {
			guessing.Guess(update(t, net, 50+seed))
		}
		guessing.Guess(nil)
		if guessing.Next() != start || guessing.Ahead() != start+4 || guessing.StateHash() != theta0 {
			t.Errorf("next %d, ahead %d: a guess moved the committed state", guessing.Next(), guessing.Ahead())
		}
		if slices.Equal(guessing.Working(), guessing.Params()) {
			t.Error("the working state did not move")
		}
		for seed := range uint64(4) {
			a := successor(t, net, sure, seed)
			for _, r := range []*replica.Replica{guessing, sure} {
				if err := r.Commit(a, protocol.Hash{byte(seed + 1)}); err != nil {
					t.Fatal(err)
				}
			}
			if guessing.StateHash() != sure.StateHash() || guessing.Ahead() != guessing.Next() || !slices.Equal(guessing.Working(), sure.Working()) {
				t.Errorf("window %d: the guesses left a trace", a.Window)
			}
		}
	})
}

// slow is a store that answers after a second.
func slow(ctx context.Context) error { return clock.Wall{}.Sleep(ctx, time.Second) }

// publish signs an Aggregate and stores it under its window, or under another's.
func publish(t *testing.T, net *testnet.Network, by string, at protocol.Window, a *run.Aggregate) protocol.Hash {
	t.Helper()
	a.Aggregator = net.Node(by).Signer.Hotkey()
	b, err := wire.EncodeAggregate(&a.Aggregate, net.Run.Format(), net.Node(by).Signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := net.Bucket("aggregator").Put(net.Context(), protocol.AggregateKey(at, 0), bytes.NewReader(b), int64(len(b)), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	return wire.AggregateHash(b)
}

// chain publishes so many good Aggregates and returns the replica that applied them.
func chain(t *testing.T, net *testnet.Network, n int) *replica.Replica {
	t.Helper()
	r := newReplica(net)
	for i := range n {
		a := successor(t, net, r, uint64(i))
		if err := r.Commit(a, publish(t, net, "aggregator-0", a.Window, a)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// Far behind, Aggregates are fetched while others are applied, and never too many.
func TestFollowFetchesAhead(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		const windows = 64
		chain(t, net, windows)
		r := newReplica(net)
		var asked, applied, most atomic.Int64
		net.Break("aggregator", func(ctx context.Context) error {
			ahead := asked.Add(1) - applied.Load()
			for old := most.Load(); ahead > old && !most.CompareAndSwap(old, ahead); old = most.Load() {
			}
			return slow(ctx)
		})
		began := time.Now()
		done, err := r.Follow(net.Context(), net.Node("miner-0").Parts().Source(), start+windows, time.Now(), func(*run.Aggregate, protocol.Hash, int64) error {
			applied.Add(1)
			return slow(net.Context()) // applying takes as long as fetching
		})
		if !done || err != nil {
			t.Fatal(done, err)
		}
		if took := time.Since(began); took > (windows+20)*time.Second {
			t.Errorf("%d windows took %v: nothing was fetched ahead", windows, took)
		}
		if n := most.Load(); n > 32 {
			t.Errorf("%d Aggregates were asked for and not applied", n)
		}
	})
}

// Aggregates fetched beyond a missing one are not used, and the wait for it is bounded.
func TestFollowStopsAtAHole(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		chain(t, net, 40)
		if err := net.Bucket("aggregator").Delete(net.Context(), protocol.AggregateKey(start+30, 0)); err != nil {
			t.Fatal(err)
		}
		r, x := newReplica(net), net.Node("miner-0").Parts()
		began := time.Now()
		done, err := r.Follow(net.Context(), x.Source(), start+40, time.Now(), func(*run.Aggregate, protocol.Hash, int64) error { return nil })
		if limit := 40 * net.Run.Params.Gather(); done || err != nil || r.Next() != start+30 || time.Since(began) > limit {
			t.Errorf("done %v, %v at window %d after %v", done, err, r.Next(), time.Since(began))
		}
	})
}

// Follow reports an error when the next Aggregate is past its retention.
func TestFollowBehindWhatIsKept(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		chain(t, net, 40)
		for w := start + 5; w < start+20; w++ {
			if err := net.Bucket("aggregator").Delete(net.Context(), protocol.AggregateKey(w, 0)); err != nil {
				t.Fatal(err)
			}
		}
		r := newReplica(net)
		_, err := r.Follow(net.Context(), net.Node("miner-0").Parts().Source(), start+40, time.Now(), func(*run.Aggregate, protocol.Hash, int64) error { return nil })
		if !errors.Is(err, replica.ErrPruned) || r.Next() != start+5 {
			t.Errorf("%v at window %d", err, r.Next())
		}
	})
}

// During a catch-up the hash of each state is compared with those that the validators have
// published: a contradiction by more than half of their stake ends it, by less does not, and a
// store that hangs is waited for once.
func TestFollowCompares(t *testing.T) {
	const windows, at = 20, 5
	step := func(s *attest.State) { // as a node with other parameters
		s.Params = slices.Clone(s.Params)
		for j := range s.Params {
			s.Params[j] += 1e-2
		}
		s.Hash[0]++
	}
	unseen := func(s *attest.State) { s.Hash[0]++ } // where no sample was taken
	copied := func(s *attest.State) { s.Params = make([]float32, len(s.Params)) }
	for name, c := range map[string]struct {
		faulty []string
		forge  func(*attest.State)
		hangs  bool
		says   string
	}{
		"all agree":             {},
		"the lighter is faulty": {faulty: []string{"validator-1"}, forge: step},
		"the heavier is faulty": {faulty: []string{"validator-0"}, forge: step, says: "a stake of 2000, with 1000 these; 1.15 steps apart"},
		"both":                  {faulty: []string{"validator-0", "validator-1"}, forge: step, says: "a stake of 3000, with 0 these; 1.15 steps"},
		"another hash":          {faulty: []string{"validator-0"}, forge: unseen, says: "0 steps apart"},
		"a copied hash":         {faulty: []string{"validator-0", "validator-1"}, forge: copied},
		"the heavier hangs":     {hangs: true},
		"the lighter is faulty and the heavier hangs": {faulty: []string{"validator-1"}, forge: step, hangs: true},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 1, Validators: 2}, func(net *testnet.Network) {
				net.CommitAll()
				for range 2 * windows * net.Run.Params.BlocksPerWindow {
					if _, err := net.Chain.Advance(time.Now()); err != nil {
						t.Fatal(err)
					}
				}
				author := newReplica(net)
				for i := range windows {
					a := successor(t, net, author, uint64(i))
					if err := author.Commit(a, publish(t, net, "aggregator-0", a.Window, a)); err != nil {
						t.Fatal(err)
					}
					for _, v := range []string{"validator-0", "validator-1"} {
						s := author.State()
						if i >= at && slices.Contains(c.faulty, v) {
							c.forge(&s)
						}
						if err := post(net, v, s); err != nil {
							t.Fatal(err)
						}
					}
				}
				if c.hangs {
					net.Break("validator-0", testnet.Hanging)
				}
				r, x := newReplica(net), net.Node("miner-0").Parts()
				if err := x.Directory.Refresh(net.Context()); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				done, err := r.Follow(net.Context(), x.Source(), start+windows, time.Now(), func(*run.Aggregate, protocol.Hash, int64) error { return nil })
				if done != (c.says == "") || done != (err == nil) || (!done && !errors.Is(err, replica.ErrContradicted)) {
					t.Fatalf("done %v, %v", done, err)
				}
				if !done && !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want an error that says %q", err, c.says)
				}
				if !done && (r.Next() <= start+at || r.Next() > start+at+4) { // it looks at the signatures of every fourth window
					t.Errorf("stopped at window %d, the forged states begin after window %d", r.Next(), start+at)
				}
				if took := time.Since(began); c.hangs && took != net.Run.Params.Gather() {
					t.Errorf("a store that hangs cost %v", took)
				}
			})
		})
	}
}

// The state hash is computed once a window, however often it is asked for, and follows the
// parameters.
func TestStateHashIsComputedOnce(t *testing.T) {
	testnet.Test(t, testnet.Config{}, func(net *testnet.Network) {
		var hashed atomic.Int64
		run := net.Run
		run.Space = run.Space.Parallel(2, func(n int, f func(int)) {
			hashed.Add(1)
			for i := range n {
				f(i)
			}
		})
		r := replica.New(run, announced, replica.Head{Next: start}, model.Init(run.Params.Model, 1))
		for i := range 3 {
			a := successor(t, net, r, uint64(i))
			if err := r.Commit(a, protocol.Hash{byte(i)}); err != nil {
				t.Fatal(err)
			}
			before := hashed.Load()
			got := r.StateHash()
			for range 3 {
				if s := r.State(); s.Hash != got || r.StateHash() != got || s.Window != a.Window || s.Step != uint64(i+1) {
					t.Errorf("state %+v", s)
				}
			}
			if n := hashed.Load() - before; n != 1 || got != net.Run.Space.Hash(r.Params()) {
				t.Errorf("window %d: hashed %d times, to %s", a.Window, n, got.Short())
			}
		}
	})
}

func TestFollow(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		want := chain(t, net, 30)
		r := newReplica(net)
		var seen []protocol.Window
		// Far behind: each takes a second to fetch, and the deadline is long past.
		net.Break("aggregator", slow)
		done, err := r.Follow(net.Context(), net.Node("miner-0").Parts().Source(), start+30, time.Now(), func(a *run.Aggregate, hash protocol.Hash, size int64) error {
			if hash != r.Previous() || a.Window+1 != r.Next() || size < 100 {
				t.Errorf("window %d: hash %s, %d bytes", a.Window, hash, size)
			}
			seen = append(seen, a.Window)
			return nil
		})
		if !done || err != nil || len(seen) != 30 || r.StateHash() != want.StateHash() || r.Previous() != want.Previous() {
			t.Errorf("done %v, %v after %d windows", done, err, len(seen))
		}
	})
}

func TestFollowStops(t *testing.T) {
	none := func(*testing.T, *testnet.Network, *run.Aggregate) {}
	as := func(by string, shift protocol.Window, change func(*run.Aggregate)) func(*testing.T, *testnet.Network, *run.Aggregate) {
		return func(t *testing.T, net *testnet.Network, a *run.Aggregate) {
			change(a)
			publish(t, net, by, a.Window+shift, a)
		}
	}
	nothing := func(*run.Aggregate) {}
	for name, c := range map[string]struct {
		third func(*testing.T, *testnet.Network, *run.Aggregate) // after two good ones
		says  string                                             // empty: no error
	}{
		"missing": {none, ""},
		"unreachable": {func(_ *testing.T, net *testnet.Network, _ *run.Aggregate) {
			net.Break("aggregator", testnet.Unreachable)
		}, ""},
		"hanging":         {func(_ *testing.T, net *testnet.Network, _ *run.Aggregate) { net.Break("aggregator", testnet.Hanging) }, ""},
		"denied":          {func(_ *testing.T, net *testnet.Network, _ *run.Aggregate) { net.Break("aggregator", testnet.Denied) }, "denied"},
		"not its place":   {as("aggregator-0", 0, func(a *run.Aggregate) { a.Run[0]++ }), "wrong-context"},
		"not its signer":  {as("miner-0", 0, nothing), "wrong-context"},
		"wrong rate":      {as("aggregator-0", 0, func(a *run.Aggregate) { a.LearningRate *= 2 }), "learning rate"},
		"a broken chain":  {as("aggregator-0", 0, func(a *run.Aggregate) { a.Previous[0]++ }), "follows"},
		"another's start": {as("aggregator-0", 0, func(a *run.Aggregate) { a.Start-- }), "starts at"},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
				two := chain(t, net, 2)
				c.third(t, net, successor(t, net, two, 7))
				r, began := two, time.Now()
				done, err := r.Follow(net.Context(), net.Node("miner-0").Parts().Source(), start+3, began.Add(5*time.Second), func(*run.Aggregate, protocol.Hash, int64) error { return nil })
				if done || (err == nil) != (c.says == "") || (err != nil && !strings.Contains(err.Error(), c.says)) {
					t.Errorf("done %v, %v; want an error that says %q", done, err, c.says)
				}
				if r.Next() != start+2 {
					t.Errorf("next is window %d, want %d", r.Next(), start+2)
				}
				if took := time.Since(began); (c.says == "" && took != 5*time.Second) || took > 5*time.Second {
					t.Errorf("gave up after %v, the deadline was at 5 s", took)
				}
			})
		})
	}
}

func TestFollowEndsWithItsContextAndCaller(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		chain(t, net, 3)
		stop := errors.New("stop")
		r := newReplica(net)
		_, err := r.Follow(net.Context(), net.Node("miner-0").Parts().Source(), start+3, time.Now().Add(time.Second), func(*run.Aggregate, protocol.Hash, int64) error { return stop })
		if !errors.Is(err, stop) || r.Next() != start+1 {
			t.Errorf("%v at window %d", err, r.Next())
		}
	})
}

// post uploads a validator's sync sample of a state.
func post(net *testnet.Network, node string, s attest.State) error {
	p := net.Node(node).Parts()
	return p.Samples().Post(net.Context(), p.Outbox(), s)
}

// A charge that proves itself holds a window back for those that read it, whoever published it, and is theirs to
// publish too. It does so for three windows: if it makes nothing void by then, it was shown after most had
// found the window final. One whose proof fails has no effect.
func TestProvenChargeHoldsBack(t *testing.T) {
	for name, forged := range map[string]bool{"proven": false, "forged": true} {
		testnet.Test(t, testnet.Config{Miners: 1, Validators: 2}, func(net *testnet.Network) {
			net.CommitAll()
			for range 20 * net.Run.Params.BlocksPerWindow {
				if _, err := net.Chain.Advance(time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			author := chain(t, net, 1)
			for _, v := range []string{"validator-0", "validator-1"} {
				if err := post(net, v, author.State()); err != nil {
					t.Fatal(err)
				}
			}
			liar := net.Node("aggregator-0").Signer
			var issues []wire.Issue
			for _, at := range []int64{1, 2} {
				b, err := wire.EncodeClosing(&wire.Closing{Run: net.Run.Hash, Window: start, Aggregator: liar.Hotkey(), UploadFrom: time.Unix(at, 0)}, liar)
				if err != nil {
					t.Fatal(err)
				}
				issues = append(issues, wire.IssueOf(b))
			}
			if forged {
				issues[1].Content[0]++
			}
			by := net.Node("validator-1") // with a third of the stake
			raw, err := wire.Seal(wire.DomainCharges, wire.Charges{Run: net.Run.Hash, Charges: []wire.Charge{*wire.Conflicting(wire.ReasonStatements, 0, issues[0], issues[1])}}, by.Signer)
			if err != nil {
				t.Fatal(err)
			}
			net.Upload(by.Name, protocol.ChargesKey(), raw)

			r, x := newReplica(net), net.Node("miner-0").Parts()
			if err := x.Directory.Refresh(net.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Follow(net.Context(), x.Source(), start+1, time.Now(), func(*run.Aggregate, protocol.Hash, int64) error { return nil }); err != nil {
				t.Fatal(err)
			}
			since := start + protocol.Window(net.Run.Params.ValidatorOffset) + 2 // from when one count is enough
			for w := since; w < since+5; w++ {
				if err := r.Settle(net.Context(), x.Source(), w); err != nil {
					t.Fatal(err)
				}
				final := r.Final().Next == start+1
				if want := forged || w > since+3; final != want {
					t.Errorf("%s: %d windows after it was read the window is final: %v", name, w-since, final)
				}
				if known := r.Conflict(); (known != nil) == final || !final && known.Accused != liar.Hotkey() {
					t.Errorf("%s: %d windows after it was read the charge is %+v", name, w-since, known)
				}
			}
		})
	}
}
