package copies

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"templar/internal/harness"
	"templar/internal/workers"
	"templar/method"
	"templar/protocol"
)

func setup(t testing.TB) (*method.Method, *protocol.Params) {
	t.Helper()
	p, err := protocol.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	c, err := harness.Methods().New(&p, workers.Pool{})
	if err != nil {
		t.Fatal(err)
	}
	return c, &p
}

// honest makes the n-th of many gradients that want about the same: what all share and
// what is each one's own, with the weights that give them as much in common as measured
// gradients of one window have.
func honest(t testing.TB, c *method.Method, n uint64) method.Payload {
	t.Helper()
	return compress(t, c, momentum(t, n))
}

func momentum(t testing.TB, n uint64) []float32 {
	p, err := protocol.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	common, own := rand.New(rand.NewPCG(1, 1)), rand.New(rand.NewPCG(2, n))
	m := make([]float32, p.Model.Layout().Size())
	for i := range m {
		m[i] = float32(common.NormFloat64() + 0.2*own.NormFloat64())
	}
	return m
}

func compress(t testing.TB, c *method.Method, m []float32) method.Payload {
	t.Helper()
	g, err := c.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// altered is a gradient whose chunks change has had its way with.
func altered(t testing.TB, c *method.Method, g method.Payload, change func(n int, ch *method.Chunk)) method.Payload {
	t.Helper()
	var all []method.Chunk
	c.Chunks(g, func(ch method.Chunk) {
		ch.Index, ch.Value = slices.Clone(ch.Index), slices.Clone(ch.Value)
		change(len(all), &ch)
		all = append(all, ch)
	})
	out, err := c.Pack(all)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// part replaces chunks for which keep is false by those of another gradient.
func part(t testing.TB, c *method.Method, g, other method.Payload, keep func(n int) bool) method.Payload {
	t.Helper()
	var own []method.Chunk
	c.Chunks(other, func(ch method.Chunk) {
		ch.Index, ch.Value = slices.Clone(ch.Index), slices.Clone(ch.Value)
		own = append(own, ch)
	})
	return altered(t, c, g, func(n int, ch *method.Chunk) {
		if !keep(n) {
			*ch = own[n]
		}
	})
}

// What uid 2 makes of uid 1's gradient, among others' honest ones.
func TestFind(t *testing.T) {
	c, p := setup(t)
	victim, own := honest(t, c, 1), honest(t, c, 2)
	rng := rand.New(rand.NewPCG(3, 3))
	for name, tc := range map[string]struct {
		gradient method.Payload
		found    bool
	}{
		"honest": {own, false},
		"exact":  {victim, true},
		"louder": {altered(t, c, victim, func(_ int, ch *method.Chunk) {
			for i := range ch.Value {
				ch.Value[i] *= 3
			}
		}), true},
		"perturbed": {altered(t, c, victim, func(_ int, ch *method.Chunk) {
			for i := range ch.Value {
				ch.Value[i] *= float32(1 + 0.3*rng.NormFloat64())
			}
		}), true},
		"permuted values": {altered(t, c, victim, func(_ int, ch *method.Chunk) {
			rng.Shuffle(len(ch.Value), func(i, j int) { ch.Value[i], ch.Value[j] = ch.Value[j], ch.Value[i] })
		}), true},
		"signs turned": {altered(t, c, victim, func(_ int, ch *method.Chunk) {
			for i := range ch.Value {
				ch.Value[i] = -ch.Value[i]
			}
		}), true},
		"fewer coefficients": {altered(t, c, victim, func(_ int, ch *method.Chunk) {
			ch.Index, ch.Value = ch.Index[:len(ch.Index)/2], ch.Value[:len(ch.Value)/2]
		}), true},
		"two thirds of the chunks": {part(t, c, victim, own, func(n int) bool { return n%3 > 0 }), true},
		"a quarter of the chunks":  {part(t, c, victim, own, func(n int) bool { return n%4 == 0 }), false},
		"nothing": {altered(t, c, victim, func(_ int, ch *method.Chunk) {
			ch.Index, ch.Value = nil, nil
		}), false},
	} {
		t.Run(name, func(t *testing.T) {
			at := time.Unix(1000, 0)
			uploads := []Upload{
				{UID: 4, Stored: at, Payload: honest(t, c, 4)}, {UID: 2, Stored: at.Add(time.Second), Payload: tc.gradient},
				{UID: 1, Stored: at, Payload: victim}, {UID: 3, Stored: at, Payload: honest(t, c, 3)},
			}
			got := Find(c, uploads, protocol.Hash{7}, p)
			if tc.found != (len(got) == 1) || (tc.found && (got[0].UID != 2 || got[0].Of != 1 || !got[0].Blamed)) {
				t.Errorf("found %+v", got)
			}
			slices.Reverse(uploads)
			if again := Find(c, uploads, protocol.Hash{7}, p); !reflect.DeepEqual(got, again) {
				t.Errorf("in another order found %+v, before %+v", again, got)
			}
		})
	}
}

// A gradient of a few coefficients that all others send too makes no other miner a copier, and is
// a copy when it comes later.
func TestNobodyIsFramed(t *testing.T) {
	c, p := setup(t)
	victim, at := honest(t, c, 1), time.Unix(1000, 0)
	few := altered(t, c, victim, func(_ int, ch *method.Chunk) { ch.Index, ch.Value = ch.Index[:2], ch.Value[:2] })
	for late, want := range map[bool]int{false: 0, true: 1} {
		uploads := []Upload{{UID: 1, Stored: at, Payload: victim}, {UID: 2, Stored: at.Add(-time.Second), Payload: few}}
		if late {
			uploads[1].Stored = at.Add(time.Second)
		}
		if got := Find(c, uploads, protocol.Hash{7}, p); len(got) != want || (want == 1 && got[0].UID != 2) {
			t.Errorf("stored later: %v: found %+v", late, got)
		}
	}
}

// Honest gradients have as much in common here as measured ones, and half as much again
// to the limits.
func TestHonestModel(t *testing.T) {
	c, p := setup(t)
	var uploads []Upload
	for n := range 6 {
		uploads = append(uploads, Upload{UID: protocol.UID(n), Payload: honest(t, c, uint64(n))})
	}
	indices, values := most(screen(samples(c, uploads, protocol.Hash{})))
	if indices < 0.5 || indices >= p.CopyIndices || values < 0.05 || values >= p.CopyValues {
		t.Errorf("at most %.3f of indices and %.3f of values in common", indices, values)
	}
}

// most is the most that any pair has in common.
func most(t *table) (indices, values float64) {
	for i := range t.samples {
		for k := range i {
			a, b := t.shares(i, k)
			indices, values = max(indices, a), max(values, b)
		}
	}
	return indices, values
}

// The order of uploads decides which is the original, and whether the other is blamed.
func TestBlame(t *testing.T) {
	c, p := setup(t)
	g, at := honest(t, c, 1), time.Unix(1000, 0)
	upload := func(uid protocol.UID, second int, registered uint64) Upload {
		return Upload{UID: uid, Registered: registered, Stored: at.Add(time.Duration(second) * time.Second), Payload: g}
	}
	unknown := func(uid protocol.UID) Upload { return Upload{UID: uid, Payload: g} }
	for name, tc := range map[string]struct {
		uploads []Upload
		want    []Copy
	}{
		"the later one":           {[]Upload{upload(1, 1, 5), upload(2, 0, 9)}, []Copy{{UID: 1, Of: 2, Blamed: true}}},
		"none within a second":    {[]Upload{upload(1, 0, 9), upload(2, 0, 5)}, []Copy{{UID: 1, Of: 2}}},
		"founders: the lower uid": {[]Upload{upload(2, 0, 0), upload(1, 0, 0)}, []Copy{{UID: 2, Of: 1}}},
		"time unknown":            {[]Upload{unknown(1), upload(2, 0, 0)}, []Copy{{UID: 1, Of: 2}}},
		"three with one": {[]Upload{upload(1, 0, 0), upload(2, 0, 0), upload(3, 1, 0)},
			[]Copy{{UID: 2, Of: 1}, {UID: 3, Of: 1, Blamed: true}}},
	} {
		got := Find(c, tc.uploads, protocol.Hash{}, p)
		for i := range got {
			if got[i].Indices != 1 || got[i].Values != 1 {
				t.Errorf("%s: one gradient shares %v and %v with itself", name, got[i].Indices, got[i].Values)
			}
			got[i].Indices, got[i].Values = 0, 0
		}
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

// A limit above 1 is off.
func TestFindIsOff(t *testing.T) {
	c, p := setup(t)
	p.CopyIndices, p.CopyValues = 2, 2
	g := honest(t, c, 1)
	if got := Find(c, []Upload{{UID: 1, Payload: g}, {UID: 2, Payload: g}}, protocol.Hash{}, p); got != nil {
		t.Errorf("found %+v", got)
	}
}

// All pairs of 256 miners: honest ones, and the worst case, in which all send the same.
func BenchmarkFind(b *testing.B) {
	c, p := setup(b)
	for name, distinct := range map[string]uint64{"honest": 256, "all-copied": 1} {
		uploads := make([]Upload, 256)
		for i := range uploads {
			uploads[i] = Upload{UID: protocol.UID(i), Payload: honest(b, c, uint64(i)%distinct)}
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Find(c, uploads, protocol.Hash{}, p)
			}
		})
	}
}
