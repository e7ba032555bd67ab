package protocol

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Params are the run parameters: everything that honest nodes must hold equal to
// train one model. Their hash is announced with the start window and stands in
// every gradient and Aggregate.
type Params struct {
	// Run names the run; two runs never share objects or signatures.
	Run string `json:"run"`
	// Seed draws theta_0.
	Seed uint64 `json:"seed"`
	// Aggregators are the hotkeys whose Aggregates count, the first one first.
	Aggregators []Hotkey `json:"aggregators"`
	// Stores are the endpoints whose LastModified is believed, "https://host[:port]", or
	// "https://*.domain" for every host under a domain, or "file:///directory" where all
	// nodes are on one machine. A bucket elsewhere is not read: on his own server an owner
	// could date an upload as he likes, and a node could be sent to addresses of its own
	// network.
	Stores []string `json:"stores"`

	Model Model `json:"model"`

	// Data.
	DatasetHash    Hash `json:"dataset_hash"`    // of the shard manifest
	SequenceLength int  `json:"sequence_length"` // tokens
	PageTokens     int  `json:"page_tokens"`     // tokens a page
	PagesPerWindow int  `json:"pages_per_window"`
	BatchSize      int  `json:"batch_size"` // sequences

	// Optimiser.
	LearningRate  float64 `json:"learning_rate"`
	WeightDecay   float64 `json:"weight_decay"`
	MomentumDecay float64 `json:"momentum_decay"`
	// MomentumWarmup is the number of first iterations that do not subtract what was sent.
	MomentumWarmup int `json:"momentum_warmup"`
	WarmupSteps    int `json:"warmup_steps"`
	TMax           int `json:"t_max"` // steps of the first cosine period

	// Compression.
	TargetChunk int `json:"target_chunk"`
	TopK        int `json:"topk_compression"` // coefficients a chunk

	// Time. A block is BlockSeconds long; durations are seconds.
	BlockSeconds       float64 `json:"block_seconds"`
	BlocksPerWindow    uint64  `json:"blocks_per_window"`
	DeltaSeconds       float64 `json:"time_window_delta_seconds"` // D: uploads count until T + D
	SlackSeconds       float64 `json:"slack_seconds"`             // and from T - slack on
	GatherSeconds      float64 `json:"gather_seconds"`            // the aggregator's gather after T + D
	PublicationSeconds float64 `json:"publication_seconds"`       // aggregate, sign, upload
	PeerGatherSeconds  float64 `json:"peer_gather_seconds"`       // a miner's or validator's own gather

	// Peers.
	MaxTopKPeers             int    `json:"max_topk_peers"`
	MinimumPeers             int    `json:"minimum_peers"`
	PeersToReplace           int    `json:"peers_to_replace"`
	PeerReplacementFrequency uint64 `json:"peer_replacement_frequency"` // windows
	PeerListWindowMargin     uint64 `json:"peer_list_window_margin"`    // windows
	// UnpaidEvaluations is after how many evaluations a miner without weight is left out of peer
	// lists, until it has some; 0 lets it stay while there are free places.
	UnpaidEvaluations  uint64  `json:"unpaid_evaluations"`
	ActiveCheckSeconds float64 `json:"active_check_interval"` // seconds between two looks at who is active
	RecentWindows      uint64  `json:"recent_windows"`

	// Validation.
	ValidatorOffset        uint64  `json:"validator_offset"` // windows behind
	UIDsPerWindow          int     `json:"uids_per_window"`
	ValidatorSampleRate    float64 `json:"validator_sample_rate"`
	EvalLRFactor           float64 `json:"eval_lr_factor"`
	OpenSkillBeta          float64 `json:"openskill_beta"`
	OpenSkillTau           float64 `json:"openskill_tau"`
	BinaryScoreAlpha       float64 `json:"binary_score_ma_alpha"`
	SyncMaxStepsBehind     float64 `json:"sync_max_steps_behind"`
	PowerNormalisation     float64 `json:"power_normalisation"`
	InactivityPenalty      float64 `json:"inactivity_penalty"`       // factor a window
	MissingGradientPenalty float64 `json:"missing_gradient_penalty"` // factor
	SyncPenalty            float64 `json:"sync_penalty"`             // factor
	ResetInactivityWindows uint64  `json:"reset_inactivity_windows"`
	// From these shares of common coefficients on, of any value or of nearly the same, the
	// later of two gradients is a copy. A share above 1 is never reached.
	CopyIndices       float64 `json:"copy_indices"`
	CopyValues        float64 `json:"copy_values"`
	CopyPenalty       float64 `json:"copy_penalty"` // factor
	WindowsPerWeights uint64  `json:"windows_per_weights"`
	SampleValues      int     `json:"sample_values"` // parameters in a sync sample

	CheckpointFrequency uint64 `json:"checkpoint_frequency"` // windows
}

