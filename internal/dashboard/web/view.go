package web

import (
	"math"
	"slices"
	"time"

	"templar/internal/dashboard/collect"
	"templar/internal/telemetry"
	"templar/protocol"
)

const (
	maxRows    = 1200 // of a chart: more than a screen has pixels
	recentRows = 60   // of the table of windows
	updateRows = 16   // of an update: those that can still change
)

// view is what the page shows. An update has Partial set, and only the last rows.
type view struct {
	Partial bool       `json:"partial"`
	Closed  bool       `json:"closed"` // of a run that has ended: nothing changes any more
	Run     runView    `json:"run"`
	Live    liveView   `json:"live"`
	Charts  chartView  `json:"charts"`
	Windows []winView  `json:"windows"` // oldest first
	Miners  []peerView `json:"miners"`
	Nodes   []nodeView `json:"nodes"`
	Notes   []noteView `json:"notes"` // oldest first
}

type runView struct {
	Title      string          `json:"title"`
	Version    string          `json:"version"`
	Preset     string          `json:"preset"`
	Seed       uint64          `json:"seed"`
	Corpus     string          `json:"corpus"`
	Unit       string          `json:"unit"`
	Parameters int             `json:"parameters"`
	Start      protocol.Window `json:"start"`
	Windows    int             `json:"windows"` // planned; 0: no end
	Unigram    collect.Measure `json:"unigram"`
	Initial    collect.Measure `json:"initial"`
	ScoredBy   string          `json:"scored_by"`
}

type liveView struct {
	Window      protocol.Window `json:"window"`
	Index       int             `json:"index"` // of Window in the run, from 1 on
	Block       uint64          `json:"block"`
	First       uint64          `json:"first"`        // block of Window
	Blocks      uint64          `json:"blocks"`       // of a window
	BlockMillis int64           `json:"block_millis"` // between blocks
	AgeMillis   int64           `json:"age_millis"`   // of Block
	Tokens      int64           `json:"tokens"`
	Speed       collect.Measure `json:"speed"` // tokens a second, of all miners
	Utilisation collect.Measure `json:"utilisation"`
	Seconds     collect.Measure `json:"seconds"`
}

// chartView has a column for each curve, with a row for each window.
type chartView struct {
	Window      []protocol.Window            `json:"window"`
	HeldOut     []collect.Measure            `json:"held_out"`
	Utilisation []collect.Measure            `json:"utilisation"`
	Seconds     []collect.Measure            `json:"seconds"`
	Training    map[string][]collect.Measure `json:"training"` // by node
	Tasks       map[string][]collect.Measure `json:"tasks"`    // by task
	Skipped     []int                        `json:"skipped"`
}

type winView struct {
	Window    protocol.Window   `json:"window"`
	HeldOut   collect.Measure   `json:"held_out"`
	Aggregate string            `json:"aggregate"`
	State     string            `json:"state"`
	Nodes     int               `json:"nodes"` // that have reported their state
	Apart     []string          `json:"apart"` // those that hold another one
	Included  []protocol.UID    `json:"included"`
	Skipped   map[string]string `json:"skipped"` // uid to verdict
	Seconds   collect.Measure   `json:"seconds"`
	Bytes     int64             `json:"bytes"` // gradients and Aggregate
}

type peerView struct {
	UID         protocol.UID      `json:"uid"`
	Node        string            `json:"node"`
	Hotkey      string            `json:"hotkey"`
	Verdict     string            `json:"verdict"` // of the last window; empty: not selected
	Loss        collect.Measure   `json:"loss"`
	Speed       collect.Measure   `json:"speed"`
	Utilisation collect.Measure   `json:"utilisation"`
	Tokens      int64             `json:"tokens"`
	Bytes       int64             `json:"bytes"`
	Standing    *collect.Standing `json:"standing"` // nil: not scored

	RelativeGain collect.Measure `json:"relative_gain"` // of which the final score is made by the rule "work"
}

type nodeView struct {
	Name  string         `json:"name"`
	Role  telemetry.Role `json:"role"`
	UID   protocol.UID   `json:"uid"`
	Phase string         `json:"phase"`
	Last  string         `json:"last"`
	Bad   bool           `json:"bad"`
	Up    int64          `json:"up"`
	Down  int64          `json:"down"`
}

type noteView struct {
	Time  int64  `json:"time"` // milliseconds since 1970
	Level string `json:"level"`
	Text  string `json:"text"`
}

// look makes a view of what a collector knows.
func (s *Server) look(partial bool) view {
	var r collect.Summary
	if partial {
		r = s.collector.Recent(updateRows)
	} else {
		r = s.collector.Summary()
	}
	state, now := s.collector.State(), s.clock.Now()
	v := view{
		Partial: partial, Closed: s.closed,
		Run: runView{
			Title: s.title, Version: s.version, Preset: r.Preset, Seed: r.Seed, Corpus: r.Corpus, Unit: r.TokenUnit, Parameters: r.Parameters,
			Start: r.StartWindow, Windows: state.Windows, Unigram: r.UnigramEntropy, Initial: r.InitialLoss, ScoredBy: r.ScoredBy,
		},
		Live:    live(state, r, now),
		Charts:  charts(thin(r.Windows)),
		Windows: windows(r.Windows[max(0, len(r.Windows)-recentRows):]),
		Miners:  []peerView{}, Nodes: []nodeView{}, Notes: []noteView{},
	}
	var last collect.Window
	if len(r.Windows) > 0 {
		last = r.Windows[len(r.Windows)-1]
	}
	for _, m := range r.Miners {
		v.Miners = append(v.Miners, peer(m, last))
	}
	for _, n := range state.Nodes {
		v.Nodes = append(v.Nodes, nodeView{n.Name, n.Role, n.UID, n.Phase, n.Last, n.Bad, n.Up, n.Down})
	}
	for _, n := range state.Notes {
		v.Notes = append(v.Notes, noteView{n.Time.UnixMilli(), n.Level.String(), n.Text})
	}
	return v
}

