package server

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"templar/internal/store/fs"
)

// span is the bytes of an object that a request asks for.
type span struct{ start, length int64 }

// errNoRange is answered with 416.
var errNoRange = refusef(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The object has no bytes in this range.")

// span returns the stretch of the object that Range names, or nil for the whole. A range that is
// malformed, or in another unit, is ignored, as RFC 9110, section 14.2, has it; so are several at
// once, which a server need not honour, and S3 does not.
func (c *call) span(o *fs.Object) (*span, error) {
	unit, set, ok := strings.Cut(c.get("Range"), "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || !c.ifRange(o) {
		return nil, nil
	}
	return parseSpan(set, o.Size)
}

func parseSpan(set string, size int64) (*span, error) {
	first, last, ok := strings.Cut(strings.Trim(set, " \t"), "-")
	if !ok {
		return nil, nil
	}
	start, okFirst := position(first)
	end, okLast := position(last)
	switch {
	case first == "" && okLast: // the last bytes
		if end == 0 {
			return nil, errNoRange
		}
		if size == 0 { // all of nothing, which no Content-Range can say
			return nil, nil
		}
		n := min(end, size)
		return &span{size - n, n}, nil
	case !okFirst, last != "" && (!okLast || end < start):
		return nil, nil
	case start >= size:
		return nil, errNoRange
	case last == "":
		return &span{start, size - start}, nil
	}
	return &span{start, min(end, size-1) - start + 1}, nil
}

// position reads a number of any length.
func position(digits string) (int64, bool) {
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return math.MaxInt64, true
	}
	return n, true
}

// ifRange tells whether Range counts: the object is the one of which the client has a part.
func (c *call) ifRange(o *fs.Object) bool {
	validator := c.get("If-Range")
	if validator == "" {
		return true
	}
	if at, err := http.ParseTime(validator); err == nil {
		return at.Equal(o.Modified.Truncate(time.Second))
	}
	return strings.Trim(validator, `"`) == o.Tag()
}
