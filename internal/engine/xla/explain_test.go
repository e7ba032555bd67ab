package xla

import (
	"errors"
	"strings"
	"testing"

	"templar/internal/kernel/pjrt"
)

// What a user can do something about says what.
func TestExplain(t *testing.T) {
	for want, e := range map[string]*pjrt.Error{
		"end other programs":   {Code: pjrt.ResourceExhausted, Message: "Out of memory while trying to allocate 1 bytes."},
		"install the driver":   {Code: pjrt.FailedPrecondition, Message: "No visible GPU devices."},
		"something else again": {Code: pjrt.FailedPrecondition, Message: "something else again"},
	} {
		if err := explain(e); !errors.Is(err, e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
