package tui

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/human"
	"templar/internal/telemetry"
)

// frame is the input of the live view's rendering.
type frame struct {
	collect.State
	now           time.Time
	width, height int
	stopping      bool
	palette
}

// render draws the view in at most height lines of at most width cells. When room
// is short it keeps, in this order: header, footer, nodes, notes.
func render(f frame) string {
	head := f.header()
	head = head[:min(len(head), max(f.height-1, 1))]
	room := f.height - len(head) - 1
	nodes := f.nodeLines(room)
	notes := f.noteLines(room - len(nodes))
	lines := slices.Concat(head, nodes, notes)
	for len(lines) < f.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines, f.footer())
	lines = lines[:max(0, min(len(lines), f.height))]
	for i, l := range lines {
		lines[i] = cut(l, f.width)
	}
	return strings.Join(lines, "\n")
}

func (f frame) header() []string {
	return []string{f.runLine(), f.windowLine(), f.lossLine()}
}

func (f frame) runLine() string {
	run := f.title.Render(cmp.Or(f.Title, "templar localnet"))
	if f.Preset != "" {
		run += fmt.Sprintf("  %s, seed %d", f.Preset, f.Seed)
	}
	if f.Corpus != "" {
		run += " on " + f.Corpus
	}
	return spread(run, fmt.Sprintf("block %d  %s", f.Block, human.Elapsed(f.running())), f.width)
}

func (f frame) running() time.Duration {
	if f.Began.IsZero() {
		return 0
	}
	return f.now.Sub(f.Began)
}

func (f frame) windowLine() string {
	if f.Index == 0 {
		return spread("waiting for the first window", f.speed(), f.width)
	}
	left := fmt.Sprintf("window %d", f.Window)
	if f.Windows > 0 {
		left += fmt.Sprintf(", %d of %d", min(f.Index, f.Windows), f.Windows)
	}
	if f.BlocksPerWindow > 0 && f.BlockTime > 0 {
		left += "  " + f.progress()
	}
	return spread(left, f.speed(), f.width)
}

// progress shows how much of the window has passed, by its blocks and by the time
// since the last of them.
func (f frame) progress() string {
	whole := f.BlockTime * time.Duration(f.BlocksPerWindow)
	since := min(max(0, f.now.Sub(f.BlockSeen)), f.BlockTime)
	passed := min(f.BlockTime*time.Duration(f.Block%f.BlocksPerWindow)+since, whole)
	cells := min(max(f.width/5, 6), 24)
	full := int(float64(cells) * float64(passed) / float64(whole))
	bar := f.bar.Render(strings.Repeat("█", full)) + f.faint.Render(strings.Repeat("░", cells-full))
	return fmt.Sprintf("%s %.1f/%.1f s", bar, passed.Seconds(), whole.Seconds())
}

func (f frame) speed() string {
	speed := human.Whole(collect.Rate(f.Tokens, f.running().Seconds())) + " tok/s"
	if f.Utilisation.Known() {
		speed = "cores " + human.Percent(float64(f.Utilisation)) + " in use  " + speed
	}
	return speed
}

func (f frame) lossLine() string {
	curve := f.Losses
	if f.InitialLoss.Known() {
		curve = append([]float64{float64(f.InitialLoss)}, curve...)
	}
	loss := collect.Unknown()
	if n := len(curve); n > 0 {
		loss = collect.Measure(curve[n-1])
	}
	left := fmt.Sprintf("held-out %s nats/%s", f.title.Render(human.Fixed(loss, 3)), f.Unit())
	right := fmt.Sprintf("start %s  unigram %s", human.Fixed(f.InitialLoss, 3), human.Fixed(f.UnigramEntropy, 3))
	room := f.width - lipgloss.Width(left) - lipgloss.Width(right) - 4
	if line := sparkline(curve, min(room, 24)); line != "" {
		left += "  " + f.bar.Render(line)
	}
	return spread(left, right, f.width)
}

