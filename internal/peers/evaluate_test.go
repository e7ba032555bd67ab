package peers

import (
	"maps"
	"math"
	"slices"
	"testing"

	"templar/protocol"
)

func draws(rule protocol.EvaluationDraw, places, extra int) *protocol.Params {
	p := params()
	p.EvaluationDraw, p.UIDsPerWindow, p.UnprovenPerWindow = rule, places, extra
	return p
}

func usable(protocol.UID) Look { return Usable }

// draw fills the places when every upload is usable.
func draw(pool []Entrant, p *protocol.Params, w protocol.Window) []protocol.UID {
	drawn, _ := NewLineup(pool, p, seed(1), w).Fill(usable)
	return drawn
}

// entrants are n miners from uid on, with the same standing.
func entrants(uid protocol.UID, n int, s Standing) (out []Entrant) {
	for i := range n {
		out = append(out, Entrant{UID: uid + protocol.UID(i), Standing: s})
	}
	return out
}

func TestFewerThanPlaces(t *testing.T) {
	pool := []Entrant{{UID: 5}, {UID: 2, Waiting: 3}, {UID: 9, Waiting: math.MaxUint64}, {UID: 2, Waiting: 3}}
	for _, rule := range []protocol.EvaluationDraw{protocol.DrawUniform, protocol.DrawWaiting} {
		if got := draw(pool, draws(rule, 4, 0), 1); !slices.Equal(got, []protocol.UID{2, 5, 9}) {
			t.Errorf("%s: fewer than places: %v", rule, got)
		}
		if got := draw(nil, draws(rule, 3, 0), 1); len(got) != 0 {
			t.Errorf("%s: without miners: %v", rule, got)
		}
		if got := draw(pool, draws(rule, 0, 0), 1); len(got) != 0 {
			t.Errorf("%s: no places: %v", rule, got)
		}
	}
	if got := draw(pool, draws(protocol.DrawWaiting, 1, 0), 1); !slices.Equal(got, []protocol.UID{9}) {
		t.Errorf("the miner with the longest wait must be drawn: %v", got)
	}
}

// chance counts the draws of each of four miners in single draws, and returns the chi-square of the counts
// against the expected shares.
func chance(p *protocol.Params, pool []Entrant, shares []float64) (chi float64) {
	const rounds = 20_000
	counts := make([]float64, len(pool))
	for w := range protocol.Window(rounds) {
		counts[draw(pool, p, w)[0]]++
	}
	for i, n := range counts {
		want := rounds * shares[i]
		chi += (n - want) * (n - want) / want
	}
	return chi
}

const significant = 16.3 // 3 degrees of freedom, p = 0.001

// Who is drawn cannot be foreseen: a miner that has just been drawn has the same chance again. By
// the rule of Templar v0.2.82 it can idle in safety for a while.
func TestDrawHasNoMemory(t *testing.T) {
	pool := entrants(0, 4, Standing{Paid: true})
	for i := range pool {
		pool[i].Waiting = uint64(i)
	}
	equal, waiting := []float64{0.25, 0.25, 0.25, 0.25}, []float64{0.1, 0.2, 0.3, 0.4}
	if chi := chance(draws(protocol.DrawUniform, 1, 0), pool, equal); chi > significant {
		t.Errorf("uniform: chi-square %.1f", chi)
	}
	old := draws(protocol.DrawWaiting, 1, 0)
	if chi := chance(old, pool, waiting); chi > significant {
		t.Errorf("waiting: chi-square %.1f", chi)
	}
	if chi := chance(old, pool, equal); chi < significant {
		t.Errorf("waiting: the chances do not depend on the wait: chi-square %.1f", chi)
	}
}

