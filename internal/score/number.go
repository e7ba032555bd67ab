package score

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
)

// Number is a float64 that may be NaN or infinite: a hostile gradient can make a loss infinite.
// These are encoded as "NaN", "+Inf" and "-Inf" in JSON.
type Number float64

// MarshalJSON writes the shortest form that reads back the same.
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return json.Marshal(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Number) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '"' {
		return json.Unmarshal(b, (*float64)(n))
	}
	switch string(b) {
	case `"NaN"`:
		*n = Number(math.NaN())
	case `"+Inf"`:
		*n = Number(math.Inf(1))
	case `"-Inf"`:
		*n = Number(math.Inf(-1))
	default:
		return errors.New(`want a number, "NaN", "+Inf" or "-Inf"`)
	}
	return nil
}
