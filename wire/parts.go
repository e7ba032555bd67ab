package wire

import (
	"encoding/binary"

	"templar/protocol"
)

// Parts lists the parts of an Aggregate's object, and the miner that relays each: its Content is the SHA-256 of the part. It
// is neither signed nor trusted: the Aggregate that comes of the parts is.
type Parts struct {
	Size int64 // of the object
	Of   []Included
}

const partsFixed = 8 + 2

// MaxPartsSize bounds a list of so many parts.
func MaxPartsSize(parts int) int64 { return partsFixed + int64(parts)*includedSize }

// EncodeParts returns p as its object's bytes.
func EncodeParts(p *Parts) []byte {
	b := make([]byte, 0, MaxPartsSize(len(p.Of)))
	return appendIncluded(binary.LittleEndian.AppendUint64(b, uint64(p.Size)), p.Of)
}

// DecodeParts reads a list by the rules of spec/relay.
func DecodeParts(b []byte) (*Parts, protocol.Verdict) {
	r := &reader{b: b}
	p := &Parts{Size: int64(r.uint64()), Of: r.included()}
	n := int64(len(p.Of))
	if r.short || len(r.b) > 0 || n < 2 || p.Size < n*n {
		return nil, protocol.VerdictMalformed
	}
	seen := make(map[protocol.Hotkey]bool, n)
	for _, of := range p.Of {
		if seen[of.Hotkey] {
			return nil, protocol.VerdictMalformed
		}
		seen[of.Hotkey] = true
	}
	return p, protocol.VerdictOK
}

// At is where part i of so many lies in an object of a size. All have the same size but the last, which has the rest.
func (p *Parts) At(i int) (offset, size int64) {
	n := int64(len(p.Of))
	part := (p.Size-1)/n + 1
	offset = int64(i) * part
	return offset, min(part, p.Size-offset)
}
