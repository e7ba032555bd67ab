// Package engine is the port to whatever computes the model: loss and gradients of
// a LLaMA over flat float32 parameter memory. Package engine/cpu implements it in
// Go; package engine/enginetest is the conformance suite.
package engine

import (
	"context"

	"templar/protocol"
)

// Batch is Rows sequences of Cols tokens, row-major, each with its next tokens.
type Batch struct {
	Rows, Cols int
	Inputs     []int32 // Rows*Cols token ids
	Targets    []int32 // Rows*Cols: the token that follows; Ignore is not counted
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

// Engine computes on parameters that the caller owns: flat memory in the order of
// Layout. The same inputs give the same bits on the same machine, whatever the
// number of threads. An Engine is not for concurrent use: each node has its own.
type Engine interface {
	Layout() protocol.Layout
	// Loss runs the model forward.
	Loss(ctx context.Context, params []float32, b Batch) (Loss, error)
	// Gradient runs forward and backward and adds scale times the gradient of the
	// summed loss to grads, which has the size of params. After an error grads may
	// hold a part of it.
	Gradient(ctx context.Context, params, grads []float32, b Batch, scale float32) (Loss, error)
	// Close releases memory and goroutines.
	Close() error
}
