//go:build linux

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"time"

	"templar/internal/data"
	"templar/internal/harness"
	"templar/internal/memory"
	"templar/internal/model"
	"templar/internal/plan"
	"templar/internal/run"
	"templar/internal/sim"
	"templar/internal/telemetry"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

// network is one network to simulate: the real roles in virtual time, with a small model whose objects count for
// those of the preset's on all links.
type network struct {
	preset   string
	probe    probe
	blocks   uint64 // of a window; 0: the preset's
	machines plan.Machines
	latency  time.Duration // one way
	update   float64       // share of the preset's Aggregate that is sent
	whole    bool          // Aggregates are not relayed in parts
	dead     int           // miners that leave when measuring begins
	lying    int           // miners that relay other bytes than the Aggregate's
	windows  int           // that are measured
	seed     uint64
	batches  int // in a window
}

const before = 4 // windows that pass before the measured ones

// outcome is a row of the table.
type outcome struct {
	Preset      string        `json:"preset"`
	Window      float64       `json:"window_seconds"`
	Payload     int64         `json:"payload_bytes"`
	Update      int64         `json:"aggregate_bytes"`
	Machines    plan.Machines `json:"assumes"`
	Dead        int           `json:"dead"`
	Lying       int           `json:"lying"`
	Planned     float64       `json:"planned"`     // utilisation by templar run plan
	Utilisation float64       `json:"utilisation"` // of the miners that live
	Included    float64       `json:"included"`    // gradients in an Aggregate, mean
	Provisional int           `json:"provisional"`
}

// real is the run that is simulated.
func (n *network) real() (run.Run, error) {
	p, err := protocol.Preset(n.preset)
	if err != nil {
		return run.Run{}, err
	}
	p.BlocksPerWindow = cmp.Or(n.blocks, p.BlocksPerWindow)
	if n.whole {
		p.RelayBytes = 0
	}
	return run.New(p, harness.Methods())
}

// small are the run parameters with a small model, and batches so short that a miner can train until the window ends.
func (n *network) small(p protocol.Params) protocol.Params {
	real := int64(p.Model.Layout().Size())
	p.Model = protocol.Model{
		VocabSize: 256, HiddenSize: 64, Layers: 1, Heads: 2, KVHeads: 2, IntermediateSize: 64, TieEmbeddings: true,
		MaxPositions: 64, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.1,
	}
	p.SequenceLength, p.BatchSize, p.PageTokens, p.PagesPerWindow = 8, 4, 32, n.batches+n.batches/8
	p.ValidatorSampleRate = min(p.ValidatorSampleRate, 4/float64(p.PagesPerWindow)) // the validators' engines are not what is measured
	if p.RelayBytes > 0 {                                                           // as many parts as the real run's Aggregates have
		p.RelayBytes = max(1, p.RelayBytes*int64(p.Model.Layout().Size())/real)
	}
	p.Run = "links"
	return p
}

