package adversary_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"templar/internal/adversary"
	"templar/internal/harness/testnet"
	"templar/internal/mailbox"
	"templar/internal/report"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

const honest = 3 // miners before the cheaters

// network runs honest miners and, after them, the members of mix.
func network(t *testing.T, mix string, windows int, f func(net *testnet.Network, node func(name string) *testnet.Node)) {
	t.Helper()
	m, err := adversary.Parse(mix)
	if err != nil {
		t.Fatal(err)
	}
	members := m.Members()
	params := func(p *protocol.Params) { p.MaxTopKPeers, p.UIDsPerWindow = 64, 64 }
	testnet.Test(t, testnet.Config{Miners: honest + len(members), Validators: 1, Params: params}, func(net *testnet.Network) {
		nodes := map[string]*testnet.Node{}
		for i, member := range members {
			n := net.Node(fmt.Sprintf("miner-%d", honest+i))
			n.Alter = member.Corrupt
			nodes[member.Name()] = n
		}
		net.Start()
		net.RunWindows(windows)
		net.RequireSameState()
		f(net, func(name string) *testnet.Node {
			if n := nodes[name]; n != nil {
				return n
			}
			return net.Node(name)
		})
	})
}

// sent returns what a node uploaded as its gradient of w.
func sent(t *testing.T, net *testnet.Network, n *testnet.Node, w protocol.Window) method.Payload {
	t.Helper()
	raw, _, err := store.ReadAll(net.Context(), net.Bucket(n.Name), protocol.GradientKey(w, n.UID), -1)
	if err != nil {
		t.Fatal(err)
	}
	in := wire.Included{UID: n.UID, Hotkey: n.Signer.Hotkey(), Content: wire.GradientHash(raw)}
	g, _, verdict := mailbox.Opened(net.Context(), net.Run, net.Bucket(n.Name), w, in)
	if !verdict.OK() {
		t.Fatalf("%s: %v", n.Name, verdict)
	}
	return g.Payload
}

// Each kind that leaves something to see gets the verdict that names it, and the honest
// miners are aggregated.
func TestVerdicts(t *testing.T) {
	want := map[adversary.Kind]protocol.Verdict{
		adversary.Lazy: protocol.VerdictMissing, adversary.NaN: protocol.VerdictNonFinite, adversary.Inf: protocol.VerdictNonFinite,
		adversary.Early: protocol.VerdictEarly, adversary.Late: protocol.VerdictLate, adversary.Oversized: protocol.VerdictTooLarge,
		adversary.Truncated: protocol.VerdictMalformed, adversary.WrongSignature: protocol.VerdictBadSignature,
		adversary.Impostor: protocol.VerdictWrongContext, adversary.Junk: protocol.VerdictMalformed, adversary.ZeroKey: protocol.VerdictWrongContext,
		adversary.Withhold: protocol.VerdictWithheld,
	}
	for _, mix := range []string{"lazy,nan,inf,early,late", "oversized,truncated,wrong-signature,impostor,junk,zero-key,withhold"} {
		network(t, mix, 3, func(net *testnet.Network, node func(string) *testnet.Node) {
			last := testnet.Of[telemetry.Applied](net, "validator-0")[net.Window(2)]
			if len(last.Included) != honest {
				t.Errorf("%s: included %v, want the %d honest miners", mix, last.Included, honest)
			}
			verdicts := map[protocol.UID]protocol.Verdict{}
			for _, v := range testnet.Of[telemetry.Gathered](net, "validator-0")[net.Window(2)].Verdicts {
				verdicts[v.UID] = v.Verdict
			}
			for _, kind := range strings.Split(mix, ",") {
				if got := verdicts[node(kind+"-0").UID]; got != want[adversary.Kind(kind)] {
					t.Errorf("the validator says of %s: %v, want %v", kind, got, want[adversary.Kind(kind)])
				}
			}
		})
	}
}

