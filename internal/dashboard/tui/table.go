package tui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/human"
	"templar/internal/telemetry"
)

// TableOptions says how Table writes. Its zero value is plain text, 80 columns wide.
type TableOptions struct {
	Width  int
	Colour bool // see UseColour
}

// Table writes the summary that stands at the end of a run.
func Table(w io.Writer, r collect.Summary, o TableOptions) error {
	if o.Width <= 0 {
		o.Width = 80
	}
	t := &table{Summary: r, width: o.Width, palette: newPalette(o.Colour)}
	t.runSection()
	t.minerSection()
	t.stateSection()
	t.skippedSection()
	if _, err := io.WriteString(w, t.out.String()); err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}

// mostLines bounds the lists of windows in the summary.
const mostLines = 10

type table struct {
	collect.Summary
	width int
	palette
	out strings.Builder
}

func (t *table) line(format string, args ...any) {
	fmt.Fprintf(&t.out, format+"\n", args...)
}

func (t *table) field(name, format string, args ...any) {
	t.line("  %-16s %s", name, fmt.Sprintf(format, args...))
}

func (t *table) runSection() {
	t.line("%s", t.title.Render(fmt.Sprintf("%s, seed %d, %s", t.Preset, t.Seed, plural(len(t.Windows), "window"))))
	t.field("held-out loss", "%s -> %s nats per %s", human.Fixed(t.InitialLoss, 4), human.Fixed(t.FinalLoss, 4), t.TokenUnit)
	t.field("unigram entropy", "%s%s", human.Fixed(t.UnigramEntropy, 4), t.margin())
	t.field("corpus", "%s", t.Corpus)
	t.field("parameters", "%s", human.Count(int64(t.Parameters)))
	t.field("trained on", "%s tokens, %s a second", human.Count(t.Tokens), human.Whole(t.TokensPerSecond))
	if t.Seconds.Known() {
		t.field("wall time", "%s", human.Elapsed(time.Duration(float64(t.Seconds)*float64(time.Second))))
	}
	if t.Utilisation.Known() {
		t.field("cores in use", "%s of %d, for training and evaluation", human.Percent(float64(t.Utilisation)), t.Cores)
	}
	if n := int64(len(t.Windows)); n > 0 {
		gradients, aggregates := t.traffic()
		t.field("bytes a window", "%s of gradients, %s of aggregate", human.Size(gradients/n), human.Size(aggregates/n))
	}
	if t.Checkpoint != "" {
		t.field("checkpoint", "%s", t.Checkpoint)
	}
}

// margin compares the final loss with the entropy of token frequencies.
func (t *table) margin() string {
	margin := t.UnigramEntropy - t.FinalLoss
	switch {
	case !margin.Known():
		return ""
	case margin > 0:
		return t.good.Render(fmt.Sprintf("  (the model is %.4f under it)", float64(margin)))
	}
	return t.warn.Render(fmt.Sprintf("  (the model is still %.4f above it)", float64(-margin)))
}

func (t *table) traffic() (gradients, aggregates int64) {
	for _, w := range t.Windows {
		gradients += w.GradientBytes
		aggregates += w.AggregateBytes
	}
	return gradients, aggregates
}

var minerColumns = []column{
	{"miner", 9, true, 0}, {"own loss", 8, false, 0}, {"gradient", 8, false, 2}, {"mu", 6, false, 3}, {"sigma", 5, false, 4},
	{"ordinal", 7, false, 1}, {"binary", 6, false, 0}, {"sync", 5, false, 0}, {"final", 6, false, 0}, {"weight", 6, false, 0}, {"busy", 6, false, 2},
}

func (t *table) minerSection() {
	if len(t.Miners) == 0 {
		return
	}
	by := ""
	if t.ScoredBy != "" {
		by = ", as " + t.ScoredBy + " scores them"
	}
	t.line("")
	t.line("%s%s", t.title.Render("Miners"), by)
	const indent = 2
	cols := slices.Clone(minerColumns)
	for _, m := range t.Miners {
		cols[0].width = min(max(cols[0].width, len(m.Node)), 20)
	}
	keep := fit(cols, t.width-indent)
	t.line("  %s", t.faint.Render(row(cols, keep, func(i int) string { return cols[i].title })))
	for _, m := range t.Miners {
		t.line("  %s", row(cols, keep, func(i int) string { return minerCell(m, i) }))
		for _, note := range notes(m) {
			t.line("    %s", t.warn.Render(collect.Printable(note)))
		}
	}
}

func minerCell(m collect.Miner, column int) string {
	name := m.Node
	if name == "" {
		name = fmt.Sprintf("uid %d", m.UID)
	}
	switch column {
	case 0:
		return name
	case 1:
		return human.Fixed(m.OwnLoss, 4)
	}
	if column == len(minerColumns)-1 {
		return busy(m.Utilisation)
	}
	s := m.Standing
	if s == nil || (column == 2 && s.Evaluations == 0) {
		return "-"
	}
	return []string{
		human.Fixed(s.GradientScore, 5), human.Fixed(s.Mu, 2), human.Fixed(s.Sigma, 2), human.Fixed(s.Ordinal, 2),
		human.Fixed(s.BinaryAverage, 3), human.Fixed(s.SyncScore, 3), human.Fixed(s.Final, 3), human.Percent(s.Weight),
	}[column-2]
}

func notes(m collect.Miner) []string {
	if m.Standing == nil {
		return nil
	}
	return m.Notes
}

func (t *table) stateSection() {
	if len(t.Windows) == 0 {
		return
	}
	t.line("")
	t.line("%s", t.title.Render("States"))
	var differing []string
	for _, w := range t.Windows {
		if nodes := w.Dissenters(); len(nodes) > 0 {
			differing = append(differing, fmt.Sprintf("window %d: %d of %d nodes differ: %s", w.Window, len(nodes), len(w.StateHash), strings.Join(nodes, ", ")))
		}
	}
	for _, l := range differing[:min(len(differing), mostLines)] { // the first: where it began
		t.line("  %s", t.bad.Render(l))
	}
	if n := len(differing) - mostLines; n > 0 {
		t.line("  %s", t.bad.Render(fmt.Sprintf("and in %s more", plural(n, "window"))))
	}
	last := t.Windows[len(t.Windows)-1]
	if len(differing) == 0 {
		t.line("  %s", t.good.Render("all nodes hold the same parameters after each window")+t.witnesses())
	}
	t.line("  after window %d: %s, held by %s", last.Window, last.Majority().Short(), plural(len(last.StateHash)-len(last.Dissenters()), "node"))
}

// witnesses returns how many nodes' states are known, which qualifies "all".
func (t *table) witnesses() string {
	low, high := len(t.Windows[0].StateHash), 0
	for _, w := range t.Windows {
		low, high = min(low, len(w.StateHash)), max(high, len(w.StateHash))
	}
	if low == high {
		return fmt.Sprintf(" (%s)", plural(high, "node"))
	}
	return fmt.Sprintf(" (%d to %d nodes reported)", low, high)
}

func (t *table) skippedSection() {
	var lines []string
	for _, w := range t.Windows {
		if len(w.Skipped) > 0 {
			lines = append(lines, fmt.Sprintf("  window %d: uid %s", w.Window, telemetry.Skipped(w.Skipped)))
		}
	}
	if len(lines) == 0 {
		return
	}
	t.line("")
	t.line("%s in %s of %d", t.title.Render("Skipped peers"), plural(len(lines), "window"), len(t.Windows))
	for _, l := range lines[max(0, len(lines)-mostLines):] {
		t.line("%s", l)
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
