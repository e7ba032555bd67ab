package scores

import (
	"testing"

	"templar/protocol"
)

// mixes has each kind at least once, those that only statistics can detect most often.
var mixes = []string{
	"noise,copycat-evasive,stale,wrong-pages,huge,lazy",
	"flipped,copycat-perturbed,sybil=2,wrong-pages,nan",
	"noise,copycat,copycat-evasive,stale,honest-then-lazy,inf",
	"flipped,huge,wrong-pages,copycat-permuted,desync,early",
	"sybil=2,copycat-evasive,noise,stale,late",
	"copycat-perturbed,flipped,huge,wrong-pages,oversized,copycat",
	"noise,copycat-permuted,copycat-evasive,stale,truncated,desync",
	"sybil=2,flipped,wrong-pages,huge,wrong-signature",
	"noise,copycat,copycat-perturbed,copycat-evasive,impostor,honest-then-lazy",
	"stale,flipped,huge,wrong-pages,copycat-permuted,lazy",
}

// trio is a seed's run with adversaries, without, and with them while unpaid_evaluations is 5.
func trio(t *testing.T, seed int) (with, without, unpaid result) {
	t.Helper()
	n := network{Name: "adversaries", Seed: uint64(seed), Windows: or(*windows, 40), Small: true, Mix: mixes[(seed-1)%len(mixes)], CheatersFirst: seed%2 == 0}
	for range 8 {
		n.Batches = append(n.Batches, 2)
	}
	corpus := book(t)
	with = recorded(t, n, corpus)
	n.Name, n.params = "unpaid", leaveOut
	unpaid = recorded(t, n, corpus)
	n.Name, n.params, n.Mix = "honest", nil, ""
	return with, recorded(t, n, corpus), unpaid
}

// leaveOut keeps miners without weight off the peer list after five evaluations.
func leaveOut(p *protocol.Params) { p.UnpaidEvaluations = 5 }

// TestAdversaries measures which adversaries are detected, and how, and their effect on the model.
func TestAdversaries(t *testing.T) {
	if *study != "adversaries" {
		t.Skip("a study: -study adversaries")
	}
	var runs []result
	losses := header("seed", "adversaries", "held-out loss without", "with", "ratio", "with, unpaid_evaluations 5", "ratio")
	var ratio, left float64
	n := or(*seeds, len(mixes))
	for seed := 1; seed <= n; seed++ {
		with, without, unpaid := trio(t, seed)
		with.requireTrue(t)
		runs = append(runs, with)
		losses.add(seed, with.Mix, without.HeldOut, with.HeldOut, with.HeldOut/without.HeldOut, unpaid.HeldOut, unpaid.HeldOut/without.HeldOut)
		ratio, left = ratio+with.HeldOut/without.HeldOut/float64(n), left+unpaid.HeldOut/without.HeldOut/float64(n)
	}
	losses.add("mean", "", "", "", ratio, "", left)
	t.Logf("effect on the model\n%s", losses)
	t.Logf("detection by kind\n%s", kindsTable(t, runs, rule{}))
	t.Logf("detection by kind, described rule\n%s", kindsTable(t, runs, describedRule))
	t.Logf("other rules\n%s", rulesTable(t, runs))
	windows, reasons := wronged(runs)
	t.Logf("%d windows of honest miners: %v", windows, reasons)
}
