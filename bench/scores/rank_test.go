package scores

import (
	"fmt"
	"testing"

	"templar/internal/score"
	"templar/protocol"
)

// TestRank measures whether the rating follows the work: miners of different strength, all honest.
func TestRank(t *testing.T) {
	if *study != "rank" {
		t.Skip("a study: -study rank")
	}
	corpus, strength := book(t), []int{1, 2, 4, 4, 8, 8}
	n, last := or(*seeds, 5), or(*windows, 60)
	marks := []int{10, 20, 40, last}
	sums := make([]float64, len(marks))
	table := header("seed", "after 10 windows", "20", "40", fmt.Sprint(last), "final score, at the end")
	for seed := range uint64(n) {
		r := recorded(t, network{Name: "rank", Seed: seed + 1, Windows: last, Batches: strength}, corpus)
		books := r.books(t, rule{})
		row := []any{seed + 1}
		for i, mark := range marks {
			rank := r.rank(books[min(mark, last)-1], func(m score.Record) float64 { return m.Mu })
			sums[i] += rank / float64(n)
			row = append(row, rank)
		}
		table.add(append(row, r.rank(books[last-1], func(m score.Record) float64 { return m.Final }))...)
	}
	table.add("mean", sums[0], sums[1], sums[2], sums[3], "")
	t.Logf("rank correlation of mu with batches a window\n%s", table)
}

// rank is the rank correlation of a value in a book with the batches trained.
func (r *result) rank(b score.Book, value func(score.Record) float64) float64 {
	var batches, values []float64
	for _, m := range r.Miners {
		batches, values = append(batches, float64(m.Batches)), append(values, value(of(b, m.UID)))
	}
	return spearman(batches, values)
}

// TestHarness runs the studies' network once, small and short.
func TestHarness(t *testing.T) {
	small := func(p *protocol.Params) {
		p.Model.HiddenSize, p.Model.IntermediateSize, p.Model.Layers = 16, 32, 1
	}
	r := network{Name: "harness", Seed: 1, Windows: 3, Batches: []int{2, 1}, Mix: "lazy,noise", CheatersFirst: true, params: small}.run(t, book(t))
	if len(r.Miners) != 4 || !(r.HeldOut > 1 && r.HeldOut < 6) {
		t.Fatalf("%d miners, held-out loss %v", len(r.Miners), r.HeldOut)
	}
	r.requireTrue(t)
	for i, m := range r.Miners {
		last := r.line(2, m.UID)
		if (m.Kind != "") != (i < 2) || (last.Verdict == protocol.VerdictMissing) != (m.Kind == "lazy") || (last.Losses == nil) != (m.Kind == "lazy") {
			t.Errorf("%s: %+v", m.Name, *last)
		}
	}
}
