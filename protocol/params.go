package protocol

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"templar/internal/strictjson"
)

// Params are the run parameters: the values that all honest nodes must share to train
// one model. Their hash is announced with the start window and is part of every
// gradient and Aggregate.
type Params struct {
	// Run names the run; two runs never share objects or signatures.
	Run string `json:"run"`
	// Seed draws theta_0: any number.
	Seed uint64 `json:"seed"`
	// Theta0 is the state hash of theta_0. Zero means that of the model which Seed draws; another one
	// is of an imported model, which validators serve. StartWindow requires it.
	Theta0 Hash `json:"theta_0,omitzero"`
	// StartWindow is the run's first window; 0 means that the validators announce it.
	StartWindow Window `json:"start_window,omitempty"`
	// Aggregators are the hotkeys whose Aggregates count, in order of precedence.
	Aggregators []Hotkey `json:"aggregators"`
	// Stores are the endpoints whose LastModified is trusted, "https://host[:port]", or
	// "https://*.domain" for every host under a domain of stores only, or "file:///directory" where all
	// nodes are on one machine. Buckets elsewhere are not read: the operator of a private
	// server could choose the date of an upload, or direct a node to addresses of the node's
	// own network.
	Stores []string `json:"stores"`

	// Model is the shape of the model.
	Model Model `json:"model"`

	// Data.

	// DatasetHash is the SHA-256 of the manifest of the dataset's shards.
	DatasetHash Hash `json:"dataset_hash"`
	// SequenceLength is in tokens: from 1 to the model's max_position_embeddings.
	SequenceLength int `json:"sequence_length"`
	// PageTokens is the size of a page, the unit in which data is assigned, in tokens: a
	// multiple of SequenceLength.
	PageTokens int `json:"page_tokens"`
	// PagesPerWindow is how many pages a miner is assigned in a window: 1 or more.
	PagesPerWindow int `json:"pages_per_window"`
	// BatchSize is in sequences: 1 or more.
	BatchSize int `json:"batch_size"`

	// Method is the training method: what a miner sends, how a window's payloads become an
	// update, and how an update moves the parameters.
	Method Method `json:"method"`

	// Time. T is the time of the first block after a window. Durations are in seconds; delta,
	// slack, gather, key and publication together must fit in a window.

	// BlockSeconds is the time between two blocks: above 0.
	BlockSeconds float64 `json:"block_seconds"`
	// BlocksPerWindow is the length of a window in blocks: 1 or more.
	BlocksPerWindow uint64 `json:"blocks_per_window"`
	// DeltaSeconds is D: uploads count until T + D. Above 0.
	DeltaSeconds float64 `json:"time_window_delta_seconds"`
	// SlackSeconds is how long before T an upload may be stored: above 0. Below 1 it requires stores that
	// report milliseconds, as the embedded one does; stores of whole seconds need 2, since they round down and
	// chain time lags by a block.
	SlackSeconds float64 `json:"slack_seconds"`
	// GatherSeconds is how long the aggregator goes on fetching after T + D: above 0.
	GatherSeconds float64 `json:"gather_seconds"`
	// KeySeconds is how long after the closing statement a miner may reveal its key: above 0.
	KeySeconds float64 `json:"key_seconds"`
	// PublicationSeconds is the time for aggregating, signing and uploading: above 0.
	PublicationSeconds float64 `json:"publication_seconds"`
	// PeerGatherSeconds is how long a miner's or a validator's own gather may take, in seconds.
	PeerGatherSeconds float64 `json:"peer_gather_seconds"`

	// Randomness is what draws pages, samples and rotations come from: "beacon" is the chain's
	// randomness, which the signers of a block make together where the chain has that (docs/spec/chain.md);
	// "block" is the hash of a block, which its maker can draw again as often as it can compute.
	Randomness string `json:"randomness"`

	// Peers.

	// MaxTopKPeers is the largest number of miners whose gradients enter a window: 1 or more.
	MaxTopKPeers int `json:"max_topk_peers"`
	// MinimumPeers is the least number of miners in a peer list, if so many are active: 0 or more.
	MinimumPeers int `json:"minimum_peers"`
	// PeersToReplace is how many miners of the list are replaced each time: 0 or more.
	PeersToReplace int `json:"peers_to_replace"`
	// PeerReplacementFrequency is the time between two peer lists in windows: 1 or more.
	PeerReplacementFrequency uint64 `json:"peer_replacement_frequency"`
	// PeerListWindowMargin is the number of windows from a list's publication until it is in force: 0 or more.
	PeerListWindowMargin uint64 `json:"peer_list_window_margin"`
	// UnpaidEvaluations is the number of evaluations after which a miner without weight, whose average of the binary
	// indicator is lower than chance explains, is left out of peer lists; 0 keeps it while there are free places. Otherwise, with the rule
	// "work", one whose gradients lower the loss too little, or raise it, is left out after three.
	UnpaidEvaluations uint64 `json:"unpaid_evaluations"`
	// ReservePeers is how many reserves a peer list names at most: miners that take the places of peers whose gradients
	// are not in when a window is closed. 0 or more.
	ReservePeers int `json:"reserve_peers"`
	// UnprovenPeers is how many miners without weight a peer list may have, as soon as MinimumPeers
	// miners have weight: 0 or more.
	UnprovenPeers int `json:"unproven_peers"`
	// ActiveCheckSeconds is the time between two checks of which miners are active, in seconds:
	// above 0.
	ActiveCheckSeconds float64 `json:"active_check_interval"`
	// RecentWindows is how many windows old a gradient may be to show that its miner is active: 0 or more.
	RecentWindows uint64 `json:"recent_windows"`

	// Validation. Penalties are factors in [0, 1] on a score.

	// ValidatorOffset is how many windows a validator stays behind the chain: 0 or more.
	ValidatorOffset uint64 `json:"validator_offset"`
	// UIDsPerWindow is how many miners a validator measures in a window: 1 or more.
	UIDsPerWindow int `json:"uids_per_window"`
	// UnprovenPerWindow is how many miners without weight a validator measures in a window beside
	// UIDsPerWindow of those with weight: 0 or more.
	UnprovenPerWindow int `json:"unproven_per_window"`
	// EvaluationDraw is the rule by which the miners to measure are drawn: "uniform", with equal chances, or
	// "waiting", as in Templar v0.2.82.
	EvaluationDraw EvaluationDraw `json:"evaluation_draw"`
	// ScoreRule is the rule by which measurements become pay: "work", for proven work on one's own pages, or
	// "ordinal", as in Templar v0.2.82 (docs/spec/score.md).
	ScoreRule ScoreRule `json:"score_rule"`
	// ScoreEvidence is how many standard deviations the share of own batches that a miner's
	// gradients fit must be above chance before the miner is paid, with the score rule "work": 0 or more.
	ScoreEvidence float64 `json:"score_evidence"`
	// ValidatorSampleRate is the share of a page's batches on which losses are measured: [0, 1].
	ValidatorSampleRate float64 `json:"validator_sample_rate"`
	// OpenSkillBeta is the spread of performance in the rating (Plackett-Luce), in points of
	// skill: above 0.
	OpenSkillBeta float64 `json:"openskill_beta"`
	// OpenSkillTau is added to a rating's uncertainty at each match, in points of skill.
	OpenSkillTau float64 `json:"openskill_tau"`
	// BinaryScoreAlpha is the weight of the newest window in the average of the binary indicator:
	// [0, 1].
	BinaryScoreAlpha float64 `json:"binary_score_ma_alpha"`
	// SyncMaxStepsBehind is the distance of a miner's parameters, in steps of the method, above
	// which SyncPenalty applies.
	SyncMaxStepsBehind float64 `json:"sync_max_steps_behind"`
	// PowerNormalisation is the exponent with which scores become weights: above 0.
	PowerNormalisation float64 `json:"power_normalisation"`
	// InactivityPenalty is the factor for each window in which a miner is inactive.
	InactivityPenalty float64 `json:"inactivity_penalty"`
	// MissingGradientPenalty is the factor for a window without a gradient.
	MissingGradientPenalty float64 `json:"missing_gradient_penalty"`
	// SyncPenalty is the factor for parameters that are too far away, and for a missing sample.
	SyncPenalty float64 `json:"sync_penalty"`
	// ResetInactivityWindows is the number of inactive windows after which a miner's scores are zero: 0 or more.
	ResetInactivityWindows uint64 `json:"reset_inactivity_windows"`
	// CopyIndices and CopyValues are the shares of common coefficients, with any value and with
	// nearly the same value, at which the later of two gradients is a copy: above 0. A share
	// above 1 is never reached.
	CopyIndices float64 `json:"copy_indices"`
	CopyValues  float64 `json:"copy_values"`
	// WindowsPerWeights is the time between two settings of weights in windows: 1 or more.
	WindowsPerWeights uint64 `json:"windows_per_weights"`
	// SampleValues is how many parameters a sync sample has: 1 or more.
	SampleValues int `json:"sample_values"`

	// CheckpointFrequency is the time between two checkpoints in windows: 1 or more.
	CheckpointFrequency uint64 `json:"checkpoint_frequency"`
	// PayloadWindows is R, the number of windows for which gradients, their keys and the aggregator's archive of them
	// are kept: from ValidatorOffset and six to 4 times CheckpointFrequency, for which Aggregates are kept. 0 means as long as
	// those.
	PayloadWindows uint64 `json:"payload_windows,omitempty"`
	// RelayBytes is the least size of a part of an Aggregate that miners relay, in bytes. An Aggregate of twice the size or more
	// is read in parts, from the buckets of the miners whose gradients it includes (docs/spec/relay.md). 0: it is read as a whole.
	RelayBytes int64 `json:"relay_bytes,omitempty"`
}

