// Package collecttest plays a scripted run to a collector, for the tests of its output.
package collecttest

import (
	"crypto/sha256"
	"fmt"
	"math"
	"time"

	"templar/internal/dashboard/collect"
	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// Script is a scripted run of three miners, two validators and an aggregator, all of
// whose numbers follow from window and node.
type Script struct {
	Windows int
	Emit    func(telemetry.Event)
	now     time.Time
	usage   map[string]telemetry.Usage
}

const (
	scriptStart      = protocol.Window(5)
	scriptWindowTime = 4 * time.Second
)

// Begin is the time of the script's first event.
var Begin = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

// Meta describes the script's run.
func Meta(windows int) collect.Meta {
	return collect.Meta{
		Preset: "tiny", Seed: 1, Windows: windows, Corpus: "opticks.txt", TokenUnit: "byte", UnigramEntropy: 3.16,
		BlocksPerWindow: 8, BlockTime: 500 * time.Millisecond, DataDir: "./templar-data", Cores: 2, Nodes: scriptNodes(),
	}
}

func scriptNodes() []collect.Member {
	var nodes []collect.Member
	add := func(role telemetry.Role, n int) {
		for i := range n {
			uid := protocol.UID(len(nodes))
			nodes = append(nodes, collect.Member{Name: fmt.Sprintf("%s-%d", role, i), Role: role, UID: uid, Hotkey: protocol.Hotkey{byte(uid) + 1}})
		}
	}
	add(telemetry.Miner, 3)
	add(telemetry.Validator, 2)
	add(telemetry.Aggregator, 1)
	return nodes
}

// Hash makes a hash of words.
func Hash(words ...any) protocol.Hash { return sha256.Sum256([]byte(fmt.Sprintln(words...))) }

// scriptLoss falls from 5.545 towards 2.4.
func scriptLoss(step int) float64 { return thousandths(2.4 + 3.145*math.Exp(-float64(step)/7)) }

// thousandths rounds: architectures disagree in the last place.
func thousandths(x float64) float64 { return math.Round(x*1000) / 1000 }

// Play emits the events of the run's windows from first on, counted from 0.
func (s *Script) Play(first int) {
	nodes := scriptNodes()
	s.now = Begin.Add(time.Duration(first) * scriptWindowTime)
	for _, n := range nodes[:5] {
		s.send(n, scriptStart, telemetry.Started{StartWindow: scriptStart, Parameters: 459904, StateHash: Hash("theta_0")})
	}
	if first == 0 {
		s.send(nodes[3], scriptStart-1, telemetry.HeldOut{Loss: scriptLoss(0), Tokens: 4096})
	}
	for i := first; i < s.Windows; i++ {
		s.window(nodes, i)
	}
}

func (s *Script) send(n collect.Member, w protocol.Window, body telemetry.Body) {
	s.Emit(telemetry.Event{Time: s.now, Node: n.Name, Role: n.Role, UID: n.UID, Window: w, Usage: s.usage[n.Name], Body: body})
}

// compute adds to what a node's engine has computed.
func (s *Script) compute(n collect.Member, d time.Duration) {
	if s.usage == nil {
		s.usage = map[string]telemetry.Usage{}
	}
	u := s.usage[n.Name]
	s.usage[n.Name] = telemetry.Usage{Busy: u.Busy + d, CPU: u.CPU + d}
}

func (s *Script) window(nodes []collect.Member, i int) {
	w := scriptStart + protocol.Window(i)
	miners, validators, aggregator := nodes[:3], nodes[3:5], nodes[5]
	block := uint64(w) * 8
	s.send(nodes[0], w, telemetry.Block{Number: block, Time: s.now})
	for k, n := range miners {
		s.send(n, w, telemetry.Phase{Name: "training"})
		took := time.Duration(1200+100*k) * time.Millisecond
		s.compute(n, took)
		s.send(n, w, telemetry.Trained{Loss: thousandths(scriptLoss(i) + 0.05*float64(k+1)), Tokens: 3072, Batches: 6, Duration: took})
		s.send(n, w, telemetry.Uploaded{Key: protocol.GradientKey(w, n.UID), Bytes: 13000 + int64(10*k), Duration: 3 * time.Millisecond})
	}
	s.now = s.now.Add(scriptWindowTime - time.Second)
	included, skipped := []protocol.UID{0, 1, 2}, map[protocol.UID]protocol.Verdict{}
	if i == 2 {
		included, skipped = []protocol.UID{0, 1}, map[protocol.UID]protocol.Verdict{2: protocol.VerdictLate}
	}
	aggregate := Hash("aggregate", w)
	s.send(aggregator, w, telemetry.Phase{Name: "waiting"})
	s.send(aggregator, w, telemetry.Published{Hash: aggregate, Bytes: 57600, Included: included, Skipped: skipped, Ours: true})
	for _, n := range append(miners[:3:3], validators...) {
		s.send(n, w, telemetry.Applied{Aggregate: aggregate, State: Hash("state", w), Step: uint64(i), LearningRate: 0.004, AggregateBytes: 57600, Included: included, Skipped: skipped})
		s.send(n, w, telemetry.Uploaded{Key: protocol.SampleKey(w, n.UID), Bytes: 1200})
	}
	s.now = s.now.Add(time.Second)
	s.send(validators[0], w, telemetry.HeldOut{Loss: scriptLoss(i + 1), Tokens: 4096})
	for k, n := range validators {
		s.send(n, w, telemetry.Phase{Name: "evaluating"})
		s.compute(n, 200*time.Millisecond)
		s.send(n, w, telemetry.Scored{Miners: scriptScores(i, k)})
	}
	if i%4 == 3 {
		s.send(validators[0], w, telemetry.WeightsSet{Accepted: true, Block: block + 7})
		s.send(validators[1], w, telemetry.WeightsSet{Reason: "too soon\x1b[2J"})
	}
	if i%5 == 4 {
		s.send(validators[0], w, telemetry.Checkpointed{Prefix: protocol.CheckpointPrefix(w + 1), Bytes: 1839616})
	}
}

func scriptScores(i, validator int) []score.Line {
	weights := []float64{0.5, 0.3, 0.2}
	var out []score.Line
	for uid, weight := range weights {
		r := score.Record{
			UID: protocol.UID(uid), Hotkey: protocol.Hotkey{byte(uid) + 1}, GradientScore: thousandths(0.01 / float64(uid+1)),
			Rating:        score.Rating{Mu: 25 + float64(i)/4 - float64(uid+validator), Sigma: thousandths(8.333 - float64(i)/10)},
			BinaryAverage: thousandths(float64(i+1) / 20), SyncScore: 0.98, Evaluations: uint64(i + 1),
		}
		r.Final = thousandths(r.Ordinal() * r.BinaryAverage * r.SyncScore)
		l := score.Line{Observation: score.Observation{UID: r.UID, Hotkey: r.Hotkey}, After: r, Weight: weight}
		if uid != i%3 {
			l.Evaluated = true
			l.Losses = &score.Losses{OwnBefore: 4, OwnAfter: 3.5, RandomBefore: 4.25, RandomAfter: 4}
		}
		if uid == 2 && i == 2 {
			l.Reasons = []score.Reason{{Kind: score.KindMissing, Factor: 0.25, Detail: "gradient is missing"}}
		}
		out = append(out, l)
	}
	return out
}

// Played returns a collector that has seen the whole script.
func Played(windows int) *collect.Collector {
	c := collect.NewCollector(Meta(windows))
	(&Script{Windows: windows, Emit: c.Emit}).Play(0)
	return c
}
