package wire

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"

	"templar/codec"
	"templar/protocol"
)

func testGradient(t testing.TB, c *codec.Codec, s protocol.Signer) (*Gradient, Expect, []byte) {
	t.Helper()
	g := &Gradient{
		Run: protocol.Hash{1, 2}, Window: 77, UID: 300, Hotkey: s.Hotkey(),
		Pages: []uint64{5, 1 << 40}, Tokens: 4096, GlobalStep: 12, Body: testBody(t, c, 1),
	}
	b, err := EncodeGradient(g, c, s)
	if err != nil {
		t.Fatal(err)
	}
	return g, Expect{g.Run, g.Window, g.UID, g.Hotkey}, b
}

func TestGradientRoundTrip(t *testing.T) {
	c := testCodec(t)
	g, want, b := testGradient(t, c, newSigner(1))
	got, v := DecodeGradient(b, c, want)
	if !v.OK() || !reflect.DeepEqual(got, g) {
		t.Errorf("decoded %+v, %v, want %+v", got, v, g)
	}
	if size, bound := int64(len(b)), MaxGradientSize(c, len(g.Pages)); size > bound {
		t.Errorf("%d bytes, over the bound %d", size, bound)
	}
}

// gradientCases are the ways in which a gradient can be wrong.
func gradientCases(t testing.TB) map[string]verdictCase {
	t.Helper()
	c, s := testCodec(t), newSigner(1)
	_, _, good := testGradient(t, c, s)
	inner := body(good)
	at := gradientFixed + 2*8 // where the coefficients begin
	cases := envelopeCases(good)
	maps.Copy(cases, map[string]verdictCase{
		"another uid":           {resealed(t, s, good, edited(inner, 0, 9)), protocol.VerdictWrongContext},
		"signed by another":     {resealed(t, newSigner(2), good, inner), protocol.VerdictBadSignature},
		"empty body":            {resealed(t, s, good, nil), protocol.VerdictMalformed},
		"cut in the fields":     {resealed(t, s, good, inner[:gradientFixed-1]), protocol.VerdictMalformed},
		"more pages than bytes": {resealed(t, s, good, edited(inner, 18, 0xff, 0xff)), protocol.VerdictMalformed},
		"another shape":         {resealed(t, s, good, edited(inner, at-1, inner[at-1]^1)), protocol.VerdictBadShape},
		"no coefficients":       {resealed(t, s, good, inner[:at]), protocol.VerdictMalformed},
		"trailing bytes":        {resealed(t, s, good, append(slices.Clone(inner), 0)), protocol.VerdictMalformed},
		"index outside":         {resealed(t, s, good, edited(inner, at+2, 0, 0, 0xff)), protocol.VerdictBadIndex},
		"not finite":            {resealed(t, s, good, slices.Concat(inner[:at], []byte{1, 1, 0b10000, 0, 0, 0x80, 0x7f})), protocol.VerdictNonFinite},
	})
	return cases
}

func TestGradientVerdicts(t *testing.T) {
	c := testCodec(t)
	_, want, _ := testGradient(t, c, newSigner(1))
	checkVerdicts(t, gradientCases(t), func(b []byte) protocol.Verdict {
		g, v := DecodeGradient(b, c, want)
		if (g != nil) != v.OK() {
			t.Errorf("gradient %v with verdict %v", g, v)
		}
		return v
	})
}

func TestGradientOfAnotherContext(t *testing.T) {
	c, s := testCodec(t), newSigner(1)
	_, want, b := testGradient(t, c, s)
	for name, change := range map[string]func(*Expect){
		"run":    func(e *Expect) { e.Run[31] ^= 1 },
		"window": func(e *Expect) { e.Window++ },
		"uid":    func(e *Expect) { e.UID++ },
		"hotkey": func(e *Expect) { e.Hotkey = newSigner(2).Hotkey() },
	} {
		other := want
		change(&other)
		if _, v := DecodeGradient(b, c, other); v != protocol.VerdictWrongContext {
			t.Errorf("%s: %v", name, v)
		}
	}
}

func TestMessageOfOneKindIsNoOther(t *testing.T) {
	c, s := testCodec(t), newSigner(1)
	_, want, b := testGradient(t, c, s)
	if _, v := DecodeSample(b, want, 4); v != protocol.VerdictMalformed {
		t.Errorf("gradient read as sample: %v", v)
	}
	// Even with kind and digest changed, the signature is for a gradient.
	if _, v := DecodeSample(rehashed(edited(b, 6, byte(KindSample))), want, 4); v != protocol.VerdictBadSignature {
		t.Errorf("gradient dressed as sample: %v", v)
	}
}

func TestEncodeRefusesAnotherSigner(t *testing.T) {
	c := testCodec(t)
	g, _, _ := testGradient(t, c, newSigner(1))
	if _, err := EncodeGradient(g, c, newSigner(2)); err == nil {
		t.Error("no error")
	}
}

func TestPeek(t *testing.T) {
	g, _, b := testGradient(t, testCodec(t), newSigner(1))
	h, v := Peek(b)
	if want := (Header{KindGradient, g.Run, g.Window, g.Hotkey}); !v.OK() || h != want {
		t.Errorf("header %v, %v, want %v", h, v, want)
	}
}

func FuzzDecodeGradient(f *testing.F) {
	c := testCodec(f)
	_, want, good := testGradient(f, c, newSigner(1))
	fuzzMessages(f, good, func(t *testing.T, b []byte) protocol.Verdict {
		g, v := DecodeGradient(b, c, want)
		if (g != nil) != v.OK() {
			t.Fatalf("gradient %v with verdict %v", g, v)
		}
		return v
	}, func(t *testing.T, b []byte) protocol.Verdict {
		g, v := readGradient(&reader{b: b}, c, want)
		if (g != nil) != v.OK() {
			t.Fatalf("gradient %v with verdict %v", g, v)
		}
		if v.OK() && !bytes.Equal(g.message(c)[headerSize:], b) {
			t.Fatalf("encodes to %x from %x", g.message(c)[headerSize:], b)
		}
		return v
	})
}
