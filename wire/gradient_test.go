package wire

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"

	"templar/method"
	"templar/protocol"
)

func testGradient(t testing.TB, m *method.Method, s protocol.Signer) (*Gradient, Expect, []byte) {
	t.Helper()
	g := &Gradient{
		Run: protocol.Hash{1, 2}, Window: 77, UID: 300, Hotkey: s.Hotkey(),
		Pages: []uint64{5, 1 << 40}, Tokens: 4096, GlobalStep: 12, Body: testPayload(t, m, testValues, 1).Bytes(),
	}
	b, err := EncodeGradient(g, formatOf(m), s)
	if err != nil {
		t.Fatal(err)
	}
	return g, Expect{g.Run, g.Window, g.UID, g.Hotkey}, b
}

func TestGradientRoundTrip(t *testing.T) {
	m := testMethod(t)
	g, want, b := testGradient(t, m, newSigner(1))
	got, v := DecodeGradient(b, formatOf(m), want)
	if !v.OK() || !reflect.DeepEqual(got, g) {
		t.Errorf("decoded %+v, %v, want %+v", got, v, g)
	}
	if size, bound := int64(len(b)), MaxGradientSize(formatOf(m), len(g.Pages)); size > bound {
		t.Errorf("%d bytes, over the bound %d", size, bound)
	}
}

// gradientCases are the ways in which a gradient can be wrong.
func gradientCases(t testing.TB) map[string]verdictCase {
	t.Helper()
	m, s := testMethod(t), newSigner(1)
	_, _, good := testGradient(t, m, s)
	inner := body(good)
	named := gradientFixed + 2*8     // where the method's name begins
	at := named + formatOf(m).size() // and its payload
	cases := envelopeCases(good)
	maps.Copy(cases, map[string]verdictCase{
		"another uid":           {resealed(t, s, good, edited(inner, 0, 9)), protocol.VerdictWrongContext},
		"signed by another":     {resealed(t, newSigner(2), good, inner), protocol.VerdictBadSignature},
		"empty body":            {resealed(t, s, good, nil), protocol.VerdictMalformed},
		"cut in the fields":     {resealed(t, s, good, inner[:gradientFixed-1]), protocol.VerdictMalformed},
		"more pages than bytes": {resealed(t, s, good, edited(inner, 18, 0xff, 0xff)), protocol.VerdictMalformed},
		"another method":        {resealed(t, s, good, edited(inner, named+1, 'e')), protocol.VerdictBadShape},
		"no method":             {resealed(t, s, good, slices.Concat(inner[:named], []byte{0}, inner[at-32:])), protocol.VerdictMalformed},
		"no method's name":      {resealed(t, s, good, edited(inner, named+1, 'D')), protocol.VerdictMalformed},
		"a longer method":       {resealed(t, s, good, edited(inner, named, 0xff)), protocol.VerdictMalformed},
		"another shape":         {resealed(t, s, good, edited(inner, at-1, inner[at-1]^1)), protocol.VerdictBadShape},
		"no coefficients":       {resealed(t, s, good, inner[:at]), protocol.VerdictMalformed},
		"trailing bytes":        {resealed(t, s, good, append(slices.Clone(inner), 0)), protocol.VerdictMalformed},
		"index outside":         {resealed(t, s, good, edited(inner, at+2, 0, 0, 0xff)), protocol.VerdictBadIndex},
		"not finite":            {resealed(t, s, good, slices.Concat(inner[:at], []byte{1, 1, 0b10000, 0, 0, 0x80, 0x7f})), protocol.VerdictNonFinite},
	})
	return cases
}

func TestGradientVerdicts(t *testing.T) {
	m := testMethod(t)
	_, want, _ := testGradient(t, m, newSigner(1))
	checkVerdicts(t, gradientCases(t), func(b []byte) protocol.Verdict {
		g, v := readGradientOf(m, b, want)
		if g == nil && v.OK() {
			t.Errorf("gradient %v with verdict %v", g, v)
		}
		return v
	})
}

