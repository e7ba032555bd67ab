package score

import "math"

// maxStepsBehind is the distance at which the sync score reaches zero.
const maxStepsBehind = 5

// Improvement returns the relative improvement (before - after)/before of a loss,
// clamped to [-1, 1]: a loss that at least doubles, or is not a number afterwards, gives -1.
// ok is false when before is not a positive number: then our own measurement failed and the
// miner is not judged.
func Improvement(before, after float64) (r float64, ok bool) {
	if !(before > 0) || math.IsInf(before, 1) {
		return 0, false
	}
	if math.IsNaN(after) {
		return -1, true
	}
	return min(max((before-after)/before, -1), 1), true
}

// Indicator is +1 for a gradient that improves the miner's own pages more than the
// shared ones, as training on the assigned pages does, else -1.
func Indicator(own, random float64) float64 {
	if own > random {
		return 1
	}
	return -1
}

// Compare measures the distance of two nodes' values of the same parameters.
func Compare(ours, theirs []float32, lr float64) Distance {
	sum, squares := 0.0, 0.0
	for i := range ours {
		d := math.Abs(float64(ours[i]) - float64(theirs[i]))
		sum += d
		squares += d * d
	}
	mean := sum / float64(len(ours))
	return Distance{L2: Number(math.Sqrt(squares)), MeanAbs: Number(mean), StepsBehind: Number(mean / lr)}
}

// SyncScore is (1 - x/5)^2.5 with x = min(steps, 5), where steps is the mean absolute
// difference between two nodes' parameters in units of the learning rate. What is
// not a distance (NaN, negative) scores zero.
func SyncScore(steps float64) float64 {
	if !(steps >= 0) {
		return 0
	}
	return math.Pow(1-min(steps, maxStepsBehind)/maxStepsBehind, 2.5)
}

// Final is ordinal * max(0, binary average) * sync score.
func Final(ordinal, binaryAverage, syncScore float64) float64 {
	if binaryAverage <= 0 || syncScore <= 0 {
		return 0
	}
	return ordinal * binaryAverage * syncScore
}
