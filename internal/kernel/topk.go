package kernel

// TopK appends to dst the indices of the k values of x that are largest in
// magnitude, in ascending order; among equals the lower index goes first, and a zero
// never counts. ok is false when x holds a NaN or a magnitude of 2^127 and above.
// keys and found are scratch for len(x) values.
func TopK(dst []uint16, x []float32, k int, keys []uint32, found []uint16) (_ []uint16, ok bool) {
	k = min(k, len(x))
	n, largest, ok := candidates(found, x, k)
	if !ok {
		return topKGeneric(dst, x, k, keys)
	}
	if largest >= tooLarge {
		return dst, false
	}
	for i, at := range found[:n] {
		keys[i] = key(x[at])
	}
	if choose(found, keys, n, k) {
		return append(dst, found[:k]...), true
	}
	found, keys = found[:n], keys[:n]
	least := kthLargest(keys, k)
	ties := k
	for _, at := range found {
		if key(x[at]) > least {
			ties--
		}
	}
	for _, at := range found {
		switch this := key(x[at]); {
		case this > least:
			dst = append(dst, at)
		case this == least && ties > 0:
			dst = append(dst, at)
			ties--
		}
	}
	return dst, true
}

// kthLargest returns the k-th largest of a few keys, which it reorders; 1 <= k <= len(keys).
func kthLargest(keys []uint32, k int) uint32 {
	for lo, hi := 0, len(keys)-1; ; {
		if lo == hi {
			return keys[lo]
		}
		// Hoare's partition, larger keys first.
		pivot, i, j := keys[(lo+hi)/2], lo, hi
		for i <= j {
			for keys[i] > pivot {
				i++
			}
			for keys[j] < pivot {
				j--
			}
			if i <= j {
				keys[i], keys[j] = keys[j], keys[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k-1 <= j:
			hi = j
		case k-1 >= i:
			lo = i
		default:
			return pivot
		}
	}
}
