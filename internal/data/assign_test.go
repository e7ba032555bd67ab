package data

import (
	"math"
	"slices"
	"testing"

	"templar/internal/engine"
	"templar/protocol"
)

func TestAssignmentsArePinned(t *testing.T) {
	for name, c := range map[string]struct{ got, want []uint64 }{
		"assigned": {Assign(protocol.Hash{1}, 7, 100, 1000, 4), []uint64{268, 912, 989, 358}},
		"common":   {Common(protocol.Hash{1}, 100, 1000, 4), []uint64{998, 70, 57, 195}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if got := SampleBatches(protocol.Hash{1}, 40, 0.1); !slices.Equal(got, []int{1, 5, 16, 35}) {
		t.Errorf("batches: %v", got)
	}
}

// Over many windows every page is trained on about equally often, and two miners
// share about as many pages as chance has it.
func TestAssignIsBalanced(t *testing.T) {
	const pages, miners, windows, n = 97, 5, 400, 6
	var counts [pages]float64
	shared := 0
	for w := range protocol.Window(windows) {
		var first []uint64
		for uid := range protocol.UID(miners) {
			ids := Assign(protocol.Hash{byte(w), byte(w >> 8)}, uid, w, pages, n)
			if len(ids) != n {
				t.Fatalf("%d pages, want %d", len(ids), n)
			}
			for i, id := range ids {
				if id >= pages || slices.Contains(ids[:i], id) {
					t.Fatalf("pages %v: out of range or twice", ids)
				}
				counts[id]++
				if uid == 1 && slices.Contains(first, id) {
					shared++
				}
			}
			if uid == 0 {
				first = ids
			}
		}
	}
	const want = float64(miners*windows*n) / pages
	chi := 0.0
	for _, c := range counts {
		chi += (c - want) * (c - want) / want
	}
	if chi > 144.6 { // 96 degrees of freedom, p = 0.001
		t.Errorf("chi-square %.1f", chi)
	}
	if mean := float64(windows*n*n) / pages; math.Abs(float64(shared)-mean) > 4*math.Sqrt(mean) {
		t.Errorf("two miners shared %d pages, chance has %.0f", shared, mean)
	}
}

func TestAssignDependsOnEverything(t *testing.T) {
	base := Assign(protocol.Hash{1}, 1, 1, 1<<40, 3)
	for name, other := range map[string][]uint64{
		"block": Assign(protocol.Hash{2}, 1, 1, 1<<40, 3), "uid": Assign(protocol.Hash{1}, 2, 1, 1<<40, 3),
		"window": Assign(protocol.Hash{1}, 1, 2, 1<<40, 3), "purpose": Common(protocol.Hash{1}, 1, 1<<40, 3),
	} {
		if slices.Equal(base, other) {
			t.Errorf("another %s gives the same pages", name)
		}
	}
	if got := Assign(protocol.Hash{1}, 1, 1, 3, 6); len(got) != 3 {
		t.Errorf("of 3 pages: %v", got)
	}
}

func TestSampleBatches(t *testing.T) {
	for _, c := range []struct {
		count int
		rate  float64
		want  int
	}{{0, 0.5, 0}, {-1, 0.5, 0}, {1, 0, 1}, {6, 0.1, 1}, {10, 0.3, 3}, {30, 0.1, 3}, {6, 0.5, 3}, {6, 1, 6}, {6, 9, 6}} {
		got := SampleBatches(protocol.Hash{1}, c.count, c.rate)
		if len(got) != c.want || !slices.IsSorted(got) || len(got) > 0 && got[len(got)-1] >= c.count {
			t.Errorf("SampleBatches(%d, %v) = %v, want %d of them", c.count, c.rate, got, c.want)
		}
	}
}

// Every position of a page stands in exactly one batch, in order, with its target.
func TestBatchesUseEveryToken(t *testing.T) {
	for n := range 60 {
		page := make([]int32, n)
		for i := range page {
			page[i] = int32(1000 + i)
		}
		var inputs, targets []int32
		batches := Batches(page, 4, 3)
		for i, b := range batches {
			if b.Cols != 4 || b.Rows < 1 || b.Rows > 3 || i < len(batches)-1 && b.Rows != 3 || len(b.Inputs) != b.Rows*b.Cols || len(b.Targets) != len(b.Inputs) {
				t.Fatalf("%d tokens: batch %d is %+v", n, i, b)
			}
			for k, target := range b.Targets {
				if target != engine.Ignore {
					inputs, targets = append(inputs, b.Inputs[k]), append(targets, target)
				}
			}
		}
		if len(targets) != max(0, n-1) {
			t.Fatalf("%d tokens give %d positions", n, len(targets))
		}
		for i := range targets {
			if inputs[i] != int32(1000+i) || targets[i] != inputs[i]+1 {
				t.Fatalf("%d tokens: position %d has %d and target %d", n, i, inputs[i], targets[i])
			}
		}
	}
	if Batches([]int32{1, 2}, 0, 1) != nil || Batches([]int32{1, 2}, 1, 0) != nil {
		t.Error("a batch without rows or columns")
	}
}

func TestDatasetBatches(t *testing.T) {
	_, d := build(t, newBucket())
	p := protocol.Default()
	p.PageTokens, p.SequenceLength, p.BatchSize = 16, 4, 3
	batches, err := d.Batches(t.Context(), []uint64{0, 5}, &p)
	if err != nil || len(batches) != 4 || batches[0].Rows != 3 || batches[1].Rows != 1 {
		t.Fatalf("%d batches, %v", len(batches), err)
	}
	page, _ := d.Page(t.Context(), 5, 16)
	if batches[2].Inputs[0] != page[0] {
		t.Error("the second page's batches do not begin with it")
	}
	if _, err := d.Batches(t.Context(), []uint64{1 << 40}, &p); err == nil {
		t.Error("a page that is not there gave batches")
	}
}
