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
		{"aggregate", aggregate, "67daf3fcf408163f1a350752fa4663c1c2491e5cf4c2f08835c7dbb39433d19e"},
		{"sample", sample, "223ace67d3f8d0261de19b7975f4dca788461c74ac52cfc09e363ace0894f0ec"},
	} {
		// AggregateHash leaves digest and signature out whatever the message.
		if got := AggregateHash(tc.b).String(); got != tc.want {
			t.Errorf("%s hashes to %s, want %s", tc.name, got, tc.want)
		}
	}
}
