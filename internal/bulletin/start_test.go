package bulletin_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"templar/internal/bulletin"
	"templar/internal/directory"
	"templar/internal/harness/testnet"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

const window = protocol.Window(7)

func uids(peers []directory.Peer) (out []protocol.UID) {
	for _, p := range peers {
		out = append(out, p.UID)
	}
	return out
}

func start(net *testnet.Network) wire.StartWindow {
	return wire.StartWindow{Run: net.Run.Hash, StartWindow: 3, StateHash: protocol.Hash{1}}
}

// seal signs a document as a node.
func seal(t *testing.T, net *testnet.Network, node, domain string, payload any) []byte {
	t.Helper()
	b, err := wire.Seal(domain, payload, net.Node(node).Signer)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The announcement of more than half of the stake counts, whichever validators made it. Of four
// validators the stakes are 4000 (the lead), 3000, 2000 and 1000.
func TestMajorityStarts(t *testing.T) {
	rewritten := func(net *testnet.Network) wire.StartWindow {
		s := start(net)
		s.StartWindow = 90
		return s
	}
	chosen := func(net *testnet.Network) wire.StartWindow {
		s := start(net)
		s.StateHash = protocol.Hash{66}
		return s
	}
	foreign := func(net *testnet.Network) wire.StartWindow {
		s := start(net)
		s.Run[0]++
		return s
	}
	type says = func(*testnet.Network) wire.StartWindow
	for name, c := range map[string]struct {
		says   [4]says // by the validators
		broken testnet.Fault
		forged bool // the second's is signed by another
		err    error
	}{
		"none":                        {err: bulletin.ErrNotAnnounced},
		"the lead alone":              {says: [4]says{start}, err: bulletin.ErrNotAnnounced},
		"the lead and the next":       {says: [4]says{start, start}},
		"all but the lead":            {says: [4]says{nil, start, start, start}},
		"exactly half":                {says: [4]says{start, nil, nil, start}, err: bulletin.ErrNotAnnounced},
		"the lead rewrites it":        {says: [4]says{rewritten, start, start, start}},
		"the lead chooses theta_0":    {says: [4]says{chosen, start, start, start}},
		"the lead's run is another":   {says: [4]says{foreign, start, start, start}},
		"most have another run":       {says: [4]says{foreign, foreign, start, start}, err: bulletin.ErrOtherRun},
		"a forged one does not count": {says: [4]says{nil, start, start, start}, forged: true, err: bulletin.ErrNotAnnounced},
		"the lead is away":            {says: [4]says{start, start, start, start}, broken: testnet.Unreachable},
		"the lead hangs":              {says: [4]says{start, start, start, start}, broken: testnet.Hanging},
		"the majority is away":        {says: [4]says{start, start}, broken: testnet.Unreachable, err: bulletin.ErrNotAnnounced},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 1, Validators: 4}, func(net *testnet.Network) {
				net.CommitAll()
				for i, s := range c.says {
					if s == nil {
						continue
					}
					bucket := fmt.Sprintf("validator-%d", i)
					by := bucket
					if c.forged && i == 1 {
						by = "validator-0"
					}
					net.Upload(bucket, protocol.StartWindowKey(), seal(t, net, by, wire.DomainStartWindow, s(net)))
				}
				if c.broken != nil {
					net.Break("validator-0", c.broken)
				}
				s, err := net.Refreshed("miner-0").Board().Start(net.Context())
				if !errors.Is(err, c.err) || (err == nil && s != start(net)) {
					t.Errorf("%+v, %v; want %v", s, err, c.err)
				}
			})
		})
	}
}