// simulate runs the network and measures how much of the time the miners train.
func (n *network) simulate(ctx context.Context) (out outcome, err error) {
	r, err := n.real()
	if err != nil {
		return out, err
	}
	p := n.small(*r.Params)
	stand, err := run.New(p, harness.Methods())
	if err != nil {
		return out, err
	}
	window := p.WindowTime()
	m := n.machines
	m.TokensPerSecond = float64(r.Params.PagesPerWindow*r.Params.PageTokens) / window.Seconds() // pages for a whole window
	m.Speeds.PayloadBytes, m.Speeds.UpdateBytes = n.probe.payload, n.update*n.probe.update
	planned, err := plan.Of(r, m, func(telemetry.Role) (memory.Need, error) { return memory.Need{}, nil })
	if err != nil {
		return out, err
	}
	size := float64(r.Params.Model.Layout().Size())
	times := func(speed float64) time.Duration { return time.Duration(size / speed * float64(time.Second)) }
	script, err := sim.Parse(n.script())
	if err != nil {
		return out, err
	}
	u := &used{trained: map[string]time.Duration{}, dead: n.dead, miners: m.Miners}
	_, err = sim.Run(ctx, sim.Config{
		Seed: n.seed, Windows: before + n.windows, Miners: m.Miners, Validators: m.Validators, Aggregators: 1, Engine: sim.Cheap,
		Threads: runtime.GOMAXPROCS(0), Faults: script,
		Training: sim.Training{
			Params: &p, Corpus: data.Corpus{Name: "text", Text: text(), Files: 1}, Unwatched: true, Sink: u,
			Machine: func(node string) sim.Machine {
				link, tokens := m.Node, float64(n.batches*p.PageTokens)/window.Seconds()
				if strings.HasPrefix(node, string(telemetry.Aggregator)) {
					link = m.Server
				}
				return sim.Machine{Speed: tokens, Up: link.Up, Down: link.Down, Latency: n.latency}
			},
			Store: func(string) sim.Machine { return sim.Machine{Up: m.Store.Up, Down: m.Store.Down} },
			Size:  (&sizes{payload: planned.Payload, update: planned.Update, least: wire.MaxAggregateSize(stand.Format(), p.MaxTopKPeers) / 2}).of,
			Steps: sim.Steps{Compress: times(m.Speeds.Compress), Reduce: times(m.Speeds.Reduce), Apply: times(m.Speeds.Apply)},
		},
	})
	if err != nil {
		return out, err
	}
	if u.windows != n.windows*(m.Miners-n.dead) {
		return out, fmt.Errorf("%s: %d trained windows of %d miners were seen, want %d of each: give windows more blocks", n.preset, u.windows, m.Miners-n.dead, n.windows)
	}
	return outcome{
		Preset: n.preset, Window: window.Seconds(), Payload: planned.Payload, Update: planned.Update, Machines: m, Dead: n.dead, Lying: n.lying,
		Planned: max(0, planned.Window-planned.Waiting()) / planned.Window, Utilisation: u.sum.Seconds() / (float64(u.windows) * window.Seconds()),
		Included: float64(u.included) / float64(n.windows), Provisional: u.provisional,
	}, nil
}

// sizes are what bodies of the small run count for. Headers, and Aggregates without an update, are as small in the real run.
type sizes struct {
	payload, update int64              // of the real run
	least           int64              // that an Aggregate with an update has in the small run
	whole           map[string]float64 // what a byte of each window's Aggregate counts for
}

// of is the size for which n bytes of an object count: a part of an Aggregate counts for its share.
func (s *sizes) of(key string, n int64) int64 {
	k, _ := protocol.ParseKey(key)
	switch k.Kind {
	case protocol.KindGradient, protocol.KindArchive:
		if n > int64(wire.GradientHeaderSize) {
			return s.payload
		}
	case protocol.KindAggregate, protocol.KindPart:
		return s.share(protocol.AggregateKey(k.Window, k.Term), n)
	}
	return n
}

// share is of for an Aggregate, which is put as a whole before any part of it is read.
func (s *sizes) share(key string, n int64) int64 {
	if n >= s.least && s.whole[key] == 0 {
		if s.whole == nil {
			s.whole = make(map[string]float64)
		}
		s.whole[key] = float64(s.update) / float64(n)
	}
	if s.whole[key] == 0 {
		return n
	}
	return int64(math.Round(float64(n) * s.whole[key]))
}

// script lets the last miners leave, and the first ones lie.
func (n *network) script() string {
	var b strings.Builder
	for i := range n.dead {
		fmt.Fprintf(&b, "window %d: miner-%d leaves\n", before, n.machines.Miners-1-i)
	}
	for i := range n.lying {
		fmt.Fprintf(&b, "window %d..%d: miner-%d lies about parts\n", before, before+n.windows, i)
	}
	return b.String()
}

// text is enough for pages of all miners.
func text() []byte {
	var all []byte
	for i := range 16 {
		all = append(all, harness.Text(fmt.Sprint("links ", i))...)
	}
	return all
}

// used sums up the measured windows of the miners that live to the end.
type used struct {
	trained      map[string]time.Duration
	dead, miners int
	start        protocol.Window
	windows      int
	sum          time.Duration
	included     int
	provisional  int
}

