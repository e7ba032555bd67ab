package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"templar/protocol"
)

// Gradient is one miner's upload of a window.
type Gradient struct {
	Run        protocol.Hash
	Window     protocol.Window
	UID        protocol.UID
	Hotkey     protocol.Hotkey
	Pages      []uint64 // trained on, in order
	Tokens     uint64   // trained on
	GlobalStep uint64
	Body       []byte // the method's payload
}

// gradientFixed is the size of the body's fields of fixed size.
const gradientFixed = uidSize + 8 + 8 + 2

// MaxGradientSize bounds a gradient object with up to so many pages: the limit for a download.
func MaxGradientSize(f Format, pages int) int64 {
	return int64(headerSize+trailerSize+gradientFixed+f.size()) + 8*int64(pages) + f.MaxPayload
}

// EncodeGradient returns g as its object's bytes, signed by s, whose hotkey must be
// g's.
func EncodeGradient(g *Gradient, f Format, s protocol.Signer) ([]byte, error) {
	if s.Hotkey() != g.Hotkey {
		return nil, fmt.Errorf("encode gradient: hotkey %v, but the signer is %v", g.Hotkey, s.Hotkey())
	}
	if len(g.Pages) > math.MaxUint16 {
		return nil, fmt.Errorf("encode gradient: %d pages, at most %d", len(g.Pages), math.MaxUint16)
	}
	if err := f.check(g.Body, f.MaxPayload); err != nil {
		return nil, fmt.Errorf("encode gradient: %w", err)
	}
	return seal(g.message(f), KindGradient, s)
}

// message returns what is signed of g.
func (g *Gradient) message(f Format) []byte {
	b := newMessage(Header{KindGradient, g.Run, g.Window, g.Hotkey}, int64(gradientFixed+8*len(g.Pages)+f.size()+len(g.Body)))
	b = binary.LittleEndian.AppendUint16(b, uint16(g.UID))
	b = binary.LittleEndian.AppendUint64(b, g.GlobalStep)
	b = binary.LittleEndian.AppendUint64(b, g.Tokens)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(g.Pages)))
	for _, page := range g.Pages {
		b = binary.LittleEndian.AppendUint64(b, page)
	}
	return append(f.append(b), g.Body...)
}

// DecodeGradient reads the object of another miner. The Gradient keeps b; its Body is for the
// run's method to read.
func DecodeGradient(b []byte, f Format, want Expect) (*Gradient, protocol.Verdict) {
	_, body, v := open(b, KindGradient, want.accepts)
	if !v.OK() {
		return nil, v
	}
	return readGradient(&reader{b: body}, f, want)
}

// readGradient reads the body of a message whose envelope is in order.
func readGradient(r *reader, f Format, want Expect) (*Gradient, protocol.Verdict) {
	if v := want.readUID(r); !v.OK() {
		return nil, v
	}
	g := &Gradient{Run: want.Run, Window: want.Window, UID: want.UID, Hotkey: want.Hotkey}
	g.GlobalStep, g.Tokens = r.uint64(), r.uint64()
	g.Pages = make([]uint64, r.count(8))
	for i := range g.Pages {
		g.Pages[i] = r.uint64()
	}
	var v protocol.Verdict
	if g.Body, v = f.read(r, f.MaxPayload); !v.OK() {
		return nil, v
	}
	return g, protocol.VerdictOK
}
