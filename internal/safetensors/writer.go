package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// Write writes tensors whose values lie one after the other, as F32 or, where a tensor
// says so, rounded to BF16. Metadata says format "pt": transformers refuses files that
// do not.
func Write(w io.Writer, tensors []Tensor, values []float32) error {
	n := 0
	for _, t := range tensors {
		if t.DType != "" && t.DType != F32 && t.DType != BF16 {
			return fmt.Errorf("safetensors: tensor %q: type %q cannot be written", t.Name, t.DType)
		}
		n += t.Size()
	}
	if len(values) != n {
		return fmt.Errorf("safetensors: %d values for tensors of %d", len(values), n)
	}
	text, _ := encodeHeader(tensors)
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("safetensors: header: %w", err)
	}
	buf := make([]byte, 0, chunk)
	for _, t := range tensors {
		own := values[:t.Size()]
		values = values[len(own):]
		for len(own) > 0 {
			n := min(len(own), chunk/4)
			buf = appendValues(buf[:0], own[:n], t.DType)
			if _, err := w.Write(buf); err != nil {
				return fmt.Errorf("safetensors: tensor %q: %w", t.Name, err)
			}
			own = own[n:]
		}
	}
	return nil
}

func appendValues(buf []byte, values []float32, d DType) []byte {
	if d == BF16 {
		for _, v := range values {
			buf = binary.LittleEndian.AppendUint16(buf, bfloat(v))
		}
		return buf
	}
	for _, v := range values {
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
	}
	return buf
}

// bfloat rounds to the nearest bfloat16, to even between two. A NaN stays one.
func bfloat(v float32) uint16 {
	b := math.Float32bits(v)
	if v != v {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// encodeHeader returns the length and the header, padded to 8 bytes, and the size of
// the data.
func encodeHeader(tensors []Tensor) (text []byte, data int64) {
	text = append(make([]byte, 8), `{"__metadata__":{"format":"pt"}`...)
	for _, t := range tensors {
		if t.DType == "" {
			t.DType = F32
		}
		end := data + int64(t.Size()*t.DType.bytes())
		text = append(append(text, ','), quote(t.Name)...)
		text = fmt.Appendf(text, `:{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}`, t.DType, dims(t.Shape), data, end)
		data = end
	}
	text = append(text, '}')
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	binary.LittleEndian.PutUint64(text, uint64(len(text)-8))
	return text, data
}

func quote(s string) []byte {
	b, _ := json.Marshal(s) // a string always encodes
	return b
}

func dims(shape []int) []byte {
	b, _ := json.Marshal(append([]int{}, shape...))
	return b
}
