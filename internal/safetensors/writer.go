package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// Write writes tensors whose values lie one after the other, as F32.
// Metadata says format "pt": transformers refuses files that do not.
func Write(w io.Writer, tensors []Tensor, values []float32) error {
	text, data := encodeHeader(tensors)
	if int64(len(values))*4 != data {
		return fmt.Errorf("safetensors: %d values for tensors of %d", len(values), data/4)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("safetensors: header: %w", err)
	}
	buf := make([]byte, 0, chunk)
	for len(values) > 0 {
		n := min(len(values), chunk/4)
		buf = buf[:0]
		for _, v := range values[:n] {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		if _, err := w.Write(buf); err != nil {
			return fmt.Errorf("safetensors: data: %w", err)
		}
		values = values[n:]
	}
	return nil
}

// Size is the number of bytes that Write writes.
func Size(tensors []Tensor) int64 {
	text, data := encodeHeader(tensors)
	return int64(len(text)) + data
}

// encodeHeader returns the length and the header, padded to 8 bytes, and the size of
// the data.
func encodeHeader(tensors []Tensor) (text []byte, data int64) {
	text = append(make([]byte, 8), `{"__metadata__":{"format":"pt"}`...)
	for _, t := range tensors {
		end := data + int64(t.Size())*4
		text = append(append(text, ','), quote(t.Name)...)
		text = fmt.Appendf(text, `:{"dtype":"F32","shape":%s,"data_offsets":[%d,%d]}`, dims(t.Shape), data, end)
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
