// Package process runs an engine in a child process: native code that crashes, hangs or takes all
// memory ends the child, and the node gets an error.
//
// The node's side, Start, is an engine.Engine. The child's side, Serve, serves one engine over
// two pipes and a window of shared memory that holds one tensor: vectors cross tensor by tensor, and
// neither side holds another copy of the model for them. The two are always the same build: the pipes
// carry encoding/gob without a version.
//
// The child ends with its parent, however that ends, because its pipe is closed then.
package process

import (
	"context"
	"errors"

	"templar/internal/engine"
	"templar/protocol"
)

// Source returns the n values of a vector from at on, which are read before the next call.
type Source = func(at, n int) ([]float32, error)

// Sink takes the n values of a vector from at on: it calls write with the memory for them.
type Sink = func(at, n int, write func(dst []float32) error) error

// Take takes n values that Compress has chosen, from number at on: it calls read with the memory for them.
type Take = func(at, n int, read func(index []uint16, value []float32) error) error

// Engine is what a child serves: engine.Engine and engine.Compressor, with vectors that cross tensor by tensor, or in
// other parts that are no larger than the largest tensor.
type Engine interface {
	LoadFrom(ctx context.Context, params Source) error
	ParamsTo(ctx context.Context, dst Sink) error
	Loss(ctx context.Context, b engine.Batch) (engine.Loss, error)
	RowLosses(ctx context.Context, b engine.Batch) ([]engine.Loss, error)
	Accumulate(ctx context.Context, b engine.Batch, scale float32) (engine.Loss, error)
	GradientTo(ctx context.Context, dst Sink) error
	ClearGradient(ctx context.Context) error
	Step(ctx context.Context, o engine.AdamW) (norm float64, err error)
	MomentsTo(ctx context.Context, first, second Sink) (steps uint64, err error)
	// RestoreFrom gets moments that engine.Moments.Check has passed.
	RestoreFrom(ctx context.Context, steps uint64, first, second Source) error
	TryFrom(ctx context.Context, deltas Source) (undo func(context.Context) error, err error)
	Begin(ctx context.Context, c engine.Compression) error
	CompressTo(ctx context.Context, decay, scale float32, take Take) error
	// SubtractFrom gets as many values as CompressTo has chosen, in the same parts.
	SubtractFrom(ctx context.Context, values Source) error
	BufferTo(ctx context.Context, dst Sink) error
	SetBufferFrom(ctx context.Context, src Source) error
	// TrySentFrom gets a step without Chosen, and its values and places, as float32, in parts of a tensor.
	TrySentFrom(ctx context.Context, s engine.Sent, values, places Source) (undo func(context.Context) error, err error)
	Usage() engine.Usage
	Close() error
}

// Notes are what a child says while it works.
type Notes interface {
	// Say logs a line.
	Say(format string, args ...any)
	// Slow says that what follows may take minutes, as a compilation does.
	Slow(format string, args ...any)
}

// Open makes the engine of a model in the child, from the settings that its parent sent as JSON. The
// kind is engine.Kind's.
type Open func(m protocol.Model, settings []byte, notes Notes) (e Engine, kind string, err error)

// operations, in the parent's messages.
type operation uint8

const (
	opOpen operation = iota
	opLoad
	opParams
	opLoss
	opRowLosses
	opAccumulate
	opGradient
	opClear
	opStep
	opMoments
	opRestore
	opTry
	opUndo
	opBegin
	opCompress
	opSubtract
	opBuffer
	opSetBuffer
	opTrySent
	opClose

	// Answers to the child within an operation.
	opFilled // the window holds what was asked for
	opTaken  // the window was read

	// At any time.
	opCancel // the operation's context has ended
)

// request is the parent's message.
type request struct {
	Op       operation
	Call     uint64 // number of the operation
	Model    protocol.Model
	Settings []byte
	Batch    engine.Batch
	Scale    float32
	AdamW    engine.AdamW
	Steps    uint64
	Trial    int

	Compression engine.Compression // of opBegin
	Sent        engine.Sent        // of opTrySent
	Decay       float32
}

// kinds of the child's messages.
type kind uint8

const (
	done kind = iota // the operation is over
	need             // fill the window with N values of vector Which from At on
	have             // the window holds N values of vector Which from At on
	note             // a line for the log
	slow             // a line for the log, before what may take minutes
)

// What a part of what Compress chose holds, as reply.Which.
const (
	values = 0
	places = 1
)

// reply is the child's message.
type reply struct {
	Kind         kind
	Which, At, N int
	Text         string
	Loss         engine.Loss
	Rows         []engine.Loss
	Norm         float64
	Steps        uint64
	Trial        int
	Usage        engine.Usage
	Err          string
	Is           string // the name of a known error; empty: none of them
}

// known are the errors of the port that keep their identity.
var known = map[string]error{
	"not loaded": engine.ErrNotLoaded, "trial": engine.ErrTrial, "closed": engine.ErrClosed, "not finite": engine.ErrNotFinite,
	"not begun": engine.ErrNotBegun, "nothing chosen": engine.ErrNothingChosen,
	"cancelled": context.Canceled, "deadline": context.DeadlineExceeded,
}

// fail puts an error into a reply.
func (r *reply) fail(err error) {
	if err == nil {
		return
	}
	r.Err = err.Error()
	for name, e := range known {
		if errors.Is(err, e) {
			r.Is = name
		}
	}
}

// err is the error of a reply.
func (r *reply) err() error {
	if r.Err == "" {
		return nil
	}
	if e, ok := known[r.Is]; ok {
		if e.Error() == r.Err {
			return e
		}
		return &remote{r.Err, e}
	}
	return errors.New(r.Err)
}

// remote is a child's error that wraps a known one.
type remote struct {
	text string
	is   error
}

func (e *remote) Error() string { return e.text }
func (e *remote) Unwrap() error { return e.is }

// WindowBytes is the shared memory of a model: its largest tensor.
func WindowBytes(l protocol.Layout) int64 { return 4 * int64(windowSize(l)) }

// windowSize is the values of the largest tensor.
func windowSize(l protocol.Layout) (n int) {
	for _, t := range l {
		n = max(n, t.Size())
	}
	return n
}
