package engine

import (
	"context"
	"errors"
	"fmt"

	"templar/protocol"
)

// Errors of a Compressor's calls out of order.
var (
	ErrNotBegun      = errors.New("engine: no compression was begun")
	ErrNothingChosen = errors.New("engine: nothing was compressed")
)

// Chunking cuts a tensor into chunks of Rows x Cols values, which divide its dimensions (a vector is a
// matrix of one row), and says how many values of a chunk are kept.
type Chunking struct{ Rows, Cols, Keep int }

// Compression is how a training method compresses a vector.
type Compression struct {
	Chunks []Chunking // of each tensor of the Layout
	Cosine bool       // the coefficients of each chunk's orthonormal DCT-II are kept, else its values
	// Steps has what local steps took from the parameters added to the buffer, else the gradient.
	Steps bool
	// Signs has trial steps move each parameter of a chunk by the same size, against the sign of the decoded value: down where
	// it is positive, up elsewhere. Those of a chunk of which nothing was sent stay. Else they move by the value.
	Signs bool
}

// MaxChunk bounds the values of a chunk, whose places are 16 bits.
const MaxChunk = 1 << 16

// Check says what is wrong with c for a layout.
func (c Compression) Check(l protocol.Layout) error {
	if len(c.Chunks) != len(l) {
		return fmt.Errorf("compression of %d tensors: the model has %d", len(c.Chunks), len(l))
	}
	for i, t := range l {
		rows, cols := 1, t.Shape[0]
		if len(t.Shape) == 2 {
			rows, cols = t.Shape[0], t.Shape[1]
		}
		k := c.Chunks[i]
		if k.Rows < 1 || k.Cols < 1 || rows%k.Rows != 0 || cols%k.Cols != 0 || k.Rows*k.Cols > MaxChunk || k.Keep < 1 || k.Keep > k.Rows*k.Cols {
			return fmt.Errorf("compression of %s, %v: chunks of %d x %d, of which %d are kept", t.Name, t.Shape, k.Rows, k.Cols, k.Keep)
		}
	}
	return nil
}

// Kept is the number of values that Compress keeps of each tensor of a layout.
func (c Compression) Kept(l protocol.Layout) []int {
	out := make([]int, len(l))
	for i, t := range l {
		k := c.Chunks[i]
		out[i] = t.Size() / (k.Rows * k.Cols) * k.Keep
	}
	return out
}

// Chosen are the values that Compress keeps: of each tensor in the order of the Layout, of each chunk row by
// row, Keep of them.
type Chosen struct {
	Index []uint16  // within the chunk, row by row; ascending
	Value []float32 // NaN, all of a chunk's, where one of the chunk is not finite
}

// Sent is the step along a payload as it was compressed.
type Sent struct {
	Compression Compression
	// Chosen are the payload's values, and zeros at other places up to Keep of each chunk, in any order.
	Chosen Chosen
	Size   float32 // by which values, or signs, are multiplied
}

// Check says what is wrong with s for a layout.
func (s Sent) Check(l protocol.Layout) error {
	if err := s.Compression.Check(l); err != nil {
		return err
	}
	n := 0
	for _, kept := range s.Compression.Kept(l) {
		n += kept
	}
	if len(s.Chosen.Index) != n || len(s.Chosen.Value) != n {
		return fmt.Errorf("a step of %d places and %d values, want %d", len(s.Chosen.Index), len(s.Chosen.Value), n)
	}
	return nil
}

// Trial is a step to be tried.
type Trial struct {
	Deltas func() Step // as every engine takes it
	Sent   func() Sent // as a Compressor takes it, nearly the same; nil: it cannot
}

// Try takes the step with an engine, by its Compressor if it has one.
func (t Trial) Try(ctx context.Context, e Trials) (undo func(context.Context) error, err error) {
	if c := CompressorOf(e); c != nil && t.Sent != nil {
		return c.TrySent(ctx, t.Sent())
	}
	return e.Try(ctx, t.Deltas())
}

// Compressor is what an engine may have beside Engine: it holds the vector that a method compresses, such as a
// momentum or what was not sent so far, and of which only the values that are kept leave the device. A method
// whose engine has none does the same on the host, which is the reference: results need not have the
// same bits.
//
// Such an engine copies what Load is given: local steps do not change the caller's memory.
type Compressor interface {
	// Begin says how the next Compress is to work, so that what takes long, such as compilation, is done
	// before a window ends. With Steps the engine keeps the parameters as they are. What was chosen before is
	// forgotten.
	Begin(ctx context.Context, c Compression) error
	// Compress ends what Begin began: it moves the buffer, which is zero at first, b <- decay*b + scale*d, with d the
	// gradient, or the parameters at Begin less the present ones, and returns the values of largest
	// magnitude of each chunk. The memory is the engine's until the next call of Compress.
	Compress(ctx context.Context, decay, scale float32) (Chosen, error)
	// Subtract takes from the buffer what was sent: these values at the places that the last Compress chose, zero
	// where none was.
	Subtract(ctx context.Context, values []float32) error
	// Buffer copies the buffer to dst.
	Buffer(ctx context.Context, dst []float32) error
	// SetBuffer replaces the buffer by a copy of src; what was compressed before is forgotten.
	SetBuffer(ctx context.Context, src []float32) error
	// TrySent is Try for a step that the engine decodes.
	TrySent(ctx context.Context, s Sent) (undo func(context.Context) error, err error)
}

// CompressorOf returns the engine's Compressor, nil if it has none.
func CompressorOf(e any) Compressor {
	if c, ok := e.(interface{ Compressor() Compressor }); ok {
		return c.Compressor()
	}
	return nil
}
