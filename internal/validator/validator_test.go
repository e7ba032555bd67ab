package validator_test

import (
	"slices"
	"strings"
	"testing"

	"templar/internal/chain"
	"templar/internal/harness/testnet"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// An aggregator that publishes another update than the gradients give, under its own valid
// signature, moves all nodes alike, and every validator detects it.
func TestLyingAggregator(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 2}, func(net *testnet.Network) {
		liar := net.Node("aggregator-0")
		liar.Tamper = func(key string, body []byte) (string, []byte) {
			w, _ := protocol.KeyWindow(key)
			if strings.HasPrefix(key, "aggregator-") && w == net.Window(3) {
				body = corrupt(t, net, w, body)
			}
			return key, body
		}
		net.Start()
		net.RunWindows(6)
		net.RequireSameState()
		for _, name := range []string{"validator-0", "validator-1"} {
			for w, audit := range testnet.Of[telemetry.Audited](net, name) {
				if audit.Honest != (w != net.Window(3)) {
					t.Errorf("%s finds the Aggregate of window %d honest: %v", name, w, audit.Honest)
				}
			}
			if n := len(testnet.Of[telemetry.Audited](net, name)); n < 6 {
				t.Errorf("%s audited %d of 6 windows", name, n)
			}
		}
	})
}

// Nor can it name a gradient that no miner sent.
func TestAggregatorNamesWhatIsNot(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
		net.Node("aggregator-0").Tamper = func(key string, body []byte) (string, []byte) {
			w, _ := protocol.KeyWindow(key)
			if strings.HasPrefix(key, "aggregator-") && w == net.Window(3) {
				body = forge(t, net, w, body, func(a *run.Aggregate) { a.Included[1].Content[0]++ })
			}
			return key, body
		}
		net.Start()
		net.RunWindows(5)
		audits := testnet.Of[telemetry.Audited](net, "validator-0")
		if len(audits) < 5 {
			t.Errorf("%d of 5 windows were audited", len(audits))
		}
		for w, audit := range audits {
			if audit.Honest != (w != net.Window(3)) {
				t.Errorf("the Aggregate of window %d is found honest: %v", w, audit.Honest)
			}
		}
	})
}

// corrupt changes the update.
func corrupt(t *testing.T, net *testnet.Network, w protocol.Window, body []byte) []byte {
	return forge(t, net, w, body, func(a *run.Aggregate) {
		for i := range 8 * len(a.Body) { // to the first bit that gives another update
			raw := slices.Clone(a.Body)
			raw[i/8] ^= 1 << (i % 8)
			if u, verdict := net.Run.Method.ReadUpdate(raw); verdict.OK() {
				a.Set(u)
				return
			}
		}
		t.Fatal("no bit of the update can be changed")
	})
}

// forge changes an Aggregate and signs it again.
func forge(t *testing.T, net *testnet.Network, w protocol.Window, body []byte, change func(*run.Aggregate)) []byte {
	a, _, verdict := net.Run.Aggregate(body, w, 0)
	if !verdict.OK() {
		t.Fatal(verdict)
	}
	change(a)
	b, err := wire.EncodeAggregate(&a.Aggregate, net.Run.Format(), net.Node("aggregator-0").Signer)
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
