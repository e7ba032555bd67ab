// Package copies finds gradients of one window that are too much alike to have been made
// apart: exact copies, copies with other values at the same places, and copies of a part.
//
// Honest gradients share coefficients too, the more so the more the model wants one
// thing; how many is measured by the tests here, and the limits are run parameters. The
// comparison looks at chunks that are drawn after all uploads are in, so that nobody can
// spare just those: at some of them for all pairs in one pass over the positions within
// a chunk, and at the rest for those pairs that this leaves.
//
// Everything is a pure function of values: whoever holds the same gradients and the same
// seed finds the same copies.
package copies

import (
	"cmp"
	"slices"
	"time"

	"templar/method"
	"templar/protocol"
)

// Upload is one gradient and what is known of its making.
type Upload struct {
	UID        protocol.UID
	Registered uint64 // block
	// Stored is the store's LastModified, in whole seconds; zero where nobody knows.
	Stored  time.Time
	Payload method.Payload
}

// Copy says that one gradient is too much like another.
type Copy struct {
	UID protocol.UID `json:"uid"`
	Of  protocol.UID `json:"of"`
	// Indices and Values are the shares of its coefficients that stand at the same place in
	// the other, and that have nearly the same value there too.
	Indices float64 `json:"shared_indices"`
	Values  float64 `json:"shared_values"`
	// Blamed says that it was stored after the other. Within one second nobody can tell
	// who copied whom.
	Blamed bool `json:"blamed"`
}

// Find returns the uploads that are copies, ascending by uid, each of the first upload
// that it is like. First is who was stored first; within one second, and where the time
// is not known, who was registered first, then the lower uid.
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

// precedence orders uploads by who can claim to be first.
func precedence(a, b Upload) int {
	return cmp.Or(
		compareTimes(a.Stored, b.Stored), cmp.Compare(a.Registered, b.Registered), cmp.Compare(a.UID, b.UID),
	)
}

// compareTimes puts what is not known last.
func compareTimes(a, b time.Time) int {
	if a.IsZero() != b.IsZero() {
		if a.IsZero() {
			return 1
		}
		return -1
	}
	return a.Compare(b)
}
