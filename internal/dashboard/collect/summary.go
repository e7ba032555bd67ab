// Package collect aggregates the events of a whole network: the Summary of a run, which is the
// input of the JSON file, the table at the end and the plot, and the State, which the live view
// draws.
//
// docs/report.md describes the fields of the JSON file.
package collect

import (
	"cmp"
	"maps"
	"slices"

	"templar/internal/score"
	"templar/protocol"
)

// Version is the version of the JSON file's schema. Adding a field keeps it.
//
//	1  2026-11  first form
//	2  2026-11  final_score is final, as everywhere else; the fields of a standing are left
//	            out while no validator has scored the miner
const Version = 2

// Summary is a whole run as it stands in the JSON file. Losses are in nats a token.
type Summary struct {
	Version         int             `json:"version"`
	Preset          string          `json:"preset"`
	Seed            uint64          `json:"seed"`
	Corpus          string          `json:"corpus"`
	TokenUnit       string          `json:"token_unit"`
	Parameters      int             `json:"parameters"`
	StartWindow     protocol.Window `json:"start_window"`
	UnigramEntropy  Measure         `json:"unigram_entropy"`
	InitialLoss     Measure         `json:"initial_loss"`
	FinalLoss       Measure         `json:"final_loss"`
	Seconds         Measure         `json:"seconds"`
	Tokens          int64           `json:"tokens"`
	TokensPerSecond Measure         `json:"tokens_per_second"`
	Cores           int             `json:"cores"`
	EngineSeconds   Measure         `json:"engine_seconds"` // processor time
	Utilisation     Measure         `json:"utilisation"`    // of the cores, between the first and the last window
	Windows         []Window        `json:"windows"`        // ascending
	ScoredBy        string          `json:"scored_by"`
	Miners          []Miner         `json:"miners"` // ascending uid
	Checkpoint      string          `json:"checkpoint"`
}

// Window is one window whose Aggregate at least one node has applied.
type Window struct {
	Window         protocol.Window                   `json:"window"`
	HeldOutLoss    Measure                           `json:"held_out_loss"`
	AggregateHash  protocol.Hash                     `json:"aggregate_hash"`
	StateHash      map[string]protocol.Hash          `json:"state_hash"` // by node
	Gathered       []protocol.UID                    `json:"gathered"`   // ascending
	Skipped        map[protocol.UID]protocol.Verdict `json:"skipped"`
	GradientBytes  int64                             `json:"gradient_bytes"`
	AggregateBytes int64                             `json:"aggregate_bytes"`
	Seconds        Measure                           `json:"seconds"`
	LearningRate   Measure                           `json:"learning_rate"`
	TrainingLoss   map[string]Measure                `json:"training_loss"` // by node

	// Tasks are an evaluator's results on multiple-choice tasks: acc_norm where the task has it, else acc.
	Tasks map[string]Measure `json:"tasks,omitempty"`

	Utilisation      Measure            `json:"utilisation"`       // of the cores
	MinerUtilisation map[string]Measure `json:"miner_utilisation"` // by node
}

// Miner is one miner at the end of the report.
type Miner struct {
	UID             protocol.UID `json:"uid"`
	Node            string       `json:"node"`
	Hotkey          string       `json:"hotkey"`
	OwnLoss         Measure      `json:"own_loss"`
	*Standing                    // at the validator that Summary.ScoredBy names; nil before the first score
	Tokens          int64        `json:"tokens"`
	TrainingSeconds float64      `json:"training_seconds"`
	TokensPerSecond Measure      `json:"tokens_per_second"`
	EngineSeconds   Measure      `json:"engine_seconds"` // wall time
	Utilisation     Measure      `json:"utilisation"`    // between the first and the last window
	BytesUp         int64        `json:"bytes_up"`
	// Validators holds the miner's standing at every validator.
	Validators map[string]Standing `json:"validators"`
}

// Standing is a miner's record at one validator, with what follows from it.
type Standing struct {
	score.Record
	Ordinal float64       `json:"ordinal"`
	Weight  float64       `json:"weight"`
	Losses  *score.Losses `json:"losses,omitempty"` // of the last window that evaluated the miner
	Notes   []string      `json:"notes,omitempty"`
}

// Majority is the state that most nodes hold; of two held by equally many, the one
// of the first node in name order. It is zero when no state is known.
func (w Window) Majority() protocol.Hash {
	votes := map[protocol.Hash]int{}
	for _, h := range w.StateHash {
		votes[h]++
	}
	var most protocol.Hash
	for _, n := range slices.Sorted(maps.Keys(w.StateHash)) {
		if h := w.StateHash[n]; votes[h] > votes[most] {
			most = h
		}
	}
	return most
}

// Dissenters are the nodes that hold another state than Majority, by name.
func (w Window) Dissenters() []string {
	most := w.Majority()
	nodes := slices.Sorted(maps.Keys(w.StateHash))
	return slices.DeleteFunc(nodes, func(n string) bool { return w.StateHash[n] == most })
}

