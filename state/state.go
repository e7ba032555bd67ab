package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"templar/internal/workers"
	"templar/protocol"
)

// Space is the set of states that one tensor table describes. It is immutable and safe for
// concurrent use. Create it with New.
type Space struct {
	layout protocol.Layout
	pool   workers.Pool
}

// New checks the tensor table: each tensor has a name and one or two dimensions of at least 1,
// and begins where the one before ends.
func New(layout protocol.Layout) (*Space, error) {
	next := 0
	for _, t := range layout {
		if err := check(t, next); err != nil {
			return nil, fmt.Errorf("state: tensor %q: %w", t.Name, err)
		}
		next += t.Size()
	}
	return &Space{layout: layout}, nil
}

func check(t protocol.Tensor, offset int) error {
	if len(t.Shape) != 1 && len(t.Shape) != 2 {
		return fmt.Errorf("%d dimensions: want 1 or 2", len(t.Shape))
	}
	if t.Offset != offset {
		return fmt.Errorf("offset %d: want %d, tensors leave no gaps", t.Offset, offset)
	}
	const maxParameters = math.MaxInt / 8 // so that sizes in bytes do not overflow
	size := 1
	for _, d := range t.Shape {
		if d < 1 || d > (maxParameters-offset)/size {
			return fmt.Errorf("shape %v is out of range", t.Shape)
		}
		size *= d
	}
	if t.Name == "" {
		return errors.New("no name")
	}
	return nil
}

// Parallel returns a Space that computes the same hashes with the given number of workers,
// which each starts.
func (s *Space) Parallel(n int, each func(n int, f func(i int))) *Space {
	return &Space{layout: s.layout, pool: workers.Pool{Workers: n, Each: each}}
}

// Layout returns the tensor table. The caller does not change it.
func (s *Space) Layout() protocol.Layout { return s.layout }

// Size is the number of parameters.
func (s *Space) Size() int { return s.layout.Size() }

// Place names parameter i: its tensor, and where it is in it.
func (s *Space) Place(i int) string {
	for _, t := range s.layout {
		if i >= t.Offset && i < t.Offset+t.Size() {
			return fmt.Sprintf("%s at %d", t.Name, i-t.Offset)
		}
	}
	return "no tensor"
}

// AppendTable appends the tensor table in the form in which hashes cover it (spec/state,
// "Tensor table"): state hashes, and the layout hashes of methods.
func AppendTable(b []byte, l protocol.Layout) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(l)))
	for _, t := range l {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.Name)))
		b = append(b, t.Name...)
		b = append(b, byte(len(t.Shape)))
		for _, d := range t.Shape {
			b = binary.LittleEndian.AppendUint64(b, uint64(d))
		}
	}
	return b
}
