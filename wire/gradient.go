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

// gradientFixed is the size of the sealed fields of fixed size.
const gradientFixed = 8 + 8 + 2

// MaxGradientSize bounds a sealed gradient with up to so many pages: the limit for a download from its miner's bucket.
func MaxGradientSize(f Format, pages int) int64 {
	return int64(GradientHeaderSize+tagSize+gradientFixed+f.size()) + 8*int64(pages) + f.MaxPayload
}

// EncodeGradient returns g as an opened gradient: the sealed object that a miner uploads, and behind it the key
// (SplitGradient). s, whose hotkey must be g's, signs the header. A key is for one gradient only.
func EncodeGradient(g *Gradient, f Format, key GradientKey, s protocol.Signer) ([]byte, error) {
	if s.Hotkey() != g.Hotkey {
		return nil, fmt.Errorf("encode gradient: hotkey %v, but the signer is %v", g.Hotkey, s.Hotkey())
	}
	if len(g.Pages) > math.MaxUint16 {
		return nil, fmt.Errorf("encode gradient: %d pages, at most %d", len(g.Pages), math.MaxUint16)
	}
	if err := f.check(g.Body, f.MaxPayload); err != nil {
		return nil, fmt.Errorf("encode gradient: %w", err)
	}
	size := gradientFixed + 8*len(g.Pages) + f.size() + len(g.Body)
	b := make([]byte, GradientHeaderSize, GradientHeaderSize+size+tagSize+len(key))
	return sealGradient(g.appendFields(b, f), Expect{g.Run, g.Window, g.UID, g.Hotkey}, key, s)
}

// appendFields writes what is sealed.
func (g *Gradient) appendFields(b []byte, f Format) []byte {
	b = binary.LittleEndian.AppendUint64(b, g.GlobalStep)
	b = binary.LittleEndian.AppendUint64(b, g.Tokens)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(g.Pages)))
	for _, page := range g.Pages {
		b = binary.LittleEndian.AppendUint64(b, page)
	}
	return append(f.append(b), g.Body...)
}

// DecodeGradient reads an opened gradient. Its Body is for the run's method to read.
func DecodeGradient(b []byte, f Format, want Expect) (*Gradient, protocol.Verdict) {
	sealed, key, ok := SplitGradient(b)
	if !ok {
		return nil, protocol.VerdictMalformed
	}
	return OpenGradient(sealed, key, f, want)
}

// readGradient reads what was sealed.
func readGradient(r *reader, f Format, want Expect) (*Gradient, protocol.Verdict) {
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
