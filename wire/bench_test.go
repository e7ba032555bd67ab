package wire

import (
	"testing"

	"templar/protocol"
)

// benchGradient is of one matrix of 2048 x 2048; bytes/s are of parameters. Reading the payload is
// the method's, and not counted.
func benchGradient(b *testing.B) (Format, *Gradient, signer) {
	layout := protocol.Layout{{Name: "a", Shape: []int{2048, 2048}}}
	m, s := methodOf(b, layout, 64, 32), newSigner(1)
	b.SetBytes(int64(4 * layout.Size()))
	return formatOf(m), &Gradient{Hotkey: s.Hotkey(), Body: testPayload(b, m, layout.Size(), 1).Bytes()}, s
}

func BenchmarkEncodeGradient(b *testing.B) {
	f, g, s := benchGradient(b)
	for b.Loop() {
		if _, err := EncodeGradient(g, f, testKey, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeGradient(b *testing.B) {
	f, g, s := benchGradient(b)
	object, err := EncodeGradient(g, f, testKey, s)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, v := DecodeGradient(object, f, Expect{Hotkey: g.Hotkey}); !v.OK() {
			b.Fatal(v)
		}
	}
}
