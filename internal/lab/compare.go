package lab

import (
	"encoding/json"
	"io"
	"maps"
	"math"
	"slices"

	"templar/internal/dashboard/collect"
)

// Comparison is a Study's result.
type Comparison struct {
	Version int `json:"version"`
	// Tokens, Windows and Bytes are what all variants reach: where their losses are compared. Variants that send
	// nothing do not count for Bytes, which is 0 when none sends.
	Tokens   float64   `json:"tokens"`
	Windows  float64   `json:"windows"`
	Bytes    float64   `json:"bytes"`
	Variants []Outcome `json:"variants"`
}

// Outcome is what one variant's runs have in common.
type Outcome struct {
	Name      string    `json:"name"`
	Baseline  string    `json:"baseline,omitempty"`
	Seeds     int       `json:"seeds"`
	Final     Stat      `json:"final_loss"`
	AtTokens  Stat      `json:"loss_at_tokens"`
	AtWindows Stat      `json:"loss_at_windows"`
	AtBytes   Stat      `json:"loss_at_bytes"`
	Against   Stat      `json:"against_first"` // final loss less that of the first variant, of the same seed
	Up        Stat      `json:"up"`            // bytes that a miner sends, in a window
	Down      Stat      `json:"down"`          // bytes that a node fetches, in a window
	Utilise   Stat      `json:"utilisation"`
	HonestPay Stat      `json:"honest_pay"` // the honest miners' share of all weights
	Wall      Stat      `json:"wall_seconds"`
	Curve     []Curve   `json:"curve"`
	Runs      []*Result `json:"runs"`
}

// Curve is the loss at one of a variant's measurements, over its seeds.
type Curve struct {
	Window int     `json:"window"`
	Tokens float64 `json:"tokens"`
	Bytes  float64 `json:"bytes"`
	Loss   Stat    `json:"loss"`
}

// Stat is a value over seeds.
type Stat struct {
	N    int             `json:"n"`
	Mean collect.Measure `json:"mean"` // null without values
	SD   collect.Measure `json:"sd"`   // of the values; null for fewer than two
	Low  collect.Measure `json:"min"`
	High collect.Measure `json:"max"`
	// Half is half the width of the 95 % confidence interval of the mean (Student's t); null for fewer than two values.
	Half collect.Measure `json:"half_width_95"`
}

// Chance reports whether the interval of a difference includes 0: the values may differ by chance alone.
func (s Stat) Chance() bool { return !s.Half.Known() || math.Abs(float64(s.Mean)) <= float64(s.Half) }

func stat(values []collect.Measure) Stat {
	var known []float64
	for _, v := range values {
		if v.Known() {
			known = append(known, float64(v))
		}
	}
	s := Stat{N: len(known), Mean: collect.Unknown(), SD: collect.Unknown(), Low: collect.Unknown(), High: collect.Unknown(), Half: collect.Unknown()}
	if s.N == 0 {
		return s
	}
	sum, low, high := 0.0, math.Inf(1), math.Inf(-1)
	for _, v := range known {
		sum, low, high = sum+v, min(low, v), max(high, v)
	}
	mean := sum / float64(s.N)
	s.Mean, s.Low, s.High = collect.Measure(mean), collect.Measure(low), collect.Measure(high)
	if s.N < 2 {
		return s
	}
	squares := 0.0
	for _, v := range known {
		squares += (v - mean) * (v - mean)
	}
	sd := math.Sqrt(squares / float64(s.N-1))
	s.SD = collect.Measure(sd)
	s.Half = collect.Measure(student(s.N-1) * sd / math.Sqrt(float64(s.N)))
	return s
}

// student is the quantile of Student's t distribution for a two-sided interval of 95 %.
func student(freedom int) float64 {
	quantiles := []float64{
		12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
		2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
	}
	if freedom > len(quantiles) {
		return 1.96
	}
	return quantiles[freedom-1]
}

// comparisonVersion is the version of a Comparison's form.
const comparisonVersion = 1

func compare(variants []Variant, results [][]*Result) Comparison {
	c := Comparison{Version: comparisonVersion, Tokens: math.Inf(1), Windows: math.Inf(1), Bytes: math.Inf(1)}
	for _, runs := range results {
		for _, r := range runs {
			last := r.Last()
			c.Tokens, c.Windows = min(c.Tokens, tokens(last)), min(c.Windows, windows(last))
			if last.Bytes() > 0 {
				c.Bytes = min(c.Bytes, traffic(last))
			}
		}
	}
	if math.IsInf(c.Bytes, 1) {
		c.Bytes = 0
	}
	for i := range variants {
		c.Variants = append(c.Variants, c.outcome(&variants[i], results[i], results[0]))
	}
	return c
}

func (c *Comparison) outcome(v *Variant, runs, first []*Result) Outcome {
	of := func(f func(*Result) float64) Stat {
		values := make([]collect.Measure, len(runs))
		for i, r := range runs {
			values[i] = collect.Measure(f(r))
		}
		return stat(values)
	}
	at := func(axis func(Point) float64, x float64) Stat {
		return of(func(r *Result) float64 { return float64(r.At(axis, x)) })
	}
	o := Outcome{
		Name: v.Name, Seeds: len(runs), Runs: runs,
		Final:    of(func(r *Result) float64 { return r.Last().Loss }),
		AtTokens: at(tokens, c.Tokens), AtWindows: at(windows, c.Windows), AtBytes: at(traffic, c.Bytes),
		Up:        of(func(r *Result) float64 { return float64(r.Last().Up) / windows(r.Last()) }),
		Down:      of(func(r *Result) float64 { return float64(r.Last().Down) / windows(r.Last()) }),
		Utilise:   of(func(r *Result) float64 { return float64(r.Utilise) }),
		HonestPay: of(func(r *Result) float64 { return float64(r.HonestPay()) }),
		Wall:      of(func(r *Result) float64 { return r.Wall }),
	}
	if v.Baseline != nil {
		o.Baseline = v.Baseline.Kind
	}
	if c.Bytes == 0 || o.Up.Mean == 0 {
		o.AtBytes = stat(nil)
	}
	differences := make([]collect.Measure, len(runs))
	for i, r := range runs {
		differences[i] = collect.Measure(r.Last().Loss - first[i].Last().Loss)
	}
	o.Against = stat(differences)
	o.Curve = curve(runs)
	return o
}

// curve is the mean curve of runs, which measure after the same windows.
func curve(runs []*Result) (out []Curve) {
	for i, p := range runs[0].Points {
		var losses []collect.Measure
		sum := Curve{Window: p.Window}
		for _, r := range runs {
			if i >= len(r.Points) || r.Points[i].Window != p.Window {
				continue
			}
			losses = append(losses, collect.Measure(r.Points[i].Loss))
			sum.Tokens += tokens(r.Points[i])
			sum.Bytes += traffic(r.Points[i])
		}
		n := float64(len(losses))
		sum.Tokens, sum.Bytes, sum.Loss = sum.Tokens/n, sum.Bytes/n, stat(losses)
		out = append(out, sum)
	}
	return out
}

// WriteJSON replaces the file at path with the comparison.
func (c *Comparison) WriteJSON(path string) error {
	return collect.WriteFile(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(c)
	})
}

// Builds are the versions of the program that have computed the runs.
func (c *Comparison) Builds() []string {
	seen := make(map[string]bool)
	for _, o := range c.Variants {
		for _, r := range o.Runs {
			seen[r.Build] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
