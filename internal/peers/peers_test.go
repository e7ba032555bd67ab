package peers

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"templar/internal/score"
	"templar/protocol"
)

func params() *protocol.Params {
	p := protocol.Default()
	p.UnprovenPeers, p.UnpaidEvaluations = 4, 0
	p.MaxTopKPeers, p.MinimumPeers, p.PeersToReplace = 4, 2, 1
	return &p
}

func seed(n byte) protocol.Hash { return protocol.Hash{n} }

// miners returns candidates with uids from 1 on: 'a' active, 'i' inactive, 'z' active
// without weight. Incentives are zero.
func miners(kinds string) []Candidate {
	var out []Candidate
	for i, k := range kinds {
		c := Candidate{UID: protocol.UID(i + 1), Active: k != 'i'}
		if k == 'a' {
			c.Paid = true
		}
		out = append(out, c)
	}
	return out
}

func TestSchedule(t *testing.T) {
	p := params() // every 5 windows, margin 2
	var due []protocol.Window
	for w := protocol.Window(95); w < 112; w++ {
		if Due(100, w, p) {
			due = append(due, w)
		}
	}
	if !slices.Equal(due, []protocol.Window{100, 105, 110}) || EffectiveFrom(105, p) != 107 {
		t.Errorf("due %v, effective from %d", due, EffectiveFrom(105, p))
	}
}

func TestBootstrap(t *testing.T) {
	got := Bootstrap([]protocol.UID{9, 3, 3, 7, 1, 20}, params())
	if !slices.Equal(got, []protocol.UID{1, 3, 7, 9}) {
		t.Errorf("got %v", got)
	}
	if got := Bootstrap(nil, params()); len(got) != 0 {
		t.Errorf("without candidates: %v", got)
	}
}

func TestInitialPrefersIncentive(t *testing.T) {
	c := miners("aaaaiaaa")
	c[1].Incentive, c[3].Incentive, c[4].Incentive = 10, 20, 30 // uid 5 is inactive
	newcomers := map[protocol.UID]int{}
	for n := range byte(200) {
		s, err := Initial(c, seed(n), params())
		if err != nil || len(s.UIDs) != 4 || !slices.IsSorted(s.UIDs) {
			t.Fatal(s, err)
		}
		if !slices.Contains(s.UIDs, 2) || !slices.Contains(s.UIDs, 4) || slices.Contains(s.UIDs, 5) {
			t.Fatalf("got %v, want uids 2 and 4 in it and 5 not", s.UIDs)
		}
		for _, uid := range without(s.UIDs, []protocol.UID{2, 4}) {
			newcomers[uid]++
		}
	}
	for _, uid := range []protocol.UID{1, 3, 6, 7, 8} { // expected 80, deviation 7
		if n := newcomers[uid]; n < 55 || n > 105 {
			t.Errorf("uid %d filled a place %d times in 200", uid, n)
		}
	}
}

func TestTooFew(t *testing.T) {
	if _, err := Initial(miners("aii"), seed(1), params()); !errors.Is(err, ErrTooFew) {
		t.Errorf("initial: %v", err)
	}
	if _, err := Next([]protocol.UID{1, 2}, miners("aii"), seed(1), params()); !errors.Is(err, ErrTooFew) {
		t.Errorf("next: %v", err)
	}
	p := params()
	p.MinimumPeers = 0
	if _, err := Initial(nil, seed(1), p); !errors.Is(err, ErrTooFew) {
		t.Errorf("without candidates: %v", err)
	}
}

func TestNext(t *testing.T) {
	type uids = []protocol.UID
	for name, c := range map[string]struct {
		current  uids
		miners   string
		inactive uids // must leave
		zero     uids
		rotated  int
		size     int
	}{
		"all fit, all stay":                 {uids{1, 2, 3}, "aaa", nil, nil, 0, 3},
		"zero weight alone removes no peer": {uids{1, 2, 3}, "zzz", nil, nil, 0, 3},
		"free places are filled":            {uids{1, 2}, "aaaa", nil, nil, 0, 4},
		"inactive leaves":                   {uids{1, 2, 3}, "aia", uids{2}, nil, 0, 2},
		"inactive is replaced":              {uids{1, 2, 3, 4}, "aaiaa", uids{3}, nil, 0, 4},
		"gone from the chain":               {uids{1, 2, 3, 77}, "aaaa", uids{77}, nil, 0, 4},
		"one rotates":                       {uids{1, 2, 3, 4}, "aaaaaa", nil, nil, 1, 4},
		"zero weight gives way first":       {uids{1, 2, 3, 4}, "azaaa", nil, uids{2}, 0, 4},
		"zero weight, then rotation":        {uids{1, 2, 3, 4}, "azaaaa", nil, uids{2}, 1, 4},
		"everything at once":                {uids{1, 2, 3, 4}, "aziaaaaaa", uids{3}, uids{2}, 1, 4},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Next(c.current, miners(c.miners), seed(3), params())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.Inactive, c.inactive) || !slices.Equal(s.ZeroWeight, c.zero) || len(s.Rotated) != c.rotated || len(s.UIDs) != c.size {
				t.Fatalf("got %+v", s)
			}
			left := slices.Concat(s.Inactive, s.ZeroWeight, s.Rotated)
			want := slices.Sorted(slices.Values(append(without(c.current, left), s.Added...)))
			if !slices.Equal(s.UIDs, want) || !slices.Equal(s.UIDs, slices.Compact(slices.Clone(s.UIDs))) {
				t.Errorf("list %v, the account says %v", s.UIDs, want)
			}
			if len(without(s.Added, c.current)) != len(s.Added) {
				t.Errorf("added %v was in the list before", s.Added)
			}
		})
	}
}

