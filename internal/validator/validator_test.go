package validator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"templar/internal/attest"
	"templar/internal/chain"
	"templar/internal/finality"
	"templar/internal/harness/testnet"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// lies makes an aggregator falsify the Aggregate of the run's window 3 in term 0, with a valid signature.
func lies(t *testing.T, net *testnet.Network, name string, change func(*run.Aggregate)) {
	net.Node(name).Tamper = func(key string, body []byte) (string, []byte) {
		if w := net.Window(3); key == protocol.AggregateKey(w, 0) {
			a, _, verdict := net.Run.Aggregate(body, w, 0)
			if !verdict.OK() {
				t.Fatal(verdict)
			}
			if a.Aggregator == net.Node(name).Signer.Hotkey() {
				body = forge(t, net, name, w, body, change)
			}
		}
		return key, body
	}
}

// An aggregator publishes a false Aggregate: another update than the gradients give, a gradient that no
// miner sent, another learning rate, another history. Nodes that applied it return to their last final state
// by themselves; the standby, or the aggregator itself if it is alone, replaces it and those after it, and no
// false state becomes final anywhere.
func TestLyingAggregator(t *testing.T) {
	for name, c := range map[string]struct {
		aggregators int
		change      func(*testing.T, *testnet.Network, *run.Aggregate)
		reason      wire.Reason
	}{
		"sum":        {2, corrupt, wire.ReasonUpdate},
		"sum, alone": {1, corrupt, wire.ReasonUpdate},
		"members":    {2, func(_ *testing.T, _ *testnet.Network, a *run.Aggregate) { a.Included[1].Content[0]++ }, wire.ReasonChain},
		"rate":       {2, func(_ *testing.T, _ *testnet.Network, a *run.Aggregate) { a.LearningRate *= 2 }, wire.ReasonChain},
		"history":    {2, func(_ *testing.T, _ *testnet.Network, a *run.Aggregate) { a.Previous[0]++ }, wire.ReasonChain},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 2, Validators: 2, Aggregators: c.aggregators}, func(net *testnet.Network) {
				var standbys []string // they begin after the false one
				for i := range c.aggregators - 1 {
					standbys = append(standbys, fmt.Sprintf("aggregator-%d", i+1))
				}
				lies(t, net, "aggregator-0", func(a *run.Aggregate) { c.change(t, net, a) })
				net.Start(standbys...)
				net.RunWindows(3)
				net.Wait(net.Run.Params.WindowTime())
				for _, name := range standbys {
					net.Node(name).Start()
				}
				net.RunWindows(9)
				net.RequireSameState()
				w := net.Window(3)
				doc, err := attest.OpenCharges(net.Run, net.Object("validator-0", protocol.ChargesKey()), net.Node("validator-0").Signer.Hotkey())
				charges := doc.Charges
				if err != nil || len(charges) != 1 || charges[0].Window != w || charges[0].Reason != c.reason || charges[0].Accused != net.Node("aggregator-0").Signer.Hotkey() {
					t.Errorf("charges %+v, %v", charges, err)
				}
				terms := finality.Terms{Aggregators: net.Run.Params.Aggregators}
				terms.Add(finality.Voids([]finality.Ballot{{Stake: 1, Charges: charges}}, 1))
				a, _, verdict := net.Run.Aggregate(net.Object("aggregator", protocol.AggregateKey(w, terms.Of(w))), w, terms.Of(w))
				if !verdict.OK() || (c.aggregators > 1) == (a.Aggregator == net.Node("aggregator-0").Signer.Hotkey()) {
					t.Errorf("the replacement is %v", verdict)
				}
				for _, name := range []string{"miner-0", "miner-1", "validator-0", "validator-1"} {
					states := net.States(name)
					for _, e := range testnet.Of[telemetry.Applied](net, name) {
						if !e.FinalState.IsZero() && e.FinalState != states[e.Final-1] {
							t.Errorf("%s: the state before window %d was final as %s, and is %s", name, e.Final, e.FinalState.Short(), states[e.Final-1].Short())
						}
					}
				}
			})
		})
	}
}