// run draws windows with a population, and returns how often each uid was drawn and examined. junk
// uploads are invalid, and the validator remembers it.
func run(pool []Entrant, p *protocol.Params, windows int, junk func(protocol.UID) bool) (drawn, examined map[protocol.UID]int) {
	drawn, examined = map[protocol.UID]int{}, map[protocol.UID]int{}
	for w := range protocol.Window(windows) {
		known := map[protocol.UID]Look{}
		look := func(uid protocol.UID) Look { return known[uid] }
		line := NewLineup(pool, p, seed(7), w)
		got, wanted := line.Fill(look)
		for ; len(wanted) > 0; got, wanted = line.Fill(look) {
			for _, uid := range wanted {
				examined[uid]++
				if known[uid] = Usable; junk(uid) {
					known[uid] = Unusable
					pool[slices.IndexFunc(pool, func(e Entrant) bool { return e.UID == uid })].Refused++
				}
			}
		}
		for _, uid := range got {
			drawn[uid]++
		}
	}
	return drawn, examined
}

// Row 7: hundreds of hotkeys with junk uploads do not reduce the evaluations of 15 honest miners, and cost
// a bounded number of downloads, whether the honest have weight already or not.
func TestJunkHotkeysTakeNoEvaluations(t *testing.T) {
	const windows = 300
	junk := func(uid protocol.UID) bool { return uid >= 100 }
	for name, standing := range map[string]Standing{"proven": {Paid: true}, "all new": {}} {
		p := draws(protocol.DrawUniform, 4, 2)
		pool := slices.Concat(entrants(0, 15, standing), entrants(100, 400, Standing{}))
		drawn, examined := run(pool, p, windows, junk)
		honest, lookedAt := 0, 0
		for uid, n := range drawn {
			if junk(uid) {
				t.Fatalf("%s: junk uid %d was drawn", name, uid)
			}
			honest += n
		}
		for n := range maps.Values(examined) {
			lookedAt += n
		}
		perWindow := float64(honest) / windows
		least := 4.0
		if !standing.Paid { // until the junk has been seen through, it takes time
			least = 3.9
		}
		if perWindow < least {
			t.Errorf("%s: %.2f evaluations of honest miners a window, want %.2f", name, perWindow, least)
		}
		if most := float64(lookedAt) / windows; most > examinations*6 {
			t.Errorf("%s: %.1f downloads a window", name, most)
		}
		t.Logf("%s: %.2f honest evaluations and %.1f downloads a window", name, perWindow, float64(lookedAt)/windows)
	}
}

// Row 7: hundreds of strangers with valid uploads leave the proven half of the places, and the rest when they are found idle. In
// a young run, where most of those who work are not proven yet, these have their part.
func TestStrangersHaveTheirPart(t *testing.T) {
	count := func(drawn []protocol.UID) (proven int) {
		for _, uid := range drawn {
			if uid < 100 {
				proven++
			}
		}
		return proven
	}
	p := draws(protocol.DrawUniform, 4, 2)
	for name, c := range map[string]struct {
		pool           []Entrant
		proven, others int
	}{
		"none":               {entrants(0, 15, Standing{Paid: true}), 4, 0},
		"hundreds, fresh":    {slices.Concat(entrants(0, 15, Standing{Paid: true}), entrants(100, 400, Standing{})), 2, 4},
		"hundreds, doubtful": {slices.Concat(entrants(0, 15, Standing{Paid: true}), entrants(100, 400, Standing{Doubtful: true})), 4, 2},
		"a young run":        {slices.Concat(entrants(0, 4, Standing{Paid: true}), entrants(100, 76, Standing{})), 2, 4},
		"a few newcomers":    {slices.Concat(entrants(0, 78, Standing{Paid: true}), entrants(100, 2, Standing{})), 4, 2},
		"one newcomer":       {slices.Concat(entrants(0, 78, Standing{Paid: true}), entrants(100, 1, Standing{})), 4, 1},
	} {
		drawn := draw(c.pool, p, 5)
		if n := count(drawn); n != c.proven || len(drawn)-n != c.others {
			t.Errorf("%s: %d proven and %d others, want %d and %d", name, n, len(drawn)-n, c.proven, c.others)
		}
	}
}

