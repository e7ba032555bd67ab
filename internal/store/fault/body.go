package fault

import (
	"context"
	"errors"
	"io"
	"time"

	"templar/internal/clock"
)

// body is a downloaded body under a Fault.
type body struct {
	io.ReadCloser
	ctx   context.Context
	clock clock.Clock
	fault Fault
	at    int64 // bytes handed over
	end   int64 // the length that was announced; negative: none
}

func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if b.fault.Drip > 0 {
		p = p[:min(int64(len(p)), max(1, b.fault.Drip/10))]
	}
	if b.fault.Damage == Truncate || b.fault.Damage == Stall {
		if b.at >= b.fault.At {
			return 0, b.broken()
		}
		p = p[:min(int64(len(p)), b.fault.At-b.at)]
	}
	if b.end >= 0 {
		if b.at >= b.end {
			return 0, io.EOF
		}
		p = p[:min(int64(len(p)), b.end-b.at)]
	}
	n, err := b.ReadCloser.Read(p)
	if off := b.fault.At - b.at; b.fault.Damage == Corrupt && 0 <= off && off < int64(n) {
		p[off] ^= 1
	}
	b.at += int64(n)
	if err == io.EOF && b.at < b.end {
		err = io.ErrUnexpectedEOF
	}
	if late := drip(b.ctx, b.clock, b.fault.Drip, int64(n)); late != nil {
		return 0, late
	}
	return n, err
}

// broken is what a reader meets where a body breaks off.
func (b *body) broken() error {
	if b.fault.Damage == Stall {
		return hang(b.ctx, b.clock)
	}
	return io.ErrUnexpectedEOF
}

// drip waits as long as n bytes take at rate bytes a second.
func drip(ctx context.Context, c clock.Clock, rate, n int64) error {
	if rate <= 0 || n == 0 {
		return nil
	}
	return c.Sleep(ctx, time.Duration(float64(n)/float64(rate)*float64(time.Second)))
}

// forever outlasts every deadline, yet is within what clocks can add.
const forever = 365 * 24 * time.Hour

// hang waits for the end of ctx. It asks the clock for it, since a simulated one has
// to know of everyone that waits.
func hang(ctx context.Context, c clock.Clock) error {
	if err := c.Sleep(ctx, forever); err != nil {
		return err
	}
	return errors.New("no answer for a year")
}

// corrupted flips a bit of the byte at.
type corrupted struct {
	io.ReaderAt
	at int64
}

func (c corrupted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	if i := c.at - off; 0 <= i && i < int64(n) {
		p[i] ^= 1
	}
	return n, err
}
