package adversary_test

import (
	"testing"

	"templar/internal/harness/testnet"
	"templar/internal/mailbox"
	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// weights are what validator-0 would pay after a window, by uid.
func weights(net *testnet.Network, w protocol.Window) map[protocol.UID]float64 {
	out := make(map[protocol.UID]float64)
	for _, m := range testnet.Of[telemetry.Scored](net, "validator-0")[w].Miners {
		out[m.UID] = m.Weight
	}
	return out
}

// lines are a miner's lines in the reports of the first windows.
func lines(net *testnet.Network, uid protocol.UID, windows int) (out []score.Line) {
	for i := range windows {
		for _, m := range testnet.Of[telemetry.Scored](net, "validator-0")[net.Window(i)].Miners {
			if m.UID == uid {
				out = append(out, m)
			}
		}
	}
	return out
}

// Row 4: who blends the others' uploads has those of the window before only, and is not paid for it.
func TestBlendEarnsNothing(t *testing.T) {
	const windows = 14
	network(t, "blend", windows, func(net *testnet.Network, node func(string) *testnet.Node) {
		last := net.Window(windows - 1)
		paid := weights(net, last)
		if w := paid[node("blend-0").UID]; w > 0.05 {
			t.Errorf("the blender is paid %.3f: %v", w, paid)
		}
	})
}

// Before a window is closed, nothing but the miner's own key opens a gradient, and a key appears only after the
// statement that lists it.
func TestNothingIsReadBeforeTheClose(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 1}, func(net *testnet.Network) {
		read := map[string]bool{}
		closed := map[protocol.Window]bool{}
		net.Node("aggregator-0").Tamper = func(key string, body []byte) (string, []byte) {
			k, ok := protocol.ParseKey(key)
			if !ok || k.Kind != protocol.KindClosing || closed[k.Window] {
				return key, body
			}
			closed[k.Window] = true
			c, _, verdict := net.Run.Closing(body, k.Window)
			if !verdict.OK() || len(c.Listed) != 3 {
				t.Errorf("window %d: %v, %d listed", k.Window, verdict, len(c.Listed))
				return key, body
			}
			for _, in := range c.Listed { // all that the aggregator, or anyone, can read now
				node := []string{"miner-0", "miner-1", "miner-2"}[in.UID-1]
				if _, _, v := mailbox.Opened(net.Context(), net.Run, net.Bucket(node), k.Window, in); v != protocol.VerdictMissing {
					t.Errorf("window %d: the gradient of %s is %v before the window is closed", k.Window, node, v)
				}
				read[node] = true
			}
			return key, body
		}
		net.Start()
		net.RunWindows(3)
		if len(read) != 3 {
			t.Errorf("looked at %v", read)
		}
	})
}

// Row 5: who repeats a victim's training and uploads it as its own does not have the victim blamed, and is not paid
// instead of it.
func TestFrameDoesNotBlameVictim(t *testing.T) {
	const windows = 14
	network(t, "frame", windows, func(net *testnet.Network, node func(string) *testnet.Node) {
		victim, framer := node("miner-0").UID, node("frame-0").UID
		copied := 0
		for _, l := range lines(net, framer, windows) {
			if l.Copy != nil {
				copied++
			}
		}
		for _, l := range lines(net, victim, windows) {
			if l.Copy != nil {
				copied++
			}
			if l.Penalties() > 0 {
				t.Errorf("the victim is punished: %v", l.Notes())
			}
		}
		if copied == 0 {
			t.Error("the framer sent no copy: nothing is tested")
		}
		paid := weights(net, net.Window(windows-1))
		if paid[framer] >= paid[victim] {
			t.Errorf("the framer is paid %.3f, its victim %.3f", paid[framer], paid[victim])
		}
	})
}

// A miner that does not reveal its key gets factor 0 and loses its place.
func TestWithholdLosesItsPlace(t *testing.T) {
	const windows = 14
	network(t, "withhold", windows, func(net *testnet.Network, node func(string) *testnet.Node) {
		uid := node("withhold-0").UID
		factor := 1.0
		for _, l := range lines(net, uid, windows) {
			for _, r := range l.Reasons {
				factor *= r.Factor
			}
		}
		if factor != 0 {
			t.Errorf("factor %v", factor)
		}
		last := testnet.Of[telemetry.Applied](net, "validator-0")[net.Window(windows-1)]
		if _, skipped := last.Skipped[uid]; skipped {
			t.Errorf("it is still in the peer list: skipped %v", last.Skipped)
		}
		if w := weights(net, net.Window(windows-1))[uid]; w != 0 {
			t.Errorf("it is paid %v", w)
		}
	})
}

// Colluders that exchange gradients before the deadline are found to send the same.
func TestCollude(t *testing.T) {
	network(t, "collude=3", 3, func(net *testnet.Network, node func(string) *testnet.Node) {
		w := net.Window(2)
		first := sent(t, net, node("collude-0"), w)
		if second := sent(t, net, node("collude-1"), w); string(first.Bytes()) != string(second.Bytes()) {
			t.Error("they send different gradients: they have not exchanged them")
		}
		if l := lines(net, node("collude-2").UID, 3); len(l) == 0 || l[len(l)-1].Copy == nil {
			t.Errorf("not found alike: %+v", l)
		}
	})
}
