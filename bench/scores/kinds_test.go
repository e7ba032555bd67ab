package scores

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"templar/internal/adversary"
	"templar/internal/score"
	"templar/protocol"
)

// outcome summarises the adversaries of one kind over all runs.
type outcome struct {
	power   float64 // of the weights
	miners  int
	seen    map[string]int // verdicts and notes in a window's report, with their counts
	unpaid  int            // window from which on none of them has a weight above zero, in the worst run
	curves  []pairs        // after each window: final scores of the honest above theirs
	ordinal float64        // mu - 3 sigma at the end, sum over miners
	binary  float64        // binary average at the end, likewise
	share   float64        // of all weights at the end, likewise
	working float64        // the mean share of an honest miner in the same runs, likewise
}

// outcomes summarises the runs, scored by a rule, by kind.
func outcomes(t *testing.T, runs []result, by rule) map[string]*outcome {
	out := map[string]*outcome{}
	for i := range runs {
		r := &runs[i]
		books := r.books(t, by)
		for _, m := range r.Miners {
			f := out[m.label()]
			if f == nil {
				f = &outcome{seen: map[string]int{}, curves: make([]pairs, len(books)), power: by.power()}
				out[m.label()] = f
			}
			f.add(r, m, books)
		}
	}
	return out
}

// add counts one miner of a run.
func (f *outcome) add(r *result, m miner, books []score.Book) {
	end := books[len(books)-1]
	f.miners++
	for w, b := range books {
		f.curves[w].add(r.honestFinals(b), []float64{of(b, m.UID).Final})
		f.seen[r.seen(w, m.UID)]++
	}
	f.unpaid = max(f.unpaid, unpaidFrom(books, m.UID, f.power))
	f.ordinal += of(end, m.UID).Ordinal()
	f.binary += of(end, m.UID).BinaryAverage
	f.share += onChain(end, m.UID, f.power).Share
	for _, h := range r.Miners {
		if h.Kind == "" {
			f.working += onChain(end, h.UID, f.power).Share / float64(len(r.Batches))
		}
	}
}

const (
	honest = "honest"
	// firstSybil does the work that the others of its kind resend.
	firstSybil = "sybil, the first"
)

func (m *miner) label() string {
	if m.Kind == "" {
		return honest
	}
	if m.Kind == string(adversary.Sybil) && m.member().Index == 0 {
		return firstSybil
	}
	return m.Kind
}

// honestFinals are the final scores of the honest miners.
func (r *result) honestFinals(b score.Book) (out []float64) {
	for _, m := range r.Miners {
		if m.Kind == "" {
			out = append(out, of(b, m.UID).Final)
		}
	}
	return out
}

// unpaidFrom is the number of windows after which a miner's weight on the chain stays zero.
func unpaidFrom(books []score.Book, uid protocol.UID, power float64) int {
	for i := len(books) - 1; i >= 0; i-- {
		if onChain(books[i], uid, power).Value > 0 {
			return i + 1
		}
	}
	return 0
}

// seen is the verdict and the notes of a miner in a window.
func (r *result) seen(window int, uid protocol.UID) string {
	m := r.line(window, uid)
	var reasons []string
	if !m.Verdict.OK() {
		reasons = append(reasons, m.Verdict.String())
	}
	for _, reason := range m.Reasons {
		if reason.Kind == score.KindSync || reason.Kind == score.KindNoSample || reason.Kind == score.KindShared {
			reasons = append(reasons, string(reason.Kind))
		}
	}
	return cmp.Or(strings.Join(reasons, ", "), "nothing")
}

// misbehaviour lists the reasons that must never apply to an honest miner.
var misbehaviour = []score.Kind{score.KindInvalid, score.KindSync, score.KindNoSample, score.KindMissing, score.KindInactive}

// wronged counts the honest miners' windows, and those that punished them or did not rate them.
func wronged(runs []result) (windows int, reasons map[score.Kind]int) {
	reasons = map[score.Kind]int{}
	for _, r := range runs {
		for i := range r.Reports {
			for _, m := range r.Miners {
				if m.Kind != "" {
					continue
				}
				windows++
				for _, reason := range r.line(i, m.UID).Reasons {
					if slices.Contains(misbehaviour, reason.Kind) || reason.Kind == score.KindShared {
						reasons[reason.Kind]++
					}
				}
			}
		}
	}
	return windows, reasons
}

// kindsTable shows the outcome of each kind by a rule.
func kindsTable(t *testing.T, runs []result, by rule) *table {
	all := outcomes(t, runs, by)
	out := header("kind", "miners", "seen by the validator", "unpaid from window", "area under the curve", "0.95 from window",
		"ordinal", "binary average", "pay relative to an honest miner")
	for _, k := range append(adversary.Kinds(), firstSybil, honest) {
		f := all[string(k)]
		if f == nil {
			continue
		}
		n := float64(f.miners)
		area, settled := fmt.Sprintf("%.3f", f.curve().area()), f.settled()
		if k == honest {
			area, settled = "", ""
		}
		out.add(k, f.miners, f.mostly(), f.unpaidFrom(len(f.curves)), area, settled, fmt.Sprintf("%.1f", f.ordinal/n), fmt.Sprintf("%.2f", f.binary/n), fmt.Sprintf("%.2f", f.share/f.working))
	}
	return out
}

// unpaidFrom names the window after which no miner of the kind has a weight.
func (f *outcome) unpaidFrom(windows int) string {
	if f.unpaid == windows {
		return "never"
	}
	return fmt.Sprint(f.unpaid + 1)
}

// curve is the curve at the end.
func (f *outcome) curve() pairs { return f.curves[len(f.curves)-1] }

// settled names the window from which on the area under the curve is at least 0.95.
func (f *outcome) settled() string {
	from := "never"
	for w := len(f.curves) - 1; w >= 0 && f.curves[w].area() >= 0.95; w-- {
		from = fmt.Sprint(w + 1)
	}
	return from
}

// mostly names the verdicts and notes in at least a tenth of the windows.
func (f *outcome) mostly() string {
	total := 0
	for _, n := range f.seen {
		total += n
	}
	names := slices.SortedFunc(maps.Keys(f.seen), func(a, b string) int { return cmp.Compare(f.seen[b], f.seen[a]) })
	var out []string
	for _, name := range names {
		if 10*f.seen[name] >= total {
			out = append(out, fmt.Sprintf("%s (%d %%)", name, 100*f.seen[name]/total))
		}
	}
	return strings.Join(out, ", ")
}