func TestGradientOfAnotherContext(t *testing.T) {
	m, s := testMethod(t), newSigner(1)
	_, want, b := testGradient(t, m, s)
	for name, change := range map[string]func(*Expect){
		"run":    func(e *Expect) { e.Run[31] ^= 1 },
		"window": func(e *Expect) { e.Window++ },
		"uid":    func(e *Expect) { e.UID++ },
		"hotkey": func(e *Expect) { e.Hotkey = newSigner(2).Hotkey() },
	} {
		other := want
		change(&other)
		if _, v := DecodeGradient(b, formatOf(m), other); v != protocol.VerdictWrongContext {
			t.Errorf("%s: %v", name, v)
		}
	}
}

func TestMessageOfOneKindIsNoOther(t *testing.T) {
	m, s := testMethod(t), newSigner(1)
	_, want, b := testGradient(t, m, s)
	if _, v := DecodeSample(b, want, 4); v != protocol.VerdictMalformed {
		t.Errorf("gradient read as sample: %v", v)
	}
	// Even with kind and digest changed, the signature is for a gradient.
	if _, v := DecodeSample(rehashed(edited(b, 6, byte(KindSample))), want, 4); v != protocol.VerdictBadSignature {
		t.Errorf("gradient dressed as sample: %v", v)
	}
}

func TestEncodeRefusesAnotherSigner(t *testing.T) {
	m := testMethod(t)
	g, _, _ := testGradient(t, m, newSigner(1))
	if _, err := EncodeGradient(g, formatOf(m), newSigner(2)); err == nil {
		t.Error("no error")
	}
}

func TestPeek(t *testing.T) {
	g, _, b := testGradient(t, testMethod(t), newSigner(1))
	h, v := Peek(b)
	if want := (Header{KindGradient, g.Run, g.Window, g.Hotkey}); !v.OK() || h != want {
		t.Errorf("header %v, %v, want %v", h, v, want)
	}
}

func FuzzDecodeGradient(f *testing.F) {
	m := testMethod(f)
	_, want, good := testGradient(f, m, newSigner(1))
	fuzzMessages(f, good, func(t *testing.T, b []byte) protocol.Verdict {
		g, v := DecodeGradient(b, formatOf(m), want)
		if (g != nil) != v.OK() {
			t.Fatalf("gradient %v with verdict %v", g, v)
		}
		return v
	}, func(t *testing.T, b []byte) protocol.Verdict {
		g, v := readGradient(&reader{b: b}, formatOf(m), want)
		if (g != nil) != v.OK() {
			t.Fatalf("gradient %v with verdict %v", g, v)
		}
		if v.OK() && !bytes.Equal(g.message(formatOf(m))[headerSize:], b) {
			t.Fatalf("encodes to %x from %x", g.message(formatOf(m))[headerSize:], b)
		}
		return v
	})
}

// A body over the method's bound is refused, whatever its signature.
func TestBodiesAreBounded(t *testing.T) {
	m, s := testMethod(t), newSigner(1)
	g, want, b := testGradient(t, m, s)
	f := formatOf(m)
	f.MaxPayload = int64(len(g.Body)) - 1
	if _, v := DecodeGradient(b, f, want); v != protocol.VerdictTooLarge {
		t.Errorf("decoded: %v", v)
	}
	if _, err := EncodeGradient(g, f, s); err == nil {
		t.Error("it was encoded")
	}
	a, b := testAggregate(t, m, s)
	f.MaxUpdate = int64(len(a.Body)) - 1
	if _, _, v := DecodeAggregate(b, f, a.Run, a.Window, a.Term, only(s.Hotkey())); v != protocol.VerdictTooLarge {
		t.Errorf("decoded: %v", v)
	}
	if _, err := EncodeAggregate(a, f, s); err == nil {
		t.Error("it was encoded")
	}
}
