package method

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"templar/internal/engine"
	"templar/internal/workers"
	"templar/protocol"
)

// Method is a training method, set up for one run. Except for the trainers that NewTrainer
// returns it is immutable and safe for concurrent use.
type Method struct {
	// Name is the method's id in objects and run parameters.
	Name string
	// LayoutHash covers the tensor table and everything else that the format of bodies depends
	// on: bodies are readable only between nodes of the same LayoutHash.
	LayoutHash protocol.Hash
	// MaxPayload and MaxUpdate bound the sizes of bodies in bytes.
	MaxPayload, MaxUpdate int64
	// Vectors is how many vectors of the parameters' size a Trainer and its engine hold, beside the
	// parameters that it is given, and Private how many of them its private state has: what a miner's memory is planned
	// with. With an engine that has a Compressor, a Trainer has the latter only, while its state is saved or loaded.
	Vectors, Private int
	// Compression is how its trainers compress, and its trial steps are decoded, on an engine that has a
	// Compressor, so that such an engine can prepare; no Chunks: they do not.
	Compression engine.Compression

	Reducer
	Applier
	Comparer
	Coder // nil for a method without one: then adversaries that need it cannot be tested

	// NewTrainer returns a miner's trainer, which has exclusive use of the engine. Its private
	// state is that of a miner that has not trained yet.
	NewTrainer func(engine.Engine) Trainer
}

// Factory sets up a method for a run: it decodes and checks p.Method.Params, and takes the tensor
// table from p.Model. The pool bounds the number of workers; results have the same bits for any
// number.
type Factory func(p *protocol.Params, pool workers.Pool) (*Method, error)

// Factories are the methods of a program, by name.
type Factories map[string]Factory

// New sets up the method that the run parameters name.
func (f Factories) New(p *protocol.Params, pool workers.Pool) (*Method, error) {
	create, ok := f[p.Method.Name]
	if !ok {
		return nil, fmt.Errorf("method.name is %q: this program knows %s", p.Method.Name, strings.Join(slices.Sorted(maps.Keys(f)), ", "))
	}
	m, err := create(p, pool)
	if err != nil {
		return nil, fmt.Errorf("method %s: %w", p.Method.Name, err)
	}
	if m.Name != p.Method.Name {
		return nil, fmt.Errorf("method %s calls itself %q", p.Method.Name, m.Name)
	}
	return m, nil
}

// Payload is what a miner sends for a window, as a Reducer has read it. It is immutable. A Payload
// may implement fmt.Stringer: a description in one line for people.
type Payload interface {
	// Bytes is the body as it stands on the wire. The caller does not change it.
	Bytes() []byte
}

// Update is what moves the parameters in a window, as a Reducer made or read it. It is immutable.
// A nil Update is that of a window without payloads: it moves nothing. Equal updates have equal
// bytes.
type Update interface {
	// Bytes is the body as it stands on the wire. The caller does not change it.
	Bytes() []byte
}

// Reducer combines a window's payloads to one update. All nodes get the same bits.
type Reducer interface {
	// Read checks a payload's body, which comes from another node. The Payload keeps it. A fault
	// of the sender gives a verdict, never an error or a panic.
	Read(body []byte) (Payload, protocol.Verdict)
	// Reduce computes the update of payloads in ascending uid, nil if there are none. It succeeds
	// for all payloads that Read accepts.
	Reduce(payloads []Payload) Update
	// ReadUpdate checks an update's body, which comes from another node. The Update keeps it.
	ReadUpdate(body []byte) (Update, protocol.Verdict)
}

// Applier moves parameters. All nodes get the same bits.
type Applier interface {
	// Rate is the learning rate of an update at a global step. The Aggregate states it, since
	// architectures may disagree in its last place.
	Rate(step uint64) float32
	// AcceptsRate reports whether another node may have computed rate for the step.
	AcceptsRate(step uint64, rate float32) bool
	// Apply changes params in place. A nil Update changes nothing.
	Apply(params []float32, u Update, rate float32)
	// Trial is the step with which validators measure a single payload at a global step.
	Trial(p Payload, step uint64) engine.Trial
}

// Comparer measures the similarity of two nodes' work.
type Comparer interface {
	// Sample extracts the same places, drawn by seed, from each payload: places where honest
	// payloads differ. Coefficients that all payloads have are left out.
	Sample(payloads []Payload, seed protocol.Hash) [][]Chunk
	// StepSize is the unit of distances between nodes' parameters after a global step: the mean
	// distance by which the update of one step moves a parameter. It is above 0.
	StepSize(step uint64) float64
	// Differ counts the parameters that two updates move differently, and returns the first of
	// them; -1 if there is none.
	Differ(a, b Update) (count, first int)
}

