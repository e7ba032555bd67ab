package gemm

// packTask packs panels of B.
type packTask Multiplier

// Do packs the panels lo <= j < hi: a panel is tileCols columns, row after row, with
// zeros for columns that do not exist.
func (g *packTask) Do(_, lo, hi int) {
	k := g.b.Rows
	for j := lo; j < hi; j++ {
		panel := g.panels[j*tileCols*k : (j+1)*tileCols*k]
		part := g.b.Sub(0, j*tileCols, k, min(tileCols, g.b.Cols-j*tileCols))
		if part.ColStride == 1 {
			packRows(panel, part)
		} else {
			packCols(panel, part)
		}
	}
}

// packRows copies rows of adjacent values. Arrays are copied without a call.
func packRows(panel []float32, b Matrix) {
	if b.Cols == tileCols {
		for p := range b.Rows {
			*(*[tileCols]float32)(panel[p*tileCols:]) = [tileCols]float32(b.Data[p*b.RowStride:])
		}
		return
	}
	for p := range b.Rows {
		to := panel[p*tileCols:][:tileCols]
		copy(to, b.Data[p*b.RowStride:][:b.Cols])
		clear(to[b.Cols:])
	}
}

// packCols copies columns, four at a time, so that writes share cache lines.
func packCols(panel []float32, b Matrix) {
	if b.Cols < tileCols {
		clear(panel)
	}
	j := 0
	if b.RowStride == 1 {
		for ; j+4 <= b.Cols; j += 4 {
			c0 := b.Data[j*b.ColStride:][:b.Rows]
			c1 := b.Data[(j+1)*b.ColStride:][:b.Rows]
			c2 := b.Data[(j+2)*b.ColStride:][:b.Rows]
			c3 := b.Data[(j+3)*b.ColStride:][:b.Rows]
			for p := range c0 {
				to := panel[p*tileCols+j:][:4]
				to[0], to[1], to[2], to[3] = c0[p], c1[p], c2[p], c3[p]
			}
		}
	}
	for ; j < b.Cols; j++ {
		for p := range b.Rows {
			panel[p*tileCols+j] = b.Data[p*b.RowStride+j*b.ColStride]
		}
	}
}

// packA packs the tile of rows from row i on: column after column, with zeros for
// rows that do not exist.
func packA(to []float32, a Matrix, i int) {
	rows := min(tileRows, a.Rows-i)
	from := a.Data[i*a.RowStride:]
	if rows == tileRows && a.RowStride == 1 {
		for p := range a.Cols {
			*(*[tileRows]float32)(to[p*tileRows:]) = [tileRows]float32(from[p*a.ColStride:])
		}
		return
	}
	for p := range a.Cols {
		col := to[p*tileRows:][:tileRows]
		for r := range rows {
			col[r] = from[r*a.RowStride+p*a.ColStride]
		}
		clear(col[rows:])
	}
}