// Default returns the run parameters of the described system (the 1b preset).
func Default() Params {
	return Params{
		Run: "templar",
		Model: Model{
			VocabSize: 32000, HiddenSize: 2048, Layers: 16, Heads: 8, KVHeads: 8, IntermediateSize: 8192,
			MaxPositions: 2048, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.02,
		},
		SequenceLength: 2048, PageTokens: 6 * 2048, PagesPerWindow: 6, BatchSize: 6,
		LearningRate: 4e-4, MomentumDecay: 0.999, MomentumWarmup: 5, WarmupSteps: 250, TMax: 20000,
		TargetChunk: 64, TopK: 32,
		BlockSeconds: 12, BlocksPerWindow: 7, DeltaSeconds: 10, SlackSeconds: 2,
		GatherSeconds: 15, PublicationSeconds: 15, PeerGatherSeconds: 35,
		MaxTopKPeers: 15, MinimumPeers: 5, PeersToReplace: 1, PeerReplacementFrequency: 5, PeerListWindowMargin: 2,
		ActiveCheckSeconds: 60, RecentWindows: 5,
		ValidatorOffset: 2, UIDsPerWindow: 4, ValidatorSampleRate: 0.1, EvalLRFactor: 0.2,
		OpenSkillBeta: 20, OpenSkillTau: 0.1, BinaryScoreAlpha: 0.05, SyncMaxStepsBehind: 3, PowerNormalisation: 2,
		InactivityPenalty: 0.75, MissingGradientPenalty: 0.25, SyncPenalty: 0.25, ResetInactivityWindows: 25,
		CopyIndices: 0.95, CopyValues: 0.5, CopyPenalty: 0,
		WindowsPerWeights: 50, SampleValues: 256, CheckpointFrequency: 100,
	}
}

// Preset returns the run parameters of a name: tiny, 150m or 1b.
func Preset(name string) (Params, error) {
	p := Default()
	switch name {
	case "1b":
	case "150m":
		p.Model.HiddenSize, p.Model.Layers, p.Model.IntermediateSize = 768, 12, 2048
	case "tiny":
		p.tiny()
	default:
		return Params{}, fmt.Errorf("unknown preset %q: have tiny, 150m, 1b", name)
	}
	return p, nil
}

// tiny fits a byte-level model and windows of seconds on two cores of one machine.
func (p *Params) tiny() {
	p.Model = Model{
		VocabSize: 256, HiddenSize: 128, Layers: 2, Heads: 4, KVHeads: 4, IntermediateSize: 384,
		MaxPositions: 256, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.05,
	}
	p.SequenceLength, p.PageTokens, p.PagesPerWindow, p.BatchSize = 64, 512, 6, 8
	p.LearningRate, p.WarmupSteps, p.TMax, p.MomentumDecay = 6e-3, 5, 34, 0.5
	p.BlockSeconds, p.BlocksPerWindow = 0.5, 7
	p.DeltaSeconds, p.SlackSeconds, p.GatherSeconds, p.PublicationSeconds, p.PeerGatherSeconds = 1.25, 1, 0.75, 0.5, 2
	p.MinimumPeers, p.PeerReplacementFrequency, p.ActiveCheckSeconds = 1, 5, 2
	p.ValidatorSampleRate, p.WindowsPerWeights, p.CheckpointFrequency = 0.5, 4, 5
}