// The values of Params.Randomness.
const (
	RandomnessBeacon = "beacon"
	RandomnessBlock  = "block"
)

// LeastPayloadWindows is the least PayloadWindows: ValidatorOffset, and six windows. A validator may be two windows
// behind that when it recomputes an Aggregate, a gradient that is not there yet has one more to come (docs/spec/finality.md), and
// the next aggregator of a void one, which needs the gradients again, has three for its first.
func (p *Params) LeastPayloadWindows() uint64 { return p.ValidatorOffset + 6 }

// Slack is how long before T an upload may be stored.
func (p *Params) Slack() time.Duration { return seconds(p.SlackSeconds) }

// Delta is how long after T an upload may be stored.
func (p *Params) Delta() time.Duration { return seconds(p.DeltaSeconds) }

// Gather is how long the aggregator goes on fetching after T + D.
func (p *Params) Gather() time.Duration { return seconds(p.GatherSeconds) }

// Reveal is how long after the closing statement a miner may reveal its key.
func (p *Params) Reveal() time.Duration { return seconds(p.KeySeconds) }

// Publication is how long aggregating, signing and uploading may take.
func (p *Params) Publication() time.Duration { return seconds(p.PublicationSeconds) }

// PeerGather is how long a miner's or a validator's own gather may take.
func (p *Params) PeerGather() time.Duration { return seconds(p.PeerGatherSeconds) }

