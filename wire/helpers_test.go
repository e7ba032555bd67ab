package wire

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/primitives/sr25519"

	"templar/internal/workers"
	"templar/method"
	"templar/method/dctsign"
	"templar/protocol"
)

// signer is an sr25519 key pair that is made from one byte.
type signer struct{ pair *sr25519.KeyPair }

func newSigner(seed byte) signer {
	mini, err := sr25519.NewMiniSecretKeyFromBytes(slices.Repeat([]byte{seed}, 32))
	if err != nil {
		panic(err)
	}
	return signer{mini.ExpandEd25519().KeyPair()}
}

func (s signer) Hotkey() (h protocol.Hotkey) {
	b, _ := s.pair.PublicKey().MarshalBinary()
	copy(h[:], b)
	return h
}

func (s signer) Sign(message []byte) (sig protocol.Signature, err error) {
	signed, err := s.pair.Sign(rand.Reader, sr25519.NewSigningContext([]byte("substrate")).NewTranscriptBytes(message))
	if err != nil {
		return sig, err
	}
	b, err := signed.MarshalBinary()
	copy(sig[:], b)
	return sig, err
}

func testMethod(t testing.TB) *method.Method {
	t.Helper()
	return methodOf(t, testLayout, 4, 3)
}

// testLayout is the tensor table of testMethod; it has testValues parameters.
var testLayout = protocol.Layout{{Name: "a", Shape: []int{8, 6}}, {Name: "b", Shape: []int{5}, Offset: 48}}

const testValues = 8*6 + 5

