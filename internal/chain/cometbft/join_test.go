package cometbft_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"templar/internal/chain/cometbft"
	"templar/internal/chain/ledger/ledgertest"
)

// join makes the folder of a node that follows the network.
func (n *network) join(home string) {
	n.t.Helper()
	var peers []string
	for i := range n.homes {
		id, err := cometbft.Keys(n.homes[i])
		if err != nil {
			n.t.Fatal(err)
		}
		peers = append(peers, id.Node+"@"+n.listen[i])
	}
	if err := cometbft.Join(home, genesisFile(n.t, n.homes[0]), cometbft.Network{Listen: freeAddress(n.t), Peers: peers}); err != nil {
		n.t.Fatal(err)
	}
}

func genesisFile(t *testing.T, home string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(home, "config", "genesis.json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Separate operators form a chain: each sends its key to the author of the genesis.
func TestCeremony(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	a, err := cometbft.Keys(first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := cometbft.Keys(second)
	if err != nil {
		t.Fatal(err)
	}
	g, _ := ledgertest.Genesis(t)
	if err := cometbft.Init(first, g, a.Authority, b.Authority); err != nil {
		t.Fatal(err)
	}
	genesis := genesisFile(t, first)
	n := cometbft.Network{Listen: freeAddress(t), Peers: []string{a.Node + "@127.0.0.1:1"}}
	for range 2 { // the second time changes nothing
		if err := cometbft.Join(second, genesis, n); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := cometbft.Keys(second); err != nil || again != b {
		t.Errorf("the keys changed: %v, %v", again, err)
	}
	one, _ := cometbft.ReadGenesisHash(first)
	two, err := cometbft.ReadGenesisHash(second)
	if err != nil || one != two || one == "" {
		t.Errorf("genesis %s and %s, %v", one, two, err)
	}
	if err := cometbft.Join(initHome(t, g), genesis, n); !errors.Is(err, cometbft.ErrOtherGenesis) {
		t.Errorf("joined with the folder of another chain: %v", err)
	}
}

func TestJoinRefuses(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	genesis := genesisFile(t, initHome(t, g))
	for want, c := range map[string]struct {
		genesis []byte
		network cometbft.Network
	}{
		"genesis":        {[]byte("{}"), cometbft.Network{}},
		"listen address": {genesis, cometbft.Network{Listen: "x"}},
		"id@host:port":   {genesis, cometbft.Network{Listen: "127.0.0.1:1", Peers: []string{"127.0.0.1:2"}}},
	} {
		if err := cometbft.Join(t.TempDir(), c.genesis, c.network); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error about %s", err, want)
		}
	}
	if err := cometbft.Init(t.TempDir(), g, "abc"); err == nil || !strings.Contains(err.Error(), "64 hexadecimal") {
		t.Errorf("init with a broken key: %v", err)
	}
}
