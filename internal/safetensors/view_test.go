package safetensors

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

// A view is, wherever it is read, the file that Write writes.
func TestView(t *testing.T) {
	want, values := written(t)
	v, err := NewView(table, values)
	if err != nil || v.Size() != int64(len(want)) {
		t.Fatalf("%d bytes, %v; want %d", v.Size(), err, len(want))
	}
	if err := iotest.TestReader(io.NewSectionReader(v, 0, v.Size()), want); err != nil {
		t.Error(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		off := rng.IntN(len(want) + 3)
		p := make([]byte, rng.IntN(40))
		n, err := v.ReadAt(p, int64(off))
		rest := want[min(off, len(want)):]
		if n != min(len(p), len(rest)) || !bytes.Equal(p[:n], rest[:n]) || (err == io.EOF) != (n < len(p)) {
			t.Fatalf("%d bytes at %d: got %d, %v", len(p), off, n, err)
		}
	}
}

func TestViewRefuses(t *testing.T) {
	if _, err := NewView(table, make([]float32, 3)); err == nil {
		t.Error("a view of too few values")
	}
	if _, err := NewView([]Tensor{{Name: "a", DType: BF16, Shape: []int{2}}}, make([]float32, 1)); err == nil {
		t.Error("a view of BF16")
	}
	v, err := NewView(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset")
	}
}
