package userfile

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units are the sizes that Size knows; a single letter means the power of two.
var units = map[string]int64{
	"": 1, "b": 1,
	"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
}

// Size reads a number of bytes like 24GiB, 800MB, 1.5g or 1000000; an empty text is 0.
func Size(text string) (int64, error) {
	s := strings.ToLower(strings.TrimSpace(text))
	if s == "" {
		return 0, nil
	}
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz ")
	x, err := strconv.ParseFloat(digits, 64)
	unit, ok := units[strings.TrimSpace(s[len(digits):])]
	if size := x * float64(unit); err == nil && ok && size >= 0 && size < math.MaxInt64 {
		return int64(size), nil
	}
	return 0, fmt.Errorf("%q is not a size: want one like 24GiB, 800MB or 16g", text)
}