// Slack is how long before T an upload may be stored.
func (p *Params) Slack() time.Duration { return seconds(p.SlackSeconds) }

// Delta is how long after T an upload may be stored.
func (p *Params) Delta() time.Duration { return seconds(p.DeltaSeconds) }

// Gather is how long the aggregator goes on fetching after T + D.
func (p *Params) Gather() time.Duration { return seconds(p.GatherSeconds) }

// Publication is how long aggregating, signing and uploading may take.
func (p *Params) Publication() time.Duration { return seconds(p.PublicationSeconds) }

// PeerGather is how long a miner's or a validator's own gather may take.
func (p *Params) PeerGather() time.Duration { return seconds(p.PeerGatherSeconds) }

// ActiveCheck is the time between two looks at who is active.
func (p *Params) ActiveCheck() time.Duration { return seconds(p.ActiveCheckSeconds) }

// BlockTime is the time between two blocks.
func (p *Params) BlockTime() time.Duration { return seconds(p.BlockSeconds) }

// WindowTime is the length of a window.
func (p *Params) WindowTime() time.Duration {
	return seconds(p.BlockSeconds * float64(p.BlocksPerWindow))
}

// AggregateDue is when the Aggregate of the window that ended at t must be out.
func (p *Params) AggregateDue(t time.Time) time.Time {
	return t.Add(p.Delta() + p.Slack() + p.Gather() + p.Publication())
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Hash identifies the run parameters.
func (p *Params) Hash() Hash {
	b, err := json.Marshal(p)
	if err != nil { // only a NaN can cause it, and Validate refuses those
		panic(err)
	}
	return sha256.Sum256(append([]byte("templar run parameters\x00"), b...))
}

// LearningRateAt returns the learning rate at a global step: linear warm-up from a
// tenth of the rate, then cosine annealing with warm restarts (Loshchilov and Hutter
// 2017, eq. 5; T_0 = t_max, T_mult = 2, eta_min = a tenth of the rate).
func (p *Params) LearningRateAt(step uint64) float64 {
	const floor = 0.1
	if step < uint64(p.WarmupSteps) {
		return p.LearningRate * (floor + (1-floor)*float64(step)/float64(p.WarmupSteps))
	}
	at, period := step-uint64(p.WarmupSteps), uint64(p.TMax)
	for at >= period {
		at -= period
		period *= 2
	}
	low := floor * p.LearningRate
	return low + (p.LearningRate-low)*(1+math.Cos(math.Pi*float64(at)/float64(period)))/2
}

// AcceptsRate reports whether lr is this run's learning rate at a step, give or take
// one unit in the last place: cosines differ there between architectures.
func (p *Params) AcceptsRate(step uint64, lr float32) bool {
	want := float32(p.LearningRateAt(step))
	return lr == want || lr == math.Nextafter32(want, 0) || lr == math.Nextafter32(want, math.MaxFloat32)
}

// DecodeParams reads run parameters from JSON. Unknown keys are errors.
func DecodeParams(b []byte) (Params, error) {
	p := Default()
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return Params{}, fmt.Errorf("run parameters: %w", err)
	}
	return p, p.Validate()
}