// Validators with more than half of the stake charge a window and withdraw the charge later. The honest one states what
// it has learned to be void, with the charges, so that validators that read afterwards know it too.
func TestVoidsAreStated(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 3, Aggregators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(4)
		hostile := []string{"validator-0", "validator-1"}
		w := net.Window(5)
		accused := net.Run.Params.Aggregators[0]
		for _, name := range hostile {
			net.Node(name).Stop()
			raw, err := wire.Seal(wire.DomainCharges, wire.Charges{Run: net.Run.Hash, Charges: []wire.Charge{{Term: 0, Window: w, Reason: wire.ReasonUpdate, Accused: accused}}}, net.Node(name).Signer)
			if err != nil {
				t.Fatal(err)
			}
			net.Upload(name, protocol.ChargesKey(), raw)
		}
		net.Wait(2 * net.Run.Params.WindowTime())
		for _, name := range hostile {
			if err := net.Bucket(name).Delete(net.Context(), protocol.ChargesKey()); err != nil {
				t.Fatal(err)
			}
		}
		doc, err := attest.OpenCharges(net.Run, net.Object("validator-2", protocol.ChargesKey()), net.Node("validator-2").Signer.Hotkey())
		if err != nil || !slices.Equal(doc.Voids, []wire.Void{{Window: w, Accused: accused}}) {
			t.Errorf("%+v, %v", doc, err)
		}
		// The charges that were withdrawn are shown to validators that read later, which alone count them.
		docket := func(judges bool) *attest.Docket {
			x := net.Node("validator-2").Parts()
			if err := x.Directory.Refresh(net.Context()); err != nil {
				t.Fatal(err)
			}
			d := &attest.Docket{Samples: x.Samples(), Directory: x.Directory, Judges: judges}
			d.Refresh(net.Context(), nil)
			return d
		}
		if got := docket(true).Terms().Of(w); got.From() != w {
			t.Errorf("a validator that reads later has the term %d", got)
		}
		if got := docket(false).Terms().Of(w); got != 0 {
			t.Errorf("by the word of a third of the stake other nodes have the term %d", got)
		}
	})
}

// An aggregator that can write to the bucket replaces the closing statement of another one's turn, after the keys were
// revealed against it. Miners have kept the one that the Aggregate names: it counts, and nothing is charged or replaced.
func TestReplacedStatementChargesNone(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 2, Aggregators: 2}, func(net *testnet.Network) {
		lies(t, net, "aggregator-0", func(a *run.Aggregate) { corrupt(t, net, a) })
		net.Start("aggregator-1")
		net.RunWindows(3)
		net.Wait(net.Run.Params.WindowTime())
		net.Node("aggregator-1").Start()
		net.RunWindows(6)
		x := net.Node("miner-0").Parts()
		if err := x.Directory.Refresh(net.Context()); err != nil {
			t.Fatal(err)
		}
		x.Docket.Refresh(net.Context(), nil)
		rival, term := net.Node("aggregator-0").Signer, x.Docket.Terms().Of(net.Window(8))
		if owner, ok := net.Run.Params.Owner(term); !ok || owner == rival.Hotkey() {
			t.Fatalf("term %d is not the standby's", term)
		}
		for i := 8; i < 12; i++ {
			w := net.Window(i)
			for tries := 0; ; tries++ {
				if _, err := net.Bucket("aggregator").Head(net.Context(), protocol.AggregateKey(w, term)); err == nil {
					break
				}
				if tries == 1000 {
					t.Fatalf("window %d has no aggregate of term %d", w, term)
				}
				net.Wait(net.Run.Params.BlockTime() / 4)
			}
			c, _, verdict := net.Run.Closing(net.Object("aggregator", protocol.ClosingKey(w)), w)
			if !verdict.OK() {
				t.Fatal(verdict)
			}
			c.Aggregator, c.Listed = rival.Hotkey(), c.Listed[1:]
			raw, err := wire.EncodeClosing(c, rival)
			if err != nil {
				t.Fatal(err)
			}
			net.Upload("aggregator", protocol.ClosingKey(w), raw)
		}
		net.RunWindows(4)
		net.RequireSameState()
		for _, name := range []string{"validator-0", "validator-1"} {
			doc, err := attest.OpenCharges(net.Run, net.Object(name, protocol.ChargesKey()), net.Node(name).Signer.Hotkey())
			if err != nil || len(doc.Charges) != 1 || doc.Charges[0].Window != net.Window(3) {
				t.Errorf("%s: charges %+v, %v", name, doc.Charges, err)
			}
		}
		for _, m := range testnet.Of[telemetry.Scored](net, "validator-0")[net.Window(10)].Miners {
			if notes := strings.Join(m.Notes(), " "); notes != "" {
				t.Errorf("uid %d: %s", m.UID, notes)
			}
		}
	})
}

