package mailbox_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/harness/testnet"
	"templar/internal/mailbox"
	"templar/internal/model"
	"templar/internal/store/fault"
	"templar/protocol"
	"templar/wire"
)

const window = protocol.Window(7)

// gradient seals a gradient of a node after change has had its way with it.
func gradient(t *testing.T, net *testnet.Network, node string, change func(*wire.Gradient)) []byte {
	t.Helper()
	n := net.Node(node)
	body, err := net.Run.Method.Encode(model.Init(net.Run.Params.Model, uint64(n.UID)))
	if err != nil {
		t.Fatal(err)
	}
	g := &wire.Gradient{Run: net.Run.Hash, Window: window, UID: n.UID, Hotkey: n.Signer.Hotkey(), Pages: []uint64{1}, Tokens: 64, Body: body.Bytes()}
	if change != nil {
		change(g)
	}
	return net.Seal(node, g, wire.GradientKey{1})
}

// slow is a store that takes its time and then answers.
func slow(d time.Duration) testnet.Fault {
	return func(ctx context.Context) error { return clock.Wall{}.Sleep(ctx, d) }
}

// One odd miner between two honest ones: its verdict is exact, and theirs is ok.
func TestGather(t *testing.T) {
	const odd = "miner-1"
	put := func(change func(*wire.Gradient)) func(*testing.T, *testnet.Network) {
		return func(t *testing.T, net *testnet.Network) {
			net.Upload(odd, protocol.GradientKey(window, net.Node(odd).UID), gradient(t, net, odd, change))
		}
	}
	raw := func(change func([]byte) []byte) func(*testing.T, *testnet.Network) {
		return func(t *testing.T, net *testnet.Network) {
			net.Upload(odd, protocol.GradientKey(window, net.Node(odd).UID), change(gradient(t, net, odd, nil)))
		}
	}
	broken := func(f testnet.Fault) func(*testing.T, *testnet.Network) {
		return func(t *testing.T, net *testnet.Network) {
			put(nil)(t, net)
			net.Break(odd, f)
		}
	}
	nothing := func(*testing.T, *testnet.Network) {}
	for name, c := range map[string]struct {
		store func(*testing.T, *testnet.Network) // what the odd miner does
		after time.Duration                      // T; zero means a second
		want  protocol.Verdict
	}{
		"in time":       {store: put(nil), want: protocol.VerdictOK},
		"just in time":  {store: put(nil), after: 2 * time.Second, want: protocol.VerdictOK},
		"early":         {store: put(nil), after: -3 * time.Second, want: protocol.VerdictEarly},
		"not too early": {store: put(nil), after: -2 * time.Second, want: protocol.VerdictOK},
		"late":          {store: put(nil), after: 3 * time.Second, want: protocol.VerdictLate},
		"missing":       {store: nothing, want: protocol.VerdictMissing},
		"too large":     {store: raw(func(b []byte) []byte { return append(b, make([]byte, 1<<20)...) }), want: protocol.VerdictTooLarge},
		"left over":     {store: raw(func(b []byte) []byte { return append(b, 0) }), want: protocol.VerdictMalformed},
		"cut short":     {store: raw(func(b []byte) []byte { return b[:len(b)-1] }), want: protocol.VerdictMalformed},
		"empty":         {store: raw(func(b []byte) []byte { return nil }), want: protocol.VerdictMalformed},
		"bad signature": {store: raw(func(b []byte) []byte { b[wire.GradientHeaderSize-10] ^= 1; return b }), want: protocol.VerdictBadSignature},
		"wrong version": {store: raw(func(b []byte) []byte { b[4]++; return b }), want: protocol.VerdictWrongVersion},
		"wrong window":  {store: put(func(g *wire.Gradient) { g.Window-- }), want: protocol.VerdictWrongContext},
		"wrong uid":     {store: put(func(g *wire.Gradient) { g.UID++ }), want: protocol.VerdictWrongContext},
		"wrong run":     {store: put(func(g *wire.Gradient) { g.Run[0]++ }), want: protocol.VerdictWrongContext},
		"another's": {store: func(t *testing.T, net *testnet.Network) {
			net.Upload(odd, protocol.GradientKey(window, net.Node(odd).UID), gradient(t, net, "miner-0", nil))
		}, want: protocol.VerdictWrongContext},
		"denied":      {store: broken(testnet.Denied), want: protocol.VerdictDenied},
		"unknown key": {store: broken(testnet.Unauthenticated), want: protocol.VerdictUnauthenticated},
		"unreachable": {store: broken(testnet.Unreachable), want: protocol.VerdictUnreachable},
		"hanging":     {store: broken(testnet.Hanging), want: protocol.VerdictUnreachable},
		"slow":        {store: broken(slow(900 * time.Millisecond)), want: protocol.VerdictOK},
		"too slow":    {store: broken(slow(5 * time.Second)), want: protocol.VerdictUnreachable},
		"no bucket": {store: func(t *testing.T, net *testnet.Network) {
			net.Commit(odd, []byte("nothing"))
		}, want: protocol.VerdictNoBucket},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 3}, func(net *testnet.Network) {
				net.CommitAll()
				end := time.Now().Add(10 * time.Second) // T
				at := func(d time.Duration) { net.Wait(time.Until(end.Add(d))) }
				if c.after == 0 {
					c.after = time.Second
				}
				honest := func() {
					for _, name := range []string{"miner-0", "miner-2"} {
						net.Upload(name, protocol.GradientKey(window, net.Node(name).UID), gradient(t, net, name, nil))
					}
				}
				if c.after < 0 {
					at(c.after)
					c.store(t, net)
				}
				at(0)
				honest()
				if c.after > 0 {
					at(c.after)
					c.store(t, net)
				}
				at(3 * time.Second)
				requireVerdicts(t, net, end, c.want)
			})
		})
	}
}

