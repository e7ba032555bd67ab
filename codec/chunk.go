package codec

import (
	"encoding/binary"
	"math"

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
	value := r.value[:n]
	for i := range value {
		var v float32
		if r.scheme == SchemeI8 { // the default, without a call
			v = float32(float32(int8(codes[i])) * scale)
			if codes[i] == 0x80 {
				v = 0
			}
		} else {
			v = r.scheme.value(r.scheme.code(codes, i), scale)
		}
		if !finite(v) {
			return protocol.VerdictNonFinite
		}
		if v == 0 {
			return protocol.VerdictMalformed
		}
		value[i] = v
	}
	r.value = value
	return protocol.VerdictOK
}

func finite(v float32) bool { return math.Float32bits(v)>>23&255 != 255 }

// chunkWriter appends chunk records to a body.
type chunkWriter struct {
	body   []byte
	scheme Scheme
	codes  []uint32
	scale  float32
	sent   []uint16
}

// write appends the record of a chunk whose chosen coefficients are coef[index[i]].
// What the scheme would round to zero is not sent.
func (w *chunkWriter) write(keep int, index []uint16, coef []float32) {
	w.sent, w.codes = w.sent[:0], w.codes[:0]
	w.choose(index, coef)
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
	for _, code := range w.codes {
		w.body = w.scheme.appendCode(w.body, code)
	}
}

func (w *chunkWriter) choose(index []uint16, coef []float32) {
	largest := float32(0)
	for _, i := range index {
		largest = max(largest, max(coef[i], -coef[i]))
	}
	var ok bool
	if w.scale, ok = w.scheme.scale(largest); !ok {
		return
	}
	for _, i := range index {
		// A tiny scale can take the product to zero where the code is not.
		code := w.scheme.quantise(coef[i], w.scale)
		if w.scheme.value(code, w.scale) != 0 {
			w.sent, w.codes = append(w.sent, i), append(w.codes, code)
		}
	}
}