// A run that most of the stake announced in another protocol version is refused, and the message names both
// versions; a minority of validators, and odd keys, refuse nothing.
func TestOtherVersionIsRefused(t *testing.T) {
	old := fmt.Sprintf("start_window_v%d.json", protocol.Version+1)
	for name, c := range map[string]struct {
		uploads map[string]string // by validator
		err     error
		version int
	}{
		"most":        {map[string]string{"validator-0": old, "validator-1": old}, bulletin.ErrOtherRun, protocol.Version + 1},
		"the lead":    {map[string]string{"validator-0": old}, bulletin.ErrNotAnnounced, 0},
		"no versions": {map[string]string{"validator-0": "start_window_v07.json", "validator-1": "start_window_v-1.json"}, bulletin.ErrNotAnnounced, 0},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 1, Validators: 4}, func(net *testnet.Network) {
				net.CommitAll()
				for node, key := range c.uploads {
					net.Upload(node, key, []byte("of another version"))
				}
				_, err := net.Refreshed("miner-0").Board().Start(net.Context())
				var other *bulletin.OtherVersionError
				if !errors.Is(err, c.err) || errors.As(err, &other) != (c.version != 0) || (other != nil && other.Version != c.version) {
					t.Errorf("%v; want %v", err, c.err)
				}
			})
		})
	}
}

// What a node has accepted stands, even if every validator announces something else later; a run that
// the parameters start needs no announcement.
func TestStartIsPinned(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
		net.CommitAll()
		post := func(w protocol.Window) {
			s := start(net)
			s.StartWindow = w
			net.Upload("validator-0", protocol.StartWindowKey(), seal(t, net, "validator-0", wire.DomainStartWindow, s))
		}
		for _, w := range []protocol.Window{3, 50} {
			post(w)
			got, err := net.Refreshed("miner-0").Board().Start(net.Context())
			if err != nil || got.StartWindow != 3 {
				t.Errorf("window %d announced: %+v, %v", w, got, err)
			}
		}
		if got, err := net.Refreshed("aggregator-0").Board().Start(net.Context()); err != nil || got.StartWindow != 50 {
			t.Errorf("a node that joins later: %+v, %v", got, err)
		}
	})
	fixed := func(p *protocol.Params) { p.StartWindow, p.Theta0 = 8, protocol.Hash{7} }
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1, Params: fixed}, func(net *testnet.Network) {
		got, err := net.Refreshed("miner-0").Board().Start(net.Context())
		if err != nil || got.StartWindow != 8 || got.StateHash != (protocol.Hash{7}) {
			t.Errorf("%+v, %v; want what the run parameters say", got, err)
		}
	})
}

func TestSelected(t *testing.T) {
	list := func(net *testnet.Network, from protocol.Window, peers ...protocol.UID) wire.PeerList {
		return wire.PeerList{Run: net.Run.Hash, EffectiveFrom: from, Peers: peers}
	}
	post := func(by string, from protocol.Window, peers ...protocol.UID) func(*testing.T, *testnet.Network) {
		return func(t *testing.T, net *testnet.Network) {
			net.Upload("validator-0", protocol.PeersKey(from), seal(t, net, by, wire.DomainPeers, list(net, from, peers...)))
		}
	}
	bootstrap := []protocol.UID{2, 3, 4} // miner-0 to miner-2 of four
	for name, c := range map[string]struct {
		setup func(*testing.T, *testnet.Network)
		all   bool
		only  []protocol.UID
		want  []protocol.UID
		fails bool
	}{
		"no list":          {want: bootstrap},
		"the list":         {setup: post("validator-0", 5, 3, 4), want: []protocol.UID{3, 4}},
		"not yet in force": {setup: post("validator-0", 8, 3, 4), want: bootstrap},
		"unknown peers":    {setup: post("validator-0", 5, 0, 3, 99), want: []protocol.UID{3}}, // 0 is a validator
		"another's":        {setup: post("validator-1", 5, 3), want: bootstrap, fails: true},
		"too long":         {setup: post("validator-0", 5, 2, 3, 4, 5), want: bootstrap, fails: true},
		"the lead is away": {setup: func(_ *testing.T, net *testnet.Network) { net.Break("validator-0", testnet.Unreachable) }, want: bootstrap, fails: true},
		"the lead hangs":   {setup: func(_ *testing.T, net *testnet.Network) { net.Break("validator-0", testnet.Hanging) }, want: bootstrap, fails: true},
		"all (--test)":     {setup: post("validator-0", 5, 3), all: true, want: []protocol.UID{2, 3, 4, 5}},
		"only some":        {setup: post("validator-0", 5, 3), only: []protocol.UID{5, 77}, want: []protocol.UID{5}},
		"another window's": {setup: misplaced, want: bootstrap, fails: true},
		"the newest cannot be read": {setup: func(t *testing.T, net *testnet.Network) {
			post("validator-0", 4, 2)(t, net)
			net.Upload("validator-0", protocol.PeersKey(6), []byte("{}"))
		}, want: []protocol.UID{2}},
		"the two newest cannot": {setup: func(t *testing.T, net *testnet.Network) {
			post("validator-0", 4, 2)(t, net)
			net.Upload("validator-0", protocol.PeersKey(5), []byte("{}"))
			net.Upload("validator-0", protocol.PeersKey(6), []byte("{}"))
		}, want: bootstrap, fails: true},
		"the newest counts": {setup: func(t *testing.T, net *testnet.Network) {
			post("validator-0", 4, 2)(t, net)
			post("validator-0", 6, 3)(t, net)
		}, want: []protocol.UID{3}},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 4, Validators: 2, Params: func(p *protocol.Params) { p.MaxTopKPeers = 3 }}, func(net *testnet.Network) {
				net.CommitAll()
				if c.setup != nil {
					c.setup(t, net)
				}
				got, err := net.Refreshed("aggregator-0").Board().Lineup(net.Context(), window, c.all, c.only)
				if !slices.Equal(uids(got.Peers), c.want) || (err != nil) != c.fails {
					t.Errorf("%v, %v; want %v", uids(got.Peers), err, c.want)
				}
			})
		})
	}
}

