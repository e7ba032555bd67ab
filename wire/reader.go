package wire

import (
	"encoding/binary"

	"templar/protocol"
)

// reader reads the little-endian fields of a message. Past the end it returns zeros and
// sets short, which callers check once, after a group of fields.
type reader struct {
	b     []byte
	short bool
}

// take returns the next n bytes, or nil when there are fewer.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.short, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) uint8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) hash() (h protocol.Hash) {
	copy(h[:], r.take(len(h)))
	return h
}

// issue reads an Issue of w.
func (r *reader) issue(w protocol.Window) Issue {
	i := Issue{Window: w, Term: protocol.Term(r.uint64()), Aggregator: protocol.Hotkey(r.hash()), Content: r.hash()}
	copy(i.Signature[:], r.take(len(i.Signature)))
	return i
}

// count reads how many items of a size follow, and checks that they can.
func (r *reader) count(size int) int {
	n := int(r.uint16())
	if n > len(r.b)/size {
		r.short, r.b = true, nil
		return 0
	}
	return n
}
