package score

import (
	"cmp"
	"fmt"
	"slices"

	"templar/protocol"
)

// Close takes the observations of window w, one for each registered miner and in any
// order, and returns the next book with a line for each of them, ascending by uid. A miner without
// an observation keeps its record, unless another hotkey now has its uid: then the
// record is gone. An error means that the caller is at fault: w was closed already,
// or a uid or a hotkey was observed twice.
//
// Each step sees what the one before left: sync scores, evaluations (ratings, binary
// averages, finals), then penalties.
func (b *Book) Close(w protocol.Window, observed []Observation, p *protocol.Params) (Book, []Line, error) {
	if w < b.Next {
		return Book{}, nil, fmt.Errorf("close window %d: windows before %d are closed already", w, b.Next)
	}
	observed = slices.Clone(observed)
	slices.SortFunc(observed, func(a, b Observation) int { return cmp.Compare(a.UID, b.UID) })
	if err := unique(observed); err != nil {
		return Book{}, nil, fmt.Errorf("close window %d: %w", w, err)
	}
	lines, unseen := b.open(observed)
	sync(lines)
	evaluate(lines, w, p)
	penalise(lines, p)

	next := Book{Next: w + 1, Weighed: b.Weighed, Pending: b.Pending, Records: unseen}
	for _, l := range lines {
		next.Records = append(next.Records, l.After)
	}
	slices.SortFunc(next.Records, func(a, b Record) int { return cmp.Compare(a.UID, b.UID) })
	next.share(lines, p.PowerNormalisation)
	return next, lines, nil
}

// unique checks observations.
func unique(observed []Observation) error {
	if _, refused := Sound(observed); len(refused) > 0 {
		return refused[0]
	}
	return nil
}

// Sound returns the observations that Close accepts, and for each other one why it does not: the
// hotkey is missing, or a uid or a hotkey was observed before. What one entry of a chain's state is
// must not keep the others from being scored.
func Sound(observed []Observation) (sound []Observation, refused []error) {
	uids, hotkeys := make(map[protocol.UID]bool, len(observed)), make(map[protocol.Hotkey]bool, len(observed))
	for _, o := range observed {
		switch {
		case uids[o.UID]:
			refused = append(refused, fmt.Errorf("uid %d was observed twice", o.UID))
		case o.Hotkey.IsZero() || hotkeys[o.Hotkey]:
			refused = append(refused, fmt.Errorf("uid %d: its hotkey is missing or was observed twice", o.UID))
		default:
			uids[o.UID], hotkeys[o.Hotkey] = true, true
			sound = append(sound, o)
		}
	}
	return sound, refused
}

// open begins a line for each observation, and returns beside them the records of
// miners that were not observed and still have their uid.
func (b *Book) open(observed []Observation) (lines []Line, unseen []Record) {
	known := make(map[protocol.Hotkey]Record, len(b.Records))
	for _, r := range b.Records {
		known[r.Hotkey] = r
	}
	taken := make(map[protocol.UID]bool, len(observed))
	for _, o := range observed {
		r, ok := known[o.Hotkey]
		if !ok {
			r = newRecord(o.Hotkey, o.UID)
		}
		l := Line{Observation: o, Before: r, After: r}
		l.After.UID = o.UID
		if !ok {
			l.note(KindNewHotkey, "uid %d has a hotkey that is new here", o.UID)
		}
		lines = append(lines, l)
		taken[o.UID] = true
		delete(known, o.Hotkey)
	}
	for _, r := range b.Records {
		if _, left := known[r.Hotkey]; left && !taken[r.UID] {
			unseen = append(unseen, r)
		}
	}
	return lines, unseen
}

// sync updates the sync scores of the miners whose samples were read.
func sync(lines []Line) {
	for i := range lines {
		switch l := &lines[i]; {
		case l.Sync == nil || l.Sync.Verdict == protocol.VerdictNone:
		case l.Sync.Verdict.OK():
			l.After.SyncScore = SyncScore(float64(l.Sync.StepsBehind))
		case !blackout(lines, syncVerdict):
			l.After.SyncScore = 0
		}
	}
}

// evaluate rates the window's evaluated miners against each other and updates their
// scores.
func evaluate(lines []Line, w protocol.Window, p *protocol.Params) {
	var measured []int
	for i := range lines {
		l := &lines[i]
		l.After.Waiting++
		if l.Drawn || l.Losses != nil {
			l.After.Waiting = 0
		}
		if l.Losses != nil && l.Verdict.OK() && l.measure() {
			measured = append(measured, i)
		}
	}
	played := makers(lines, measured)
	ratings, scores := make([]Rating, len(played)), make([]float64, len(played))
	for k, i := range played {
		ratings[k], scores[k] = lines[i].After.Rating, lines[i].Random
	}
	ratings = Rate(ratings, scores, p.OpenSkillBeta, p.OpenSkillTau)
	for k, i := range played {
		if len(played) == 1 {
			lines[i].note(KindAlone, "the rating stands: no other miner was evaluated in this window")
		}
		lines[i].After.Rating = ratings[k]
	}
	m := measurement{lines: lines, typical: typicalOf(lines), params: p}
	for _, i := range measured {
		m.score(&lines[i], w)
	}
}

// measurement is what the measured miners of a window are scored by.
type measurement struct {
	lines   []Line
	typical float64 // gradient score of the window
	params  *protocol.Params
}

// score updates a measured miner's record, and its final score by the run's rule.
func (m *measurement) score(l *Line, w protocol.Window) {
	l.After.GradientScore = l.Random
	l.After.Evaluations++
	l.After.LastEvaluated = w
	if m.params.ScoreRule == protocol.ScoreWork {
		m.work(l)
	} else {
		l.ordinal(m.params.BinaryScoreAlpha)
	}
}

// ordinal is the rule of Templar v0.2.82.
func (l *Line) ordinal(alpha float64) {
	r := &l.After
	r.BinaryAverage = (1-alpha)*r.BinaryAverage + alpha*Indicator(l.Own, l.Random)
	r.Final = Final(r.Ordinal(), r.BinaryAverage, r.SyncScore)
}

// makers returns the measured miners that are rated: of those whose gradients are alike
// only one, since ties lower each other's ratings, and a fast copier must not
// displace the original. It is the one whose gradients have fitted its own pages best so far, as
// the maker's do; among equals the first.
func makers(lines []Line, measured []int) []int {
	best := make(map[protocol.UID]int)
	for _, i := range measured {
		k, ok := best[lines[i].made()]
		if !ok || lines[i].After.BinaryAverage > lines[k].After.BinaryAverage {
			best[lines[i].made()] = i
		}
	}
	return slices.DeleteFunc(slices.Clone(measured), func(i int) bool { return best[lines[i].made()] != i })
}

// made is the first of the miners that sent the same gradient.
func (l *Line) made() protocol.UID {
	if l.Copy != nil {
		return l.Copy.Of
	}
	return l.UID
}

// measure computes the improvements and reports whether they can be used.
func (l *Line) measure() bool {
	own, ownOK := Improvement(float64(l.Losses.OwnBefore), float64(l.Losses.OwnAfter))
	random, randomOK := Improvement(float64(l.Losses.RandomBefore), float64(l.Losses.RandomAfter))
	if !ownOK || !randomOK {
		l.note(KindRefused, "losses before the step must be positive: own %v, random %v", l.Losses.OwnBefore, l.Losses.RandomBefore)
		return false
	}
	l.Evaluated, l.Own, l.Random = true, own, random
	return true
}
