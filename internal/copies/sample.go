package copies

import (
	"templar/method"
	"templar/protocol"
)

// sample is one payload's part of the sampled chunks.
type sample struct {
	chunks []method.Chunk
	count  int // coefficients in all of them
}

// samples takes the same chunks out of every payload.
func samples(c method.Comparer, uploads []Upload, seed protocol.Hash) []sample {
	payloads := make([]method.Payload, len(uploads))
	for i, u := range uploads {
		payloads[i] = u.Payload
	}
	out := make([]sample, len(uploads))
	for i, chunks := range c.Sample(payloads, seed) {
		out[i].chunks = chunks
		for _, ch := range chunks {
			out[i].count += len(ch.Index)
		}
	}
	return out
}
