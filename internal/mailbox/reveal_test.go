package mailbox_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"templar/internal/directory"
	"templar/internal/harness/testnet"
	"templar/internal/mailbox"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// closing stores a statement that lists what was gathered, signed by aggregator-0.
func closing(t *testing.T, net *testnet.Network, bucket string, listed []wire.Included) {
	t.Helper()
	s := net.Node("aggregator-0").Signer
	b, err := wire.EncodeClosing(&wire.Closing{Run: net.Run.Hash, Window: window, Aggregator: s.Hotkey(), UploadFrom: time.Now(), Listed: listed}, s)
	if err != nil {
		t.Fatal(err)
	}
	net.Upload(bucket, protocol.ClosingKey(window), b)
}

// What becomes of a gradient that is in, when its window is closed.
func TestReveal(t *testing.T) {
	const odd = "miner-1"
	other := func(listed []wire.Included) []wire.Included {
		listed[1].Content[0] ^= 1
		return listed
	}
	without := func(listed []wire.Included) []wire.Included { return append(listed[:1:1], listed[2]) }
	for name, c := range map[string]struct {
		list   func([]wire.Included) []wire.Included // nil: as gathered
		reveal func(t *testing.T, net *testnet.Network)
		waited bool
		want   protocol.Verdict
	}{
		"revealed": {reveal: func(_ *testing.T, net *testnet.Network) { net.Reveal(odd, window, wire.GradientKey{1}) }, want: protocol.VerdictOK},
		"revealed a second later": {reveal: func(_ *testing.T, net *testnet.Network) {
			net.Wait(time.Second)
			net.Reveal(odd, window, wire.GradientKey{1})
		}, want: protocol.VerdictOK},
		"too late": {reveal: func(_ *testing.T, net *testnet.Network) {
			net.Wait(5 * time.Second)
			net.Reveal(odd, window, wire.GradientKey{1})
		}, want: protocol.VerdictWithheld},
		"never":       {reveal: func(*testing.T, *testnet.Network) {}, want: protocol.VerdictWithheld},
		"another key": {reveal: func(_ *testing.T, net *testnet.Network) { net.Reveal(odd, window, wire.GradientKey{2}) }, want: protocol.VerdictWithheld},
		"not a key": {reveal: func(_ *testing.T, net *testnet.Network) {
			net.Upload(odd, protocol.RevealKey(window, net.Node(odd).UID), []byte("x"))
		}, want: protocol.VerdictWithheld},
		"shown another statement": {reveal: func(t *testing.T, net *testnet.Network) { closing(t, net, odd, nil) }, want: protocol.VerdictUnlisted},
		"revealed against another statement": {reveal: func(t *testing.T, net *testnet.Network) {
			closing(t, net, odd, nil)
			net.Reveal(odd, window, wire.GradientKey{1})
		}, want: protocol.VerdictOK},
		"not listed":        {list: without, want: protocol.VerdictUnlisted},
		"another is listed": {list: other, want: protocol.VerdictUnlisted},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 3}, func(net *testnet.Network) {
				net.CommitAll()
				x := net.Refreshed("aggregator-0")
				end := time.Now()
				for _, node := range []string{"miner-0", odd, "miner-2"} {
					net.Upload(node, protocol.GradientKey(window, net.Node(node).UID), gradient(t, net, node, nil))
				}
				g := x.Gatherer()
				payloads := g.Gather(net.Context(), window, x.Directory.Peers(), x.Run.Params.UploadBounds(end), end.Add(5*time.Second))
				listed := mailbox.Listed(payloads)
				if len(listed) != 3 {
					t.Fatalf("%d are in", len(listed))
				}
				if c.list != nil {
					listed = c.list(listed)
				}
				closing(t, net, "aggregator", listed)
				closed, verdict := x.Aggregates().ClosingNow(net.Context(), window)
				if !verdict.OK() {
					t.Fatal(verdict)
				}
				for _, node := range []string{"miner-0", "miner-2"} {
					net.Reveal(node, window, wire.GradientKey{1})
				}
				if c.reveal != nil {
					go c.reveal(t, net)
				}
				g.Evidence = true
				got := g.Reveal(net.Context(), window, payloads, closed, time.Now().Add(10*time.Second))
				for i, want := range []protocol.Verdict{protocol.VerdictOK, c.want, protocol.VerdictOK} {
					if got[i].Verdict != want || (got[i].Gradient != nil) != want.OK() {
						t.Errorf("uid %d: %v, want %v", got[i].Peer.UID, got[i].Verdict, want)
					}
				}
				if proof := got[1].Conflict; (proof != nil) != strings.Contains(name, "another statement") {
					t.Errorf("evidence of a second statement: %+v", proof)
				}
				if none := g.Reveal(net.Context(), window, payloads, nil, time.Now().Add(time.Second)); none[0].Verdict != protocol.VerdictUnlisted {
					t.Errorf("without a statement: %v", none[0].Verdict)
				}
				net.Wait(10 * time.Second)
			})
		})
	}
}

