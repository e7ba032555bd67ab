package method

import (
	"context"

	"templar/internal/engine"
)

// Buffer is a vector that a Trainer keeps from window to window, such as a momentum: in its own memory or, where the
// engine has a Compressor, there.
type Buffer struct {
	Device engine.Compressor // has the buffer; nil: Values are it
	Values []float32         // with a device: what Save has read, nil after Compress

	size   int
	chosen engine.Chosen
}

// NewBuffer returns one of size zeros.
func NewBuffer(e engine.Engine, size int) *Buffer {
	b := &Buffer{Device: engine.CompressorOf(e), size: size}
	if b.Device == nil {
		b.Values = make([]float32, size)
	}
	return b
}

// Compress is the device's.
func (b *Buffer) Compress(ctx context.Context, decay, scale float32) (c engine.Chosen, err error) {
	b.Values = nil // the next save is some time away
	b.chosen, err = b.Device.Compress(ctx, decay, scale)
	return b.chosen, err
}

// Subtract takes from the device's buffer what was sent of what Compress has chosen: sent writes the decoded values at index.
func (b *Buffer) Subtract(ctx context.Context, sent func(index []uint16, dst []float32) error) error {
	if err := sent(b.chosen.Index, b.chosen.Value); err != nil {
		return err
	}
	return b.Device.Subtract(ctx, b.chosen.Value)
}

// Save returns the values.
func (b *Buffer) Save(ctx context.Context) ([]float32, error) {
	if b.Device == nil {
		return b.Values, nil
	}
	if b.Values == nil {
		b.Values = make([]float32, b.size)
	}
	return b.Values, b.Device.Buffer(ctx, b.Values)
}

// Load takes size values over.
func (b *Buffer) Load(ctx context.Context, values []float32) error {
	if b.Device != nil {
		b.Values = nil
		return b.Device.SetBuffer(ctx, values)
	}
	b.Values = values
	return nil
}