// sparkline draws the last values, scaled between the lowest and the highest.
func sparkline(values []float64, width int) string {
	const bars = "▁▂▃▄▅▆▇█"
	if width <= 0 || len(values) == 0 {
		return ""
	}
	levels := []rune(bars)
	values = values[max(0, len(values)-width):]
	low, high := slices.Min(values), slices.Max(values)
	out := make([]rune, len(values))
	for i, v := range values {
		level := 0.0
		if high > low {
			level = math.Round((v - low) / (high - low) * float64(len(levels)-1))
		}
		out[i] = levels[int(level)]
	}
	return string(out)
}

func (f frame) nodeColumns() []column {
	name := len("node")
	for _, n := range f.Nodes {
		name = max(name, lipgloss.Width(n.Name))
	}
	return []column{
		{"node", min(name, 20), true, 0}, {"uid", 3, false, 4}, {"phase", 10, true, 2}, {"loss", 6, false, 1}, {"tok/s", 6, false, 5}, {"busy", 6, false, 5},
		{"up", 6, false, 6}, {"down", 6, false, 7}, {"score", 6, false, 8}, {"weight", 6, false, 3}, {"last", 13, true, 0},
	}
}

// nodeLines draws the table of nodes in at most room lines, with an empty line
// before it when there is room for everything.
func (f frame) nodeLines(room int) []string {
	if room < 2 || len(f.Nodes) == 0 {
		return nil
	}
	cols := f.nodeColumns()
	keep := fit(cols, f.width)
	cols[len(cols)-1].width += max(0, f.width-total(cols, keep))
	lines := []string{f.faint.Render(row(cols, keep, func(i int) string { return cols[i].title }))}
	for _, n := range f.Nodes {
		lines = append(lines, row(cols, keep, func(i int) string { return f.cell(n, i) }))
	}
	if len(lines) > room {
		more := fmt.Sprintf("+%d more", len(lines)-room+1)
		lines = append(lines[:room-1], f.faint.Render(more))
	} else if len(lines) < room {
		lines = append([]string{""}, lines...)
	}
	return lines
}

func (f frame) cell(n collect.MemberState, column int) string {
	cells := []string{
		n.Name, fmt.Sprint(n.UID), n.Phase, human.Fixed(n.Loss, 3), human.Whole(n.TokensPerSecond), busy(n.Utilisation),
		human.Compact(n.Up), human.Compact(n.Down), human.Fixed(n.Final, 2), human.Percent(n.Weight), n.Last,
	}
	if n.Role != telemetry.Miner {
		cells[3], cells[4], cells[5], cells[8], cells[9] = "", "", "", "", ""
	}
	if n.Role != telemetry.Miner && n.Role != telemetry.Validator { // no slot on the chain
		cells[1] = ""
	}
	const last = 10
	switch {
	case column != last:
		return cells[column]
	case n.Bad:
		return f.bad.Render(n.Last)
	}
	return f.good.Render(n.Last)
}

// busy is a share of time.
func busy(u collect.Measure) string {
	if !u.Known() {
		return "-"
	}
	return human.Percent(float64(u))
}

// noteLines draws the newest notes in at most room lines.
func (f frame) noteLines(room int) []string {
	notes := f.Notes[max(0, len(f.Notes)-max(0, room-1)):]
	if len(notes) == 0 {
		return nil
	}
	lines := []string{""}
	for _, n := range notes {
		lines = append(lines, f.faint.Render(n.Time.Format(time.TimeOnly))+" "+f.level(n.Level).Render(n.Text))
	}
	return lines
}

func (f frame) level(l slog.Level) lipgloss.Style {
	switch {
	case l >= slog.LevelError:
		return f.bad
	case l >= slog.LevelWarn:
		return f.warn
	}
	return lipgloss.Style{}
}

func (f frame) footer() string {
	hint := f.faint.Render("Ctrl-C stops cleanly")
	if f.stopping {
		hint = f.warn.Render("stopping; Ctrl-C again leaves at once")
	}
	if f.DataDir == "" {
		return hint
	}
	return spread(hint, f.faint.Render("data in "+f.DataDir), f.width)
}

// spread puts left and right at the two ends of a line; right goes when they do not
// both fit.
func spread(left, right string, width int) string {
	gap := width - lipgloss.Width(left) - lipgloss.Width(right)
	if gap < 2 {
		return left
	}
	return left + strings.Repeat(" ", gap) + right
}