// A miner that was evaluated often enough and has no weight leaves without a successor, returns
// when it has weight, and is in no first list either.
func TestUnpaidAreLeftOut(t *testing.T) {
	p := params()
	p.UnpaidEvaluations = 3
	c := miners("aaza")
	c[2].Evaluations, c[2].Refuted = 2, true
	if s, err := Next([]protocol.UID{1, 2, 3}, c, seed(1), p); err != nil || !slices.Equal(s.UIDs, []protocol.UID{1, 2, 3, 4}) {
		t.Errorf("before its time: %+v, %v", s, err)
	}
	c[2].Evaluations = 3
	s, err := Next([]protocol.UID{1, 2, 3}, c, seed(1), p)
	if err != nil || !slices.Equal(s.UIDs, []protocol.UID{1, 2, 4}) || !slices.Equal(s.ZeroWeight, []protocol.UID{3}) || len(s.Inactive) > 0 {
		t.Errorf("after it: %+v, %v", s, err)
	}
	if s, err := Initial(c, seed(1), p); err != nil || slices.Contains(s.UIDs, 3) {
		t.Errorf("in the first list: %+v, %v", s, err)
	}
	c[2].Paid = true
	if s, err := Next(s.UIDs, c, seed(1), p); err != nil || !slices.Contains(s.UIDs, 3) {
		t.Errorf("with weight again: %+v, %v", s, err)
	}
	c[2].Paid, c[2].Useless, c[2].Evaluations = false, true, 0
	if s, err := Next([]protocol.UID{1, 2, 3}, c, seed(1), p); err != nil || slices.Contains(s.UIDs, 3) {
		t.Errorf("useless: %+v, %v", s, err)
	}
	p.UnpaidEvaluations = 0
	if s, err := Next([]protocol.UID{1, 2, 3}, c, seed(1), p); err != nil || !slices.Contains(s.UIDs, 3) {
		t.Errorf("where none is left out: %+v, %v", s, err)
	}
}

// Gradients that raise the loss, or hardly lower it, are found useless after three evaluations, and those that help are not, nor
// those of a window in which nobody's helped.
func TestUselessMiners(t *testing.T) {
	for _, c := range []struct {
		evaluations   uint64
		gain, typical float64
		want          bool
	}{
		{3, -0.03, 0.03, true}, {2, -0.03, 0.03, false}, {3, 0.007, 0.03, true}, {3, 0.008, 0.03, false}, {30, 0.03, 0.03, false}, {3, -0.03, -0.01, false}, {3, 0, 0, false},
	} {
		r := score.Record{Evaluations: c.evaluations, Gain: c.gain, TypicalGain: c.typical}
		if got := StandingOf(r, params()).Useless; got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// A miner that trains on ten of 48 batches fits half of what is sampled, and a few more: it must not leave because of chance. One
// whose gradients fit worse than a coin does leave.
func TestChanceLeavesNoMinerOut(t *testing.T) {
	p := protocol.Default()
	p.MinimumPeers = 1
	const sampled, windows, alpha = 3, 4000, 0.05
	for name, c := range map[string]struct {
		fits        float64 // of the sampled batches
		least, most float64 // share of the lists without it
	}{"honest, slow": {0.56, 0, 0.005}, "without work": {0.5, 0, 0.05}, "the opposite of its gradient": {0.2, 0.99, 1}} {
		rng := rand.New(rand.NewPCG(1, 97))
		r := score.Record{Gain: 0.03, TypicalGain: 0.03}
		out := 0
		for range windows {
			kept := (1 - alpha) * r.Batches
			sum := 0.0
			for range sampled {
				if rng.Float64() < c.fits {
					sum++
				} else {
					sum--
				}
			}
			r.BinaryAverage = (kept*r.BinaryAverage + sum) / (kept + sampled)
			r.Batches = kept + sampled
			r.Evaluations++
			s, err := Next([]protocol.UID{1, 2}, []Candidate{{UID: 1, Active: true, Standing: Standing{Paid: true}}, {UID: 2, Active: true, Evaluations: r.Evaluations, Standing: StandingOf(r, &p)}}, seed(1), &p)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(s.UIDs, 2) {
				out++
			}
		}
		if share := float64(out) / windows; share < c.least || share > c.most {
			t.Errorf("%s: out of %.3f of the lists, want %.3f to %.3f", name, share, c.least, c.most)
		}
	}
}

func TestSelectionsAreRecomputable(t *testing.T) {
	c := miners("aazaaaiaazaa")
	current := []protocol.UID{1, 3, 7, 9}
	first, err := Next(current, c, seed(1), params())
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(c)
	slices.Reverse(current)
	again, _ := Next(current, c, seed(1), params())
	if !slices.Equal(first.UIDs, again.UIDs) {
		t.Errorf("%v in one order, %v in another", first.UIDs, again.UIDs)
	}
	differs := false
	for n := range byte(10) {
		other, _ := Next(current, c, seed(n+2), params())
		differs = differs || !slices.Equal(first.UIDs, other.UIDs)
	}
	if !differs {
		t.Error("the seed does not matter")
	}
}