func requireVerdicts(t *testing.T, net *testnet.Network, end time.Time, want protocol.Verdict) {
	t.Helper()
	x := net.Refreshed("aggregator-0")
	deadline := time.Now().Add(x.Run.Params.Gather())
	got := x.Gatherer().Gather(net.Context(), window, x.Directory.Peers(), x.Run.Params.UploadBounds(end), deadline)
	if time.Now().After(deadline) {
		t.Errorf("the gather took until %v past its deadline", time.Since(deadline))
	}
	if len(got) != 3 || got[0].Peer.UID != 0 || got[1].Peer.UID != 1 || got[2].Peer.UID != 2 {
		t.Fatalf("%d payloads, want one a peer and in their order", len(got))
	}
	for i, want := range []protocol.Verdict{protocol.VerdictOK, want, protocol.VerdictOK} {
		if got[i].Verdict != want {
			t.Errorf("uid %d: %v, want %v", i, got[i].Verdict, want)
		}
		if ok := got[i].Verdict.OK(); ok != (got[i].Raw != nil) || (ok && got[i].Content != wire.GradientHash(got[i].Raw)) {
			t.Errorf("uid %d: %v, but its payload is %+v", i, got[i].Verdict, got[i])
		}
	}
	ok, skipped := mailbox.Usable(got)
	if len(ok)+len(skipped) != 3 || (!want.OK() && !slices.Contains(skipped, wire.Skipped{UID: 1, Verdict: want})) {
		t.Errorf("usable %v, skipped %v", len(ok), skipped)
	}
}

// A missing object may still come: the gather waits for it until the upload deadline,
// and takes a store that comes back.
func TestGatherWaits(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2}, func(net *testnet.Network) {
		net.CommitAll()
		x := net.Refreshed("aggregator-0")
		end := time.Now()
		net.Break("miner-1", testnet.Unreachable)
		go func() {
			time.Sleep(1500 * time.Millisecond)
			for _, name := range []string{"miner-0", "miner-1"} {
				net.Upload(name, protocol.GradientKey(window, net.Node(name).UID), gradient(t, net, name, nil))
			}
			net.Heal("miner-1")
		}()
		got := x.Gatherer().Gather(net.Context(), window, x.Directory.Peers(), x.Run.Params.UploadBounds(end), end.Add(5*time.Second))
		for _, p := range got {
			if !p.Verdict.OK() {
				t.Errorf("uid %d: %v", p.Peer.UID, p.Verdict)
			}
		}
		if took := time.Since(end); took > 2*time.Second {
			t.Errorf("took %v for what was there after 1.5 s", took)
		}
	})
}

// What was damaged on the way once is asked for again; what is damaged stays malformed.
func TestGatherDoubtsDamage(t *testing.T) {
	for name, c := range map[string]struct {
		tries int
		want  protocol.Verdict
	}{
		"once":   {1, protocol.VerdictOK},
		"always": {100, protocol.VerdictMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
				net.CommitAll()
				x := net.Refreshed("aggregator-0")
				net.Upload("miner-0", protocol.GradientKey(window, 0), gradient(t, net, "miner-0", nil))
				gets := 0
				peer := x.Directory.Peers()[0]
				peer.Bucket = fault.Wrap(net.Bucket("miner-0"), clock.Wall{}, func(op fault.Op) fault.Fault {
					if gets++; op.Try > c.tries {
						return fault.Fault{}
					}
					return fault.Fault{Damage: fault.Corrupt, At: 300}
				})
				end := time.Now()
				got := x.Gatherer().Gather(net.Context(), window, []directory.Peer{peer}, x.Run.Params.UploadBounds(end), end.Add(5*time.Second))
				if got[0].Verdict != c.want || gets != 2 {
					t.Errorf("%v after %d requests, want %v after 2", got[0].Verdict, gets, c.want)
				}
			})
		})
	}
}
