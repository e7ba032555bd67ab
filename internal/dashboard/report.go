// Package dashboard is what a person gets to see of a run. A Collector turns the
// nodes' events into a Report (the JSON file, the table at the end, the plot) and
// into the State that the live terminal view draws.
//
// The report's fields are described in docs/report.md.
package dashboard

import (
	"cmp"
	"maps"
	"slices"

	"templar/protocol"
)

// ReportVersion is the version of the report's schema. Adding a field keeps it.
const ReportVersion = 1

// Report is a whole run as it stands in the JSON file. Losses are in nats a token.
type Report struct {
	Version         int             `json:"version"`
	Preset          string          `json:"preset"`
	Seed            uint64          `json:"seed"`
	Corpus          string          `json:"corpus"`
	TokenUnit       string          `json:"token_unit"`
	Parameters      int             `json:"parameters"`
	StartWindow     protocol.Window `json:"start_window"`
	UnigramEntropy  Number          `json:"unigram_entropy"`
	InitialLoss     Number          `json:"initial_loss"`
	FinalLoss       Number          `json:"final_loss"`
	Seconds         Number          `json:"seconds"`
	Tokens          int64           `json:"tokens"`
	TokensPerSecond Number          `json:"tokens_per_second"`
	Windows         []Window        `json:"windows"` // ascending
	ScoredBy        string          `json:"scored_by"`
	Miners          []Miner         `json:"miners"` // ascending uid
	Checkpoint      string          `json:"checkpoint"`
}

// Window is one window whose Aggregate at least one node has applied.
type Window struct {
	Window         protocol.Window                   `json:"window"`
	HeldOutLoss    Number                            `json:"held_out_loss"`
	AggregateHash  protocol.Hash                     `json:"aggregate_hash"`
	StateHash      map[string]protocol.Hash          `json:"state_hash"` // by node
	Gathered       []protocol.UID                    `json:"gathered"`   // ascending
	Skipped        map[protocol.UID]protocol.Verdict `json:"skipped"`
	GradientBytes  int64                             `json:"gradient_bytes"`
	AggregateBytes int64                             `json:"aggregate_bytes"`
	Seconds        Number                            `json:"seconds"`
	LearningRate   Number                            `json:"learning_rate"`
	TrainingLoss   map[string]Number                 `json:"training_loss"` // by node
}

// Miner is one miner at the end of the report.
type Miner struct {
	UID             protocol.UID `json:"uid"`
	Node            string       `json:"node"`
	Hotkey          string       `json:"hotkey"`
	OwnLoss         Number       `json:"own_loss"`
	Standing                     // at the validator that Report.ScoredBy names
	Tokens          int64        `json:"tokens"`
	TrainingSeconds float64      `json:"training_seconds"`
	TokensPerSecond Number       `json:"tokens_per_second"`
	BytesUp         int64        `json:"bytes_up"`
	// Validators holds the miner's standing at every validator.
	Validators map[string]Standing `json:"validators"`
}

// Standing is a miner's standing in one validator's books.
type Standing struct {
	FinalScore    Number   `json:"final_score"`
	Weight        Number   `json:"weight"`
	Mu            Number   `json:"mu"`
	Sigma         Number   `json:"sigma"`
	Ordinal       Number   `json:"ordinal"`
	BinaryAverage Number   `json:"binary_average"`
	SyncScore     Number   `json:"sync_score"`
	GradientScore Number   `json:"gradient_score"` // of the last window that evaluated the miner
	Notes         []string `json:"notes,omitempty"`
}

func unscored() Standing {
	n := unknown()
	return Standing{FinalScore: n, Weight: n, Mu: n, Sigma: n, Ordinal: n, BinaryAverage: n, SyncScore: n, GradientScore: n}
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

// Merge returns the report of a run that was stopped and gone on with: earlier is
// what the run before left behind. Windows of both are united, and where both know
// something the newer report wins. Work (tokens, seconds, bytes sent) adds up.
func (r Report) Merge(earlier Report) Report {
	r.InitialLoss = earlier.InitialLoss.or(r.InitialLoss)
	r.FinalLoss = r.FinalLoss.or(earlier.FinalLoss)
	r.UnigramEntropy = r.UnigramEntropy.or(earlier.UnigramEntropy)
	r.Parameters = cmp.Or(r.Parameters, earlier.Parameters)
	r.StartWindow = cmp.Or(r.StartWindow, earlier.StartWindow)
	r.ScoredBy = cmp.Or(r.ScoredBy, earlier.ScoredBy)
	r.Checkpoint = cmp.Or(r.Checkpoint, earlier.Checkpoint)
	r.Tokens += earlier.Tokens
	if r.Seconds.Known() && earlier.Seconds.Known() {
		r.Seconds += earlier.Seconds
	}
	r.Seconds = r.Seconds.or(earlier.Seconds)
	r.TokensPerSecond = rate(r.Tokens, float64(r.Seconds))
	r.Windows = unite(r.Windows, earlier.Windows, func(w Window) uint64 { return uint64(w.Window) }, Window.merge)
	r.Miners = unite(r.Miners, earlier.Miners, func(m Miner) uint64 { return uint64(m.UID) }, Miner.merge)
	return r
}

func (w Window) merge(earlier Window) Window {
	w.HeldOutLoss = w.HeldOutLoss.or(earlier.HeldOutLoss)
	w.Seconds = w.Seconds.or(earlier.Seconds)
	w.LearningRate = w.LearningRate.or(earlier.LearningRate)
	// A window that is only replayed saw no upload in this process.
	w.GradientBytes = cmp.Or(w.GradientBytes, earlier.GradientBytes)
	w.StateHash = overlay(earlier.StateHash, w.StateHash)
	w.TrainingLoss = overlay(earlier.TrainingLoss, w.TrainingLoss)
	return w
}

func (m Miner) merge(earlier Miner) Miner {
	if m.Hotkey != "" && earlier.Hotkey != "" && m.Hotkey != earlier.Hotkey {
		return m // the uid has a new owner, who inherits nothing
	}
	m.Node, m.Hotkey = cmp.Or(m.Node, earlier.Node), cmp.Or(m.Hotkey, earlier.Hotkey)
	m.OwnLoss = m.OwnLoss.or(earlier.OwnLoss)
	m.Standing = m.Standing.merge(earlier.Standing)
	m.Validators = overlay(earlier.Validators, m.Validators)
	m.Tokens += earlier.Tokens
	m.BytesUp += earlier.BytesUp
	m.TrainingSeconds += earlier.TrainingSeconds
	m.TokensPerSecond = rate(m.Tokens, m.TrainingSeconds)
	return m
}

func (s Standing) merge(earlier Standing) Standing {
	if !s.FinalScore.Known() {
		return earlier
	}
	s.GradientScore = s.GradientScore.or(earlier.GradientScore)
	return s
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

func rate(tokens int64, seconds float64) Number {
	if tokens == 0 || !(seconds > 0) {
		return unknown()
	}
	return Number(float64(tokens) / seconds)
}