// A newcomer is evaluated soon although hundreds of hotkeys with junk or doubtful uploads are
// waiting, and so is a miner with one invalid upload.
func TestNewcomersAreEvaluated(t *testing.T) {
	p := draws(protocol.DrawUniform, 4, 2)
	pool := slices.Concat(entrants(0, 15, Standing{Paid: true}),
		entrants(100, 200, Standing{Refused: 2}), entrants(400, 200, Standing{Doubtful: true, Refused: 1}),
		[]Entrant{{UID: 50}, {UID: 51, Standing: Standing{Paid: true, Refused: 1}}})
	got := draw(pool, p, 3)
	if len(got) != 6 || !slices.Contains(got, 50) || !slices.Contains(got, 51) {
		t.Errorf("drawn %v: want uids 50 and 51 among them", got)
	}
}

// A validator whose time is up evaluates fewer; it cannot pass over a miner.
func TestUnexaminedEndsTheLine(t *testing.T) {
	line := NewLineup(entrants(0, 8, Standing{Paid: true}), draws(protocol.DrawUniform, 4, 0), seed(1), 1)
	all, _ := line.Fill(usable)
	second := line.proven[1]
	drawn, wanted := line.Fill(func(uid protocol.UID) Look {
		if uid == second {
			return Unexamined
		}
		return Usable
	})
	if !slices.Equal(drawn, line.proven[:1]) || !slices.Equal(wanted, []protocol.UID{second}) {
		t.Errorf("drawn %v, wanted %v, of %v", drawn, wanted, all)
	}
	drawn, _ = line.Fill(func(uid protocol.UID) Look {
		if uid == second {
			return Idle
		}
		return Usable
	})
	if slices.Contains(drawn, second) || len(drawn) != 4 {
		t.Errorf("with an idle miner in the line: %v", drawn)
	}
}

// Over a run every miner is evaluated about equally often.
func TestDrawsAreFair(t *testing.T) {
	const miners, windows, n = 20, 500, 4 // 100 draws each, deviation 9
	counts := make([]int, miners)
	p := draws(protocol.DrawUniform, n, 0)
	pool := entrants(0, miners, Standing{Paid: true})
	for w := range protocol.Window(windows) {
		for _, uid := range draw(pool, p, w) {
			counts[uid]++
		}
	}
	if lo, hi := slices.Min(counts), slices.Max(counts); lo < 70 || hi > 130 {
		t.Errorf("draws between %d and %d", lo, hi)
	}
}

// Row 7: hundreds of active strangers do not shrink an honest list of 15, over many lists; and a stranger that
// gains weight gets in.
func TestStrangersDoNotShrinkTheList(t *testing.T) {
	p := protocol.Default()
	var pool []Candidate
	for i := range 415 {
		c := Candidate{UID: protocol.UID(i), Active: true}
		if i < 15 {
			c.Paid = true
		}
		pool = append(pool, c)
	}
	first, err := Initial(pool, seed(1), &p)
	if err != nil {
		t.Fatal(err)
	}
	list := first.UIDs
	for n := range byte(20) {
		s, err := Next(list, pool, seed(n), &p)
		if err != nil {
			t.Fatal(err)
		}
		list = s.UIDs
		strangers := len(list) - len(without(list, uids(pool[15:])))
		if n == 0 { // it found a first list of strangers
			continue
		}
		if strangers > 0 {
			t.Fatalf("list %d has %d strangers: %v", n, strangers, list)
		}
	}
	pool[3].Active = false // a free place
	s, err := Next(list, pool, seed(1), &p)
	if err != nil || len(s.UIDs) != 15 || len(s.Added) != 1 {
		t.Fatalf("a free place: %+v, %v", s, err)
	}
	pool[3].Active, pool[200].Paid = true, true
	if s, err = Next(s.UIDs, pool, seed(2), &p); err != nil || !slices.Contains(s.UIDs, 3) && !slices.Contains(s.UIDs, 200) {
		t.Errorf("with weight: %+v, %v", s, err)
	}
	refused := pool[0]
	refused.Refused = 1
	pool[0] = refused
	if s, err = Next(list, pool, seed(2), &p); err != nil || slices.Contains(s.UIDs, 0) || !slices.Contains(s.Inactive, 0) {
		t.Errorf("after an invalid upload: %+v, %v", s, err)
	}
}
