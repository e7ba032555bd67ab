package bulletin_test

import (
	"slices"
	"testing"

	"templar/internal/harness/testnet"
	"templar/protocol"
	"templar/wire"
)

// When the validator with the highest stake stops selecting, the next one does, until the first
// returns.
func TestNextStakeTakesOver(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 3}, func(net *testnet.Network) {
		net.CommitAll()
		miner := net.Refreshed("miner-0").Board()
		leads := func(name string, w protocol.Window, want bool) {
			t.Helper()
			if got := net.Refreshed(name).Board().Leads(net.Context(), 3, w); got != want {
				t.Errorf("window %d: %s leads: %v", w, name, got)
			}
		}
		post := func(name string, from protocol.Window, uids ...protocol.UID) {
			t.Helper()
			if err := net.Refreshed(name).Board().PostPeers(net.Context(), wire.PeerList{Run: net.Run.Hash, EffectiveFrom: from, Peers: uids}); err != nil {
				t.Fatal(err)
			}
		}
		inForce := func(w protocol.Window, want ...protocol.UID) {
			t.Helper()
			if got, err := miner.FetchPeers(net.Context(), w); err != nil || !slices.Equal(got.Peers, want) {
				t.Errorf("window %d: %v, %v; want %v", w, got.Peers, err, want)
			}
		}
		rest := 2 * protocol.Window(net.Run.Params.PeerReplacementFrequency)
		leads("validator-0", 3, true)
		leads("validator-1", 3+rest-1, false) // it has time for its first list
		leads("validator-1", 3+rest, true)

		post("validator-0", 5, 3, 4)
		inForce(5+rest-1, 3, 4)
		leads("validator-1", 5+rest-1, false)
		leads("validator-1", 5+rest, true)
		leads("validator-2", 5+rest, true) // neither of those above it has posted
		inForce(5+rest, 3, 4)              // an old list is better than none

		net.Break("validator-0", testnet.Unreachable)
		post("validator-1", 5+rest, 4, 5)
		inForce(5+rest, 4, 5)
		leads("validator-2", 5+rest, false)
		net.Heal("validator-0")
		post("validator-0", 6+rest, 5)
		inForce(6+rest, 5)
		leads("validator-1", 6+rest, false)
	})
}
