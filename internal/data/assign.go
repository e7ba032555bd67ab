package data

import (
	"math"
	"slices"

	"templar/protocol"
)

// Assign returns the pages that a miner is to train on in a window: n different ones
// of all pages, or all when there are fewer, drawn uniformly from the hash of the
// window's first block, in the order in which they are trained on. Nobody knows them
// before that block exists.
func Assign(block protocol.Hash, uid protocol.UID, w protocol.Window, pages uint64, n int) []uint64 {
	return protocol.NewDraw("pages", block, uint64(uid), uint64(w)).Distinct(pages, n)
}

// Common returns the n pages on which validators measure all miners of a window. The
// seed is the hash of the first block after the upload deadline, so that no miner can
// train on them on purpose.
func Common(seed protocol.Hash, w protocol.Window, pages uint64, n int) []uint64 {
	return protocol.NewDraw("common pages", seed, uint64(w)).Distinct(pages, n)
}

// SampleBatches returns the indices, ascending, of the batches out of count that a
// validator evaluates: the share rate of them, rounded, and at least one.
func SampleBatches(seed protocol.Hash, count int, rate float64) []int {
	n := max(1, int(math.Round(float64(count)*rate)))
	var out []int
	for _, i := range protocol.NewDraw("batches", seed).Distinct(uint64(max(count, 0)), n) {
		out = append(out, int(i))
	}
	slices.Sort(out)
	return out
}