// corrupt changes the update.
func corrupt(t *testing.T, net *testnet.Network, a *run.Aggregate) {
	for i := range 8 * len(a.Body) { // to the first bit that gives another update
		raw := slices.Clone(a.Body)
		raw[i/8] ^= 1 << (i % 8)
		if u, verdict := net.Run.Method.ReadUpdate(raw); verdict.OK() {
			a.Set(u)
			return
		}
	}
	t.Fatal("no bit of the update can be changed")
}

// forge changes an Aggregate and signs it again.
func forge(t *testing.T, net *testnet.Network, name string, w protocol.Window, body []byte, change func(*run.Aggregate)) []byte {
	a, _, verdict := net.Run.Aggregate(body, w, 0)
	if !verdict.OK() {
		t.Fatal(verdict)
	}
	change(a)
	b, err := wire.EncodeAggregate(&a.Aggregate, net.Run.Format(), net.Node(name).Signer)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An honest miner's sample is equal to the validator's parameters, so its sync score is
// 1; one whose model differs by two steps everywhere loses by the formula.
func TestSyncSamples(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
		drifted := net.Node("miner-1")
		drifted.Tamper = func(key string, body []byte) (string, []byte) {
			if strings.HasPrefix(key, "debug-") {
				body = drift(t, net, drifted, key, body)
			}
			return key, body
		}
		net.Start()
		net.RunWindows(4)
		scores := testnet.Of[telemetry.Scored](net, "validator-0")[net.Window(3)].Miners
		if len(scores) != 2 {
			t.Fatalf("%d miners were scored, want 2", len(scores))
		}
		if scores[0].After.SyncScore != 1 {
			t.Errorf("the honest miner's sync score is %v, want exactly 1", scores[0].After.SyncScore)
		}
		if got, want := scores[1].After.SyncScore, 0.27885; got < want-0.001 || got > want+0.001 { // (1 - 2/5)^2.5
			t.Errorf("the drifted miner's sync score is %v, want %v", got, want)
		}
	})
}

func drift(t *testing.T, net *testnet.Network, node *testnet.Node, key string, body []byte) []byte {
	w, _ := protocol.KeyWindow(key)
	x := node.Parts()
	s, verdict := wire.DecodeSample(body, wire.Expect{Run: x.Run.Hash, Window: w, UID: node.UID, Hotkey: node.Signer.Hotkey()}, x.Samples().Size())
	if !verdict.OK() {
		t.Fatal(verdict)
	}
	lr := x.Run.Method.Rate(x.Run.Params.Step(net.Window(0), w))
	for i := range s.Values {
		s.Values[i] += 2 * lr
	}
	b, err := wire.EncodeSample(s, node.Signer)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A miner that has earned a score and then takes its bucket away loses it like one that
// stops uploading.
func TestMinerHidesItsBucket(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 1}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(3)
		hiding := net.Node("miner-1")
		if r, err := net.Chain.Commit(net.Context(), hiding.Signer, []byte("nothing")); err != nil || r.Status == chain.StatusFailed {
			t.Fatal(r, err)
		}
		net.RunWindows(6)
		for _, m := range testnet.Of[telemetry.Scored](net, "validator-0")[net.Window(8)].Miners {
			if notes := strings.Join(m.Notes(), " "); m.UID == hiding.UID && !strings.Contains(notes, "inactive") {
				t.Errorf("the miner that hides has %+v", m)
			} else if m.UID != hiding.UID && notes != "" {
				t.Errorf("uid %d: %s", m.UID, notes)
			}
		}
		if n := len(testnet.Of[telemetry.Scored](net, "validator-0")[net.Window(8)].Miners); n != 3 {
			t.Errorf("%d miners were scored, want 3", n)
		}
	})
}