// Emit takes an event. The simulator calls it for one at a time.
func (u *used) Emit(e telemetry.Event) {
	if s, ok := e.Body.(telemetry.Started); ok {
		u.start = s.StartWindow
		return
	}
	if u.start == 0 || e.Window < u.start+before {
		return
	}
	switch b := e.Body.(type) {
	case telemetry.Trained:
		var miner int
		if _, err := fmt.Sscanf(e.Node, "miner-%d", &miner); err == nil && miner < u.miners-u.dead {
			u.windows++
			u.sum += b.Duration
		}
	case telemetry.Published:
		u.included += len(b.Included)
	case telemetry.Applied:
		if b.Provisional {
			u.provisional++
		}
	}
}

// links is the subcommand.
func links(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("links", flag.ContinueOnError)
	f.SetOutput(stderr)
	presets := f.String("presets", "1b,1b-loco,70b", "presets, in turn")
	rates := f.String("rates", "100,300,1000", "links of miners and validators, in Mb/s")
	stores := f.String("stores", "1000", "links of the aggregator and of each bucket's store, in Mb/s")
	blocks := f.String("blocks", "0", "blocks of 12 s in a window; 0: the preset's")
	dead := f.String("dead", "0,3", "miners that die when measuring begins")
	lying := f.Int("lying", 0, "miners that relay other bytes than the Aggregate's from then on")
	updates := f.String("updates", "1", "sizes of the Aggregate, as shares of the preset's")
	miners := f.Int("miners", 16, "miners")
	validators := f.Int("validators", 3, "validators")
	windows := f.Int("windows", 20, "windows to measure")
	cores := f.Float64("cores", 2, "cores of a node: the time of the method's steps is measured on one and divided by this")
	latency := f.Duration("latency", 20*time.Millisecond, "one way, to a store")
	seed := f.Uint64("seed", 1, "seed of the simulation")
	whole := f.Bool("whole", false, "read Aggregates as a whole: no miner relays a part")
	asJSON := f.Bool("json", false, "print JSON")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("links: %q is not expected: flags only, see -help", f.Arg(0))
	}
	all := []outcome{}
	if !*asJSON {
		heading(stdout)
	}
	err := errors.Join(
		each(*presets, func(preset string) error {
			p, err := protocol.Preset(preset)
			if err != nil {
				return err
			}
			probe, err := newProbe(p)
			if err != nil {
				return err
			}
			fmt.Fprintf(stderr, "%s, one core, million parameters a second: compress %.0f, reduce %.0f, apply %.0f, hash %.0f\n", preset,
				probe.speeds.Compress/1e6, probe.speeds.Reduce/1e6, probe.speeds.Apply/1e6, probe.speeds.Hash/1e6)
			return numbers("updates", *updates, func(update float64) error {
				return numbers("blocks", *blocks, func(blocks float64) error {
					return numbers("stores", *stores, func(store float64) error {
						return numbers("rates", *rates, func(rate float64) error {
							return numbers("dead", *dead, func(dead float64) error {
								n := network{
									preset: preset, probe: probe, blocks: uint64(blocks), latency: *latency, update: update, whole: *whole, dead: int(dead), lying: *lying, windows: *windows, seed: *seed, batches: 100,
									machines: plan.Machines{
										Node: plan.Link{Up: 1e6 * rate, Down: 1e6 * rate}, Server: plan.Link{Up: 1e6 * store, Down: 1e6 * store},
										Store: plan.Link{Up: 1e6 * store, Down: 1e6 * store}, Speeds: probe.times(*cores), Miners: *miners, Validators: *validators,
									},
								}
								fmt.Fprintf(stderr, "%s, %g Mb/s, stores %g Mb/s, %d dead ...\n", preset, rate, store, n.dead)
								out, err := n.simulate(ctx)
								if err != nil {
									return err
								}
								if all = append(all, out); !*asJSON {
									out.write(stdout)
								}
								return nil
							})
						})
					})
				})
			})
		}),
	)
	if err != nil {
		return err
	}
	if !*asJSON {
		return nil
	}
	e := json.NewEncoder(stdout)
	e.SetIndent("", " ")
	return e.Encode(all)
}

// probe is what a method's steps take and give with a model of a few million parameters.
type probe struct {
	speeds          plan.Speeds // of one core, by CPU time
	payload, update float64     // bytes a parameter
}

