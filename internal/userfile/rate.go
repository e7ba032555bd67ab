package userfile

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// prefixes are those of decimal multiples.
var prefixes = map[string]float64{"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15}

// Quantity reads a positive number with a decimal prefix and a unit that may be left out: with the unit "b/s",
// 100M, 100 Mb/s and 1e8 are equal.
func Quantity(text, unit string) (float64, error) {
	s := strings.ToLower(strings.TrimSpace(text))
	s = strings.TrimSpace(strings.TrimSuffix(strings.TrimSuffix(s, strings.ToLower(unit)), "bit/s"))
	scale := 1.0
	if s != "" {
		if p, ok := prefixes[s[len(s)-1:]]; ok {
			s, scale = strings.TrimSpace(s[:len(s)-1]), p
		}
	}
	x, err := strconv.ParseFloat(s, 64)
	if x *= scale; err != nil || !(x > 0) || math.IsInf(x, 0) {
		return 0, fmt.Errorf("%q is not a quantity: want one like 300M%s", text, unit)
	}
	return x, nil
}
