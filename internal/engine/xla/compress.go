package xla

import (
	"context"
	"errors"
	"fmt"
	"time"

	"templar/internal/engine"
	"templar/internal/engine/xla/program"
	"templar/internal/kernel/pjrt"
)

var _ engine.Compressor = (*Engine)(nil)

// Compressor is the engine's own: what is compressed lies on the device.
func (e *Engine) Compressor() engine.Compressor { return e }

// compressed is the buffer of a method, and what Compress needs and leaves beside it.
type compressed struct {
	buffer vector
	begun  bool
	how    engine.Compression // of the last Begin
	codecs []codec            // by tensor
	start  vector             // with Steps: the parameters then
	bases  map[int]array      // the transforms, by length
	places vector             // what the last Compress chose, by tensor; nil: nothing
	chosen engine.Chosen      // what Compress returns
}

// codec is what works on a tensor. Tensors of the same shape have the same programs.
type codec struct {
	compress, remove *pjrt.Program // of miners
	trial            *pjrt.Program // of validators
	bases            []array       // arguments of all
	apart            bool          // each device has its part of what is chosen
}

// Take takes n values that Compress has chosen, from number at on: it calls read with the memory for them.
type Take = func(at, n int, read func(index []uint16, value []float32) error) error

// codec compiles the programs of a tensor, and uploads their transforms.
func (e *Engine) codec(shape []int, k engine.Chunking, how engine.Compression, train bool) (x codec, err error) {
	c := program.Chunked{Shape: shape, Chunk: k, Cosine: how.Cosine, Devices: len(e.d.devices)}
	x.apart = c.Apart()
	if train {
		if x.compress, err = e.d.program(fmt.Sprintf("compress %v", shape), program.Compress(c, how.Steps)); err != nil {
			return x, err
		}
		x.remove, err = e.d.program(fmt.Sprintf("remove %v", shape), program.Remove(c))
	} else {
		x.trial, err = e.d.program(fmt.Sprintf("trial %v", shape), program.Trial(c, how.Signs))
	}
	if err != nil {
		return x, err
	}
	for _, side := range program.Sides(k, how.Cosine) {
		if side == 1 {
			continue
		}
		if e.bases == nil {
			e.bases = map[int]array{}
		}
		if e.bases[side] == nil {
			if e.bases[side], err = same(e.d, program.Basis(side), pjrt.F32, int64(side), int64(side)); err != nil {
				return x, err
			}
		}
		x.bases = append(x.bases, e.bases[side])
	}
	return x, nil
}

// Begin compiles programs, and copies the parameters on the device if they are needed.
func (e *Engine) Begin(ctx context.Context, c engine.Compression) error {
	if err := e.ready(ctx, c.Steps, true); err != nil {
		return err
	}
	codecs, err := e.compile(c, true)
	if err != nil {
		return err
	}
	old := e.start
	e.begun, e.start = false, nil // the device may not have room for both
	if err := errors.Join(e.forget(), e.lost(old.close())); err != nil {
		return err
	}
	if c.Steps {
		x, err := e.copier()
		if err != nil {
			return err
		}
		if e.start, err = e.d.run(x, e.params...); err != nil {
			return err
		}
	}
	e.begun, e.how, e.codecs = true, c, codecs
	return nil
}

func (e *Engine) copier() (*pjrt.Program, error) {
	return e.d.program("copy", program.Copy(e.layout, len(e.d.devices)))
}

// PrepareCompression compiles what Begin and Compress will need, or without train TrySent.
func (e *Engine) PrepareCompression(c engine.Compression, train bool) error {
	_, err := e.compile(c, train)
	if err == nil && train && c.Steps {
		_, err = e.copier()
	}
	return err
}

