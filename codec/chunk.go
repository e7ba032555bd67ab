package codec

import (
	"bytes"
	"encoding/binary"
	"math"

	"templar/internal/kernel"
	"templar/protocol"
)

// chunkReader walks the chunk records of a body.
type chunkReader struct {
	g      *Gradient
	rest   []byte
	scheme Scheme
	index  []uint16  // of the chunk read last
	value  []float32 // never zero
}

func (c *Codec) reader(g *Gradient) *chunkReader {
	return &chunkReader{
		g: g, rest: g.body[1:], scheme: g.Scheme(),
		index: make([]uint16, 0, c.keep), value: make([]float32, 0, c.keep),
	}
}

// seek goes to the first chunk of a piece.
func (r *chunkReader) seek(piece int) { r.rest = r.g.body[r.g.starts[piece]:] }

// next reads the next record, which belongs to t. After a verdict that is not OK the
// chunk is empty and the reader is at its end.
func (r *chunkReader) next(t *tensor) protocol.Verdict {
	r.index, r.value = r.index[:0], r.value[:0]
	v := r.read(t)
	if !v.OK() {
		r.index, r.value, r.rest = r.index[:0], r.value[:0], nil
	}
	return v
}

func (r *chunkReader) read(t *tensor) protocol.Verdict {
	n, ok := r.count(t.keep)
	if !ok {
		return protocol.VerdictMalformed
	}
	if n == 0 {
		return protocol.VerdictOK
	}
	var fault indexFault
	r.index, r.rest, fault = readIndices(r.index, r.rest, n, t.chunk.Size())
	switch fault {
	case indexOutside:
		return protocol.VerdictBadIndex
	case indexMalformed:
		return protocol.VerdictMalformed
	}
	return r.values(n)
}

// count reads how many coefficients follow: at most keep.
func (r *chunkReader) count(keep int) (n int, ok bool) {
	size := countSize(keep)
	if len(r.rest) < size {
		return 0, false
	}
	var field [4]byte
	copy(field[:], r.rest[:size])
	count := binary.LittleEndian.Uint32(field[:])
	r.rest = r.rest[size:]
	return int(count), uint64(count) <= uint64(keep)
}

func (r *chunkReader) values(n int) protocol.Verdict {
	header := r.scheme.header()
	size := header + n*r.scheme.width()
	if len(r.rest) < size {
		return protocol.VerdictMalformed
	}
	scale, codes := float32(1), r.rest[header:size]
	if header > 0 {
		scale = math.Float32frombits(binary.LittleEndian.Uint32(r.rest))
		if !finite(scale) {
			return protocol.VerdictNonFinite
		}
		if scale < minScale {
			return protocol.VerdictMalformed
		}
	}
	if v := r.decode(codes, n, scale); !v.OK() {
		return v
	}
	r.rest = r.rest[size:]
	return protocol.VerdictOK
}

func (r *chunkReader) decode(codes []byte, n int, scale float32) protocol.Verdict {
	r.value = r.value[:n]
	if r.scheme == SchemeI8 && finite(kernel.MaxCode*scale) && kernel.Dequantise(r.value, codes, scale) {
		return protocol.VerdictOK
	}
	for i := range r.value {
		v := r.scheme.value(r.scheme.code(codes, i), scale)
		if !finite(v) {
			return protocol.VerdictNonFinite
		}
		if v == 0 {
			return protocol.VerdictMalformed
		}
		r.value[i] = v
	}
	return protocol.VerdictOK
}

func finite(v float32) bool { return math.Float32bits(v)>>23&255 != 255 }

// chunkWriter appends chunk records to a body.
type chunkWriter struct {
	body   []byte
	scheme Scheme
	scale  float32
	codes  []byte // of those that are sent
	sent   []uint16
}

// write appends the record of a chunk with the chosen coefficients at index, ascending.
// What the scheme would round to zero is not sent.
func (w *chunkWriter) write(keep int, index []uint16, value []float32) {
	w.choose(index, value)
	var count [4]byte
	binary.LittleEndian.PutUint32(count[:], uint32(len(w.sent)))
	w.body = append(w.body, count[:countSize(keep)]...)
	if len(w.sent) == 0 {
		return
	}
	w.body = writeIndices(w.body, w.sent)
	if w.scheme.header() > 0 {
		w.body = binary.LittleEndian.AppendUint32(w.body, math.Float32bits(w.scale))
	}
	w.body = append(w.body, w.codes...)
}

// choose sets what is sent: the indices, and their codes.
func (w *chunkWriter) choose(index []uint16, value []float32) {
	w.sent, w.codes = w.sent[:0], w.codes[:0]
	largest := uint32(0) // of a value's magnitude, by its bits
	for _, v := range value {
		largest = max(largest, math.Float32bits(v)&^(1<<31))
	}
	var ok bool
	if w.scale, ok = w.scheme.scale(math.Float32frombits(largest)); !ok {
		return
	}
	w.codes = w.scheme.quantise(w.codes, value, w.scale)
	if w.scheme == SchemeI8 && bytes.IndexByte(w.codes, 0) < 0 {
		w.sent = append(w.sent, index...)
		return
	}
	w.drop(index)
}

// drop leaves out what stands for zero: a tiny scale can take the product to zero where
// the code is not.
func (w *chunkWriter) drop(index []uint16) {
	width := w.scheme.width()
	for i, at := range index {
		if w.scheme.value(w.scheme.code(w.codes, i), w.scale) != 0 {
			copy(w.codes[len(w.sent)*width:], w.codes[i*width:][:width])
			w.sent = append(w.sent, at)
		}
	}
	w.codes = w.codes[:len(w.sent)*width]
}
