package wire

import (
	"testing"

	"templar/codec"
	"templar/protocol"
)

// benchGradient is of one matrix of 2048 x 2048; bytes/s are of parameters.
func benchGradient(b *testing.B) (*codec.Codec, *Gradient, signer) {
	c, err := codec.New(protocol.Layout{{Name: "a", Shape: []int{2048, 2048}}}, codec.Spec{TargetChunk: 64, TopK: 32})
	if err != nil {
		b.Fatal(err)
	}
	s := newSigner(1)
	b.SetBytes(int64(4 * c.Layout().Size()))
	return c, &Gradient{Hotkey: s.Hotkey(), Body: testBody(b, c, 1)}, s
}

func BenchmarkEncodeGradient(b *testing.B) {
	c, g, s := benchGradient(b)
	for b.Loop() {
		if _, err := EncodeGradient(g, c, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeGradient(b *testing.B) {
	c, g, s := benchGradient(b)
	object, err := EncodeGradient(g, c, s)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, v := DecodeGradient(object, c, Expect{Hotkey: g.Hotkey}); !v.OK() {
			b.Fatal(v)
		}
	}
}
