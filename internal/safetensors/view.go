package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// View is a file of F32 tensors whose values stay in the caller's memory: it is encoded
// as it is read, at any place and as often as need be, so that sending, hashing and
// sending again take no copy of the values. These must not change meanwhile.
type View struct {
	head   []byte
	values []float32
}

// NewView returns the file that Write would write. Every tensor must be F32.
func NewView(tensors []Tensor, values []float32) (*View, error) {
	for _, t := range tensors {
		if t.DType != "" && t.DType != F32 {
			return nil, fmt.Errorf("safetensors: tensor %q: a view of type %q", t.Name, t.DType)
		}
	}
	head, data := encodeHeader(tensors)
	if data != 4*int64(len(values)) {
		return nil, fmt.Errorf("safetensors: %d values for tensors of %d bytes", len(values), data)
	}
	return &View{head, values}, nil
}

// Size is the length of the file in bytes.
func (v *View) Size() int64 { return int64(len(v.head)) + 4*int64(len(v.values)) }

// ReadAt reads from the file. It is safe for concurrent use.
func (v *View) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("safetensors: offset %d", off)
	}
	if off < int64(len(v.head)) {
		n = copy(p, v.head[off:])
	}
	if n < len(p) {
		n += v.data(p[n:], off+int64(n)-int64(len(v.head)))
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// data encodes values from byte off on, which need not be where one begins.
func (v *View) data(p []byte, off int64) (n int) {
	if off >= 4*int64(len(v.values)) {
		return 0
	}
	at := int(off / 4)
	if within := int(off % 4); within > 0 {
		n = copy(p, bytesOf(v.values[at])[within:])
		at++
	}
	whole := min(len(v.values)-at, (len(p)-n)/4)
	for _, x := range v.values[at : at+whole] {
		binary.LittleEndian.PutUint32(p[n:], math.Float32bits(x))
		n += 4
	}
	if n < len(p) && at+whole < len(v.values) {
		n += copy(p[n:], bytesOf(v.values[at+whole]))
	}
	return n
}

func bytesOf(v float32) []byte {
	return binary.LittleEndian.AppendUint32(nil, math.Float32bits(v))
}
