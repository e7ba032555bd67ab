package codec

import (
	"iter"

	"templar/internal/workers"
)

// Parallel returns a Codec that computes the same results, to the bit, with the given number
// of workers. each starts them: it calls f(0) to f(n-1), in any order and concurrently if it
// chooses, and returns when all calls have returned.
func (c *Codec) Parallel(n int, each func(n int, f func(i int))) *Codec {
	p := *c
	p.pool = workers.Pool{Workers: n, Each: each}
	return &p
}

// shareWriting is Share for pieces whose workers write to an update. Adjacent pieces may share
// a byte of it, so every second piece is done before the rest begin.
func (c *Codec) shareWriting(work func(pieces iter.Seq[int])) {
	if !c.meet {
		c.pool.Share(len(c.pieces), work)
		return
	}
	for first := range 2 {
		c.pool.Share((len(c.pieces)+1-first)/2, func(items iter.Seq[int]) {
			work(func(yield func(int) bool) {
				for i := range items {
					if !yield(2*i + first) {
						return
					}
				}
			})
		})
	}
}

// piece is a range of chunks, numbered over all tensors, that one worker processes. It
// consists of whole rows of chunks.
type piece struct {
	tensor     int // of the first chunk
	first, end int
}

// pieceChunks is the least size of a piece other than the last: large enough that no byte of
// an update spans a whole piece.
const pieceChunks = 64

// cut divides the chunks into pieces, and reports whether any two share a byte of an update.
func (c *Codec) cut() (pieces []piece, meet bool) {
	next := piece{}
	for i := range c.tensors {
		t := &c.tensors[i]
		for n := t.across(); n <= t.chunks(); n += t.across() {
			end, at := t.first+n, t.Offset+n*t.chunk.Size()
			if end-next.first < pieceChunks {
				continue
			}
			meet = meet || (end < c.chunks && (end%8 != 0 || at%8 != 0))
			next.end = end
			pieces = append(pieces, next)
			next = piece{tensor: i, first: end}
			if n == t.chunks() {
				next.tensor++
			}
		}
	}
	if next.first < c.chunks {
		next.end = c.chunks
		pieces = append(pieces, next)
	}
	return pieces, meet
}

// chunksOf yields the chunks of a piece: number of the tensor, number within it.
func (c *Codec) chunksOf(p piece) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for i, n := p.tensor, p.first; n < p.end; i++ {
			t := &c.tensors[i]
			for ; n < min(p.end, t.first+t.chunks()); n++ {
				if !yield(i, n-t.first) {
					return
				}
			}
		}
	}
}
