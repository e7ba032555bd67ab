// Package engine is the port to whatever computes the model: losses, gradients, local optimizer
// steps and trial steps of a LLaMA whose parameters the engine holds. Package engine/cpu
// implements it in Go, engine/host holds the state of engines that compute in the process's own
// memory, and engine/enginetest is the conformance suite.
//
// An engine holds parameters, one gradient and the moments of AdamW, each a flat float32 vector
// in the order of Layout. Parameters are loaded once for each state; after that no call moves
// them for a batch:
//
//	err := e.Load(ctx, params)               // the state after the last Aggregate
//	err = e.ClearGradient(ctx)
//	loss, err := e.Accumulate(ctx, batch, 1) // for each batch
//	grad, err := e.Gradient(ctx)             // read back
//
// The committed parameters are moved on the host, by the exact rules of the run's method, and
// loaded again. Load, Gradient, Moments and Restore lend memory instead of copying it, where
// the engine computes in the process's own memory: the methods say for how long. An engine on a
// device copies, and uses no host memory after the call.
//
// The same calls give the same bits on the same machine, whatever the number of threads. An
// Engine is not for concurrent use: each node has its own. Each call is one phase of work; a
// call whose context has ended returns its error.
package engine

import (
	"context"
	"errors"
	"time"

	"templar/protocol"
)

// Errors of calls out of order.
var (
	ErrNotLoaded = errors.New("engine: no parameters are loaded")
	ErrTrial     = errors.New("engine: a trial step stands: undo it first")
	ErrClosed    = errors.New("engine: closed")
)

// ErrNotFinite says that the gradient has a value that is NaN or infinite.
var ErrNotFinite = errors.New("engine: the gradient is not finite")

// Batch is Rows sequences of Cols tokens, row-major, each with its next tokens.
type Batch struct {
	Rows, Cols int
	Inputs     []int32 // Rows*Cols token ids
	Targets    []int32 // Rows*Cols: the token that follows; Ignore is not counted
}

// Part is n rows of a batch, from first on.
func (b Batch) Part(first, n int) Batch {
	from, to := first*b.Cols, (first+n)*b.Cols
	return Batch{Rows: n, Cols: b.Cols, Inputs: b.Inputs[from:to], Targets: b.Targets[from:to]}
}

// Ignore is the target of a position that does not count (padding).
const Ignore = -100

// Loss is a sum over counted targets, so that losses of batches add up.
type Loss struct {
	Sum    float64 // nats
	Tokens int
}

// Mean is the loss in nats a token.
func (l Loss) Mean() float64 { return l.Sum / float64(l.Tokens) }

// Add adds another batch's loss.
func (l *Loss) Add(o Loss) {
	l.Sum += o.Sum
	l.Tokens += o.Tokens
}

// Model holds the parameters.
type Model interface {
	// Layout is the tensor table of the model. Every vector has its size and order.
	Layout() protocol.Layout
	// Load makes params the parameters. Gradient and moments stay as they are. The memory is
	// lent to the engine until the next Load or Close: the caller does not change it, and loads
	// it again after it had to. Only Step, and a trial step until it is undone, may change it;
	// a caller that needs the parameters before local steps loads a copy.
	Load(ctx context.Context, params []float32) error
	// Params copies the parameters to dst, with the local steps and the trial step that were
	// taken. Into the memory that Load lent, an engine in the process's memory copies nothing.
	Params(ctx context.Context, dst []float32) error
	// Loss runs the model forward.
	Loss(ctx context.Context, b Batch) (Loss, error)
	// RowLosses is the loss of each row: with Ignore in the places of a context, minus the
	// log-likelihood of what follows it. Rows with the same inputs that stand together may be
	// computed once.
	RowLosses(ctx context.Context, b Batch) ([]Loss, error)
}

// Gradients accumulates one gradient.
type Gradients interface {
	// Accumulate runs forward and backward and adds scale times the gradient of the summed
	// loss to the engine's. After an error the engine's may hold a part of it.
	Accumulate(ctx context.Context, b Batch, scale float32) (Loss, error)
	// Gradient is the accumulated gradient, zero at first. The memory is the engine's: it is
	// valid until the next call that is not Gradient, and the caller does not change it.
	Gradient(ctx context.Context) ([]float32, error)
	// ClearGradient makes the gradient zero.
	ClearGradient(ctx context.Context) error
}

// Optimizer takes local steps.
type Optimizer interface {
	// Step moves the parameters, and the moments, by one step of AdamW along the accumulated
	// gradient, which it leaves as it is. It returns the gradient's L2 norm before clipping.
	// A gradient that is not finite gives ErrNotFinite and moves nothing.
	Step(ctx context.Context, o AdamW) (norm float64, err error)
	// Moments is the optimizer's state. The memory is the engine's: it is valid until the
	// next Step, Restore or Close, and the caller does not change it.
	Moments(ctx context.Context) (Moments, error)
	// Restore puts a state in the place of the optimizer's; the zero Moments is that of an
	// optimizer that has taken no step. The memory is lent to the engine until the next
	// Restore or Close, and Step changes it.
	Restore(ctx context.Context, m Moments) error
}

// Trials takes single steps back exactly.
type Trials interface {
	// Try takes a trial step. Until undo is called, Loss and Params see it, and calls that
	// would change the parameters or the gradient fail with ErrTrial. undo restores each
	// parameter, bit for bit; it is to be called once, with a context that has not ended, and
	// later calls do nothing.
	Try(ctx context.Context, step Step) (undo func(context.Context) error, err error)
}

// Step is a step p <- p - delta, rounded once to float32 for each parameter: it writes the
// deltas of the parameters from at on to dst. It gives the same each time. An engine calls it
// for any ranges, from several goroutines at once, in Try and in undo.
type Step func(dst []float32, at int)

// Kind is what an engine computes with, as "cpu float32" or "cuda bf16": the platform and the precision of
// matrix products. It is empty for an engine that does not say. Losses of different kinds agree less well.
func Kind(e any) string {
	if k, ok := e.(interface{ Kind() string }); ok {
		return k.Kind()
	}
	return ""
}

// Usage is what an engine has computed so far: losses, gradients and steps.
type Usage struct {
	Busy time.Duration // wall time of the calls
	CPU  time.Duration // that its cores, or its device, worked for them
}

// Engine holds and computes one model.
type Engine interface {
	Model
	Gradients
	Optimizer
	Trials
	// Usage may be called while another call computes: that call counts when it has returned.
	Usage() Usage
	// Close undoes a trial step that stands and releases memory and goroutines. It may be
	// called again.
	Close() error
}