func live(s collect.State, r collect.Summary, now time.Time) liveView {
	l := liveView{
		Window: s.Window, Index: s.Index, Block: s.Block, Blocks: s.BlocksPerWindow, BlockMillis: s.BlockTime.Milliseconds(),
		Tokens: r.Tokens, Speed: r.TokensPerSecond, Utilisation: r.Utilisation.Or(s.Utilisation), Seconds: r.Seconds,
	}
	if !s.BlockSeen.IsZero() {
		l.AgeMillis = now.Sub(s.BlockSeen).Milliseconds()
		l.First = uint64(s.Window) * s.BlocksPerWindow
	}
	if l.Window == 0 && len(r.Windows) > 0 { // no node of this process watches blocks
		l.Window = r.Windows[len(r.Windows)-1].Window
		l.Index = int(l.Window-r.StartWindow) + 1
	}
	return l
}

// thin leaves at most maxRows of a run's windows, and half as many with results of tasks: of each group, the one
// with the least and the one with the greatest held-out loss, and the last with tasks, and always the first and the last.
func thin(all []collect.Window) []collect.Window {
	if len(all) <= maxRows {
		return all
	}
	out := append(make([]collect.Window, 0, maxRows+2), all[0])
	rest, groups := all[1:], maxRows/2
	for g := range groups {
		group := rest[g*len(rest)/groups : (g+1)*len(rest)/groups]
		low, high, tasks := 0, 0, -1
		for i, w := range group {
			if w.Tasks != nil {
				tasks = i
			}
			if w.HeldOutLoss < group[low].HeldOutLoss {
				low = i
			}
			if w.HeldOutLoss > group[high].HeldOutLoss {
				high = i
			}
		}
		kept := []int{low, high}
		if tasks >= 0 {
			kept = append(kept, tasks)
		}
		slices.Sort(kept)
		for _, i := range slices.Compact(kept) {
			out = append(out, group[i])
		}
	}
	if last := all[len(all)-1]; out[len(out)-1].Window != last.Window {
		out = append(out, last)
	}
	return out
}

func charts(all []collect.Window) chartView {
	c := chartView{
		Window: make([]protocol.Window, len(all)), HeldOut: make([]collect.Measure, len(all)), Utilisation: make([]collect.Measure, len(all)),
		Seconds: make([]collect.Measure, len(all)), Skipped: make([]int, len(all)), Training: map[string][]collect.Measure{}, Tasks: map[string][]collect.Measure{},
	}
	set := func(columns map[string][]collect.Measure, name string, i int, value collect.Measure) {
		if columns[name] == nil {
			columns[name] = slices.Repeat([]collect.Measure{collect.Unknown()}, len(all))
		}
		columns[name][i] = digits(value)
	}
	for i, w := range all {
		c.Window[i], c.HeldOut[i], c.Utilisation[i], c.Seconds[i], c.Skipped[i] = w.Window, digits(w.HeldOutLoss), digits(w.Utilisation), digits(w.Seconds), len(w.Skipped)
		for node, loss := range w.TrainingLoss {
			set(c.Training, node, i, loss)
		}
		for task, value := range w.Tasks {
			set(c.Tasks, task, i, value)
		}
	}
	return c
}

// digits leaves four decimals: what a chart can show.
func digits(m collect.Measure) collect.Measure {
	return collect.Measure(math.Round(float64(m)*1e4) / 1e4)
}

func windows(all []collect.Window) []winView {
	out := make([]winView, 0, len(all))
	for _, w := range all {
		v := winView{
			Window: w.Window, HeldOut: w.HeldOutLoss, Aggregate: w.AggregateHash.String(), State: w.Majority().String(), Nodes: len(w.StateHash),
			Apart: w.Dissenters(), Included: w.Gathered, Skipped: map[string]string{}, Seconds: w.Seconds, Bytes: w.GradientBytes + w.AggregateBytes,
		}
		if v.Apart == nil {
			v.Apart = []string{}
		}
		for uid, verdict := range w.Skipped {
			v.Skipped[uidText(uid)] = verdict.String()
		}
		out = append(out, v)
	}
	return out
}

func peer(m collect.Miner, last collect.Window) peerView {
	p := peerView{
		UID: m.UID, Node: m.Node, Hotkey: m.Hotkey, Loss: m.OwnLoss, Speed: m.TokensPerSecond, Utilisation: m.Utilisation,
		Tokens: m.Tokens, Bytes: m.BytesUp, Standing: m.Standing, RelativeGain: collect.Unknown(),
	}
	if s := m.Standing; s != nil && s.Batches > 0 { // which only the rule "work" counts
		p.RelativeGain = collect.Measure(s.RelativeGain())
	}
	if v, ok := last.Skipped[m.UID]; ok {
		p.Verdict = v.String()
	} else if slices.Contains(last.Gathered, m.UID) {
		p.Verdict = protocol.VerdictOK.String()
	}
	return p
}
