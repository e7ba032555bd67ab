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
	"templar/internal/memory"
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

// Speeds are those of a method's steps on a node's processor, in parameters a second, and what they give.
type Speeds struct {
	Compress float64 `json:"compress"`
	Reduce   float64 `json:"reduce"` // of one payload
	Apply    float64 `json:"apply"`
	Hash     float64 `json:"hash"`
	// PayloadBytes and UpdateBytes are what a step gives, in bytes a parameter; 0: not known, and counted at the largest size.
	PayloadBytes float64 `json:"payload_bytes"`
	UpdateBytes  float64 `json:"update_bytes"`
}

// Phase is a part of a window in which a miner waits for what others or it do.
type Phase struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`         // expected
	Largest float64 `json:"largest_seconds"` // with objects of the largest size
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
	Moved                     // expected
	Largest    Moved          `json:"largest"`      // with objects of the largest size
	Memory     int64          `json:"memory"`       // of its machine: least bytes, with the engine's buffers
	MemoryUsed int64          `json:"memory_used"`  // the most that it makes use of
	Device     int64          `json:"device_state"` // bytes of a device's memory for the model's state, beside which batches come; 0: no device
	BucketSays string         `json:"bucket_holds"` // of what
}

// Moved is what a node moves and keeps, in bytes.
type Moved struct {
	Up     int64 `json:"up"`     // a window
	Down   int64 `json:"down"`   // a window
	Bucket int64 `json:"bucket"` // that its bucket comes to hold
}

// Plan is the whole.
type Plan struct {
	Parameters  int64    `json:"parameters"`
	Window      float64  `json:"window_seconds"`
	Payload     int64    `json:"payload_bytes"`   // expected
	Update      int64    `json:"aggregate_bytes"` // expected
	Largest     Largest  `json:"largest"`
	Tokens      int64    `json:"tokens"` // that a miner trains in a window
	Training    float64  `json:"training_seconds"`
	Phases      []Phase  `json:"phases"`
	Hashing     float64  `json:"hashing_seconds"` // of the state, while the next window trains
	Utilisation float64  `json:"utilisation"`     // share of a window in which a miner's engine trains
	Roles       []Role   `json:"roles"`
	Faults      []string `json:"faults"` // what does not fit, and what to change
	Machines    Machines `json:"assumes"`
}

// Largest are the bounds on objects.
type Largest struct {
	Payload int64 `json:"payload_bytes"`
	Update  int64 `json:"aggregate_bytes"`
}

// Memory returns what a role needs.
type Memory func(telemetry.Role) (memory.Need, error)

// Of plans a run on machines.
func Of(r run.Run, m Machines, needs Memory) (*Plan, error) {
	p := r.Params
	size := int64(p.Model.Layout().Size())
	peers := int64(min(m.Miners, p.MaxTopKPeers))
	out := &Plan{
		Parameters: size, Window: p.WindowTime().Seconds(), Machines: m,
		Largest: Largest{r.MaxGradient(), wire.MaxAggregateSize(r.Format(), p.MaxTopKPeers)},
		Tokens:  int64(p.PagesPerWindow) * int64(p.PageTokens), Hashing: float64(size) / m.Speeds.Hash,
	}
	out.Payload, out.Update = out.Largest.Payload, out.Largest.Update
	if s := m.Speeds; s.PayloadBytes > 0 && s.UpdateBytes > 0 { // a body in proportion, and what is around it
		out.Payload = min(out.Payload, out.Payload-r.Method.MaxPayload+int64(s.PayloadBytes*float64(size)))
		out.Update = min(out.Update, out.Update-r.Method.MaxUpdate+int64(s.UpdateBytes*float64(size)))
	}
	out.Training = float64(out.Tokens) / m.TokensPerSecond
	out.phases(r, m, float64(size), peers)
	waiting := out.Waiting()
	out.Utilisation = min(out.Training, max(0, out.Window-waiting)) / out.Window
	if err := out.roles(r, size, peers, needs); err != nil {
		return nil, err
	}
	out.check(r, m, waiting)
	return out, nil
}

// Waiting is the expected time of a window in which no miner trains, in seconds.
func (out *Plan) Waiting() (sum float64) {
	for _, ph := range out.Phases {
		sum += ph.Seconds
	}
	return sum
}

// Fit sets the deadlines of a run to what its plan needs on its machines for objects of the largest size and a quarter more, in whole seconds, at least two. The
// time for keys does not depend on sizes, and stays.
func (out *Plan) Fit(p *protocol.Params) {
	second := func(needs float64) float64 { return max(2, math.Ceil(needs*5/4)) }
	takes := func(names ...string) (sum float64) {
		for _, ph := range out.Phases {
			if slices.Contains(names, ph.Name) {
				sum += ph.Largest
			}
		}
		return sum
	}
	p.DeltaSeconds = second(takes(compress, upload))
	p.GatherSeconds = second(takes(gather))
	p.PublicationSeconds = second(takes(reduce, publish))
	for _, r := range out.Roles {
		if r.Role == telemetry.Validator {
			p.PeerGatherSeconds = second(seconds(r.Largest.Down, out.Machines.Node.Down))
		}
	}
}

// seconds is the time for so many bytes over a link of so many bits a second.
func seconds(bytes int64, bits float64) float64 { return 8 * float64(bytes) / bits }

// phases lists what happens between the end of one window's training and the begin of the next.
func (out *Plan) phases(r run.Run, m Machines, size float64, peers int64) {
	p := r.Params
	of := func(payload, update int64) []float64 {
		gathers := seconds(peers*payload, m.Server.Down)
		return []float64{
			size / m.Speeds.Compress,
			seconds(payload, m.Node.Up),
			gathers + gathers/8, // asking again adds at most an eighth
			float64(peers) * size / m.Speeds.Reduce,
			seconds(update, min(m.Server.Up, m.Store.Down)),
			fetch(update, parts(p, peers, update), m),
			size / m.Speeds.Apply,
		}
	}
	names := []string{compress, upload, gather, reduce, publish, "fetch the Aggregate", "apply"}
	bounds := map[string]float64{upload: p.Delta().Seconds(), gather: p.Gather().Seconds(), publish: p.Publication().Seconds()}
	expected, largest := of(out.Payload, out.Update), of(out.Largest.Payload, out.Largest.Update)
	for i, name := range names {
		out.Phases = append(out.Phases, Phase{name, expected[i], largest[i], bounds[name]})
	}
}

// parts is the number of parts in which an Aggregate is relayed; 1 when it is read as a whole.
func parts(p *protocol.Params, peers, update int64) int64 {
	if p.RelayBytes == 0 {
		return 1
	}
	return max(1, min(peers, update/p.RelayBytes))
}

// fetch is the time until all nodes have the Aggregate, which they read at the same time. They share the connection of a store: of
// the aggregator bucket's when it is read as a whole. Otherwise that sends each part once, its relay stores it, and all read it from there.
func fetch(update, parts int64, m Machines) float64 {
	readers, one := float64(m.Miners+m.Validators), seconds(update, m.Node.Down)
	if parts == 1 {
		return max(one, seconds(update, m.Store.Up/readers))
	}
	part := (update-1)/parts + 1
	relayed := max(seconds(update, m.Store.Up), seconds(part, m.Node.Down)) + seconds(part, m.Node.Up)
	return relayed + max(one, seconds(part, m.Store.Up/readers))
}

func (out *Plan) roles(r run.Run, size, peers int64, needs Memory) error {
	expected := out.moves(r, size, peers, out.Payload, out.Update)
	for i, role := range out.moves(r, size, peers, out.Largest.Payload, out.Largest.Update) {
		role.Moved, role.Largest = expected[i].Moved, role.Moved
		n, err := needs(role.Role)
		if err != nil {
			return err
		}
		role.Memory, role.MemoryUsed, role.Device = n.Least, n.Most, n.Device
		out.Roles = append(out.Roles, role)
	}
	return nil
}

// moves is what each role moves and keeps when objects have these sizes.
func (out *Plan) moves(r run.Run, size, peers, payload, update int64) []Role {
	p := r.Params
	// What is past its retention is there until the next sweep.
	sweep := int64(schedule.Sweeps(p))
	kept, gradients := int64(schedule.Retention(p))+sweep, int64(schedule.PayloadRetention(p))+sweep
	model, sample := 4*size, int64(16*p.SampleValues+1024)
	pages := 4 * out.Tokens // a token takes 2 or 4 bytes
	places := int64(p.UIDsPerWindow + p.UnprovenPerWindow)
	evaluated := places * int64(float64(pages)*p.ValidatorSampleRate) * 2
	part := int64(0)
	if n := parts(p, peers, update); n > 1 {
		part = update / n
	}
	return []Role{
		{
			Role:       telemetry.Miner,
			Moved:      Moved{payload + sample + part, update + pages, gradients*payload + kept*sample + (int64(schedule.PartRetention(p))+sweep)*part},
			BucketSays: fmt.Sprintf("gradients of %d windows, samples of %d", gradients, kept),
		},
		{
			Role:       telemetry.Validator,
			Moved:      Moved{sample + model/int64(p.CheckpointFrequency), update + (peers+places)*payload + evaluated, checkpoint.Kept * model},
			BucketSays: fmt.Sprintf("%d checkpoints", checkpoint.Kept),
		},
		{
			Role:       telemetry.Aggregator,
			Moved:      Moved{update + peers*payload, peers * payload, kept*update + gradients*peers*payload},
			BucketSays: fmt.Sprintf("Aggregates of %d windows, gradients of %d", kept, gradients),
		},
	}
}

// check lists what does not fit.
func (out *Plan) check(r run.Run, m Machines, waiting float64) {
	fault := func(format string, args ...any) { out.Faults = append(out.Faults, fmt.Sprintf(format, args...)) }
	p := r.Params
	for _, ph := range out.Phases {
		if ph.Bound > 0 && ph.Largest > ph.Bound {
			fault("%s takes %s of %s: %s", ph.Name, clock(ph.Largest), clock(ph.Bound), remedy[ph.Name])
		}
	}
	compress, upload := out.Phases[0].Largest, out.Phases[1].Largest
	if d := p.Delta().Seconds(); compress+upload > d && upload <= d {
		fault("compressing and uploading take %s, and uploads count for %s after the window: raise time_window_delta_seconds", clock(compress+upload), clock(d))
	}
	reduce, publish := out.Phases[3].Largest, out.Phases[4].Largest
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
		up, down := seconds(role.Largest.Up, link.Up), seconds(role.Largest.Down, link.Down)
		if t := max(up, down); t > out.Window {
			fault("a %s moves %s a window, which takes %s of its link: raise blocks_per_window, or ask for faster links", role.Role, human.Size(max(role.Largest.Up, role.Largest.Down)), clock(t))
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
