package cometbft

import (
	"fmt"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
)

func ids(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%040x", i))
	}
	return all
}

// Nodes of strangers cannot take the places of authorities, neither with many ids nor with many
// connections of one host or prefix.
func TestStrangersTakeNoPlaceOfAnAuthority(t *testing.T) {
	all := ids(100)
	g := newGate(Network{Listen: "0.0.0.0:26656", Peers: []string{all[99] + "@203.0.113.7:26656", all[98] + "@[2001:db8:7::7]:26656"}})
	a := begun(t)
	a.gate = g
	connected := []string{}
	g.connected = func() []string { return connected }
	admits := func(path string) bool {
		r, err := a.Query(t.Context(), &abci.RequestQuery{Path: path})
		return err == nil && r.IsOK()
	}
	for _, id := range all[:98] {
		if admits(queryPeerID + id) {
			connected = append(connected, id)
		}
	}
	if len(connected) != maxStrangers {
		t.Errorf("%d strangers are connected, want %d", len(connected), maxStrangers)
	}
	if !admits(queryPeerID+all[99]) || !admits(queryPeerID+all[98]) {
		t.Error("an authority found no place")
	}
	for name, at := range map[string]func(i int) string{
		"one host":   func(i int) string { return fmt.Sprintf("198.51.100.1:%d", i+1) },
		"one prefix": func(i int) string { return fmt.Sprintf("[2001:db8:1:1::%x]:1", i+1) },
	} {
		n := 0
		for i := range 1000 {
			if admits(queryPeerAddress + at(i)) {
				n++
			}
		}
		if n != connectBurst {
			t.Errorf("%s: %d connections, want %d", name, n, connectBurst)
		}
	}
	for range 100 {
		if !admits(queryPeerAddress+"203.0.113.7:999") || !admits(queryPeerAddress+"[2001:db8:7::8]:1") {
			t.Fatal("an authority may not reconnect")
		}
	}
	g.closed = true
	if connected = nil; admits(queryPeerID+all[0]) || !admits(queryPeerID+all[99]) {
		t.Error("a closed node admits others than its peers, or not these")
	}
}
