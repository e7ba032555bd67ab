package codec

import (
	"bytes"
	"iter"

	"templar/internal/kernel"
	"templar/protocol"
)

// Update is one sign for every parameter, or none for those of chunks to which no
// peer sent a coefficient (spec/dctsign, "Update body"). It is immutable.
//
// A set bit means that the mean is greater than zero and the parameter goes down; a
// clear bit, and so a mean of exactly zero, that it goes up.
type Update struct {
	body  []byte // the two parts that follow, one after the other
	empty []byte // a bit a chunk
	signs []byte // a bit a parameter; clear in empty chunks
}

func (c *Codec) newUpdate() *Update { return c.splitUpdate(make([]byte, c.UpdateSize())) }

func (c *Codec) splitUpdate(b []byte) *Update {
	flags := bitBytes(c.chunks)
	return &Update{body: b, empty: b[:flags], signs: b[flags:]}
}

func bitBytes(n int) int { return (n + 7) / 8 }

// UpdateSize is the size of every Update in bytes.
func (c *Codec) UpdateSize() int { return bitBytes(c.chunks) + bitBytes(c.parameters()) }

// Bytes returns the body as it stands on the wire. The caller does not change it.
func (u *Update) Bytes() []byte { return u.body }

// Differ counts the parameters that two updates move differently, and returns the first of them;
// -1 if there is none. A nil Update moves nothing.
func (c *Codec) Differ(a, b *Update) (count, first int) {
	first = -1
	if a != nil && b != nil && bytes.Equal(a.body, b.body) {
		return 0, first
	}
	for row := range c.rows() {
		for i := row.at; i < row.at+row.n; i++ {
			if a.sign(row.chunk, i) == b.sign(row.chunk, i) {
				continue
			}
			if count++; first < 0 || i < first {
				first = i
			}
		}
	}
	return count, first
}

// sign is +1 where parameter i of a chunk goes down, -1 where it goes up, 0 where it stays.
func (u *Update) sign(chunk, i int) int {
	switch {
	case u == nil || u.isEmpty(chunk):
		return 0
	case clearBits(u.signs, i, 1):
		return -1
	}
	return 1
}

func (u *Update) setEmpty(chunk int) { u.empty[chunk/8] |= 1 << (chunk % 8) }

func (u *Update) isEmpty(chunk int) bool { return u.empty[chunk/8]>>(chunk%8)&1 == 1 }

// ReadUpdate checks a body that came from another node. The Update keeps b.
func (c *Codec) ReadUpdate(b []byte) (*Update, protocol.Verdict) {
	if len(b) != c.UpdateSize() {
		return nil, protocol.VerdictBadShape
	}
	u := c.splitUpdate(b)
	if !clearFrom(u.empty, c.chunks) || !clearFrom(u.signs, c.parameters()) {
		return nil, protocol.VerdictMalformed
	}
	for row := range c.rows() {
		if u.isEmpty(row.chunk) && !clearBits(u.signs, row.at, row.n) {
			return nil, protocol.VerdictMalformed
		}
	}
	return u, protocol.VerdictOK
}

// clearFrom reports whether the bits from n to the end are clear.
func clearFrom(b []byte, n int) bool { return clearBits(b, n, 8*len(b)-n) }

func clearBits(b []byte, from, n int) bool {
	for i := from; i < from+n; i++ {
		if b[i/8]>>(i%8)&1 != 0 {
			return false
		}
	}
	return true
}

// Apply changes params in place by one signed step (spec/dctsign, "Applying"):
// p <- p*(1 - lr*wd), then p <- p - lr*sign. Parameters of empty chunks stay as they
// are, and a nil Update changes nothing.
func (c *Codec) Apply(params []float32, u *Update, lr, wd float32) {
	if u == nil {
		return
	}
	decay := 1 - float32(lr*wd)
	c.pool.Share(len(c.pieces), func(items iter.Seq[int]) {
		for p := range items {
			for row := range c.rowsOf(c.pieces[p]) {
				if !u.isEmpty(row.chunk) {
					kernel.Step(params[row.at:row.at+row.n], u.signs, row.at, decay, lr)
				}
			}
		}
	})
}

// Sign is +1 where parameter i goes down, -1 where it goes up, 0 where it stays.
func (c *Codec) Sign(u *Update, i int) int {
	return u.sign(c.chunkOf(i), i)
}

// chunkRow is one row of a chunk: n parameters from at on.
type chunkRow struct{ chunk, at, n int }

// rows yields the rows of all chunks in the order of the flat memory.
func (c *Codec) rows() iter.Seq[chunkRow] { return c.rowsOf(piece{first: 0, end: c.chunks}) }

// rowsOf yields the rows of a piece's chunks in the order of the flat memory.
func (c *Codec) rowsOf(p piece) iter.Seq[chunkRow] {
	return func(yield func(chunkRow) bool) {
		for i, first := p.tensor, p.first; first < p.end; i++ {
			t := &c.tensors[i]
			end := min(p.end, t.first+t.chunks())
			for at := t.at(first - t.first); first < end; first += t.across() {
				for range t.chunk.Rows {
					for chunk := first; chunk < first+t.across(); chunk++ {
						if !yield(chunkRow{chunk: chunk, at: at, n: t.chunk.Cols}) {
							return
						}
						at += t.chunk.Cols
					}
				}
			}
		}
	}
}

// chunkAt returns the number of the chunk that holds the tensor's i-th value.
func (t *tensor) chunkAt(i int) int {
	return t.first + i/t.cols/t.chunk.Rows*t.across() + i%t.cols/t.chunk.Cols
}

func (c *Codec) chunkOf(i int) int {
	for k := range c.tensors {
		if t := &c.tensors[k]; i < t.Offset+t.rows*t.cols {
			return t.chunkAt(i - t.Offset)
		}
	}
	return c.chunks
}