// The honest network has the same first window: what an honest miner in the cheater's place
// sends there is known.
func TestValues(t *testing.T) {
	const mix = "flipped,huge,stale,wrong-pages,noise"
	var would []method.Payload
	honestly(t, func(net *testnet.Network) {
		for i := range 5 {
			would = append(would, sent(t, net, net.Node("miner-"+string(rune('0'+honest+i))), net.Window(0)))
		}
	})
	network(t, mix, 2, func(net *testnet.Network, node func(string) *testnet.Node) {
		c := net.Run.Method
		for i, check := range []func(got, would []float32, raw method.Payload) bool{
			func(got, would []float32, _ method.Payload) bool { return slices.Equal(got, times(would, -1)) },
			func(got, would []float32, _ method.Payload) bool { return near(got, times(would, 1e6)) },
			nil,
			func(got, would []float32, _ method.Payload) bool { return !slices.Equal(got, would) },
			func(got, would []float32, _ method.Payload) bool { return !slices.Equal(got, would) },
		} {
			name := strings.Split(mix, ",")[i] + "-0"
			got := sent(t, net, node(name), net.Window(0))
			if check != nil && !check(values(c, got), values(c, would[i]), got) {
				t.Errorf("%s: not what it says", name)
			}
		}
		if again := sent(t, net, node("stale-0"), net.Window(1)); !slices.Equal(again.Bytes(), would[2].Bytes()) {
			t.Error("stale-0 did not send the gradient of the window before")
		}
	})
}

// honestly runs as many miners as TestValues has, all honest.
func honestly(t *testing.T, f func(*testnet.Network)) {
	t.Helper()
	params := func(p *protocol.Params) { p.MaxTopKPeers, p.UIDsPerWindow = 64, 64 }
	testnet.Test(t, testnet.Config{Miners: honest + 5, Validators: 1, Params: params}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(1)
		f(net)
	})
}

func values(c *method.Method, g method.Payload) []float32 {
	var out []float32
	c.Chunks(g, func(ch method.Chunk) { out = append(out, ch.Value...) })
	return out
}

func times(values []float32, by float32) []float32 {
	out := slices.Clone(values)
	for i := range out {
		out[i] *= by
	}
	return out
}

// near allows for what quantising again loses.
func near(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return max(x-y, y-x) <= 1e-3*max(y, -y) })
}

// Copies arrive in time and under the copier's name, and are those of the best paid or first.
func TestCopies(t *testing.T) {
	network(t, "copycat,copycat-permuted,copycat-perturbed,sybil=3", 2, func(net *testnet.Network, node func(string) *testnet.Node) {
		w, c := net.Window(1), net.Run.Method
		original := sent(t, net, node("miner-0"), w-1) // the newest that can be opened
		if got := sent(t, net, node("copycat-0"), w); !slices.Equal(got.Bytes(), original.Bytes()) {
			t.Error("copycat-0 sent no copy")
		}
		indices := func(g method.Payload) (out []uint16) {
			c.Chunks(g, func(ch method.Chunk) { out = append(out, ch.Index...) })
			return out
		}
		permuted := sent(t, net, node("copycat-permuted-0"), w)
		if !slices.Equal(indices(permuted), indices(original)) || slices.Equal(values(c, permuted), values(c, original)) {
			t.Error("copycat-permuted-0 did not keep the indices and mix the values")
		}
		if n, all := len(values(c, sent(t, net, node("copycat-perturbed-0"), w))), len(values(c, original)); n > all*95/100 || n < all*85/100 {
			t.Errorf("copycat-perturbed-0 kept %d of %d coefficients", n, all)
		}
		first := sent(t, net, node("sybil-0"), w)
		for _, name := range []string{"sybil-1", "sybil-2"} {
			if !slices.Equal(sent(t, net, node(name), w).Bytes(), first.Bytes()) {
				t.Errorf("%s sent another gradient than sybil-0", name)
			}
		}
		if slices.Equal(first.Bytes(), original.Bytes()) {
			t.Error("the sybil copies an honest miner")
		}
	})
}

// A model that is off shows in its sync sample, and in the report.
func TestDesync(t *testing.T) {
	network(t, "desync", 3, func(net *testnet.Network, node func(string) *testnet.Node) {
		for _, m := range reported(t, net, net.Window(2)).Miners {
			off := m.UID == node("desync-0").UID
			if m.Sync == nil || m.Sync.Same == off {
				t.Errorf("uid %d: sync %+v, desync: %v", m.UID, m.Sync, off)
			}
		}
		for _, m := range testnet.Of[telemetry.Scored](net, "validator-0")[net.Window(2)].Miners {
			off := m.UID == node("desync-0").UID
			if off != (m.After.SyncScore == 0) {
				t.Errorf("uid %d: sync score %v, desync: %v", m.UID, m.After.SyncScore, off)
			}
		}
	})
}

