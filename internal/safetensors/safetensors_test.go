package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
)

var table = []Tensor{{Name: "a", Shape: []int{2, 3}}, {Name: `quo"te`, Shape: []int{}}, {Name: "none", Shape: []int{0, 4}}, {Name: "big", Shape: []int{20000}}}

func written(t testing.TB) ([]byte, []float32) {
	t.Helper()
	values := make([]float32, 20007)
	for i := range values {
		values[i] = float32(i) - 0.5
	}
	var b bytes.Buffer
	if err := Write(&b, table, values); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), values
}

func TestRoundTrip(t *testing.T) {
	b, values := written(t)
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if r.Header().Metadata["format"] != "pt" {
		t.Errorf("metadata %v", r.Header().Metadata)
	}
	at := 0
	for i, got := range r.Header().Tensors {
		if got.Name != table[i].Name || fmt.Sprint(got.Shape) != fmt.Sprint(table[i].Shape) || got.DType != F32 {
			t.Errorf("tensor %d is %+v, want %+v", i, got, table[i])
		}
		dst := make([]float32, got.Size())
		if err := r.Next(dst); err != nil {
			t.Fatal(err)
		}
		for j, v := range dst {
			if v != values[at+j] {
				t.Fatalf("%s[%d] is %v, want %v", got.Name, j, v, values[at+j])
			}
		}
		at += len(dst)
	}
	if err := r.Next(nil); err != io.EOF {
		t.Errorf("after the last tensor: %v", err)
	}
}

func TestWriteRefusesOtherSize(t *testing.T) {
	if err := Write(io.Discard, table, make([]float32, 3)); err == nil {
		t.Fatal("no error")
	}
}

