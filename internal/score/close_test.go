package score

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"templar/protocol"
)

func key(n byte) protocol.Hotkey { return protocol.Hotkey{n} }

// good is an evaluation that improves random data by r and own data by twice as much.
func good(r float64) *Losses {
	return &Losses{OwnBefore: 5, OwnAfter: Number(5 * (1 - 2*r)), RandomBefore: 4, RandomAfter: Number(4 * (1 - r))}
}

// blind is an evaluation that improves all data by r.
func blind(r float64) *Losses {
	return &Losses{OwnBefore: 5, OwnAfter: Number(5 * (1 - r)), RandomBefore: 4, RandomAfter: Number(4 * (1 - r))}
}

func inSync() *Sync { return &Sync{Verdict: protocol.VerdictOK} }

func seen(n byte, eval *Losses) Observation {
	return Observation{UID: protocol.UID(n), Hotkey: key(n), Active: true, Verdict: protocol.VerdictOK, Sync: inSync(), Losses: eval}
}

func mustClose(t *testing.T, b Book, w protocol.Window, obs ...Observation) (Book, []Line) {
	t.Helper()
	p := protocol.Default()
	p.DescribedScores()
	return closeBy(t, b, w, &p, obs...)
}

func closeBy(t *testing.T, b Book, w protocol.Window, p *protocol.Params, obs ...Observation) (Book, []Line) {
	t.Helper()
	next, lines, err := b.Close(w, obs, p)
	if err != nil {
		t.Fatal(err)
	}
	return next, lines
}

// rated is a book in which uids 1 and 2 have good standing: 1 the better.
func rated(t *testing.T) Book {
	t.Helper()
	var b Book
	for w := range protocol.Window(20) {
		b, _ = mustClose(t, b, w, seen(1, good(0.02)), seen(2, good(0.01)), seen(3, good(0.001)))
	}
	if b.Records[0].Final <= 0 {
		t.Fatalf("uid 1 is not in good standing: %+v", b.Records[0])
	}
	return b
}

// One window by hand: the ratings are those of vectors/plackett_luce.json for one
// game of two, and the rest follows from the formulas.
func TestCloseScoresAWindow(t *testing.T) {
	far := inSync()
	far.StepsBehind = 1
	loser := seen(2, &Losses{OwnBefore: 5, OwnAfter: 5, RandomBefore: 4, RandomAfter: 3.96})
	loser.Sync = far
	b, lines := mustClose(t, Book{}, 7, loser, seen(1, good(0.02)))
	want := []Record{
		{
			Hotkey: key(1), UID: 1, Rating: Rating{26.13333505173724, 8.312947679273053},
			GradientScore: 0.02, BinaryAverage: 0.05, SyncScore: 1, Final: 0.05 * 1.1944920139180795,
			Evaluations: 1, LastEvaluated: 7,
		}, {
			Hotkey: key(2), UID: 2, Rating: Rating{23.86666494826276, 8.312947679273053},
			GradientScore: 0.01, BinaryAverage: -0.05, SyncScore: 0.5724334022399462, Final: 0,
			Evaluations: 1, LastEvaluated: 7,
		},
	}
	for i, got := range b.Records {
		if !sameRecord(got, want[i]) {
			t.Errorf("got  %+v\nwant %+v", got, want[i])
		}
	}
	if b.Next != 8 || len(lines) != 2 || !lines[0].Evaluated || !near(lines[0].Own, 0.04) {
		t.Errorf("next %d, lines %+v", b.Next, lines)
	}
}

func sameRecord(a, b Record) bool {
	for _, pair := range [][2]float64{
		{a.Mu, b.Mu}, {a.Sigma, b.Sigma}, {a.GradientScore, b.GradientScore}, {a.BinaryAverage, b.BinaryAverage},
		{a.SyncScore, b.SyncScore}, {a.Final, b.Final},
	} {
		if !near(pair[0], pair[1]) {
			return false
		}
	}
	a.Rating, a.GradientScore, a.BinaryAverage, a.SyncScore, a.Final = b.Rating, b.GradientScore, b.BinaryAverage, b.SyncScore, b.Final
	return a == b
}