// Chunk is the part of a payload that belongs to one chunk of parameters.
type Chunk struct {
	Index []uint16  // ascending, within the chunk
	Value []float32 // one for each Index
}

// Coder decodes and encodes payloads. Tools, tests and test adversaries use it.
type Coder interface {
	// Chunks calls f with each chunk of a payload in order. f does not keep the slices.
	Chunks(p Payload, f func(Chunk))
	// Pack makes a payload of chunks, as many as Chunks gives. Values that the method would not
	// send are left out; the others are rounded to those that it can send.
	Pack(chunks []Chunk) (Payload, error)
	// Encode makes the payload of a vector, with a value for each parameter, as a trainer with
	// that private state would.
	Encode(x []float32) (Payload, error)
}

// Trainer is the miner's side of a method. For each window the miner calls Begin, Batch for each
// batch, Payload, and, once its store has taken the payload, Stored. A window may end after any of
// these. A Trainer is not for concurrent use.
type Trainer interface {
	// Begin starts a window's training at a global step from params, which the Trainer reads
	// until the next Begin. It does not change them; the caller must not change them until
	// Payload has returned or the window is abandoned.
	Begin(ctx context.Context, step uint64, params []float32) error
	// Batch trains on one batch and returns its loss before the step.
	Batch(ctx context.Context, b engine.Batch) (engine.Loss, error)
	// Payload adds the window's training to the private state and returns the body to send. At
	// least one batch must have been trained.
	Payload(ctx context.Context) ([]byte, error)
	// Stored records that the store accepted what Payload returned.
	Stored(ctx context.Context) error
	Private
}

// Private is a Trainer's private state: what a miner must keep, beside the parameters. It may be
// saved between the last call of a window and the next Begin.
type Private interface {
	// Save returns the state. The Trainer owns the memory, and the caller must not change it: that of
	// a tensor that is Volatile is valid until the next Batch, others until the next Payload or Load.
	Save(ctx context.Context) ([]Tensor, error)
	// Load replaces the state by one that Save returned earlier. It checks the state, and leaves
	// the present one unchanged on an error. The Trainer keeps the memory.
	Load(ctx context.Context, tensors []Tensor) error
}

// Tensor is a named part of a private state.
type Tensor struct {
	Name   string    // 1 to 32 lower-case letters, digits, '_' and '.'
	Values []float32 // one for each parameter; nil for a scalar
	Scalar uint64    // a count, which never falls

	Volatile bool // the Trainer changes Values while it trains; only Save sets it
}

// MaxTensors bounds the tensors of a private state.
const MaxTensors = 16

// ValidTensorName reports whether a name can be a Tensor's.
func ValidTensorName(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_.") == ""
}

// Unpack extracts the named vectors and scalars from a saved state, which must hold all of these
// and no others, with size finite values in each vector. It is for implementations of Private.Load.
func Unpack(tensors []Tensor, size int, vectors, scalars []string) (map[string][]float32, map[string]uint64, error) {
	v, s := make(map[string][]float32), make(map[string]uint64)
	for _, t := range tensors {
		switch {
		case t.Values != nil && slices.Contains(vectors, t.Name):
			if len(t.Values) != size {
				return nil, nil, fmt.Errorf("private state: %s has %d values, want %d", t.Name, len(t.Values), size)
			}
			for i, x := range t.Values {
				if x-x != 0 { // NaN for NaN and infinities
					return nil, nil, fmt.Errorf("private state: value %d of %s is %g", i, t.Name, x)
				}
			}
			v[t.Name] = t.Values
		case t.Values == nil && slices.Contains(scalars, t.Name):
			s[t.Name] = t.Scalar
		default:
			return nil, nil, fmt.Errorf("private state: unknown tensor %q", t.Name)
		}
	}
	if len(v) != len(vectors) || len(s) != len(scalars) || len(tensors) != len(v)+len(s) {
		return nil, nil, fmt.Errorf("private state: want one each of %s", strings.Join(append(slices.Clone(vectors), scalars...), ", "))
	}
	return v, s, nil
}

// ErrNothingTrained is returned by Payload when no batch was trained.
var ErrNothingTrained = errors.New("no batch was trained")
