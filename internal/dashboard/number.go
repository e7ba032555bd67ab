package dashboard

import (
	"encoding/json"
	"math"
)

// Number is a float64 that is null in JSON when it is not finite. NaN stands for
// what was not measured.
type Number float64

func unknown() Number { return Number(math.NaN()) }

// Known reports whether the number was measured and is finite.
func (n Number) Known() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

// or returns n, or other when n is not known.
func (n Number) or(other Number) Number {
	if n.Known() {
		return n
	}
	return other
}

// MarshalJSON writes null for what is not finite.
func (n Number) MarshalJSON() ([]byte, error) {
	if !n.Known() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads null as NaN.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = unknown()
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}
