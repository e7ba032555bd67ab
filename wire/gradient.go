package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"templar/codec"
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
	Body       *codec.Gradient
}

// gradientFixed is the size of the body's fields of fixed size.
const gradientFixed = uidSize + 8 + 8 + 2 + digestSize

// MaxGradientSize bounds a gradient object with up to so many pages, from our own
// tensor table: the limit for a download.
func MaxGradientSize(c *codec.Codec, pages int) int64 {
	return int64(headerSize+trailerSize+gradientFixed) + 8*int64(pages) + c.MaxBody()
}

// EncodeGradient returns g as its object's bytes, signed by s, whose hotkey must be
// g's.
func EncodeGradient(g *Gradient, c *codec.Codec, s protocol.Signer) ([]byte, error) {
	if s.Hotkey() != g.Hotkey {
		return nil, fmt.Errorf("encode gradient: hotkey %v, but the signer is %v", g.Hotkey, s.Hotkey())
	}
	if len(g.Pages) > math.MaxUint16 {
		return nil, fmt.Errorf("encode gradient: %d pages, at most %d", len(g.Pages), math.MaxUint16)
	}
	return seal(g.message(c), KindGradient, s)
}

// message returns what is signed of g.
func (g *Gradient) message(c *codec.Codec) []byte {
	body := g.Body.Bytes()
	b := newMessage(Header{KindGradient, g.Run, g.Window, g.Hotkey}, int64(gradientFixed+8*len(g.Pages)+len(body)))
	b = binary.LittleEndian.AppendUint16(b, uint16(g.UID))
	b = binary.LittleEndian.AppendUint64(b, g.GlobalStep)
	b = binary.LittleEndian.AppendUint64(b, g.Tokens)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(g.Pages)))
	for _, page := range g.Pages {
		b = binary.LittleEndian.AppendUint64(b, page)
	}
	shape := c.LayoutHash()
	b = append(b, shape[:]...)
	return append(b, body...)
}

// DecodeGradient reads the object of another miner. The Gradient keeps b.
func DecodeGradient(b []byte, c *codec.Codec, want Expect) (*Gradient, protocol.Verdict) {
	_, body, v := open(b, KindGradient, want.accepts)
	if !v.OK() {
		return nil, v
	}
	return readGradient(&reader{b: body}, c, want)
}

// readGradient reads the body of a message whose envelope is in order.
func readGradient(r *reader, c *codec.Codec, want Expect) (*Gradient, protocol.Verdict) {
	if v := want.readUID(r); !v.OK() {
		return nil, v
	}
	g := &Gradient{Run: want.Run, Window: want.Window, UID: want.UID, Hotkey: want.Hotkey}
	g.GlobalStep, g.Tokens = r.uint64(), r.uint64()
	g.Pages = make([]uint64, r.count(8))
	for i := range g.Pages {
		g.Pages[i] = r.uint64()
	}
	shape := r.hash()
	if r.short {
		return nil, protocol.VerdictMalformed
	}
	if shape != c.LayoutHash() {
		return nil, protocol.VerdictBadShape
	}
	var v protocol.Verdict
	if g.Body, v = c.ReadGradient(r.b); !v.OK() {
		return nil, v
	}
	return g, protocol.VerdictOK
}
