package protocol

import "testing"

func TestVerdictRoundTrip(t *testing.T) {
	seen := map[string]bool{}
	for v := range verdictEnd {
		text, _ := v.MarshalText()
		if len(text) == 0 || seen[string(text)] {
			t.Errorf("verdict %d has the word %q", uint8(v), text)
		}
		seen[string(text)] = true
		var back Verdict
		if err := back.UnmarshalText(text); err != nil || back != v {
			t.Errorf("%v comes back as %v, %v", v, back, err)
		}
	}
	var v Verdict
	if err := v.UnmarshalText([]byte("bad")); err == nil {
		t.Error("an unknown word is no error")
	}
	if verdictEnd.Invalid() || verdictEnd.String() != "verdict(20)" {
		t.Errorf("a verdict of no kind is %v", verdictEnd)
	}
}
