package wire

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"

	"templar/protocol"
)

func testSample(t testing.TB, s protocol.Signer) (*Sample, Expect, []byte) {
	t.Helper()
	m := &Sample{
		Run: protocol.Hash{1, 2}, Window: 77, UID: 300, Hotkey: s.Hotkey(),
		GlobalStep: 12, Issue: Issue{77, 2, newSigner(3).Hotkey(), protocol.Hash{9}, protocol.Signature{4}}, State: protocol.Hash{8, 7}, Values: []float32{1, -2.5, 0, 1e-30},
	}
	b, err := EncodeSample(m, s)
	if err != nil {
		t.Fatal(err)
	}
	return m, Expect{m.Run, m.Window, m.UID, m.Hotkey}, b
}

func TestSampleRoundTrip(t *testing.T) {
	m, want, b := testSample(t, newSigner(1))
	got, v := DecodeSample(b, want, len(m.Values))
	if !v.OK() || !reflect.DeepEqual(got, m) {
		t.Errorf("decoded %+v, %v, want %+v", got, v, m)
	}
	if int64(len(b)) != MaxSampleSize(len(m.Values)) {
		t.Errorf("%d bytes, want %d", len(b), MaxSampleSize(len(m.Values)))
	}
	m.Values[1] = float32(math.Inf(1))
	if _, err := EncodeSample(m, newSigner(1)); err == nil {
		t.Error("encodes an infinity")
	}
}

// sampleCases are the ways in which a sample can be wrong.
func sampleCases(t testing.TB) map[string]verdictCase {
	t.Helper()
	s := newSigner(1)
	_, _, good := testSample(t, s)
	inner := body(good)
	cases := envelopeCases(good)
	maps.Copy(cases, map[string]verdictCase{
		"another uid":        {resealed(t, s, good, edited(inner, 0, 9)), protocol.VerdictWrongContext},
		"signed by another":  {resealed(t, newSigner(2), good, inner), protocol.VerdictBadSignature},
		"no body":            {resealed(t, s, good, nil), protocol.VerdictMalformed},
		"no values":          {resealed(t, s, good, inner[:sampleFixed]), protocol.VerdictMalformed},
		"announces too many": {resealed(t, s, good, edited(inner, sampleFixed-4, 0xff, 0xff, 0xff, 0xff)), protocol.VerdictMalformed},
		"fewer values":       {resealed(t, s, good, edited(inner, sampleFixed-4, 3)[:len(inner)-4]), protocol.VerdictBadShape},
		"trailing bytes":     {resealed(t, s, good, append(slices.Clone(inner), 0)), protocol.VerdictMalformed},
		"value is NaN":       {resealed(t, s, good, edited(inner, -4, leFloat(float32(math.NaN()))...)), protocol.VerdictNonFinite},
	})
	return cases
}

func TestSampleVerdicts(t *testing.T) {
	_, want, _ := testSample(t, newSigner(1))
	checkVerdicts(t, sampleCases(t), func(b []byte) protocol.Verdict {
		m, v := DecodeSample(b, want, 4)
		if (m != nil) != v.OK() {
			t.Errorf("sample %v with verdict %v", m, v)
		}
		return v
	})
}

func TestSamplePositions(t *testing.T) {
	seed, a, b := protocol.Hash{1}, newSigner(1).Hotkey(), newSigner(2).Hotkey()
	p := SamplePositions(seed, a, 256, 100_000)
	if want := []int{57596, 29445, 67730, 56246}; !slices.Equal(p[:4], want) {
		t.Errorf("positions begin with %v, want %v", p[:4], want)
	}
	sorted := slices.Sorted(slices.Values(p))
	if n := len(slices.Compact(slices.Clone(sorted))); n != 256 || sorted[0] < 0 || sorted[255] >= 100_000 {
		t.Errorf("%d distinct positions from %d to %d", n, sorted[0], sorted[255])
	}
	if slices.Equal(p, SamplePositions(seed, b, 256, 100_000)) {
		t.Error("two hotkeys share their positions")
	}
	if slices.Equal(p, SamplePositions(protocol.Hash{2}, a, 256, 100_000)) {
		t.Error("two seeds share their positions")
	}
	if all := SamplePositions(seed, a, 256, 5); !slices.Equal(slices.Sorted(slices.Values(all)), []int{0, 1, 2, 3, 4}) {
		t.Errorf("positions of five parameters are %v", all)
	}
}

func FuzzDecodeSample(f *testing.F) {
	_, want, good := testSample(f, newSigner(1))
	check := func(t *testing.T, m *Sample, v protocol.Verdict) protocol.Verdict {
		if (m != nil) != v.OK() || (v.OK() && len(m.Values) != 4) {
			t.Fatalf("sample %v with verdict %v", m, v)
		}
		return v
	}
	fuzzMessages(f, good, func(t *testing.T, b []byte) protocol.Verdict {
		m, v := DecodeSample(b, want, 4)
		return check(t, m, v)
	}, func(t *testing.T, b []byte) protocol.Verdict {
		m, v := readSample(&reader{b: b}, want, 4)
		return check(t, m, v)
	})
}
