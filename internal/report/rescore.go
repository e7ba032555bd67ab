package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"templar/internal/peers"
	"templar/internal/score"
	"templar/protocol"
)

// Tolerance is how far a recomputed loss or score may be from the reported one: the
// machines that computed them may round differently.
const Tolerance = 1e-6

// Tolerances of losses that different engines measured.
const (
	mixedTolerance = 1e-5 // both in float32: they sum in another order
	roundTolerance = 1e-3 // one of them, or both, with products of fewer bits
)

// LossTolerance is how far losses of two engines may be apart, by the engines' names. An engine that
// is not named is taken to be of the other's kind.
func LossTolerance(a, b string) float64 {
	exact := func(name string) bool { return name == "" || strings.HasSuffix(name, " float32") }
	switch {
	case !exact(a) || !exact(b):
		return roundTolerance
	case a == b || a == "" || b == "":
		return Tolerance
	}
	return mixedTolerance
}

// Difference is a number in a report that differs from its recomputation.
type Difference struct {
	UID        protocol.UID `json:"uid"`
	What       string       `json:"what"`
	Reported   string       `json:"reported"`
	Recomputed string       `json:"recomputed"`
}

func (d Difference) String() string {
	return fmt.Sprintf("uid %d: %s is %s in the report, recomputed as %s", d.UID, d.What, d.Reported, d.Recomputed)
}

// Near reports whether two numbers are the same within Tolerance, relative to the larger
// where it is above 1. NaN is near NaN.
func Near(a, b float64) bool { return Within(a, b, Tolerance) }

// Within is Near with another tolerance.
func Within(a, b, tolerance float64) bool {
	if math.IsNaN(a) || math.IsNaN(b) || math.IsInf(a, 0) || math.IsInf(b, 0) {
		return math.Float64bits(a) == math.Float64bits(b) || (math.IsNaN(a) && math.IsNaN(b))
	}
	return math.Abs(a-b) <= tolerance*max(1, math.Abs(a), math.Abs(b))
}

// Observations returns the observations on which the scores rest.
func (r *Report) Observations() []score.Observation {
	out := make([]score.Observation, len(r.Miners))
	for i := range r.Miners {
		out[i] = r.Miners[i].Observation
	}
	return out
}

// BookBefore returns the book on which the window was closed, without records that it dropped.
func (r *Report) BookBefore() score.Book {
	b := score.Book{Next: r.Window, Records: slices.Clone(r.Unseen)}
	for i := range r.Miners {
		if m := &r.Miners[i]; !m.newcomer() {
			b.Records = append(b.Records, m.Before)
		}
	}
	return b
}

// BookAfter returns the book after the window.
func (r *Report) BookAfter() score.Book {
	b := score.Book{Next: r.Window + 1, Records: slices.Clone(r.Unseen)}
	for i := range r.Miners {
		b.Records = append(b.Records, r.Miners[i].After)
	}
	slices.SortFunc(b.Records, func(a, b score.Record) int { return int(a.UID) - int(b.UID) })
	return b
}

func (m *Miner) newcomer() bool {
	return slices.ContainsFunc(m.Reasons, func(r score.Reason) bool { return r.Kind == score.KindNewHotkey })
}

// Rescore closes the window again with the report's observations, and returns every number that
// differs.
func (r *Report) Rescore(p *protocol.Params) ([]Difference, error) {
	before := r.BookBefore()
	_, again, err := before.Close(r.Window, r.Observations(), p)
	if err != nil {
		return nil, err
	}
	var out []Difference
	for i, l := range again {
		m := &r.Miners[i]
		out = append(out, compareLines(m, l)...)
		out = append(out, compareRecords("after the window", m.After, l.After)...)
	}
	return out, nil
}

func compareLines(m *Miner, l score.Line) (out []Difference) {
	if m.Evaluated != l.Evaluated {
		out = append(out, Difference{m.UID, "evaluated", fmt.Sprint(m.Evaluated), fmt.Sprint(l.Evaluated)})
	}
	out = appendNumber(out, m.UID, "relative improvement on own pages", m.Own, l.Own)
	out = appendNumber(out, m.UID, "relative improvement on random pages", m.Random, l.Random)
	out = appendNumber(out, m.UID, "weight", m.Weight, l.Weight)
	if got, want := kinds(m.Reasons), kinds(l.Reasons); got != want {
		out = append(out, Difference{m.UID, "reasons", got, want})
	}
	return out
}

func kinds(reasons []score.Reason) string {
	out := "none"
	for i, r := range reasons {
		if i == 0 {
			out = ""
		} else {
			out += ", "
		}
		out += fmt.Sprintf("%s x %g", r.Kind, r.Factor)
	}
	return out
}

