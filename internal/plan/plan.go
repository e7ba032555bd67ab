// Package plan computes what a run asks of its machines before it begins: the bytes that each role moves in a
// window, the seconds that each phase takes on given links and engines, the memory of a role and the size of its
// bucket, and whether all of it fits into the run's windows.
package plan

import (
	"fmt"
	"math"
	"slices"
	"time"

	"templar/internal/checkpoint"
	"templar/internal/dashboard/human"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// Link is the speed of a machine's connection in bits a second.
type Link struct {
	Up   float64 `json:"up"`
	Down float64 `json:"down"`
}

// Machines are what a plan assumes.
type Machines struct {
	Node   Link `json:"node"`   // of a miner or a validator
	Server Link `json:"server"` // of the aggregator
	Store  Link `json:"store"`  // of the store that has the aggregator bucket, shared by all that read from it
	// TokensPerSecond is what a miner's engine trains.
	TokensPerSecond float64 `json:"tokens_per_second"`
	Speeds          Speeds  `json:"speeds"`
	Miners          int     `json:"miners"`     // that send in a window: at most max_topk_peers are selected
	Validators      int     `json:"validators"` //
}

// Speeds are those of a method's steps on a node's processor, in parameters a second.
type Speeds struct {
	Compress float64 `json:"compress"`
	Reduce   float64 `json:"reduce"` // of one payload
	Apply    float64 `json:"apply"`
	Hash     float64 `json:"hash"`
}

// Phase is a part of a window in which a miner waits for what others or it do.
type Phase struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	// Bound is the time that the run parameters leave for the phase; 0 where they state none.
	Bound float64 `json:"bound,omitempty"`
}

// Phases that have deadlines.
const (
	compress = "compress"
	upload   = "upload the gradient"
	gather   = "gather"
	reduce   = "reduce"
	publish  = "publish the Aggregate"
)

// Role is what one node of a role moves and keeps.
type Role struct {
	Role       telemetry.Role `json:"role"`
	Up         int64          `json:"up"`           // bytes a window
	Down       int64          `json:"down"`         // bytes a window
	Memory     int64          `json:"memory"`       // least bytes, with the engine's buffers
	MemoryUsed int64          `json:"memory_used"`  // the most that it makes use of
	Bucket     int64          `json:"bucket"`       // bytes that its bucket comes to hold
	BucketSays string         `json:"bucket_holds"` // of what

}

// Plan is the whole.
type Plan struct {
	Parameters  int64    `json:"parameters"`
	Window      float64  `json:"window_seconds"`
	Payload     int64    `json:"payload_bytes"`   // at most
	Update      int64    `json:"aggregate_bytes"` // at most
	Tokens      int64    `json:"tokens"`          // that a miner trains in a window
	Training    float64  `json:"training_seconds"`
	Phases      []Phase  `json:"phases"`
	Utilisation float64  `json:"utilisation"` // share of a window in which a miner's engine trains
	Roles       []Role   `json:"roles"`
	Faults      []string `json:"faults"` // what does not fit, and what to change
	Machines    Machines `json:"assumes"`
}

// Memory returns the bytes that a role needs, and the most that it makes use of.
type Memory func(telemetry.Role) (least, most int64, err error)

// Of plans a run on machines.
func Of(r run.Run, m Machines, memory Memory) (*Plan, error) {
	p := r.Params
	size := int64(p.Model.Layout().Size())
	peers := int64(min(m.Miners, p.MaxTopKPeers))
	out := &Plan{
		Parameters: size, Window: p.WindowTime().Seconds(), Machines: m,
		Payload: r.MaxGradient(), Update: wire.MaxAggregateSize(r.Format(), p.MaxTopKPeers),
		Tokens: int64(p.PagesPerWindow) * int64(p.PageTokens),
	}
	out.Training = float64(out.Tokens) / m.TokensPerSecond
	out.phases(r, m, float64(size), peers)
	waiting := 0.0
	for _, ph := range out.Phases {
		waiting += ph.Seconds
	}
	out.Utilisation = min(out.Training, max(0, out.Window-waiting)) / out.Window
	if err := out.roles(r, m, size, peers, memory); err != nil {
		return nil, err
	}
	out.check(r, m, waiting)
	return out, nil
}

// Fit sets the deadlines of a run to what its plan needs on its machines and a quarter more, in whole seconds, at least two. The
// time for keys does not depend on sizes, and stays.
func (out *Plan) Fit(p *protocol.Params) {
	second := func(needs float64) float64 { return max(2, math.Ceil(needs*5/4)) }
	takes := func(names ...string) (sum float64) {
		for _, ph := range out.Phases {
			if slices.Contains(names, ph.Name) {
				sum += ph.Seconds
			}
		}
		return sum
	}
	p.DeltaSeconds = second(takes(compress, upload))
	p.GatherSeconds = second(takes(gather))
	p.PublicationSeconds = second(takes(reduce, publish))
	for _, r := range out.Roles {
		if r.Role == telemetry.Validator {
			p.PeerGatherSeconds = second(seconds(r.Down, out.Machines.Node.Down))
		}
	}
}

