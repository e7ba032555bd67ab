package fault

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// Always plans the same fault for each call of the operations, all if none is named.
func Always(f Fault, names ...string) Plan {
	return func(op Op) Fault {
		for _, name := range names {
			if op.Name == name {
				return f
			}
		}
		if len(names) == 0 {
			return f
		}
		return Fault{}
	}
}

// Random plans a fault for a share (0 to 1) of the calls, drawn from faults with equal
// chances. The draw depends on the seed and on the call's name, key and Try, so the
// same calls meet the same faults in whichever order they run.
func Random(seed uint64, share float64, faults ...Fault) Plan {
	return func(op Op) Fault {
		h := fnv.New64a()
		fmt.Fprintf(h, "%s\x00%s\x00%d", op.Name, op.Key, op.Try)
		r := rand.New(rand.NewPCG(seed, h.Sum64()))
		if len(faults) == 0 || r.Float64() >= share {
			return Fault{}
		}
		return faults[r.IntN(len(faults))]
	}
}

// Transient is an assortment for Random of the faults of an honest store on a bad
// day: retrying helps against all of it.
func Transient() []Fault {
	return []Fault{
		{Delay: 2 * time.Second},
		{Err: ErrReset},
		{Err: ErrReset, Persist: true},
		{Damage: Truncate, At: 100},
		{Drip: 1 << 20},
		{Stale: 3 * time.Second},
	}
}