// reported is validator-0's report on a window.
func reported(t *testing.T, net *testnet.Network, w protocol.Window) *report.Report {
	t.Helper()
	body, _, err := net.Bucket("validator-0").Get(net.Context(), protocol.ReportKey(w, net.Node("validator-0").UID), -1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := report.Decode(b, net.Run.Params)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHonestThenLazy(t *testing.T) {
	network(t, "honest-then-lazy", 16, func(net *testnet.Network, node func(string) *testnet.Node) {
		uid, applied := node("honest-then-lazy-0").UID, testnet.Of[telemetry.Applied](net, "validator-0")
		if got := applied[net.Window(1)]; !slices.Contains(got.Included, uid) {
			t.Errorf("not honest at first: skipped as %v", got.Skipped[uid])
		}
		if got := applied[net.Window(15)]; slices.Contains(got.Included, uid) {
			t.Error("still honest after 16 windows")
		}
	})
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"":               "",
		"lazy":           "lazy=1",
		"noise=2,sybil":  "noise=2,sybil=2",
		"nan=1, sybil=3": "nan=1,sybil=3",
	} {
		m, err := adversary.Parse(text)
		if err != nil || m.String() != want {
			t.Errorf("Parse(%q) = %q, %v; want %q", text, m, err, want)
		}
	}
	for text, want := range map[string]string{
		"lasy":        `no adversary "lasy": have noise,`,
		"lazy=x":      "want a number",
		"lazy=0":      "want 1 to 64",
		"sybil=1":     "want 2 to 64",
		"lazy,":       `no adversary ""`,
		"lazy,lazy=2": "appears twice",
	} {
		if m, err := adversary.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, %v; want an error with %q", text, m, err, want)
		}
	}
}

func TestKindsAreDocumented(t *testing.T) {
	for _, k := range adversary.Kinds() {
		if k.Doc() == "" {
			t.Errorf("%s has no doc", k)
		}
	}
	if len(adversary.Kinds()) < 20 {
		t.Error("a kind is missing")
	}
}

// Row 7: thirty idle hotkeys with junk uploads neither take the honest miners' evaluations nor their places
// in the peer list.
func TestJunkHotkeysTakeNothing(t *testing.T) {
	const junk, windows = 30, 12
	params := func(p *protocol.Params) {
		p.MaxTopKPeers, p.UIDsPerWindow, p.UnprovenPerWindow, p.PeerReplacementFrequency = honest+1, honest, 1, 2
	}
	members, err := adversary.Parse(fmt.Sprintf("junk=%d", junk))
	if err != nil {
		t.Fatal(err)
	}
	testnet.Test(t, testnet.Config{Miners: honest + junk, Validators: 1, Params: params}, func(net *testnet.Network) {
		isHonest := map[protocol.UID]bool{}
		for i := range honest + junk { // the junk has the lower uids
			n := net.Node(fmt.Sprintf("miner-%d", i))
			if i < junk {
				n.Alter = members.Members()[i].Corrupt
			} else {
				isHonest[n.UID] = true
			}
		}
		net.Start()
		net.RunWindows(windows)
		net.RequireSameState()
		measured, included := 0, 0
		for w := range windows {
			r := reported(t, net, net.Window(w))
			for _, m := range r.Miners {
				if !isHonest[m.UID] && (m.Evaluated || m.Drawn || m.Weight > 0) {
					t.Fatalf("window %d: junk uid %d was evaluated", w, m.UID)
				}
				if w < windows-4 {
					continue
				}
				if m.Evaluated {
					measured++
				}
				if m.Included {
					included++
				}
				if m.Selected && !isHonest[m.UID] {
					t.Errorf("window %d: junk uid %d is in the peer list", w, m.UID)
				}
			}
		}
		if measured != 4*honest || included != 4*honest {
			t.Errorf("%d honest measurements and %d honest gradients in the last 4 windows, want %d of both", measured, included, 4*honest)
		}
	})
}