// ActiveCheck is the time between two checks of which miners are active.
func (p *Params) ActiveCheck() time.Duration { return seconds(p.ActiveCheckSeconds) }

// BlockTime is the time between two blocks.
func (p *Params) BlockTime() time.Duration { return seconds(p.BlockSeconds) }

// Pace sets the time between two blocks, and changes all other times of a window by the same factor.
func (p *Params) Pace(blockTime time.Duration) {
	factor := blockTime.Seconds() / p.BlockSeconds
	for _, s := range []*float64{
		&p.BlockSeconds, &p.DeltaSeconds, &p.SlackSeconds, &p.GatherSeconds, &p.KeySeconds, &p.PublicationSeconds, &p.PeerGatherSeconds, &p.ActiveCheckSeconds,
	} {
		*s *= factor
	}
}

// WindowTime is the length of a window.
func (p *Params) WindowTime() time.Duration {
	return seconds(p.BlockSeconds * float64(p.BlocksPerWindow))
}

// AggregateDue is when the Aggregate of the window that ended at t must be out.
func (p *Params) AggregateDue(t time.Time) time.Time {
	return t.Add(p.Delta() + p.Slack() + p.Gather() + p.Reveal() + p.Publication())
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

// movedToMethod are the keys that stood beside the others in version 1.
var movedToMethod = []string{
	"learning_rate", "weight_decay", "momentum_decay", "momentum_warmup", "warmup_steps", "t_max",
	"target_chunk", "topk_compression", "eval_lr_factor",
}

// DecodeParams reads run parameters from JSON, over those of Default. Unknown keys are errors. The
// method's parameters are checked by the method.
func DecodeParams(b []byte) (Params, error) {
	p := Default()
	var keys map[string]json.RawMessage
	if json.Unmarshal(b, &keys) == nil {
		for _, k := range movedToMethod {
			if _, is := keys[k]; is {
				return Params{}, fmt.Errorf("run parameters: %s belongs to the method since protocol version 2: move it into method.params", k)
			}
		}
	}
	if err := strictjson.Config(b, &p); err != nil {
		return Params{}, fmt.Errorf("run parameters: %w", err)
	}
	return p, p.Validate()
}

// Bounds on what a run's file, which may be another's, asks for: products of counts do not overflow, and
// no time is nothing or more than a time.Duration holds.
const (
	maxCount     = 1 << 30
	leastSeconds = 1e-6
	mostSeconds  = 1e7
)

// Validate reports every fault at once.
func (p *Params) Validate() error {
	errs := []error{p.Model.Validate(), p.Method.Validate()}
	for _, s := range p.Stores {
		errs = append(errs, checkStore(s))
	}
	for _, a := range p.Aggregators {
		if err := a.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("aggregators: %v: %w", a, err))
		}
	}
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for name, v := range sorted(map[string]int{
		"sequence_length": p.SequenceLength, "page_tokens": p.PageTokens, "pages_per_window": p.PagesPerWindow,
		"batch_size":     p.BatchSize,
		"max_topk_peers": p.MaxTopKPeers, "uids_per_window": p.UIDsPerWindow, "sample_values": p.SampleValues,
		"blocks_per_window": int(p.BlocksPerWindow), "checkpoint_frequency": int(p.CheckpointFrequency),
		"windows_per_weights": int(p.WindowsPerWeights), "peer_replacement_frequency": int(p.PeerReplacementFrequency),
	}) {
		fault(v <= 0, "%s is %d: must be positive", name, v)
		fault(v > maxCount, "%s is %d: at most %d", name, v, maxCount)
	}
	for name, v := range sorted(map[string]float64{
		"block_seconds": p.BlockSeconds, "time_window_delta_seconds": p.DeltaSeconds, "slack_seconds": p.SlackSeconds, "key_seconds": p.KeySeconds,
		"gather_seconds": p.GatherSeconds, "publication_seconds": p.PublicationSeconds, "openskill_beta": p.OpenSkillBeta,
		"active_check_interval": p.ActiveCheckSeconds, "power_normalisation": p.PowerNormalisation,
	}) {
		fault(!(v > 0) || math.IsInf(v, 0), "%s is %v: must be positive", name, v)
	}
	for name, v := range sorted(map[string]float64{
		"block_seconds": p.BlockSeconds, "time_window_delta_seconds": p.DeltaSeconds, "slack_seconds": p.SlackSeconds, "key_seconds": p.KeySeconds,
		"gather_seconds": p.GatherSeconds, "publication_seconds": p.PublicationSeconds, "peer_gather_seconds": p.PeerGatherSeconds,
		"active_check_interval": p.ActiveCheckSeconds, "the window": p.BlockSeconds * float64(p.BlocksPerWindow),
	}) {
		fault(v > 0 && !(v >= leastSeconds && v <= mostSeconds), "%s takes %v s: want %v to %v", name, v, leastSeconds, float64(mostSeconds))
	}
	for name, v := range sorted(map[string]float64{
		"validator_sample_rate": p.ValidatorSampleRate, "binary_score_ma_alpha": p.BinaryScoreAlpha,
		"inactivity_penalty": p.InactivityPenalty, "missing_gradient_penalty": p.MissingGradientPenalty, "sync_penalty": p.SyncPenalty,
	}) {
		fault(!(v >= 0 && v <= 1), "%s is %v: must be in [0, 1]", name, v)
	}
	fault(p.Randomness != RandomnessBeacon && p.Randomness != RandomnessBlock, "randomness is %q: %q or %q", p.Randomness, RandomnessBeacon, RandomnessBlock)
	fault(!(p.CopyIndices > 0) || !(p.CopyValues > 0), "copy_indices and copy_values must be positive: above 1 they are off")
	fault(p.MinimumPeers < 0 || p.PeersToReplace < 0 || p.ReservePeers < 0 || p.UnprovenPeers < 0 || p.UnprovenPerWindow < 0,
		"minimum_peers, peers_to_replace, reserve_peers, unproven_peers and unproven_per_window must not be negative")
	fault(!(p.ScoreEvidence >= 0) || math.IsInf(p.ScoreEvidence, 0), "score_evidence is %v: must not be negative", p.ScoreEvidence)
	fault(!slices.Contains(scoreRules, p.ScoreRule), "score_rule is %q: want one of %q", p.ScoreRule, scoreRules)
	fault(!slices.Contains(evaluationDraws, p.EvaluationDraw), "evaluation_draw is %q: want one of %q", p.EvaluationDraw, evaluationDraws)
	fault(p.StartWindow > 0 && p.Theta0.IsZero(), "start_window needs theta_0: every Aggregate names both")
	fault(p.PageTokens < p.SequenceLength || p.PageTokens%max(p.SequenceLength, 1) != 0, "page_tokens %d must be a multiple of sequence_length %d", p.PageTokens, p.SequenceLength)
	fault(p.SequenceLength > p.Model.MaxPositions, "sequence_length %d is over model.max_position_embeddings %d", p.SequenceLength, p.Model.MaxPositions)
	fault(p.PayloadWindows != 0 && (p.PayloadWindows < p.LeastPayloadWindows() || p.PayloadWindows > 4*p.CheckpointFrequency),
		"payload_windows is %d: must be from %d, validator_offset and six, to %d, four times checkpoint_frequency; or 0 for the latter",
		p.PayloadWindows, p.LeastPayloadWindows(), 4*p.CheckpointFrequency)
	fault(p.RelayBytes < 0, "relay_bytes is %d: must not be negative; 0 means that Aggregates are read as a whole", p.RelayBytes)
	fault(p.Delta()+p.Slack()+p.Gather()+p.Reveal()+p.Publication() > p.WindowTime(),
		"D %v + slack %v + gather %v + key %v + publication %v do not fit in a window of %v", p.Delta(), p.Slack(), p.Gather(), p.Reveal(), p.Publication(), p.WindowTime())
	return errors.Join(errs...)
}

