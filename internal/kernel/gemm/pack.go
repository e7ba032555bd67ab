package gemm

import (
	"runtime"
	"sync/atomic"
)

// packed is a matrix B in panels: for each block of the inner index, for each of the kernel's
// widths of columns, row after row. The workers pack it together, each panel by the first worker that is free.
type packed struct {
	data          []float32
	cols, across  int // of a panel; panels side by side
	count         int64
	claimed, done atomic.Int64 // panels
}

func (p *packed) reset(b Matrix, cols int) {
	p.cols, p.across = cols, ceil(b.Cols, cols)
	if need := b.Rows * p.across * cols; len(p.data) < need {
		p.data = make([]float32, need)
	}
	p.count = int64(p.across * ceil(b.Rows, depth))
	p.claimed.Store(0)
	p.done.Store(0)
}

// panels are those of the k inner indices from at on, from a column on.
func (p *packed) panels(at, k, column int) []float32 {
	return p.data[at*p.across*p.cols+k*column:]
}

// work packs panels while there are any, and waits for those that others have begun.
func (p *packed) work(r *kernel, b Matrix) {
	for i := p.claimed.Add(1) - 1; i < p.count; i = p.claimed.Add(1) - 1 {
		at, column := int(i)/p.across*depth, int(i)%p.across*p.cols
		k, cols := min(depth, b.Rows-at), min(p.cols, b.Cols-column)
		r.pack(p.panels(at, k, column), b.Sub(at, column, k, cols).T(), p.cols)
		p.done.Add(1)
	}
	for p.done.Load() < p.count {
		runtime.Gosched()
	}
}

// pack writes m's columns one behind the other, each filled up to wide values with zeros for
// rows that do not exist.
func (r *kernel) pack(to []float32, m Matrix, wide int) {
	to = to[:wide*m.Cols]
	switch {
	case m.Rows < wide:
		packPart(to, m, wide)
	case m.RowStride == 1 && r.gather != nil:
		r.gather(to, m.Data, wide, m.ColStride, m.Cols)
	case m.ColStride == 1 && r.transpose != nil:
		r.transpose(to, m.Data, wide, m.RowStride, m.Cols)
	case m.RowStride == 1:
		gather(to, m.Data, wide, m.ColStride, m.Cols)
	default:
		packPart(to, m, wide)
	}
}

// packPart packs any matrix, its rows one after the other.
func packPart(to []float32, m Matrix, wide int) {
	if m.Rows < wide {
		clear(to)
	}
	for i := range m.Rows {
		from, at := m.Data[i*m.RowStride:], i
		for p := 0; p < m.Cols*m.ColStride; p += m.ColStride {
			to[at] = from[p]
			at += wide
		}
	}
}

// gather copies rows of adjacent values without a call for each.
func gather(to, from []float32, wide, stride, n int) {
	for p := range n {
		row, values := to[p*wide:][:wide], from[p*stride:][:wide]
		//lint:ignore S1001 a call for six values costs more than they do
		for j, v := range values {
			row[j] = v
		}
	}
}