// file puts a length before a header and data after it.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestRefusals(t *testing.T) {
	long := binary.LittleEndian.AppendUint64(nil, math.MaxUint64)
	cases := map[string]struct {
		file []byte
		want string
	}{
		"empty":            {nil, "too short"},
		"length over file": {long, "header of"},
		"length over cap":  {append(binary.LittleEndian.AppendUint64(nil, MaxHeader+1), make([]byte, 99)...), "header of"},
		"not an object":    {file(`[]`, 0), "JSON array"},
		"null":             {file(`null`, 0), "not a JSON object"},
		"cut":              {file(`{"a":`, 0), "unexpected EOF"},
		"trailing":         {file(`{} {}`, 0), "after top-level value"},
		"twice":            {file(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, 0), `duplicate object member name "a"`},
		"field twice":      {file(`{"a":{"dtype":"BF16","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), "duplicate"},
		"another case":     {file(`{"a":{"DType":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), `type ""`},
		"null dimension":   {file(`{"a":{"dtype":"F32","shape":[null],"data_offsets":[0,0]}}`, 0), "null is not a whole number"},
		"null offset":      {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[null,4]}}`, 4), "null is not a whole number"},
		"not UTF-8":        {file("{\"\xff\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4), "UTF-8"},
		"type":             {file(`{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}`, 8), "I64"},
		"no shape":         {file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4), "shape"},
		"negative":         {file(`{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}`, 4), "shape"},
		"overflow":         {file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "shape"},
		"fraction":         {file(`{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}`, 4), `"a"`},
		"size":             {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "offsets"},
		"one offset":       {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}`, 4), "offsets"},
		"backward":         {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4), "offsets"},
		"gap":              {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), "begins"},
		"overlap":          {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), `"b"`},
		"data missing":     {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 4), "end at"},
		"data left":        {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 5), "end at"},
		"metadata":         {file(`{"__metadata__":{"a":1}}`, 0), "metadata"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := NewReader(bytes.NewReader(c.file), int64(len(c.file)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}

// Other programs pass over fields that they do not know, also those that differ in case only.
func TestFieldsOfOtherPrograms(t *testing.T) {
	b := file(`{"a":{"dtype":"F32","DType":"BF16","shape":[1],"Shape":[7],"data_offsets":[0,4],"DATA_OFFSETS":[0,2],"x":1}}  `, 4)
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Header().Tensors[0]; got.DType != F32 || got.Size() != 1 {
		t.Errorf("read as %+v", got)
	}
}

// A stream may end before the size that was promised.
func TestTruncatedStream(t *testing.T) {
	b, _ := written(t)
	for _, n := range []int{3, 20, len(b) - 1} {
		r, err := NewReader(bytes.NewReader(b[:n]), int64(len(b)))
		for err == nil {
			err = r.Next(make([]float32, r.Header().Tensors[r.next].Size()))
		}
		if !strings.Contains(err.Error(), io.ErrUnexpectedEOF.Error()) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

func TestHalfPrecision(t *testing.T) {
	for _, c := range []struct {
		bits uint16
		want float64
	}{{0, 0}, {0x3c00, 1}, {0xc000, -2}, {0x7bff, 65504}, {1, 0x1p-24}, {0x83ff, -1023 * 0x1p-24}, {0x0400, 0x1p-14}, {0x7c00, math.Inf(1)}, {0xfc00, math.Inf(-1)}} {
		if got := half(c.bits); float64(got) != c.want {
			t.Errorf("half(%#x) is %v, want %v", c.bits, got, c.want)
		}
	}
	if v := half(0x7e00); v == v {
		t.Errorf("half NaN is %v", v)
	}
	var b [4]float32
	decode(b[:2], []byte{0x80, 0x3f, 0x00, 0xc0}, BF16)
	if b[0] != 1 || b[1] != -2 {
		t.Errorf("bfloat16 decodes to %v", b[:2])
	}
}

func TestWriteBF16(t *testing.T) {
	values := []float32{1, -2, 1.00390625, 1.01171875, float32(math.Inf(1)), float32(math.NaN()), 3.3895314e38}
	tensors := []Tensor{{Name: "a", DType: BF16, Shape: []int{6}}, {Name: "b", Shape: []int{1}}}
	var b bytes.Buffer
	if err := Write(&b, tensors, values); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(&b, int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	got, last := make([]float32, 6), make([]float32, 1)
	if err := r.Next(got); err != nil {
		t.Fatal(err)
	}
	if err := r.Next(last); err != nil || last[0] != values[6] {
		t.Errorf("the float32 after it is %v, %v", last, err)
	}
	want := []float32{1, -2, 1, 1.015625, float32(math.Inf(1))} // ties go to even
	for i, w := range want {
		if got[i] != w {
			t.Errorf("%v is stored as %v, want %v", values[i], got[i], w)
		}
	}
	if got[5] == got[5] {
		t.Errorf("NaN is stored as %v", got[5])
	}
	if err := Write(io.Discard, []Tensor{{Name: "h", DType: F16, Shape: []int{1}}}, values[:1]); err == nil {
		t.Error("F16 is written")
	}
}

// Whatever stands in a file, reading it ends without a panic and takes no more memory
// than the file is long.
func FuzzReader(f *testing.F) {
	b, _ := written(f)
	f.Add(b[:400])
	f.Add(file(`{"a":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]}}`, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		total := 0
		for _, tensor := range r.Header().Tensors {
			if total += tensor.Size(); total > len(b) {
				t.Fatalf("%d values in %d bytes", total, len(b))
			}
			if err := r.Next(make([]float32, tensor.Size())); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzDecodeHeader(f *testing.F) {
	b, _ := written(f)
	n := binary.LittleEndian.Uint64(b)
	f.Add(b[8:8+n], int64(len(b))-8-int64(n))
	f.Add([]byte(`{"a":{"dtype":"BF16","shape":[3],"data_offsets":[2,8]},"b":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}`), int64(8))
	f.Fuzz(func(t *testing.T, text []byte, data int64) {
		h, err := decodeHeader(text, data)
		if err != nil {
			return
		}
		var sum int64
		for _, tensor := range h.Tensors {
			sum += int64(tensor.Size()) * int64(tensor.DType.bytes())
		}
		if sum != data {
			t.Fatalf("tensors of %d bytes accepted for data of %d", sum, data)
		}
	})
}