// A list that was read once is used until its successor is overdue, even if the lead validator
// fails meanwhile.
func TestSelectedRemembers(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 1}, func(net *testnet.Network) {
		net.CommitAll()
		x, lead := net.Refreshed("aggregator-0").Board(), net.Node("validator-0").Parts().Board()
		list := wire.PeerList{Run: net.Run.Hash, EffectiveFrom: 5, Peers: []protocol.UID{2, 3}}
		if err := lead.PostPeers(net.Context(), list); err != nil {
			t.Fatal(err)
		}
		select5 := func(w protocol.Window, want []protocol.UID, fails bool) {
			t.Helper()
			if got, err := x.Lineup(net.Context(), w, false, nil); !slices.Equal(uids(got.Peers), want) || (err != nil) != fails {
				t.Errorf("window %d: %v, %v; want %v", w, uids(got.Peers), err, want)
			}
		}
		select5(6, list.Peers, false)
		net.Break("validator-0", testnet.Unreachable)
		select5(7, list.Peers, true)
		select5(4, []protocol.UID{1, 2, 3}, true) // it was not in force yet
		net.Heal("validator-0")
		if err := net.Bucket("validator-0").Delete(net.Context(), protocol.PeersKey(5)); err != nil {
			t.Fatal(err)
		}
		select5(9, list.Peers, false)
		select5(10, []protocol.UID{1, 2, 3}, false) // by now there should be another
	})
}

// A list is posted once and not replaced, unless it is another run's.
func TestPostPeersOnce(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
		net.CommitAll()
		x := net.Refreshed("validator-0").Board()
		list := wire.PeerList{Run: net.Run.Hash, EffectiveFrom: 5, Peers: []protocol.UID{1}}
		for name, c := range map[string]struct {
			before wire.PeerList
			stands bool
		}{
			"ours":          {list, true},
			"another run's": {wire.PeerList{Run: protocol.Hash{9}, EffectiveFrom: 5}, false},
		} {
			net.Upload("validator-0", protocol.PeersKey(5), seal(t, net, "validator-0", wire.DomainPeers, c.before))
			other := list
			other.Peers = []protocol.UID{2}
			err := x.PostPeers(net.Context(), other)
			got, _ := x.FetchPeers(net.Context(), 5)
			if errors.Is(err, store.ErrExists) != c.stands || (!c.stands && err != nil) || slices.Equal(got.Peers, list.Peers) != c.stands {
				t.Errorf("over %s: %v, and %v stands", name, err, got.Peers)
			}
		}
	})
}

// misplaced is a list stored under another window than it names.
func misplaced(t *testing.T, net *testnet.Network) {
	l := wire.PeerList{Run: net.Run.Hash, EffectiveFrom: 4, Peers: []protocol.UID{3}}
	net.Upload("validator-0", protocol.PeersKey(5), seal(t, net, "validator-0", wire.DomainPeers, l))
}