// alone reports whether other nodes' states are known and node's is none of them.
func (w Window) alone(node string) bool {
	for n, h := range w.StateHash {
		if n != node && h == w.StateHash[node] {
			return false
		}
	}
	return len(w.StateHash) > 1
}

// Merge returns the report of a run that was stopped and continued: earlier is the report of
// the earlier process. Windows of both are united; where both have a value, the newer report's
// counts. Work (tokens, seconds, bytes sent) is added up.
func (r Summary) Merge(earlier Summary) Summary {
	r.InitialLoss = earlier.InitialLoss.Or(r.InitialLoss)
	r.FinalLoss = r.FinalLoss.Or(earlier.FinalLoss)
	r.UnigramEntropy = r.UnigramEntropy.Or(earlier.UnigramEntropy)
	r.Parameters = cmp.Or(r.Parameters, earlier.Parameters)
	r.StartWindow = cmp.Or(r.StartWindow, earlier.StartWindow)
	r.ScoredBy = cmp.Or(r.ScoredBy, earlier.ScoredBy)
	r.Checkpoint = cmp.Or(r.Checkpoint, earlier.Checkpoint)
	r.Tokens += earlier.Tokens
	if r.Seconds.Known() && earlier.Seconds.Known() {
		r.Seconds += earlier.Seconds
	}
	r.Seconds = r.Seconds.Or(earlier.Seconds)
	r.TokensPerSecond = Rate(r.Tokens, float64(r.Seconds))
	r.Cores = cmp.Or(r.Cores, earlier.Cores)
	r.Utilisation, r.EngineSeconds = joined(r.Utilisation, r.EngineSeconds, earlier.Utilisation, earlier.EngineSeconds)
	r.Windows = unite(r.Windows, earlier.Windows, func(w Window) uint64 { return uint64(w.Window) }, Window.merge)
	r.Miners = unite(r.Miners, earlier.Miners, func(m Miner) uint64 { return uint64(m.UID) }, Miner.merge)
	return r
}

func (w Window) merge(earlier Window) Window {
	w.HeldOutLoss = w.HeldOutLoss.Or(earlier.HeldOutLoss)
	w.Seconds = w.Seconds.Or(earlier.Seconds)
	w.LearningRate = w.LearningRate.Or(earlier.LearningRate)
	w.Utilisation = w.Utilisation.Or(earlier.Utilisation)
	w.MinerUtilisation = overlay(earlier.MinerUtilisation, w.MinerUtilisation)
	if earlier.Tasks != nil {
		w.Tasks = overlay(earlier.Tasks, w.Tasks)
	}
	// A window that is only replayed saw no upload in this process.
	w.GradientBytes = cmp.Or(w.GradientBytes, earlier.GradientBytes)
	w.StateHash = overlay(earlier.StateHash, w.StateHash)
	w.TrainingLoss = overlay(earlier.TrainingLoss, w.TrainingLoss)
	return w
}

func (m Miner) merge(earlier Miner) Miner {
	if m.Hotkey != "" && earlier.Hotkey != "" && m.Hotkey != earlier.Hotkey {
		return m // the uid has a new owner, which inherits nothing
	}
	m.Node, m.Hotkey = cmp.Or(m.Node, earlier.Node), cmp.Or(m.Hotkey, earlier.Hotkey)
	m.OwnLoss = m.OwnLoss.Or(earlier.OwnLoss)
	if m.Standing == nil {
		m.Standing = earlier.Standing
	} else if m.Losses == nil && earlier.Standing != nil {
		s := *m.Standing
		s.Losses = earlier.Losses
		m.Standing = &s
	}
	m.Validators = overlay(earlier.Validators, m.Validators)
	m.Tokens += earlier.Tokens
	m.BytesUp += earlier.BytesUp
	m.TrainingSeconds += earlier.TrainingSeconds
	m.TokensPerSecond = Rate(m.Tokens, m.TrainingSeconds)
	m.Utilisation, m.EngineSeconds = joined(m.Utilisation, m.EngineSeconds, earlier.Utilisation, earlier.EngineSeconds)
	return m
}

// unite merges two lists by a key, ascending.
func unite[T any](now, before []T, key func(T) uint64, merge func(now, before T) T) []T {
	all := make(map[uint64]T, len(now)+len(before))
	for _, x := range before {
		all[key(x)] = x
	}
	for _, x := range now {
		if old, ok := all[key(x)]; ok {
			x = merge(x, old)
		}
		all[key(x)] = x
	}
	out := make([]T, 0, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[k])
	}
	return out
}

func overlay[V any](below, above map[string]V) map[string]V {
	out := make(map[string]V, len(below)+len(above))
	maps.Copy(out, below)
	maps.Copy(out, above)
	return out
}

// Rate is tokens a second; not known when either is nothing.
func Rate(tokens int64, seconds float64) Measure {
	if tokens == 0 || !(seconds > 0) {
		return Unknown()
	}
	return Measure(float64(tokens) / seconds)
}