// compile makes the codecs of all tensors.
func (e *Engine) compile(c engine.Compression, train bool) (out []codec, err error) {
	if err := c.Check(e.layout); err != nil {
		return nil, err
	}
	for i, t := range e.layout {
		x, err := e.codec(t.Shape, c.Chunks[i], c, train)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// Compress reads what it chooses into memory of the engine's.
func (e *Engine) Compress(ctx context.Context, decay, scale float32) (engine.Chosen, error) {
	err := e.CompressTo(ctx, decay, scale, func(at, n int, read func([]uint16, []float32) error) error {
		if need := at + n; len(e.chosen.Index) < need {
			e.chosen.Index = append(e.chosen.Index, make([]uint16, need-len(e.chosen.Index))...)
			e.chosen.Value = append(e.chosen.Value, make([]float32, need-len(e.chosen.Value))...)
		}
		return read(e.chosen.Index[at:at+n], e.chosen.Value[at:at+n])
	})
	return e.chosen, err
}

// CompressTo starts a program for each tensor, and reads what they choose in the order of the layout.
func (e *Engine) CompressTo(ctx context.Context, decay, scale float32, take Take) error {
	if err := e.ready(ctx, false, true); err != nil {
		return err
	}
	if !e.begun {
		return engine.ErrNotBegun
	}
	if e.how.Steps && e.params == nil {
		return engine.ErrNotLoaded
	}
	defer e.work(time.Now())
	if err := e.materialise(&e.buffer, &e.grads); err != nil {
		return err
	}
	factors, err := same(e.d, []float32{decay, scale}, pjrt.F32, 2)
	if err != nil {
		return err
	}
	own := vector{factors}
	defer func() { own.close() }()
	// From here on a failure leaves some of the buffer moved.
	c := choice{kept: e.how.Kept(e.layout), take: take}
	for i := range e.layout {
		out, err := e.move(i, factors)
		if err != nil {
			return e.lost(err)
		}
		own, c.values = append(own, e.buffer[i], out[2]), append(c.values, out[2])
		e.buffer[i], e.places = out[0], append(e.places, out[1])
		if len(e.d.devices) > 1 { // they wait for one another within a program: it ends before the next begins
			if err := e.read(&c); err != nil {
				return e.lost(err)
			}
		}
	}
	if err := e.read(&c); err != nil {
		return e.lost(err)
	}
	start := e.start
	e.begun, e.start = false, nil
	return e.lost(start.close())
}

// move starts the program of tensor i.
func (e *Engine) move(i int, factors array) ([]array, error) {
	in := []array{e.buffer[i]}
	if e.how.Steps {
		in = append(in, e.start[i], e.params[i], factors)
	} else {
		in = append(in, e.grads[i], factors)
	}
	return e.d.run(e.codecs[i].compress, append(in, e.codecs[i].bases...)...)
}

// choice is what programs choose, on its way from the device.
type choice struct {
	kept   []int // by tensor
	values vector
	take   Take
	read   int // tensors
	at     int // values
}

// read takes what the programs that were started choose.
func (e *Engine) read(c *choice) error {
	for ; c.read < len(c.values); c.read++ {
		i := c.read
		err := c.take(c.at, c.kept[i], func(index []uint16, value []float32) error {
			return errors.Join(get(e.places[i], index, e.codecs[i].apart), get(c.values[i], value, e.codecs[i].apart))
		})
		if err != nil {
			return err
		}
		c.at += c.kept[i]
	}
	return nil
}

// forget frees what the last Compress chose.
func (e *Engine) forget() error {
	old := e.places
	e.places = nil
	return e.lost(old.close())
}

// Subtract takes decoded values from the buffer.
func (e *Engine) Subtract(ctx context.Context, values []float32) error {
	if n := len(e.chosen.Value); e.places != nil && len(values) != n {
		return fmt.Errorf("subtract: %d values at %d places", len(values), n)
	}
	return e.SubtractFrom(ctx, from(values))
}

// SubtractFrom takes values that come tensor by tensor.
func (e *Engine) SubtractFrom(ctx context.Context, values Source) error {
	if err := e.ready(ctx, false, false); err != nil {
		return err
	}
	if e.places == nil {
		return engine.ErrNothingChosen
	}
	defer e.work(time.Now())
	at := 0
	for i, n := range e.how.Kept(e.layout) {
		part, err := values(at, n)
		if err == nil {
			err = e.subtract(i, part)
		}
		if err != nil {
			return e.lost(err)
		}
		at += n
	}
	return e.forget()
}

// subtract takes the values of one tensor.
func (e *Engine) subtract(i int, values []float32) error {
	keep := e.how.Chunks[i].Keep
	x := e.codecs[i]
	v, err := put(e.d, values, pjrt.F32, x.apart, int64(len(values)/keep), int64(keep))
	if err != nil {
		return err
	}
	defer vector{v}.close()
	out, err := e.d.run(x.remove, append([]array{e.buffer[i], e.places[i], v}, x.bases...)...)
	if err != nil {
		return err
	}
	old := vector{e.buffer[i]}
	e.buffer[i] = out[0]
	return old.close()
}

// Buffer copies the buffer from the device.
func (e *Engine) Buffer(ctx context.Context, dst []float32) error {
	if len(dst) != e.layout.Size() {
		return fmt.Errorf("read the buffer: %d places for %d", len(dst), e.layout.Size())
	}
	return e.BufferTo(ctx, to(dst))
}

// BufferTo copies the buffer from the device, tensor by tensor.
func (e *Engine) BufferTo(ctx context.Context, dst Sink) error {
	if err := e.ready(ctx, false, false); err != nil {
		return err
	}
	return e.get(e.buffer, dst)
}

// SetBuffer copies a buffer to the device.
func (e *Engine) SetBuffer(ctx context.Context, src []float32) error {
	if len(src) != e.layout.Size() {
		return fmt.Errorf("set the buffer: %d values for %d", len(src), e.layout.Size())
	}
	return e.SetBufferFrom(ctx, from(src))
}

// SetBufferFrom sets a buffer that comes tensor by tensor.
func (e *Engine) SetBufferFrom(ctx context.Context, src Source) error {
	if err := e.ready(ctx, false, false); err != nil {
		return err
	}
	old := e.buffer
	e.buffer = nil
	if err := errors.Join(e.forget(), old.close()); err != nil {
		return e.lost(err)
	}
	v, err := e.put(src)
	if err != nil {
		return e.lost(err)
	}
	e.buffer = v
	return nil
}

// TrySent decodes a step on the device.
func (e *Engine) TrySent(ctx context.Context, s engine.Sent) (undo func(context.Context) error, err error) {
	if err := s.Check(e.layout); err != nil {
		return nil, err
	}
	var scratch []float32
	places := func(at, n int) ([]float32, error) {
		scratch = scratch[:0]
		for _, i := range s.Chosen.Index[at : at+n] {
			scratch = append(scratch, float32(i))
		}
		return scratch, nil
	}
	return e.TrySentFrom(ctx, s, from(s.Chosen.Value), places)
}

// TrySentFrom takes a step whose values come tensor by tensor, and so do their places, as float32.
func (e *Engine) TrySentFrom(ctx context.Context, s engine.Sent, values, places Source) (undo func(context.Context) error, err error) {
	if err := e.ready(ctx, true, true); err != nil {
		return nil, err
	}
	defer e.work(time.Now())
	codecs, err := e.compile(s.Compression, false)
	if err != nil {
		return nil, err
	}
	size, err := same(e.d, []float32{s.Size}, pjrt.F32)
	if err != nil {
		return nil, err
	}
	defer vector{size}.close()
	var moved vector
	at := 0
	for i, n := range s.Compression.Kept(e.layout) {
		a, err := e.tried(i, codecs[i], size, int64(s.Compression.Chunks[i].Keep), at, n, values, places)
		if err != nil {
			return nil, errors.Join(err, moved.close())
		}
		moved = append(moved, a)
		at += n
	}
	return e.stand(moved), nil
}

// tried is tensor i of the parameters after a step, of which n values are from number at on.
func (e *Engine) tried(i int, x codec, size array, keep int64, at, n int, values, places Source) (array, error) {
	value, err := values(at, n)
	if err != nil {
		return nil, err
	}
	v, err := put(e.d, value, pjrt.F32, x.apart, int64(n)/keep, keep)
	if err != nil {
		return nil, err
	}
	own := vector{v}
	defer func() { own.close() }()
	place, err := places(at, n)
	if err != nil {
		return nil, err
	}
	index := make([]uint16, n)
	for k, p := range place {
		index[k] = uint16(p)
	}
	p, err := put(e.d, index, pjrt.U16, x.apart, int64(n)/keep, keep)
	if err != nil {
		return nil, err
	}
	own = append(own, p)
	out, err := e.d.run(x.trial, append([]array{e.params[i], p, v, size}, x.bases...)...)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// closeCompressed frees all of it.
func (e *Engine) closeCompressed() error {
	err := errors.Join(e.buffer.close(), e.start.close(), e.places.close())
	for _, b := range e.bases {
		err = errors.Join(err, vector{b}.close())
	}
	e.compressed = compressed{}
	return err
}
