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

var testKey = GradientKey{1, 2, 3, 31: 4}

func testGradient(t testing.TB, m *method.Method, s protocol.Signer) (*Gradient, Expect, []byte) {
	t.Helper()
	g := &Gradient{
		Run: protocol.Hash{1, 2}, Window: 77, UID: 300, Hotkey: s.Hotkey(),
		Pages: []uint64{5, 1 << 40}, Tokens: 4096, GlobalStep: 12, Body: testPayload(t, m, testValues, 1).Bytes(),
	}
	b, err := EncodeGradient(g, formatOf(m), testKey, s)
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
	if size, bound := int64(len(b)-len(testKey)), MaxGradientSize(formatOf(m), len(g.Pages)); size > bound {
		t.Errorf("%d bytes, over the bound %d", size, bound)
	}
}

// gradientEnvelopeCases are the ways in which the header of a gradient can be wrong.
func gradientEnvelopeCases(good []byte) map[string]verdictCase {
	rest := good[GradientHeaderSize:]
	cases := envelopeCases(good[:GradientHeaderSize])
	for name, tc := range cases {
		if len(tc.b) == GradientHeaderSize {
			cases[name] = verdictCase{slices.Concat(tc.b, rest), tc.want}
		}
	}
	delete(cases, "a byte more")
	return cases
}

