package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// chunk is the bytes converted at once.
const chunk = 64 << 10

// Reader reads a file's tensors one after the other, in the order of the header.
type Reader struct {
	r      io.Reader
	header Header
	next   int
	buf    []byte
}

// NewReader reads the header of a file of size bytes.
func NewReader(r io.Reader, size int64) (*Reader, error) {
	h, err := readHeader(r, size)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return &Reader{r: r, header: h, buf: make([]byte, chunk)}, nil
}

// Header is what the file holds.
func (r *Reader) Header() Header { return r.header }

// Next reads the values of the next tensor into dst, which must have its size; a nil
// dst skips them. After the last tensor it returns io.EOF.
func (r *Reader) Next(dst []float32) error {
	if r.next == len(r.header.Tensors) {
		return io.EOF
	}
	t := r.header.Tensors[r.next]
	r.next++
	if dst == nil {
		if n, err := io.CopyN(io.Discard, r.r, t.end-t.begin); err != nil {
			return fmt.Errorf("safetensors: tensor %q: byte %d of %d: %w", t.Name, n, t.end-t.begin, noEOF(err))
		}
		return nil
	}
	if len(dst) != t.Size() {
		return fmt.Errorf("safetensors: tensor %q has %d values, not %d", t.Name, t.Size(), len(dst))
	}
	width := t.DType.bytes()
	for done := 0; done < len(dst); {
		n := min(len(dst)-done, chunk/width)
		if _, err := io.ReadFull(r.r, r.buf[:n*width]); err != nil {
			return fmt.Errorf("safetensors: tensor %q: after value %d of %d: %w", t.Name, done, len(dst), noEOF(err))
		}
		decode(dst[done:done+n], r.buf, t.DType)
		done += n
	}
	return nil
}

func decode(dst []float32, b []byte, d DType) {
	switch d {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
		}
	case F16:
		for i := range dst {
			dst[i] = half(binary.LittleEndian.Uint16(b[2*i:]))
		}
	}
}

// half widens an IEEE 754 binary16.
func half(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // subnormal: fraction * 2^-24 is exact in float32
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