// Follows compares all standings before the window with those at the end of an earlier report:
// nothing may change between two windows. A standing may be absent only when another hotkey has
// its uid.
func (r *Report) Follows(earlier *Report) (out []Difference) {
	const what = "standing before the window"
	left, before := earlier.BookAfter(), r.BookBefore()
	for _, b := range before.Records {
		if was, known := left.Record(b.Hotkey); known {
			out = append(out, compareRecords("before the window", b, was)...)
		} else {
			out = append(out, Difference{b.UID, what, "known", "new"})
		}
	}
	for _, was := range left.Records {
		if _, kept := before.Record(was.Hotkey); !kept && !r.replaces(was) {
			out = append(out, Difference{was.UID, what, "gone", "known already"})
		}
	}
	return out
}

// replaces reports whether another hotkey than a record's was seen at its uid, and the record's
// hotkey was not seen.
func (r *Report) replaces(was score.Record) bool {
	taken := false
	for i := range r.Miners {
		m := &r.Miners[i]
		if m.Hotkey == was.Hotkey {
			return false
		}
		taken = taken || m.UID == was.UID
	}
	return taken
}

// compareRecords compares the inputs of scores.
func compareRecords(when string, reported, recomputed score.Record) (out []Difference) {
	uid := reported.UID
	for _, n := range []struct {
		what string
		a, b float64
	}{
		{"mu", reported.Mu, recomputed.Mu}, {"sigma", reported.Sigma, recomputed.Sigma},
		{"gradient score", reported.GradientScore, recomputed.GradientScore},
		{"binary average", reported.BinaryAverage, recomputed.BinaryAverage},
		{"number of own batches", reported.Batches, recomputed.Batches},
		{"sum of gains", reported.Gain, recomputed.Gain},
		{"sum of typical gains", reported.TypicalGain, recomputed.TypicalGain},
		{"number of invalid uploads", float64(reported.Refused), float64(recomputed.Refused)},
		{"sync score", reported.SyncScore, recomputed.SyncScore},
		{"final score", reported.Final, recomputed.Final},
		{"number of evaluations", float64(reported.Evaluations), float64(recomputed.Evaluations)},
		{"last evaluated window", float64(reported.LastEvaluated), float64(recomputed.LastEvaluated)},
		{"windows of waiting", float64(reported.Waiting), float64(recomputed.Waiting)},
		{"windows of inactivity", float64(reported.InactiveWindows), float64(recomputed.InactiveWindows)},
	} {
		out = appendNumber(out, uid, n.what+" "+when, n.a, n.b)
	}
	return out
}

func appendNumber(out []Difference, uid protocol.UID, what string, reported, recomputed float64) []Difference {
	if Near(reported, recomputed) {
		return out
	}
	return append(out, Difference{uid, what, fmt.Sprintf("%.9g", reported), fmt.Sprintf("%.9g", recomputed)})
}

// Draw repeats the draw of the miners to evaluate, and returns the miners for which the report
// differs.
func (r *Report) Draw(p *protocol.Params) (out []Difference) {
	var entrants []peers.Entrant
	seen := make(map[protocol.UID]*Miner, len(r.Miners))
	for i := range r.Miners {
		m := &r.Miners[i]
		if m.Verdict == protocol.VerdictNoBucket {
			continue // no candidate
		}
		e := peers.Entrant{UID: m.UID, Waiting: m.Before.Waiting, Standing: peers.StandingOf(m.Before, p)}
		if m.newcomer() {
			e.Waiting, e.Standing = p.Step(r.Start, r.Window), peers.Standing{}
		}
		entrants = append(entrants, e)
		seen[m.UID] = m
	}
	drawn, _ := peers.NewLineup(entrants, p, r.Seed, r.Window).Fill(func(uid protocol.UID) peers.Look { return seen[uid].look() })
	for i := range r.Miners {
		m := &r.Miners[i]
		if is := slices.Contains(drawn, m.UID); is != m.Drawn {
			out = append(out, Difference{m.UID, "drawn for evaluation", fmt.Sprint(m.Drawn), fmt.Sprint(is)})
		}
	}
	return out
}

// look is what the validator knew of the miner's upload when it drew.
func (m *Miner) look() peers.Look {
	switch {
	case m.Verdict.OK():
		return peers.Usable
	case m.Verdict != protocol.VerdictNone:
		return peers.Unusable
	case m.Active:
		return peers.Unexamined
	}
	return peers.Idle
}
