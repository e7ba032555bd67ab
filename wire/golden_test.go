package wire

import "testing"

// The bytes of a message of each kind, less their signatures: of a gradient the header, which has the hash of the rest. A change here needs a new
// protocol version.
func TestFormatIsGolden(t *testing.T) {
	m, s := testMethod(t), newSigner(1)
	_, _, gradient := testGradient(t, m, s)
	_, aggregate := testAggregate(t, m, s)
	_, _, sample := testSample(t, s)
	_, closing := testClosing(t, s)
	_, _, key := testRevealed(t, s)
	for _, tc := range []struct {
		name string
		b    []byte
		want string
	}{
		{"gradient", gradient[:GradientHeaderSize], "5d42c2b66fd0f16edf9ceaac5e6a6004c97ad0e4cb25cef7bd6ce2208cec7ed1"},
		{"aggregate", aggregate, "ab4791de47740ac3306d22b80659c9e371f914e0ecd76a5959a1de2ecf428fe4"},
		{"sample", sample, "acd19b06f610086dc0e50bf0570f0225d5964d761aad049e251e98e133483ffc"},
		{"closing", closing, "e7e01368271d64c0fcccc008f4beb35c5502b48628a99a797c5b0ca36b2981b1"},
		{"key", key, "7d585d7eec594c1de59087b8497ce166471651237e570d5ba342e6a143be1f65"},
	} {
		// AggregateHash leaves digest and signature out whatever the message.
		if got := AggregateHash(tc.b).String(); got != tc.want {
			t.Errorf("%s hashes to %s, want %s", tc.name, got, tc.want)
		}
	}
}
