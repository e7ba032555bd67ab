package scores

import (
	"fmt"
	"testing"
)

// TestHarm measures the effect on the model when all adversaries act in the same direction, and the
// benefit of leaving unpaid miners out of the peer list.
func TestHarm(t *testing.T) {
	if *study != "harm" {
		t.Skip("a study: -study harm")
	}
	corpus, out := book(t), header("seed", "honest alone", "and six flipped", "ratio", "with unpaid_evaluations 5", "ratio")
	for seed := 1; seed <= or(*seeds, 3); seed++ {
		n := network{Name: "honest", Seed: uint64(seed), Windows: or(*windows, 40), Small: true, CheatersFirst: seed%2 == 0, Batches: []int{2, 2, 2, 2, 2, 2, 2, 2}}
		alone := recorded(t, n, corpus).HeldOut
		n.Name, n.Mix = "harm", "flipped=6"
		all := recorded(t, n, corpus).HeldOut
		n.Name, n.params = "harm-unpaid", leaveOut
		paid := recorded(t, n, corpus).HeldOut
		out.add(seed, alone, all, all/alone, paid, paid/alone)
	}
	t.Log("held-out loss\n" + fmt.Sprint(out))
}