// Each case changes what is seen of uid 1, which stood well and is not evaluated.
func TestPenalties(t *testing.T) {
	sample := func(v protocol.Verdict, steps float64) *Sync {
		return &Sync{Verdict: v, Distance: Distance{StepsBehind: Number(steps)}}
	}
	cases := map[string]struct {
		change func(*Observation)
		factor float64
		kinds  []Kind
	}{
		"nothing wrong":   {func(o *Observation) {}, 1, nil},
		"not looked at":   {func(o *Observation) { o.Verdict, o.Sync = protocol.VerdictNone, nil }, 1, nil},
		"inactive":        {func(o *Observation) { o.Active = false }, 0.75, []Kind{KindInactive}},
		"missing":         {func(o *Observation) { o.Verdict = protocol.VerdictMissing }, 0.25, []Kind{KindMissing}},
		"late":            {func(o *Observation) { o.Verdict = protocol.VerdictLate }, 0.25, []Kind{KindMissing}},
		"unreachable":     {func(o *Observation) { o.Verdict = protocol.VerdictUnreachable }, 0.25, []Kind{KindMissing}},
		"malformed":       {func(o *Observation) { o.Verdict = protocol.VerdictMalformed }, 0, []Kind{KindInvalid}},
		"bad signature":   {func(o *Observation) { o.Verdict = protocol.VerdictBadSignature }, 0, []Kind{KindInvalid}},
		"no sample":       {func(o *Observation) { o.Sync = sample(protocol.VerdictMissing, 0) }, 0.25, []Kind{KindNoSample}},
		"at the limit":    {func(o *Observation) { o.Sync = sample(protocol.VerdictOK, 3) }, 1, nil},
		"over the limit":  {func(o *Observation) { o.Sync = sample(protocol.VerdictOK, 3.01) }, 0.25, []Kind{KindSync}},
		"no distance":     {func(o *Observation) { o.Sync = sample(protocol.VerdictOK, nan) }, 0.25, []Kind{KindSync}},
		"evaluated, late": {func(o *Observation) { o.Verdict, o.Losses = protocol.VerdictLate, good(0.5) }, 0.25, []Kind{KindMissing}},
		"stored together": {func(o *Observation) { o.Copy = &Copy{2, 1, 1} }, 1, []Kind{KindShared}},
		"our own fault": {func(o *Observation) { o.Losses = &Losses{OwnBefore: Number(nan), RandomBefore: 1} }, 1,
			[]Kind{KindRefused}},
		"several": {func(o *Observation) { o.Active, o.Verdict = false, protocol.VerdictMissing }, 0.75 * 0.25,
			[]Kind{KindInactive, KindMissing}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before := rated(t)
			o := seen(1, nil)
			c.change(&o)
			after, lines := mustClose(t, before, before.Next, o, seen(2, nil))
			was, is := before.Records[0], after.Records[0]
			if !near(is.Final, was.Final*c.factor) || !near(is.BinaryAverage, was.BinaryAverage*c.factor) {
				t.Errorf("final %v -> %v, binary average %v -> %v; want a factor of %v", was.Final, is.Final, was.BinaryAverage, is.BinaryAverage, c.factor)
			}
			var kinds []Kind
			for _, r := range lines[0].Reasons {
				kinds = append(kinds, r.Kind)
			}
			if !slices.Equal(kinds, c.kinds) {
				t.Errorf("reasons %v, want %v", lines[0].Reasons, c.kinds)
			}
			if after.Records[1].Final != before.Records[1].Final || after.Records[2] != before.Records[2] {
				t.Error("another miner's standing changed")
			}
		})
	}
}