// seconds is the time for so many bytes over a link of so many bits a second.
func seconds(bytes int64, bits float64) float64 { return 8 * float64(bytes) / bits }

// phases lists what happens between the end of one window's training and the begin of the next.
func (out *Plan) phases(r run.Run, m Machines, size float64, peers int64) {
	p := r.Params
	readers := float64(m.Miners + m.Validators)
	// All nodes fetch the Aggregate at the same time, and share the store's connection.
	fetch := max(seconds(out.Update, m.Node.Down), seconds(out.Update, m.Store.Up/readers))
	gathers := seconds(peers*out.Payload, m.Server.Down)
	out.Phases = []Phase{
		{compress, size / m.Speeds.Compress, 0},
		{upload, seconds(out.Payload, m.Node.Up), p.Delta().Seconds()},
		{gather, gathers + gathers/8, p.Gather().Seconds()}, // asking again adds at most an eighth
		{reduce, float64(peers) * size / m.Speeds.Reduce, 0},
		{publish, seconds(out.Update, min(m.Server.Up, m.Store.Down)), p.Publication().Seconds()},
		{"fetch the Aggregate", fetch, 0},
		{"apply and hash", size/m.Speeds.Apply + size/m.Speeds.Hash, 0},
	}
}

func (out *Plan) roles(r run.Run, m Machines, size, peers int64, memory Memory) error {
	p := r.Params
	// What is past its retention is there until the next sweep.
	sweep := int64(schedule.Sweeps(p))
	kept, gradients := int64(schedule.Retention(p))+sweep, int64(schedule.PayloadRetention(p))+sweep
	model, sample := 4*size, int64(16*p.SampleValues+1024)
	pages := 4 * out.Tokens // a token takes 2 or 4 bytes
	places := int64(p.UIDsPerWindow + p.UnprovenPerWindow)
	evaluated := places * int64(float64(pages)*p.ValidatorSampleRate) * 2
	for _, role := range []Role{
		{
			Role: telemetry.Miner, Up: out.Payload + sample, Down: out.Update + pages,
			Bucket: gradients*out.Payload + kept*sample, BucketSays: fmt.Sprintf("gradients of %d windows, samples of %d", gradients, kept),
		},
		{
			Role: telemetry.Validator, Up: sample + model/int64(p.CheckpointFrequency),
			Down:   out.Update + (peers+places)*out.Payload + evaluated,
			Bucket: checkpoint.Kept * model, BucketSays: fmt.Sprintf("%d checkpoints", checkpoint.Kept),
		},
		{
			Role: telemetry.Aggregator, Up: out.Update + peers*out.Payload, Down: peers * out.Payload,
			Bucket:     kept*out.Update + gradients*peers*out.Payload,
			BucketSays: fmt.Sprintf("Aggregates of %d windows, gradients of %d", kept, gradients),
		},
	} {
		var err error
		if role.Memory, role.MemoryUsed, err = memory(role.Role); err != nil {
			return err
		}
		out.Roles = append(out.Roles, role)
	}
	return nil
}

// check lists what does not fit.
func (out *Plan) check(r run.Run, m Machines, waiting float64) {
	fault := func(format string, args ...any) { out.Faults = append(out.Faults, fmt.Sprintf(format, args...)) }
	p := r.Params
	for _, ph := range out.Phases {
		if ph.Bound > 0 && ph.Seconds > ph.Bound {
			fault("%s takes %s of %s: %s", ph.Name, clock(ph.Seconds), clock(ph.Bound), remedy[ph.Name])
		}
	}
	compress, upload := out.Phases[0].Seconds, out.Phases[1].Seconds
	if d := p.Delta().Seconds(); compress+upload > d && upload <= d {
		fault("compressing and uploading take %s, and uploads count for %s after the window: raise time_window_delta_seconds", clock(compress+upload), clock(d))
	}
	reduce, publish := out.Phases[3].Seconds, out.Phases[4].Seconds
	if b := p.Publication().Seconds(); reduce+publish > b && publish <= b {
		fault("reducing and publishing take %s of %s: raise publication_seconds", clock(reduce+publish), clock(b))
	}
	if out.Training+waiting > out.Window {
		fault("training takes %s and everything else %s, together more than the window of %s: raise blocks_per_window, or lower pages_per_window (a miner stops in time and trains less)",
			clock(out.Training), clock(waiting), clock(out.Window))
	}
	for _, role := range out.Roles {
		link := m.Node
		if role.Role == telemetry.Aggregator {
			link = m.Server
		}
		up, down := seconds(role.Up, link.Up), seconds(role.Down, link.Down)
		if t := max(up, down); t > out.Window {
			fault("a %s moves %s a window, which takes %s of its link: raise blocks_per_window, or ask for faster links", role.Role, human.Size(max(role.Up, role.Down)), clock(t))
		}
	}
}

var remedy = map[string]string{
	upload:  "raise time_window_delta_seconds, or send less",
	gather:  "raise gather_seconds, or lower max_topk_peers",
	publish: "raise publication_seconds, or give the aggregator a faster link",
}

func clock(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < 10*time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
