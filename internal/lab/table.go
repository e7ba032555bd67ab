package lab

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"templar/internal/dashboard/human"
	"templar/internal/dashboard/plot"
)

// Axis is what the losses of a Comparison are drawn over.
type Axis string

// The axes.
const (
	Tokens  Axis = "tokens"
	Windows Axis = "windows"
	Bytes   Axis = "bytes"
)

// Axes lists them.
func Axes() []string { return []string{string(Tokens), string(Windows), string(Bytes)} }

// Plot draws the mean curves and the ranges of their seeds.
func (c *Comparison) Plot(title string, x Axis) plot.Bands {
	b := plot.Bands{Title: title, X: map[Axis]string{Tokens: "tokens of all miners", Windows: "windows", Bytes: "bytes that a miner has sent and fetched"}[x], Y: "held-out loss (nats a token)"}
	for _, o := range c.Variants {
		band := plot.Band{Name: o.Name}
		for _, p := range o.Curve {
			at := map[Axis]float64{Tokens: p.Tokens, Windows: float64(p.Window), Bytes: p.Bytes}[x]
			band.Points = append(band.Points, plot.Range{X: at, Low: float64(p.Loss.Low), Mid: float64(p.Loss.Mean), High: float64(p.Loss.High)})
		}
		if x == Bytes && o.AtBytes.N == 0 {
			band.Points = nil // it sends nothing
		}
		b.Curves = append(b.Curves, band)
	}
	return b
}

// column is one column of the table.
type column struct {
	name string
	of   func(o *Outcome) string
}

// columns are those that say something about these variants.
func (c *Comparison) columns() []column {
	loss := func(of func(*Outcome) Stat) func(*Outcome) string {
		return func(o *Outcome) string { return of(o).spread(4) }
	}
	known := func(of func(*Outcome) Stat) bool {
		return slices.ContainsFunc(c.Variants, func(o Outcome) bool { return of(&o).N > 0 })
	}
	out := []column{
		{"variant", func(o *Outcome) string { return o.Name }},
		{"seeds", func(o *Outcome) string { return fmt.Sprint(o.Seeds) }},
		{"final loss", loss(func(o *Outcome) Stat { return o.Final })},
		{"against the first", func(o *Outcome) string { return o.against(c.Variants[0].Name) }},
	}
	// At equal tokens or windows the loss is the final one where all variants end there.
	same := func(of func(*Outcome) Stat) bool {
		return !slices.ContainsFunc(c.Variants, func(o Outcome) bool { return of(&o).Mean != o.Final.Mean })
	}
	add := func(when bool, name string, of func(*Outcome) string) {
		if when {
			out = append(out, column{name, of})
		}
	}
	atTokens, atWindows := func(o *Outcome) Stat { return o.AtTokens }, func(o *Outcome) Stat { return o.AtWindows }
	atBytes := func(o *Outcome) Stat { return o.AtBytes }
	add(!same(atTokens), "at "+human.Count(int64(c.Tokens))+" tokens", loss(atTokens))
	add(!same(atWindows), "at "+human.Count(int64(c.Windows))+" windows", loss(atWindows))
	add(known(atBytes), "at "+human.Size(int64(c.Bytes)), loss(atBytes))
	add(known(atBytes), "sent a window", func(o *Outcome) string { return human.Size(int64(o.Up.Mean)) })
	add(known(atBytes), "fetched", func(o *Outcome) string { return human.Size(int64(o.Down.Mean)) })
	add(known(func(o *Outcome) Stat { return o.Utilise }), "utilisation", func(o *Outcome) string { return human.Percent(o.Utilise.Mean) })
	add(c.cheated(), "honest pay", func(o *Outcome) string { return human.Percent(o.HonestPay.Mean) })
	return out
}

// cheated reports whether any variant has adversaries.
func (c *Comparison) cheated() bool {
	for _, o := range c.Variants {
		for _, r := range o.Runs {
			if slices.ContainsFunc(r.Pay, func(p Pay) bool { return !p.Honest }) {
				return true
			}
		}
	}
	return false
}

// spread is the mean and the standard deviation.
func (s Stat) spread(decimals int) string {
	if !s.SD.Known() {
		return human.Fixed(s.Mean, decimals)
	}
	return human.Fixed(s.Mean, decimals) + " sd " + human.Fixed(s.SD, decimals)
}

// against is the difference to the first variant, and its interval.
func (o *Outcome) against(first string) string {
	switch {
	case o.Name == first:
		return "-"
	case !o.Against.Half.Known():
		return fmt.Sprintf("%+.4f", float64(o.Against.Mean))
	case o.Against.Chance():
		return fmt.Sprintf("%+.4f ±%.4f (chance)", float64(o.Against.Mean), float64(o.Against.Half))
	}
	return fmt.Sprintf("%+.4f ±%.4f", float64(o.Against.Mean), float64(o.Against.Half))
}

// Table writes the comparison for a terminal.
func (c *Comparison) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, line := range c.rows() {
		fmt.Fprintln(t, strings.Join(line, "\t"))
	}
	return t.Flush()
}

// Markdown writes it for a page.
func (c *Comparison) Markdown(w io.Writer) error {
	for i, line := range c.rows() {
		if _, err := fmt.Fprintln(w, "| "+strings.Join(line, " | ")+" |"); err != nil {
			return err
		}
		if i == 0 {
			fmt.Fprintln(w, strings.Repeat("|---", len(line))+"|")
		}
	}
	return nil
}

func (c *Comparison) rows() [][]string {
	columns := c.columns()
	var head []string
	for _, col := range columns {
		head = append(head, col.name)
	}
	lines := [][]string{head}
	for i := range c.Variants {
		var line []string
		for _, col := range columns {
			line = append(line, col.of(&c.Variants[i]))
		}
		lines = append(lines, line)
	}
	return lines
}
