// Package copies finds gradients of one window that are too similar to be independent: exact
// copies, copies with other values at the same places, and partial copies.
//
// Honest gradients share coefficients too; the tests here measure how many, and the limits
// are run parameters. The comparison uses chunks that are drawn after all uploads, so that a
// copier cannot avoid them. Some chunks are compared for all pairs, in one pass over the
// positions within a chunk; the rest only for the pairs that remain suspect.
//
// All functions are pure: the same gradients and the same seed give the same copies.
package copies

import (
	"cmp"
	"slices"
	"time"

	"templar/method"
	"templar/protocol"
)

// Upload is one gradient and its origin.
type Upload struct {
	UID        protocol.UID
	Registered uint64 // block
	// Stored is the store's LastModified, in whole seconds; zero if unknown.
	Stored  time.Time
	Payload method.Payload
}

// Copy reports that one gradient is too similar to another.
type Copy struct {
	UID protocol.UID `json:"uid"`
	Of  protocol.UID `json:"of"`
	// Indices and Values are the shares of its coefficients that the other has at the same
	// place, and that it has there with nearly the same value.
	Indices float64 `json:"shared_indices"`
	Values  float64 `json:"shared_values"`
	// Blamed reports that it was stored after the other. Within one second it is unknown which
	// is the copy.
	Blamed bool `json:"blamed"`
}

// Find returns the uploads that are copies, ascending by uid, each of the first upload
// that it is similar to. The upload stored first is first; within one second, and where the
// time is unknown, the one registered first, then the lower uid.
func Find(c method.Comparer, uploads []Upload, seed protocol.Hash, p *protocol.Params) []Copy {
	order := slices.Clone(uploads)
	slices.SortStableFunc(order, precedence)
	t := screen(samples(c, order, seed))
	var out []Copy
	for i, u := range order {
		for k, first := range order[:i] {
			if !t.suspect(i, k, p) {
				continue
			}
			indices, values := t.shares(i, k)
			if indices >= p.CopyIndices || values >= p.CopyValues {
				out = append(out, Copy{
					UID: u.UID, Of: first.UID, Indices: indices, Values: values,
					Blamed: !first.Stored.IsZero() && u.Stored.After(first.Stored),
				})
				break
			}
		}
	}
	slices.SortFunc(out, func(a, b Copy) int { return cmp.Compare(a.UID, b.UID) })
	return out
}

// precedence orders uploads by their claim to be the original.
func precedence(a, b Upload) int {
	return cmp.Or(
		compareTimes(a.Stored, b.Stored), cmp.Compare(a.Registered, b.Registered), cmp.Compare(a.UID, b.UID),
	)
}

// compareTimes orders unknown times last.
func compareTimes(a, b time.Time) int {
	if a.IsZero() != b.IsZero() {
		if a.IsZero() {
			return 1
		}
		return -1
	}
	return a.Compare(b)
}
