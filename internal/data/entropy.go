package data

import "math"

// UnigramEntropy is the entropy of single tokens in nats a token: the loss of a model
// that knows their frequencies and nothing of their order. It is 0 for no tokens.
func UnigramEntropy[T ~uint8 | ~uint16](tokens []T) float64 {
	var counts [1 << 16]int
	for _, t := range tokens {
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
