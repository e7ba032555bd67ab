package codec

import (
	"slices"

	"templar/internal/kernel"
)

// Deltas describes the trial step p <- p - size*sign along an update, which an engine takes
// and undoes: the function writes to dst the values to subtract from the parameters that
// start at offset at, zero for those of empty chunks. It may be called for any range, and by
// several goroutines at once. A nil Update moves nothing.
func (c *Codec) Deltas(u *Update, size float32) func(dst []float32, at int) {
	return func(dst []float32, at int) {
		clear(dst)
		if u == nil {
			return
		}
		k, _ := slices.BinarySearchFunc(c.tensors, at, func(t tensor, at int) int { return t.Offset + t.rows*t.cols - 1 - at })
		for len(dst) > 0 {
			t := &c.tensors[k]
			n := min(len(dst), t.chunk.Cols-(at-t.Offset)%t.chunk.Cols) // to the end of the chunk's row
			if !u.isEmpty(t.chunkAt(at - t.Offset)) {
				kernel.Step(dst[:n], u.signs, at, 1, -size) // from zero, one step back
			}
			if dst, at = dst[n:], at+n; at == t.Offset+t.rows*t.cols {
				k++
			}
		}
	}
}