// sealedAs returns an opened gradient of s with other sealed bytes: what a hostile miner can send.
func sealedAs(t testing.TB, s protocol.Signer, of Expect, plain []byte) []byte {
	t.Helper()
	b := make([]byte, GradientHeaderSize, GradientHeaderSize+len(plain)+tagSize+len(testKey))
	out, err := sealGradient(append(b, plain...), of, testKey, s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// gradientCases are the ways in which an opened gradient can be wrong.
func gradientCases(t testing.TB) map[string]verdictCase {
	t.Helper()
	m, s := testMethod(t), newSigner(1)
	g, want, good := testGradient(t, m, s)
	inner := g.appendFields(nil, formatOf(m))
	named := gradientFixed + 2*8     // where the method's name begins
	at := named + formatOf(m).size() // and its payload
	sealed := func(plain []byte) []byte { return sealedAs(t, s, want, plain) }
	another := want
	another.UID = 9
	header := good[headerSize : GradientHeaderSize-trailerSize]
	rest := good[GradientHeaderSize:]
	resigned := func(by protocol.Signer, fields []byte) []byte {
		return slices.Concat(resealed(t, by, good[:GradientHeaderSize], fields), rest)
	}
	cases := gradientEnvelopeCases(good)
	maps.Copy(cases, map[string]verdictCase{
		"another uid":           {sealedAs(t, s, another, inner), protocol.VerdictWrongContext},
		"signed by another":     {resigned(newSigner(2), header), protocol.VerdictBadSignature},
		"header only":           {good[:GradientHeaderSize], protocol.VerdictMalformed},
		"no key":                {good[:len(good)-len(testKey)], protocol.VerdictMalformed},
		"another key":           {edited(good, -1, good[len(good)-1]^1), protocol.VerdictWithheld},
		"a byte more":           {slices.Insert(slices.Clone(good), len(good)-len(testKey), 0), protocol.VerdictMalformed},
		"another ciphertext":    {edited(good, GradientHeaderSize, good[GradientHeaderSize]^1), protocol.VerdictMalformed},
		"a larger size":         {resigned(s, edited(header, uidSize+32, header[uidSize+32]+1)), protocol.VerdictMalformed},
		"another hash":          {resigned(s, edited(header, -1, header[len(header)-1]^1)), protocol.VerdictMalformed},
		"hash of another key":   {resigned(s, edited(header, uidSize, header[uidSize]^1)), protocol.VerdictWithheld},
		"ciphertext of another": {slices.Concat(ciphertextOf(t, s, want, sealedAs(t, newSigner(2), Expect{want.Run, want.Window, want.UID, newSigner(2).Hotkey()}, inner)), testKey[:]), protocol.VerdictMalformed},
		"empty body":            {sealed(nil), protocol.VerdictMalformed},
		"cut in the fields":     {sealed(inner[:gradientFixed-1]), protocol.VerdictMalformed},
		"more pages than bytes": {sealed(edited(inner, 16, 0xff, 0xff)), protocol.VerdictMalformed},
		"another method":        {sealed(edited(inner, named+1, 'e')), protocol.VerdictBadShape},
		"no method":             {sealed(slices.Concat(inner[:named], []byte{0}, inner[at-32:])), protocol.VerdictMalformed},
		"no method's name":      {sealed(edited(inner, named+1, 'D')), protocol.VerdictMalformed},
		"a longer method":       {sealed(edited(inner, named, 0xff)), protocol.VerdictMalformed},
		"another shape":         {sealed(edited(inner, at-1, inner[at-1]^1)), protocol.VerdictBadShape},
		"no coefficients":       {sealed(inner[:at]), protocol.VerdictMalformed},
		"trailing bytes":        {sealed(append(slices.Clone(inner), 0)), protocol.VerdictMalformed},
		"index outside":         {sealed(edited(inner, at+2, 0, 0, 0xff)), protocol.VerdictBadIndex},
		"not finite":            {sealed(slices.Concat(inner[:at], []byte{1, 1, 0b10000, 0, 0, 0x80, 0x7f})), protocol.VerdictNonFinite},
	})
	return cases
}

// ciphertextOf returns a sealed gradient of s with the key's hash and the ciphertext of another miner's.
func ciphertextOf(t testing.TB, s protocol.Signer, of Expect, opened []byte) []byte {
	t.Helper()
	theirs, _, _ := SplitGradient(opened)
	fields := slices.Clone(theirs[headerSize : GradientHeaderSize-trailerSize])
	head, err := seal(append(newMessage(Header{KindGradient, of.Run, of.Window, of.Hotkey}, 0), fields...), KindGradient, s)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(head, theirs[GradientHeaderSize:])
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
	if _, v := DecodeSample(rehashed(edited(b[:GradientHeaderSize], 6, byte(KindSample))), want, 4); v != protocol.VerdictBadSignature {
		t.Errorf("gradient dressed as sample: %v", v)
	}
}

func TestEncodeRefusesAnotherSigner(t *testing.T) {
	m := testMethod(t)
	g, _, _ := testGradient(t, m, newSigner(1))
	if _, err := EncodeGradient(g, formatOf(m), testKey, newSigner(2)); err == nil {
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
	g, want, good := testGradient(f, m, newSigner(1))
	const asCame, withDigest, opened = 0, 1, 2
	f.Add(good, uint8(asCame))
	f.Add(good, uint8(withDigest))
	f.Add(g.appendFields(nil, formatOf(m)), uint8(opened))
	f.Fuzz(func(t *testing.T, b []byte, layer uint8) {
		if layer == withDigest && len(b) >= GradientHeaderSize {
			b = slices.Concat(rehashed(b[:GradientHeaderSize]), b[GradientHeaderSize:])
		}
		decode := func(b []byte) (*Gradient, protocol.Verdict) { return DecodeGradient(b, formatOf(m), want) }
		if layer == opened {
			decode = func(b []byte) (*Gradient, protocol.Verdict) { return readGradient(&reader{b: b}, formatOf(m), want) }
		}
		g, v := decode(b)
		if (g != nil) != v.OK() || (!v.OK() && !v.Invalid()) {
			t.Fatalf("gradient %v with verdict %v", g, v)
		}
		if layer == opened && v.OK() && !bytes.Equal(g.appendFields(nil, formatOf(m)), b) {
			t.Fatalf("encodes to %x from %x", g.appendFields(nil, formatOf(m)), b)
		}
	})
}

// A header commits to its key and to its ciphertext: a miner that has signed one cannot choose afterwards what it opens to,
// and without the key nothing of the payload shows.
func TestHeaderCommits(t *testing.T) {
	m, s := testMethod(t), newSigner(1)
	g, want, opened := testGradient(t, m, s)
	sealed, key, _ := SplitGradient(opened)
	if key != testKey || !bytes.Equal(JoinGradient(sealed, key), opened) {
		t.Error("splitting and joining is not the identity")
	}
	if bytes.Contains(opened, g.Body) {
		t.Error("the payload stands in the clear")
	}
	h, v := DecodeSealed(sealed, want)
	if !v.OK() || h.Content != GradientHash(sealed) || h.Content != GradientHash(opened) || h.Key != key.Hash() {
		t.Errorf("%+v, %v", h, v)
	}
	again, err := EncodeGradient(g, formatOf(m), testKey, s)
	if err != nil || GradientHash(again) != h.Content || bytes.Equal(again, opened) {
		t.Error("the content hash depends on the signature, which is random")
	}
	other := testKey
	other[0]++
	another, err := EncodeGradient(g, formatOf(m), other, s)
	if err != nil || GradientHash(another) == h.Content {
		t.Error("the content hash does not depend on the key")
	}
	for range 2 { // opening does not change what was read
		if got, v := OpenGradient(sealed, key, formatOf(m), want); !v.OK() || !reflect.DeepEqual(got, g) {
			t.Errorf("%+v, %v", got, v)
		}
	}
	if _, v := DecodeGradientHeader(sealed[:GradientHeaderSize], int64(len(sealed)), want); !v.OK() {
		t.Errorf("the header alone is %v", v)
	}
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
	if _, err := EncodeGradient(g, f, testKey, s); err == nil {
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