// A copier that registered first and is quick enough can neither take the place of the miner
// whose gradient it sends, nor pull it down.
func TestMakersAreRated(t *testing.T) {
	var b Book
	for w := range protocol.Window(20) {
		theirs := seen(1, &Losses{OwnBefore: 5, OwnAfter: 4.95, RandomBefore: 4, RandomAfter: 3.92}) // of uid 2's pages it knows nothing
		made, weaker := seen(2, good(0.02)), seen(3, good(0.01))
		made.Copy = &Copy{Of: 1, Indices: 1, Values: 1}
		b, _ = mustClose(t, b, w, theirs, made, weaker)
	}
	copier, maker, weaker := b.Records[0], b.Records[1], b.Records[2]
	if copier.Final > 0 || copier.Evaluations != 20 || maker.Final <= weaker.Final || maker.Final <= 0 {
		t.Errorf("copier %+v\nmaker %+v\nweaker %+v", copier, maker, weaker)
	}
	if copier.Mu > InitialMu+2 { // rated once, when nothing was known of either
		t.Errorf("the copier is rated: mu %v", copier.Mu)
	}
}

func TestPenaltiesSpareNegativeScores(t *testing.T) {
	b := Book{Records: []Record{{Hotkey: key(1), UID: 1, Rating: Rating{20, 8}, BinaryAverage: -0.5, Final: -2}}}
	o := seen(1, nil)
	o.Verdict = protocol.VerdictMalformed
	b, _ = mustClose(t, b, 0, o)
	if r := b.Records[0]; r.Final != -2 || r.BinaryAverage != -0.5 {
		t.Errorf("a penalty raised a negative score: %+v", r)
	}
}

func TestInactivity(t *testing.T) {
	b := rated(t)
	was := b.Records[0]
	away := seen(1, nil)
	away.Active, away.Verdict, away.Sync = false, protocol.VerdictNone, nil
	for range 25 {
		b, _ = mustClose(t, b, b.Next, away)
	}
	if want := was.Final * math.Pow(0.75, 25); math.Abs(b.Records[0].Final/want-1) > 1e-9 || b.Records[0].Mu != was.Mu {
		t.Errorf("after 25 windows: %+v, want a final of %v", b.Records[0], want)
	}
	b, lines := mustClose(t, b, b.Next, away)
	want := newRecord(key(1), 1)
	want.InactiveWindows, want.Waiting = 26, 26
	if b.Records[0] != want || lines[0].Reasons[0].Kind != KindReset {
		t.Errorf("after 26 windows: %+v, %v", b.Records[0], lines[0].Reasons)
	}
	b, _ = mustClose(t, b, b.Next, seen(1, nil))
	if b.Records[0].InactiveWindows != 0 {
		t.Error("a miner that came back still counts as inactive")
	}
}