// An upload after the window was closed is late, unless the window was closed without a peer that had to be waited for.
func TestUploadAfterTheClose(t *testing.T) {
	for waited, want := range map[bool]protocol.Verdict{false: protocol.VerdictLate, true: protocol.VerdictUnlisted} {
		testnet.Test(t, testnet.Config{Miners: 1, Params: func(p *protocol.Params) { p.SlackSeconds, p.DeltaSeconds = 0.1, 4 }}, func(net *testnet.Network) {
			net.CommitAll()
			x := net.Refreshed("aggregator-0")
			end := time.Now()
			closing(t, net, "aggregator", nil)
			net.Wait(time.Second)
			net.Upload("miner-0", protocol.GradientKey(window, 0), gradient(t, net, "miner-0", nil))
			g := x.Gatherer()
			g.WaitedFor = func(protocol.UID) bool { return waited }
			payloads := g.Gather(net.Context(), window, x.Directory.Peers(), x.Run.Params.UploadBounds(end), end.Add(5*time.Second))
			closed, _ := x.Aggregates().ClosingNow(net.Context(), window)
			if got := g.Reveal(net.Context(), window, payloads, closed, time.Now().Add(time.Second)); got[0].Verdict != want {
				t.Errorf("waited for: %v: %v, want %v", waited, got[0].Verdict, want)
			}
		})
	}
}

// Row 6: some stores date an object that is sent in parts by the beginning of its upload, so that it would count as in time
// whatever it holds.
func TestGradientInPartsIsUndated(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		net.CommitAll()
		x, b, body := net.Refreshed("aggregator-0"), net.Bucket("miner-0"), gradient(t, net, "miner-0", nil)
		end := time.Now()
		u, err := b.CreateUpload(net.Context(), protocol.GradientKey(window, 0))
		if err != nil {
			t.Fatal(err)
		}
		p, err := b.PutPart(net.Context(), u, 1, bytes.NewReader(body), int64(len(body)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.CompleteUpload(net.Context(), u, []store.Part{p}, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		got := x.Gatherer().Gather(net.Context(), window, x.Directory.Peers(), x.Run.Params.UploadBounds(end), end.Add(5*time.Second))
		if got[0].Verdict != protocol.VerdictUndated {
			t.Errorf("%v", got[0].Verdict)
		}
	})
}

// The first r reserves that are listed take the places of r selected peers that are not.
func TestReserves(t *testing.T) {
	peer := func(uid protocol.UID) directory.Peer {
		p := directory.Peer{}
		p.UID = uid
		return p
	}
	var c wire.Closing
	for _, uid := range []protocol.UID{1, 3, 7, 8, 9} {
		c.Listed = append(c.Listed, wire.Included{UID: uid})
	}
	selected := []directory.Peer{peer(1), peer(2), peer(3), peer(4)}
	reserves := []directory.Peer{peer(9), peer(6), peer(7), peer(8)}
	got := mailbox.Reserves(&c, selected, reserves)
	if len(got) != 2 || got[0].UID != 9 || got[1].UID != 7 {
		t.Errorf("%v", got)
	}
	if got := mailbox.Reserves(&c, selected[:1], reserves); len(got) != 0 {
		t.Errorf("no place is free: %v", got)
	}
}
