package codec

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"testing"

	"templar/protocol"
)

// What a fixed case must give, everywhere and for ever. A change here splits the
// network and needs a new protocol version.
var golden = map[Scheme][3]string{
	SchemeF32: {
		"ccba3bb91730bf430dac8974e931c0686e8e1707e6287e64a951ddb7531788ca",
		"cddd02fe7a0dca9296f7c99266fd23d86679ace6a9049996ae1ade5662389f7d",
		"8f84aa3732630cbf516e442d6d05ff2189d42b42e2776f51e72ac0604c0727b4",
	},
	SchemeF16: {
		"92210713a7bdfb81e51a5b898a4d2afd03d4ddcbd0e097d9c2d59c7a44374459",
		"cddd02fe7a0dca9296f7c99266fd23d86679ace6a9049996ae1ade5662389f7d",
		"8f84aa3732630cbf516e442d6d05ff2189d42b42e2776f51e72ac0604c0727b4",
	},
	SchemeI8: {
		"53adcfca8c701cfd065d4e3f780265c20b652d4b6cc5cded869887eaa306179f",
		"09150bd94e208822d38228d2db736daebb57e7a6d7c03c52db476cf77139db28",
		"3208c826e9fc3543b927662675815b2bafd81743fd962e39aaecb65f344a1af5",
	},
}

func TestGolden(t *testing.T) {
	for scheme, want := range golden {
		c := newCodec(t, small(), Spec{TargetChunk: 64, TopK: 32, Scheme: scheme})
		gs := peers(t, c, 15)
		u := c.Aggregate(gs)
		params := noise(99, c.parameters())
		c.Apply(params, u, 4e-4, 0.1)
		h := sha256.New()
		for _, g := range gs {
			h.Write(g.Bytes())
		}
		got := [3]string{
			protocol.Hash(h.Sum(nil)).String(),
			protocol.Hash(sha256.Sum256(u.Bytes())).String(),
			stateHash(c, params).String(),
		}
		if got != want {
			t.Errorf("%v: gradients, update and state hash to\n%q, want\n%q", scheme, got, want)
		}
	}
}

func peers(t testing.TB, c *Codec, n int) (gs []*Gradient) {
	for i := range n {
		m := noise(uint64(i), c.parameters())
		for k := range m[:26] { // some peers send nothing of the one-value tensor
			m[len(m)-1-k] *= float32(i % 2)
		}
		gs = append(gs, compress(t, c, m))
	}
	return gs
}

func TestAggregateDoesNotDependOnArrival(t *testing.T) {
	c := newCodec(t, small(), Spec{TargetChunk: 64, TopK: 8})
	gs := peers(t, c, 7)
	want := c.Aggregate(gs)
	r := rand.New(rand.NewPCG(1, 1))
	for range 5 {
		sorted := make([]*Gradient, len(gs))
		for _, uid := range r.Perm(len(gs)) {
			arrived, v := c.ReadGradient(gs[uid].Bytes())
			if !v.OK() {
				t.Fatal(v)
			}
			sorted[uid] = arrived
		}
		if got := c.Aggregate(sorted); !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatal("the update depends on the order in which gradients were read")
		}
	}
}