// A miner that was found useless, or to fit its pages no better than chance, does not get a clean record by idling.
func TestIdlingClearsNoRecord(t *testing.T) {
	poor := map[string]Record{
		"useless":  {BinaryAverage: 0.3, Batches: 9, Gain: -0.03, TypicalGain: 0.03, Evaluations: 3, Final: 0.2},
		"doubtful": {BinaryAverage: -0.1, Batches: 60, Gain: 0.03, TypicalGain: 0.03, Evaluations: 20},
		"good":     {BinaryAverage: 0.3, Batches: 60, Gain: 0.03, TypicalGain: 0.03, Evaluations: 20, Final: 0.3},
	}
	for name, r := range poor {
		p := protocol.Default()
		r.Hotkey, r.UID, r.Rating = key(1), 1, Rating{InitialMu, InitialSigma}
		b := Book{Records: []Record{r}}
		away := seen(1, nil)
		away.Active, away.Verdict, away.Sync = false, protocol.VerdictNone, nil
		for range 2 * p.ResetInactivityWindows {
			var err error
			if b, _, err = b.Close(b.Next, []Observation{away}, &p); err != nil {
				t.Fatal(err)
			}
		}
		got := b.Records[0]
		if kept := got.Evaluations == r.Evaluations && got.Gain == r.Gain && got.Batches == r.Batches && got.TypicalGain == r.TypicalGain; kept == (name == "good") || got.Paid() {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestOneReturnEndsInactivity(t *testing.T) {
	b := rated(t)
	away := seen(1, nil)
	away.Active = false
	b, _ = mustClose(t, b, b.Next, away)
	b, _ = mustClose(t, b, b.Next, seen(1, nil))
	if b, _ = mustClose(t, b, b.Next, away); b.Records[0].InactiveWindows != 1 {
		t.Errorf("got %d windows of inactivity, want 1", b.Records[0].InactiveWindows)
	}
}

func TestNewHotkeyInheritsNothing(t *testing.T) {
	b := rated(t)
	taker := seen(9, nil)
	taker.UID = 1
	next, lines := mustClose(t, b, b.Next, taker)
	want := newRecord(key(9), 1)
	want.SyncScore, want.Waiting = 1, 1
	if r, ok := next.Record(key(9)); !ok || r != want {
		t.Errorf("the new owner of uid 1 got %+v", r)
	}
	if _, ok := next.Record(key(1)); ok {
		t.Error("the old owner's record is still there")
	}
	if len(lines[0].Reasons) != 1 || lines[0].Reasons[0].Kind != KindNewHotkey {
		t.Errorf("reasons: %v", lines[0].Reasons)
	}
	if slices.ContainsFunc(next.Weights(2), func(w Weight) bool { return w.UID == 1 }) {
		t.Error("the new owner of uid 1 has a weight")
	}
}

// Two hotkeys that swap uids keep their own records.
func TestRecordsFollowHotkeys(t *testing.T) {
	b := rated(t)
	one, two := seen(1, nil), seen(2, nil)
	one.UID, two.UID = 2, 1
	next, _ := mustClose(t, b, b.Next, one, two)
	if r, _ := next.Record(key(1)); r.UID != 2 || r.Final != b.Records[0].Final {
		t.Errorf("got %+v", r)
	}
}

func TestBlackoutCostsNobody(t *testing.T) {
	b := rated(t)
	var obs []Observation
	for n := range byte(3) {
		o := seen(n+1, nil)
		o.Verdict, o.Sync = protocol.VerdictUnreachable, &Sync{Verdict: protocol.VerdictUnreachable}
		obs = append(obs, o)
	}
	next, lines := mustClose(t, b, b.Next, obs...)
	for i, r := range next.Records {
		if r.Final != b.Records[i].Final || r.SyncScore != b.Records[i].SyncScore || lines[i].Reasons[0].Kind != KindBlackout {
			t.Errorf("uid %d: %+v, %v", r.UID, r, lines[i].Reasons)
		}
	}
}

func TestEvaluatedAlone(t *testing.T) {
	b := rated(t)
	next, lines := mustClose(t, b, b.Next, seen(1, good(0.02)), seen(2, nil))
	is, was := next.Records[0], b.Records[0]
	if is.Rating != was.Rating || is.Evaluations != was.Evaluations+1 || is.BinaryAverage <= was.BinaryAverage {
		t.Errorf("%+v -> %+v", was, is)
	}
	if len(lines[0].Reasons) != 1 || lines[0].Reasons[0].Kind != KindAlone {
		t.Errorf("reasons: %v", lines[0].Reasons)
	}
}

// A miner that repeats a victim's public training and stores it first gets neither the victim blamed nor
// its pay: its gradients do not fit its own pages.
func TestVictimsAreNotBlamed(t *testing.T) {
	for _, rule := range []protocol.ScoreRule{protocol.ScoreWork, protocol.ScoreOrdinal} {
		p := protocol.Default()
		if rule == protocol.ScoreOrdinal {
			p.DescribedScores()
		}
		var b Book
		for w := range protocol.Window(20) {
			framer, victim := seen(1, blind(0.02)), seen(2, good(0.02))
			victim.Copy = &Copy{Of: 1, Indices: 1, Values: 1}
			b, _ = closeBy(t, b, w, &p, framer, victim, seen(3, good(0.015)))
		}
		framer, victim, third := b.Records[0], b.Records[1], b.Records[2]
		if framer.Final > 0 || victim.Final <= 0 || victim.Final < 0.9*third.Final {
			t.Errorf("%s: framer %+v\nvictim %+v\nthird %+v", rule, framer, victim, third)
		}
	}
}

func TestWaitingCountsFromTheLastDraw(t *testing.T) {
	drawn := seen(1, nil)
	drawn.Drawn, drawn.Verdict = true, protocol.VerdictMissing
	b, _ := mustClose(t, Book{}, 0, seen(1, nil), seen(2, nil))
	b, _ = mustClose(t, b, 1, drawn, seen(2, nil))
	if b.Records[0].Waiting != 0 || b.Records[1].Waiting != 2 {
		t.Errorf("waiting %d and %d, want 0 and 2", b.Records[0].Waiting, b.Records[1].Waiting)
	}
}

func TestCloseRefuses(t *testing.T) {
	p := protocol.Default()
	b := Book{Next: 5}
	for name, c := range map[string]struct {
		w    protocol.Window
		obs  []Observation
		want string
	}{
		"a closed window":    {4, nil, "closed already"},
		"a uid seen twice":   {5, []Observation{{UID: 1, Hotkey: key(1)}, {UID: 1, Hotkey: key(2)}}, "uid 1 was observed twice"},
		"a key seen twice":   {5, []Observation{{UID: 1, Hotkey: key(1)}, {UID: 2, Hotkey: key(1)}}, "observed twice"},
		"an unnamed miner":   {5, []Observation{{UID: 1}}, "hotkey is missing"},
		"twice, not in line": {5, []Observation{{UID: 3, Hotkey: key(3)}, {UID: 1, Hotkey: key(1)}, {UID: 3, Hotkey: key(4)}}, "uid 3"},
	} {
		if _, _, err := b.Close(c.w, c.obs, &p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// Whatever is observed, in whatever order: scores stay finite and in range, the same
// set of observations gives the same bytes, the old book is untouched, and the new
// one survives the disk.
func TestCloseInvariants(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	value := func() Number {
		return []Number{0, 1, 3.9, 4, 4.1, -1, 1e300, Number(nan), Number(inf), Number(-inf)}[rng.IntN(10)]
	}
	p := protocol.Default()
	p.ResetInactivityWindows = 2
	var b Book
	for w := range protocol.Window(2000) {
		var obs []Observation
		for _, uid := range rng.Perm(8)[:rng.IntN(9)] {
			o := Observation{
				UID: protocol.UID(uid), Hotkey: protocol.Hotkey{byte(uid + 1), byte(rng.IntN(30) / 29)},
				Active: rng.IntN(3) > 0, Verdict: protocol.Verdict(rng.IntN(16)), Drawn: rng.IntN(2) == 0,
			}
			if rng.IntN(3) > 0 {
				o.Verdict = protocol.VerdictOK
			}
			if rng.IntN(2) == 0 {
				o.Sync = &Sync{Distance: Distance{StepsBehind: value()}, Verdict: protocol.Verdict(rng.IntN(3))}
			}
			if rng.IntN(2) == 0 {
				o.Losses = &Losses{OwnBefore: value(), OwnAfter: value(), RandomBefore: value(), RandomAfter: value()}
				for range rng.IntN(3) {
					o.Losses.Batches = append(o.Losses.Batches, BatchLosses{value(), value(), value()})
				}
				if control := protocol.UID(rng.IntN(9)); control < 8 {
					o.Losses.Control = &control
				}
			}
			obs = append(obs, o)
		}
		before := encode(t, b)
		next, lines, err := b.Close(w, obs, &p)
		if err != nil {
			t.Fatal(err)
		}
		rng.Shuffle(len(obs), func(i, j int) { obs[i], obs[j] = obs[j], obs[i] })
		again, linesAgain, _ := b.Close(w, obs, &p)
		if !bytes.Equal(encode(t, next), encode(t, again)) || !reflect.DeepEqual(lines, linesAgain) {
			t.Fatalf("window %d depends on the order of observations", w)
		}
		if !bytes.Equal(before, encode(t, b)) {
			t.Fatalf("window %d changed the book it was closed on", w)
		}
		read, err := DecodeBook(encode(t, next)) // JSON has no NaN and validate no strange range
		if err != nil {
			t.Fatalf("window %d: %v", w, err)
		}
		if !slices.Equal(read.Records, next.Records) || read.Next != next.Next {
			t.Fatalf("window %d: the book does not survive the disk", w)
		}
		b = next
	}
}

func encode(t *testing.T, b Book) []byte {
	t.Helper()
	raw, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestDecodeBookRefuses(t *testing.T) {
	b := rated(t)
	valid := string(encode(t, b))
	for name, c := range map[string]struct{ old, new, want string }{
		"another schema":   {`"schema":4`, `"schema":5`, "version 5, and this release reads versions 1 to 4"},
		"no schema":        {`"schema":4`, `"schema":0`, "version 0, and this release reads versions 1 to 4"},
		"weights to come":  {`"weights_window":0`, `"weights_window":20`, "not closed"},
		"a vain commit":    {`"weights_window":0`, `"weights_window":0,"pending_weights":{"window":3,"block":9,"effective_at":9}`, "not possible"},
		"an unknown key":   {`"next_window"`, `"x":1,"next_window"`, "unknown name"},
		"a digit":          {`"final":`, `"final":1`, "checksum"},
		"no checksum":      {`"checksum":"`, `"checksum":"00`, "scores:"},
		"a broken range":   {`"sigma":`, `"sigma":-`, "out of range"},
		"a uid twice":      {`"uid":2`, `"uid":1`, "out of order"},
		"a hotkey twice":   {key(2).String(), key(1).String(), "appears twice"},
		"a broken address": {key(2).String(), "x", "hotkey"},
		"an empty file":    {valid, "", "empty file"},
		"half a file":      {`,"records"`, "", "scores:"},
		"something behind": {`"schema":4`, `"schema":4}{"schema":4`, "scores:"},
	} {
		broken := strings.Replace(valid, c.old, c.new, 1)
		if broken == valid {
			t.Fatalf("%s: the case changes nothing", name)
		}
		if _, err := DecodeBook([]byte(broken)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// A book that an earlier release wrote is read, as one whose weights were never set.
func TestDecodeBookReadsOlderForms(t *testing.T) {
	b := rated(t)
	older := strings.Replace(string(encode(t, b)), `"schema":4`, `"schema":1`, 1)
	older = strings.Replace(older, `"weights_window":0,`, "", 1)
	older = older[:strings.Index(older, `,"checksum"`)] + "}"
	got, err := DecodeBook([]byte(older))
	if err != nil || got.Next != b.Next || got.Weighed != 0 || !slices.Equal(got.Records, b.Records) {
		t.Errorf("%+v, %v", got, err)
	}
}

// Close passes on which weights were set.
func TestCloseKeepsWeighed(t *testing.T) {
	pending := Pending{Window: 4, Block: 7, EffectiveAt: 9}
	b, _ := mustClose(t, Book{Next: 5, Weighed: 3, Pending: pending}, 5, seen(1, nil))
	if b.Weighed != 3 || b.Pending != pending {
		t.Errorf("weighed window %d, pending %+v, want 3 and %+v", b.Weighed, b.Pending, pending)
	}
	if got, err := DecodeBook(encode(t, b)); err != nil || got.Pending != pending {
		t.Errorf("read %+v, %v", got.Pending, err)
	}
}

func FuzzDecodeBook(f *testing.F) {
	b := Book{Next: 3, Records: []Record{newRecord(key(1), 1), newRecord(key(2), 4)}}
	raw, err := b.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"schema":1,"next_window":0,"records":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := DecodeBook(raw)
		if err != nil {
			return
		}
		again, err := DecodeBook(encode(t, b))
		if err != nil || !slices.Equal(b.Records, again.Records) {
			t.Fatalf("%v: %+v and %+v", err, b, again)
		}
	})
}
