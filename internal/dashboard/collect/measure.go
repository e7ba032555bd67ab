package collect

import (
	"encoding/json"
	"math"
)

// Measure is a float64 that is null in JSON when it is not finite. NaN stands for what was
// not measured.
type Measure float64

// Unknown is what was not measured.
func Unknown() Measure { return Measure(math.NaN()) }

// Known reports whether the number was measured and is finite.
func (n Measure) Known() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

// Or returns n, or other when n is not known.
func (n Measure) Or(other Measure) Measure {
	if n.Known() {
		return n
	}
	return other
}

// MarshalJSON writes null for what is not finite.
func (n Measure) MarshalJSON() ([]byte, error) {
	if !n.Known() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads null as NaN.
func (n *Measure) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Unknown()
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}
