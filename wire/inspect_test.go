package wire

import (
	"bytes"
	"encoding/json"
	"testing"

	"templar/method"
	"templar/protocol"
)

// Inspect must judge as a decoder does that expects what the object says; verdicts of
// context cannot arise.
func TestInspectJudgesAsDecodersDo(t *testing.T) {
	m := testMethod(t)
	f := formatOf(m)
	for kind, cases := range map[string]map[string]verdictCase{"gradient": gradientCases(t), "aggregate": aggregateCases(t), "sample": sampleCases(t), "closing": closingCases(t), "key": keyCases(t)} {
		for name, tc := range cases {
			r, got := Inspect(tc.b, &f)
			if got.OK() && r.Raw != nil {
				got = bodyVerdict(m, r)
			}
			if _, err := json.Marshal(r); err != nil {
				t.Errorf("%s, %s: %v", kind, name, err)
			}
			want := tc.want
			switch {
			case want == protocol.VerdictWrongContext && name != "another uid" && name != "another term":
				want = protocol.VerdictBadSignature // the signed message was another
			case kind == "gradient" && name == "no key": // as the miner uploads it
				want = protocol.VerdictOK
			case want == protocol.VerdictWrongContext, kind == "sample" && name == "fewer values":
				want = protocol.VerdictOK
			}
			if got != want {
				t.Errorf("%s, %s: %v, want %v", kind, name, got, want)
			}
			if got.OK() && r.Kind != kind {
				t.Errorf("%s, %s: is a %s", kind, name, r.Kind)
			}
		}
	}
}

// bodyVerdict is what a tool makes of the body that Inspect leaves to the method.
func bodyVerdict(m *method.Method, r Report) (v protocol.Verdict) {
	switch {
	case r.Kind == "gradient":
		_, v = m.Read(r.Raw)
	case len(r.Included) > 0:
		_, v = m.ReadUpdate(r.Raw)
	default:
		v = protocol.VerdictOK
	}
	return v
}

func TestInspectWithoutFormat(t *testing.T) {
	m, s := testMethod(t), newSigner(1)
	g, _, b := testGradient(t, m, s)
	r, v := Inspect(b, nil)
	if !v.OK() || *r.UID != g.UID || r.Method != m.Name || *r.Layout != m.LayoutHash || !bytes.Equal(r.Raw, g.Body) {
		t.Errorf("report %+v, %v", r, v)
	}
	a, b := testAggregate(t, m, s)
	if r, v := Inspect(b, nil); !v.OK() || *r.Start != a.Start || len(r.Included) != 2 || len(r.Skipped) != 2 {
		t.Errorf("report %+v, %v", r, v)
	}
}

func FuzzInspect(f *testing.F) {
	m, s := testMethod(f), newSigner(1)
	_, _, gradient := testGradient(f, m, s)
	_, aggregate := testAggregate(f, m, s)
	_, _, sample := testSample(f, s)
	format := formatOf(m)
	f.Add(gradient)
	f.Add(aggregate)
	f.Add(sample)
	f.Fuzz(func(t *testing.T, b []byte) {
		Inspect(b, &format)
		if len(b) >= headerSize+trailerSize { // past the digest; a signature cannot be guessed
			kind := Kind(b[6])
			i, r := Report{}, &reader{b: body(b)}
			switch kind {
			case KindGradient:
				i.gradient(b, r, &format)
			case KindAggregate:
				i.aggregate(r, &format)
			case KindSample:
				i.sample(r)
			case KindClosing:
				i.closing(r)
			case KindKey:
				i.key(r)
			}
		}
	})
}
