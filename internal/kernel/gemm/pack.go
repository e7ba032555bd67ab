package gemm

// packB packs b into panels of r.cols columns, row after row, with zeros for columns
// that do not exist.
func (r *kernel) packB(to []float32, b Matrix) {
	for j := 0; j < b.Cols; j += r.cols {
		r.pack(to[j*b.Rows:], b.Sub(0, j, b.Rows, min(r.cols, b.Cols-j)).T(), r.cols)
	}
}

// packA packs a tile of rows, column after column, with zeros for rows that do not
// exist.
func (r *kernel) packA(to []float32, a Matrix) { r.pack(to, a, r.rows) }

// pack writes m's columns one behind the other, each filled up with zeros to wide values.
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
