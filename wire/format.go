package wire

import (
	"fmt"

	"templar/protocol"
)

// Format describes the bodies of a run's objects. It follows from the run's method and is the
// same for all nodes of a run.
type Format struct {
	Method string        // its name
	Layout protocol.Hash // what the form of its bodies depends on
	// MaxPayload and MaxUpdate bound the bodies of gradients and Aggregates in bytes.
	MaxPayload, MaxUpdate int64
}

// size is that of the fields that stand before a body.
func (f Format) size() int { return 1 + len(f.Method) + len(f.Layout) }

// append writes the fields before a body.
func (f Format) append(b []byte) []byte {
	b = append(b, byte(len(f.Method)))
	b = append(b, f.Method...)
	return append(b, f.Layout[:]...)
}

// check says what is wrong with a body of our own.
func (f Format) check(body []byte, limit int64) error {
	if !protocol.ValidMethodName(f.Method) {
		return fmt.Errorf("%q is not a valid method name", f.Method)
	}
	if int64(len(body)) > limit {
		return fmt.Errorf("a body of %d bytes, at most %d", len(body), limit)
	}
	return nil
}

// named reads the fields before a body, whatever the run's are.
func named(r *reader) (f Format, v protocol.Verdict) {
	f.Method = string(r.take(int(r.uint8())))
	f.Layout = r.hash()
	if r.short || !protocol.ValidMethodName(f.Method) {
		return f, protocol.VerdictMalformed
	}
	return f, protocol.VerdictOK
}

// read reads the fields before a body and returns the body: the rest of the message.
func (f Format) read(r *reader, limit int64) (body []byte, v protocol.Verdict) {
	got, v := named(r)
	switch {
	case !v.OK():
		return nil, v
	case got.Method != f.Method || got.Layout != f.Layout:
		return nil, protocol.VerdictBadShape
	case int64(len(r.b)) > limit:
		return nil, protocol.VerdictTooLarge
	}
	return r.b, protocol.VerdictOK
}