// sorted yields a map in the order of its keys, so that faults are reported in a fixed order.
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
		if want.Host == got.Host || (wild && strings.HasSuffix(got.Host, "."+domain)) {
			return true
		}
	}
	return false
}

// sharedDomains have hosts of stores and hosts that any customer of theirs serves, with a valid
// certificate: a wildcard over them would believe the date that an owner's own server gives.
var sharedDomains = []string{
	"amazonaws.com", "amazonaws.com.cn", "cloudfront.net", "googleapis.com", "windows.net", "azure.com",
	"workers.dev", "pages.dev", "oraclecloud.com", "aliyuncs.com", "myqcloud.com",
}

// storeDomains are domains below shared ones that have hosts of stores only.
var storeDomains = regexp.MustCompile(`^(s3(\.dualstack)?([.-][a-z0-9-]+)?\.amazonaws\.com(\.cn)?|storage\.googleapis\.com|blob\.core\.windows\.net)$`)

// shared reports whether strangers can serve a host under a domain. That is so under a public
// suffix, as under com or co.uk, and in all of a shared domain, such as the regions of a cloud.
func shared(domain string) bool {
	if storeDomains.MatchString(domain) {
		return false
	}
	for _, s := range sharedDomains {
		if domain == s || strings.HasSuffix(domain, "."+s) {
			return true
		}
	}
	suffix, _ := publicsuffix.PublicSuffix(domain)
	return suffix == domain
}

func checkStore(endpoint string) error {
	if _, local := LocalStore(endpoint); local {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("store %q: want http(s)://host[:port] and nothing behind it", endpoint)
	}
	// Not the port, and one spelling of each name: else a wildcard over a shared domain would pass.
	host := strings.ToLower(u.Hostname())
	domain, wild := strings.CutPrefix(host, "*.")
	if strings.Contains(domain, "*") || strings.HasSuffix(host, ".") {
		return fmt.Errorf("store %q: want a host's name, or *. and a domain, without a dot at the end", endpoint)
	}
	if wild && (!strings.Contains(domain, ".") || shared(domain)) {
		return fmt.Errorf("store %q: anybody can serve a host under %s: name the stores' hosts, or a domain that has none but stores", endpoint, domain)
	}
	return nil
}