// newProbe measures on one core. What counts is CPU time: the machine may be busy.
func newProbe(p protocol.Params) (out probe, err error) {
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	p.Model = protocol.Model{
		VocabSize: 1024, HiddenSize: 1024, Layers: 1, Heads: 8, KVHeads: 8, IntermediateSize: 2048,
		MaxPositions: p.SequenceLength, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.02,
	}
	r, err := run.New(p, harness.Methods())
	if err != nil {
		return out, err
	}
	size := p.Model.Layout().Size()
	rate := func(n int, do func()) (best float64) {
		for range 3 {
			began := cpuTime()
			do()
			best = max(best, float64(n)/(cpuTime()-began).Seconds())
		}
		return best
	}
	payloads := make([]method.Payload, p.MaxTopKPeers)
	for i := range payloads {
		x, draw := make([]float32, size), rand.New(rand.NewPCG(1, uint64(i)))
		for i := range x {
			x[i] = float32(draw.NormFloat64()) * 1e-3
		}
		speed := rate(size, func() {
			if payloads[i], err = r.Method.Encode(x); err != nil {
				return
			}
		})
		if err != nil {
			return out, err
		}
		out.speeds.Compress = max(out.speeds.Compress, speed)
		out.payload += float64(len(payloads[i].Bytes())) / float64(size*len(payloads))
	}
	var update method.Update
	out.speeds.Reduce = rate(size*len(payloads), func() { update = r.Method.Reduce(payloads) })
	out.update = float64(len(update.Bytes())) / float64(size)
	params := model.Init(p.Model, 1)
	out.speeds.Apply = rate(size, func() { r.Method.Apply(params, update, r.Method.Rate(0)) })
	out.speeds.Hash = rate(size, func() { r.Space.Hash(params) })
	return out, nil
}

// times is a processor of so many cores.
func (p probe) times(cores float64) plan.Speeds {
	s := p.speeds
	return plan.Speeds{Compress: cores * s.Compress, Reduce: cores * s.Reduce, Apply: cores * s.Apply, Hash: cores * s.Hash}
}

func each(list string, do func(string) error) error {
	for item := range strings.SplitSeq(list, ",") {
		if err := do(strings.TrimSpace(item)); err != nil {
			return err
		}
	}
	return nil
}

func numbers(name, list string, do func(float64) error) error {
	return each(list, func(item string) error {
		x, err := strconv.ParseFloat(item, 64)
		if err != nil || x < 0 || math.IsInf(x, 0) {
			return fmt.Errorf("-%s: %q is not a number that is 0 or more", name, item)
		}
		return do(x)
	})
}

// columns of the table, which is written a row at a time: a row may take minutes.
var columns = []struct {
	head  string
	value func(outcome) string
}{
	{"preset   ", func(o outcome) string { return o.Preset }},
	{"window s", func(o outcome) string { return fmt.Sprintf("%.0f", o.Window) }},
	{"payload MB", func(o outcome) string { return fmt.Sprintf("%.1f", float64(o.Payload)/1e6) }},
	{"Aggregate MB", func(o outcome) string { return fmt.Sprintf("%.0f", float64(o.Update)/1e6) }},
	{"nodes Mb/s", func(o outcome) string { return fmt.Sprintf("%.0f", o.Machines.Node.Up/1e6) }},
	{"stores Mb/s", func(o outcome) string { return fmt.Sprintf("%.0f", o.Machines.Store.Up/1e6) }},
	{"dead", func(o outcome) string { return strconv.Itoa(o.Dead) }},
	{"utilisation %", func(o outcome) string { return fmt.Sprintf("%.1f", 100*o.Utilisation) }},
	{"plan %", func(o outcome) string { return fmt.Sprintf("%.1f", 100*o.Planned) }},
	{"included", func(o outcome) string { return fmt.Sprintf("%.1f", o.Included) }},
	{"provisional", func(o outcome) string { return strconv.Itoa(o.Provisional) }},
}

func heading(out io.Writer) {
	for _, c := range columns {
		fmt.Fprint(out, c.head, "  ")
	}
	fmt.Fprintln(out)
}

func (o outcome) write(out io.Writer) {
	for _, c := range columns {
		fmt.Fprintf(out, "%-*s  ", len(c.head), c.value(o))
	}
	fmt.Fprintln(out)
}
