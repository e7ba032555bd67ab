package wire

import "testing"

// The bytes of three messages, less their signatures. A change here needs a new
// protocol version.
func TestFormatIsGolden(t *testing.T) {
	m, s := testMethod(t), newSigner(1)
	_, _, gradient := testGradient(t, m, s)
	_, aggregate := testAggregate(t, m, s)
	_, _, sample := testSample(t, s)
	for _, tc := range []struct {
		name string
		b    []byte
		want string
	}{
		{"gradient", gradient, "667dbc3fbf61f90125533f57a8c0ef74a17cccc54b3ceac3d43a5bf82b6e0a71"},
		{"aggregate", aggregate, "7c36db7e82174012ef8c611741ecd0dd6e0089dda567ed4e840ad15ab919097e"},
		{"sample", sample, "22a7fe57a3eb6a61bab0d33accc499fd0e5135c1e8c5492996824840c3dc58b3"},
	} {
		// AggregateHash leaves digest and signature out whatever the message.
		if got := AggregateHash(tc.b).String(); got != tc.want {
			t.Errorf("%s hashes to %s, want %s", tc.name, got, tc.want)
		}
	}
}
