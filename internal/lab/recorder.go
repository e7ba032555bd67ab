package lab

import (
	"fmt"
	"slices"
	"strings"

	"templar/internal/dashboard/collect"
	"templar/internal/telemetry"
	"templar/protocol"
)

// recorder makes a Result's points of a network's events.
type recorder struct {
	honest  map[string]bool
	heldOut func(Point)

	started bool
	start   protocol.Window
	tokens  map[protocol.Window]int64
	up      map[protocol.Window][]int64 // sizes of gradients
	down    map[protocol.Window]int64
	losses  map[protocol.Window]float64
}

func newRecorder(v *Variant, heldOut func(Point)) *recorder {
	r := &recorder{
		honest: make(map[string]bool), heldOut: heldOut,
		tokens: make(map[protocol.Window]int64), up: make(map[protocol.Window][]int64), down: make(map[protocol.Window]int64),
		losses: make(map[protocol.Window]float64),
	}
	for i := range v.Miners {
		r.honest[minerName(i)] = true
	}
	return r
}

// Emit takes an event. The simulator calls it for one at a time.
func (r *recorder) Emit(e telemetry.Event) {
	switch body := e.Body.(type) {
	case telemetry.Started:
		r.started, r.start = true, body.StartWindow
	case telemetry.Trained:
		r.tokens[e.Window] += int64(body.Tokens)
	case telemetry.Uploaded:
		if w, ok := protocol.KeyWindow(body.Key); ok && r.honest[e.Node] && strings.HasPrefix(body.Key, "gradient-") {
			r.up[w] = append(r.up[w], body.Bytes)
		}
	case telemetry.Applied:
		if e.Role == telemetry.Evaluator && !body.Provisional {
			r.down[e.Window] = body.AggregateBytes
		}
	case telemetry.HeldOut:
		r.losses[e.Window] = body.Loss
		if r.heldOut != nil && r.started {
			r.heldOut(r.point(e.Window))
		}
	}
}

// point sums up the run to the end of a window.
func (r *recorder) point(w protocol.Window) Point {
	p := Point{Window: int(w) + 1 - int(r.start), Loss: r.losses[w]}
	for at := r.start; at <= w; at++ {
		p.Tokens += r.tokens[at]
		p.Down += r.down[at]
		if n := int64(len(r.up[at])); n > 0 {
			sum := int64(0)
			for _, size := range r.up[at] {
				sum += size
			}
			p.Up += sum / n
		}
	}
	return p
}

func (r *recorder) points() (out []Point) {
	var measured []protocol.Window
	for w := range r.losses {
		measured = append(measured, w)
	}
	slices.Sort(measured)
	for _, w := range measured {
		out = append(out, r.point(w))
	}
	return out
}

// pay is the miners' at the lead validator.
func (r *recorder) pay(s *collect.Summary) (out []Pay) {
	sum := 0.0
	for _, m := range s.Miners {
		p := Pay{Node: m.Node, Honest: r.honest[m.Node]}
		if m.Standing != nil {
			p.Share = m.Weight
		}
		sum += p.Share
		out = append(out, p)
	}
	if sum > 0 {
		for i := range out {
			out[i].Share /= sum
		}
	}
	return out
}

// utilisation is the honest miners' mean share of a run's seconds in which they train.
func (r *recorder) utilisation(s *collect.Summary, seconds float64) collect.Measure {
	sum, n := 0.0, 0
	for _, m := range s.Miners {
		if r.honest[m.Node] {
			sum += m.TrainingSeconds / seconds
			n++
		}
	}
	return collect.Measure(sum / float64(n))
}

func minerName(i int) string { return fmt.Sprintf("miner-%d", i) }