func methodOf(t testing.TB, layout protocol.Layout, side, topK int) *method.Method {
	t.Helper()
	m, err := dctsign.Of(layout, dctsign.Params{LearningRate: 1, TMax: 1, TargetChunk: side, TopK: topK, EvalLRFactor: 1}, workers.Pool{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// formatOf is the Format of a run of the method.
func formatOf(m *method.Method) Format {
	return Format{Method: m.Name, Layout: m.LayoutHash, MaxPayload: m.MaxPayload, MaxUpdate: m.MaxUpdate}
}

func testPayload(t testing.TB, m *method.Method, values, seed int) method.Payload {
	t.Helper()
	x := make([]float32, values)
	for i := range x {
		x[i] = float32((i*i*7+seed*31)%17) - 8
	}
	p, err := m.Encode(x)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// readGradientOf decodes a gradient and has the method read its body, as every node does.
func readGradientOf(m *method.Method, b []byte, want Expect) (*Gradient, protocol.Verdict) {
	g, v := DecodeGradient(b, formatOf(m), want)
	if v.OK() {
		_, v = m.Read(g.Body)
	}
	return g, v
}

// readAggregateOf is the same for Aggregates.
func readAggregateOf(m *method.Method, b []byte, run protocol.Hash, w protocol.Window, by protocol.Hotkey) (*Aggregate, protocol.Verdict) {
	a, _, v := DecodeAggregate(b, formatOf(m), run, w, testTerm, only(by))
	if v.OK() && a.Body != nil {
		_, v = m.ReadUpdate(a.Body)
	}
	return a, v
}

// only lets these hotkeys sign Aggregates.
func only(hotkeys ...protocol.Hotkey) func(protocol.Hotkey, protocol.Term) bool {
	return func(h protocol.Hotkey, _ protocol.Term) bool { return slices.Contains(hotkeys, h) }
}

// readKeyOf and readClosingOf are the same for keys and closing statements.
func readKeyOf(b []byte, want Expect) protocol.Verdict {
	_, v := DecodeKey(b, want)
	return v
}

func readClosingOf(b []byte, run protocol.Hash, w protocol.Window, by protocol.Hotkey) protocol.Verdict {
	_, _, v := DecodeClosing(b, run, w, func(h protocol.Hotkey) bool { return h == by })
	return v
}

// body returns the bytes between the envelope's header and trailer.
func body(b []byte) []byte { return b[headerSize : len(b)-trailerSize] }

// resealed returns b with another body, with digest and signature made again: what
// a hostile node with a key of its own can send.
func resealed(t testing.TB, s protocol.Signer, b, body []byte) []byte {
	t.Helper()
	kind := Kind(binary.LittleEndian.Uint16(b[6:]))
	out, err := seal(slices.Concat(b[:headerSize], body), kind, s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// edited returns a copy of b with bytes replaced from at on; a negative at counts from
// the end.
func edited(b []byte, at int, v ...byte) []byte {
	b = slices.Clone(b)
	if at < 0 {
		at += len(b)
	}
	copy(b[at:], v)
	return b
}

// rehashed returns b with the digest made again but not the signature.
func rehashed(b []byte) []byte {
	end := len(b) - trailerSize
	digest := sha256.Sum256(b[:end])
	return edited(b, end, digest[:]...)
}

func le64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

func leFloat(v float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)) }

// envelopeCases are the ways in which every kind of message can be wrong before its
// body is looked at.
func envelopeCases(good []byte) map[string]verdictCase {
	return map[string]verdictCase{
		"as made":               {good, protocol.VerdictOK},
		"nothing":               {nil, protocol.VerdictMalformed},
		"no trailer":            {good[:headerSize], protocol.VerdictMalformed},
		"another magic":         {edited(good, 0, 'X'), protocol.VerdictMalformed},
		"cut short":             {good[:len(good)-1], protocol.VerdictMalformed},
		"a byte more":           {append(slices.Clone(good), 0), protocol.VerdictMalformed},
		"damaged in the body":   {edited(good, headerSize, good[headerSize]^1), protocol.VerdictMalformed},
		"damaged digest":        {edited(good, -trailerSize, good[len(good)-trailerSize]^1), protocol.VerdictMalformed},
		"another version":       {rehashed(edited(good, 4, 0xff)), protocol.VerdictWrongVersion},
		"another kind":          {rehashed(edited(good, 6, 9)), protocol.VerdictMalformed},
		"another run":           {rehashed(edited(good, 8, good[8]^1)), protocol.VerdictWrongContext},
		"another window":        {rehashed(edited(good, 40, good[40]^1)), protocol.VerdictWrongContext},
		"another hotkey":        {rehashed(edited(good, 48, good[48]^1)), protocol.VerdictWrongContext},
		"forged":                {rehashed(edited(good, headerSize+8, good[headerSize+8]^1)), protocol.VerdictBadSignature},
		"signature not a point": {edited(good, -1, 0xff), protocol.VerdictBadSignature},
	}
}

// fuzzMessages fuzzes a decoder with what a hostile node may send: arbitrary bytes; bytes
// with the right digest, which reach the checks of header and signature; and, since such a
// node can sign anything with its own key, the body alone. No input is signed, which keeps
// the fuzzing fast.
func fuzzMessages(f *testing.F, good []byte, decode, read func(t *testing.T, b []byte) protocol.Verdict) {
	const asCame, withDigest, opened = 0, 1, 2
	f.Add(good, uint8(asCame))
	f.Add(good, uint8(withDigest))
	f.Add(body(good), uint8(opened))
	f.Fuzz(func(t *testing.T, b []byte, layer uint8) {
		if layer == withDigest && len(b) >= trailerSize {
			b = rehashed(b)
		}
		do := decode
		if layer == opened {
			do = read
		}
		if v := do(t, b); !v.OK() && !v.Invalid() {
			t.Fatalf("verdict %v", v)
		}
	})
}

type verdictCase struct {
	b    []byte
	want protocol.Verdict
}

func checkVerdicts(t *testing.T, cases map[string]verdictCase, decode func([]byte) protocol.Verdict) {
	t.Helper()
	for name, tc := range cases {
		if got := decode(tc.b); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
