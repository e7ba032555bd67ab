package safetensors

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"

	"templar/internal/strictjson"
)

// MaxHeader bounds the JSON header in bytes: room for some 100,000 tensors.
const MaxHeader = 16 << 20

// maxPointer bounds the stand-in for a file that Git LFS holds.
const maxPointer = 1024

// maxRank bounds a shape's dimensions.
const maxRank = 8

// DType is a type of values on disk.
type DType string

// The types that can be read; F32 and BF16 can be written.
const (
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
)

// bytes is the size of a value, 0 for a type that cannot be read.
func (d DType) bytes() int {
	switch d {
	case F32:
		return 4
	case F16, BF16:
		return 2
	}
	return 0
}

// Tensor is one entry of a header.
type Tensor struct {
	Name  string
	DType DType
	Shape []int

	begin, end int64 // in the data
}

// Size is the number of values.
func (t Tensor) Size() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Header is what a file says that it holds.
type Header struct {
	Tensors  []Tensor // in the order of their data
	Metadata map[string]string
}

// readHeader reads the length and the header of a file of size bytes.
func readHeader(r io.Reader, size int64) (Header, error) {
	var length [8]byte
	if size < int64(len(length)) {
		return Header{}, fmt.Errorf("file of %d bytes is too short for a header", size)
	}
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return Header{}, fmt.Errorf("header length: %w", noEOF(err))
	}
	if string(length[:]) == "version " && size < maxPointer {
		return Header{}, strictjson.ErrLFS
	}
	n, rest := binary.LittleEndian.Uint64(length[:]), size-int64(len(length))
	if n > MaxHeader || int64(n) > rest {
		return Header{}, fmt.Errorf("header of %d bytes in a file of %d (at most %d)", n, size, MaxHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return Header{}, fmt.Errorf("header: %w", noEOF(err))
	}
	return decodeHeader(text, rest-int64(n))
}

// decodeHeader parses a header that describes data of a size.
func decodeHeader(text []byte, data int64) (Header, error) {
	var h Header
	var entries map[string]json.RawMessage
	if err := strictjson.Unmarshal(text, &entries); err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	if entries == nil {
		return h, errors.New("header is null, not a JSON object")
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if name == "__metadata__" {
			if err := strictjson.Unmarshal(entries[name], &h.Metadata); err != nil {
				return h, fmt.Errorf("metadata: %w", err)
			}
			continue
		}
		t, err := decodeTensor(entries[name], name)
		if err != nil {
			return h, fmt.Errorf("tensor %q: %w", name, err)
		}
		h.Tensors = append(h.Tensors, t)
	}
	return h, tile(h.Tensors, data)
}

// whole is a number of a header. It differs from int64 in null, which is not one.
type whole int64

// UnmarshalJSON reads decimal digits.
func (w *whole) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseUint(string(b), 10, 63)
	if err != nil {
		return fmt.Errorf("%s is not a whole number from 0 to 2^63-1", b)
	}
	*w = whole(n)
	return nil
}

// decodeTensor parses an entry. Fields that are not known are passed over, as other readers do.
func decodeTensor(text []byte, name string) (Tensor, error) {
	var entry struct {
		DType   DType   `json:"dtype"`
		Shape   []whole `json:"shape"`
		Offsets []whole `json:"data_offsets"`
	}
	if err := strictjson.Unmarshal(text, &entry); err != nil {
		return Tensor{}, err
	}
	if entry.DType.bytes() == 0 {
		return Tensor{}, fmt.Errorf("type %q is not one of F32, F16, BF16", entry.DType)
	}
	if entry.Shape == nil || len(entry.Shape) > maxRank || len(entry.Offsets) != 2 {
		return Tensor{}, fmt.Errorf("shape of %d dimensions (at most %d), %d offsets (must be 2)", len(entry.Shape), maxRank, len(entry.Offsets))
	}
	t := Tensor{Name: name, DType: entry.DType, Shape: make([]int, len(entry.Shape)), begin: int64(entry.Offsets[0]), end: int64(entry.Offsets[1])}
	for i, d := range entry.Shape {
		if int64(int(d)) != int64(d) {
			return Tensor{}, fmt.Errorf("impossible shape %v", entry.Shape)
		}
		t.Shape[i] = int(d)
	}
	size, err := t.byteSize()
	if err != nil {
		return Tensor{}, err
	}
	if t.end < t.begin || t.end-t.begin != size {
		return Tensor{}, fmt.Errorf("offsets %d to %d for %d bytes", t.begin, t.end, size)
	}
	return t, nil
}

// byteSize is the size of the values, with care for overflow.
func (t Tensor) byteSize() (int64, error) {
	n := int64(t.DType.bytes())
	for _, d := range t.Shape {
		if d < 0 || d > 0 && n > math.MaxInt64/2/int64(d) {
			return 0, fmt.Errorf("impossible shape %v", t.Shape)
		}
		n *= int64(d)
	}
	return n, nil
}

// tile sorts the tensors by offset and demands that they cover the data, each byte once.
func tile(tensors []Tensor, data int64) error {
	slices.SortStableFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	var at int64
	for _, t := range tensors {
		if t.begin != at {
			return fmt.Errorf("tensor %q begins at byte %d of the data: must be %d", t.Name, t.begin, at)
		}
		at = t.end
	}
	if at != data {
		return fmt.Errorf("tensors end at byte %d of the data, the file at %d", at, data)
	}
	return nil
}

// noEOF says of a stream that ended early that it did.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
