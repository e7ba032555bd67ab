package wire

import (
	"encoding/json"
	"testing"

	"templar/codec"
	"templar/protocol"
)

// Inspect must judge as a decoder does that expects what the object says; verdicts of
// context cannot arise.
func TestInspectJudgesAsDecodersDo(t *testing.T) {
	c := testCodec(t)
	for kind, cases := range map[string]map[string]verdictCase{"gradient": gradientCases(t), "aggregate": aggregateCases(t), "sample": sampleCases(t)} {
		for name, tc := range cases {
			r, got := Inspect(tc.b, c)
			if _, err := json.Marshal(r); err != nil {
				t.Errorf("%s, %s: %v", kind, name, err)
			}
			want := tc.want
			switch {
			case want == protocol.VerdictWrongContext && name != "another uid":
				want = protocol.VerdictBadSignature // the signed message was another
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

func TestInspectWithoutCodec(t *testing.T) {
	c, s := testCodec(t), newSigner(1)
	g, _, b := testGradient(t, c, s)
	r, v := Inspect(b, nil)
	if !v.OK() || *r.UID != g.UID || *r.Shape != c.LayoutHash() || r.Scheme != codec.DefaultScheme.String() || r.Coefficients != 0 {
		t.Errorf("report %+v, %v", r, v)
	}
	a, b := testAggregate(t, c, s)
	if r, v := Inspect(b, nil); !v.OK() || *r.Start != a.Start || len(r.Included) != 2 || len(r.Skipped) != 2 {
		t.Errorf("report %+v, %v", r, v)
	}
}

func FuzzInspect(f *testing.F) {
	c, s := testCodec(f), newSigner(1)
	_, _, gradient := testGradient(f, c, s)
	_, aggregate := testAggregate(f, c, s)
	_, _, sample := testSample(f, s)
	f.Add(gradient)
	f.Add(aggregate)
	f.Add(sample)
	f.Fuzz(func(t *testing.T, b []byte) {
		Inspect(b, c)
		if len(b) >= headerSize+trailerSize { // past the digest; a signature cannot be guessed
			kind := Kind(b[6])
			i, r := Report{}, &reader{b: body(b)}
			switch kind {
			case KindGradient:
				i.gradient(r, c)
			case KindAggregate:
				i.aggregate(r, c)
			case KindSample:
				i.sample(r)
			}
		}
	})
}