// Validate reports every fault at once.
func (p *Params) Validate() error {
	errs := []error{p.Model.Validate()}
	for _, s := range p.Stores {
		errs = append(errs, checkStore(s))
	}
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for name, v := range sorted(map[string]int{
		"sequence_length": p.SequenceLength, "page_tokens": p.PageTokens, "pages_per_window": p.PagesPerWindow,
		"batch_size": p.BatchSize, "t_max": p.TMax, "target_chunk": p.TargetChunk, "topk_compression": p.TopK,
		"max_topk_peers": p.MaxTopKPeers, "uids_per_window": p.UIDsPerWindow, "sample_values": p.SampleValues,
		"blocks_per_window": int(p.BlocksPerWindow), "checkpoint_frequency": int(p.CheckpointFrequency),
		"windows_per_weights": int(p.WindowsPerWeights), "peer_replacement_frequency": int(p.PeerReplacementFrequency),
	}) {
		fault(v <= 0, "%s is %d: must be positive", name, v)
	}
	for name, v := range sorted(map[string]float64{
		"learning_rate": p.LearningRate, "block_seconds": p.BlockSeconds, "time_window_delta_seconds": p.DeltaSeconds,
		"gather_seconds": p.GatherSeconds, "publication_seconds": p.PublicationSeconds, "openskill_beta": p.OpenSkillBeta,
		"active_check_interval": p.ActiveCheckSeconds, "eval_lr_factor": p.EvalLRFactor, "power_normalisation": p.PowerNormalisation,
	}) {
		fault(!(v > 0) || math.IsInf(v, 0), "%s is %v: must be positive", name, v)
	}
	for name, v := range sorted(map[string]float64{
		"momentum_decay": p.MomentumDecay, "validator_sample_rate": p.ValidatorSampleRate, "binary_score_ma_alpha": p.BinaryScoreAlpha,
		"inactivity_penalty": p.InactivityPenalty, "missing_gradient_penalty": p.MissingGradientPenalty, "sync_penalty": p.SyncPenalty,
		"copy_penalty": p.CopyPenalty,
	}) {
		fault(!(v >= 0 && v <= 1), "%s is %v: must lie in [0, 1]", name, v)
	}
	fault(!(p.CopyIndices > 0) || !(p.CopyValues > 0), "copy_indices and copy_values must be positive: above 1 they are off")
	fault(!(p.WeightDecay >= 0) || math.IsInf(p.WeightDecay, 0), "weight_decay is %v: must not be negative", p.WeightDecay)
	fault(p.WarmupSteps < 0 || p.MomentumWarmup < 0 || p.MinimumPeers < 0 || p.PeersToReplace < 0, "warmup_steps, momentum_warmup, minimum_peers and peers_to_replace must not be negative")
	fault(!(p.SlackSeconds >= 1), "slack_seconds is %v: stores give whole seconds, so at least 1", p.SlackSeconds)
	fault(p.Model.VocabSize > 1<<22, "model.vocab_size %d: token shards hold ids below %d", p.Model.VocabSize, 1<<22)
	fault(p.PageTokens < p.SequenceLength || p.PageTokens%max(p.SequenceLength, 1) != 0, "page_tokens %d must be a multiple of sequence_length %d", p.PageTokens, p.SequenceLength)
	fault(p.SequenceLength > p.Model.MaxPositions, "sequence_length %d is over model.max_position_embeddings %d", p.SequenceLength, p.Model.MaxPositions)
	fault(p.Delta()+p.Slack()+p.Gather()+p.Publication() > p.WindowTime(),
		"D %v + slack %v + gather %v + publication %v do not fit in a window of %v", p.Delta(), p.Slack(), p.Gather(), p.Publication(), p.WindowTime())
	return errors.Join(errs...)
}

// sorted yields a map in the order of its keys, so that faults read the same each time.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// TrustsStore reports whether endpoint is one of the run's stores.
func (p *Params) TrustsStore(endpoint string) bool {
	if _, local := LocalStore(endpoint); local {
		return slices.Contains(p.Stores, endpoint)
	}
	got, err := url.Parse(endpoint)
	if err != nil || checkStore(endpoint) != nil {
		return false
	}
	for _, s := range p.Stores {
		want, err := url.Parse(s)
		if err != nil || want.Scheme != got.Scheme {
			continue
		}
		domain, wild := strings.CutPrefix(want.Host, "*.")
		if want.Host == got.Host || wild && strings.HasSuffix(got.Host, "."+domain) {
			return true
		}
	}
	return false
}

func checkStore(endpoint string) error {
	if _, local := LocalStore(endpoint); local {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("store %q: want http(s)://host[:port] and nothing behind it", endpoint)
	}
	return nil
}
