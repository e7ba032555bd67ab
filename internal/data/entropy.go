package data

import "math"

// UnigramEntropy is the entropy of single tokens in nats a token: the loss of a model
// that knows their frequencies and nothing of their order. It is 0 for no
// tokens, which must not be negative.
func UnigramEntropy[T ~uint8 | ~int32](tokens []T) float64 {
	var counts []int
	for _, t := range tokens {
		for int(t) >= len(counts) {
			counts = append(counts, 0)
		}
		counts[t]++
	}
	h, n := 0.0, float64(len(tokens))
	for _, c := range counts {
		if c > 0 {
			p := float64(c) / n
			h -= p * math.Log(p)
		}
	}
	return h
}
