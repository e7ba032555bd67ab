package scores

import "testing"

// TestCopied measures which of two miners that store the same gradient in the same second is rated,
// when the copier registered first: the five windows in which its victim is a newcomer.
func TestCopied(t *testing.T) {
	if *study != "copied" {
		t.Skip("a study: -study copied")
	}
	r := recorded(t, network{
		Name: "copied", Seed: 1, Windows: or(*windows, 5), Small: true, CheatersFirst: true, Batches: []int{2, 2, 2, 2}, Mix: "copycat",
	}, book(t))
	out := header("rule", "miner", "evaluations", "ordinal", "binary average", "weight")
	for _, by := range rules {
		if by.observe == nil && by.name != describedRule.name {
			continue
		}
		books := r.books(t, by)
		end := books[len(books)-1]
		for _, m := range r.Miners[:2] { // the copier, and whom it copies
			x := of(end, m.UID)
			out.add(by.name, m.Name, x.Evaluations, x.Ordinal(), x.BinaryAverage, onChain(end, m.UID, by.power()).Share)
		}
	}
	t.Logf("after %d windows\n%s", r.Windows, out)
}
