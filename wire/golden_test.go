package wire

import "testing"

// The bytes of three messages, less their signatures. A change here needs a new
// protocol version.
func TestFormatIsGolden(t *testing.T) {
	c, s := testCodec(t), newSigner(1)
	_, _, gradient := testGradient(t, c, s)
	_, aggregate := testAggregate(t, c, s)
	_, _, sample := testSample(t, s)
	for _, tc := range []struct {
		name string
		b    []byte
		want string
	}{
		{"gradient", gradient, "65b003168c0a68894498dcfc2b69613c2b52de893af486710cf0e86ac06a630f"},
		{"aggregate", aggregate, "d62aedb05f3709fccf9d347e75dca30395587b9a53a3a80578e4213aa43b6829"},
		{"sample", sample, "378033ae71eda5ed20ed8dad5b39fd5e97cf69f0f72da522de8142606ff00741"},
	} {
		// AggregateHash leaves digest and signature out whatever the message.
		if got := AggregateHash(tc.b).String(); got != tc.want {
			t.Errorf("%s hashes to %s, want %s", tc.name, got, tc.want)
		}
	}
}
