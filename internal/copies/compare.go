package copies

import (
	"templar/method"
	"templar/protocol"
)

// table counts what each pair of samples has in common in some of their chunks.
type table struct {
	samples []sample
	counts  []int    // coefficients of each sample in those chunks
	pairs   []common // of i and k < i, at i*(i-1)/2 + k
}

// common is how many coefficients two samples have at the same places, and how many of
// these with nearly the same values.
type common struct{ indices, values int32 }

// screened is the number of chunks that are compared for all pairs. margin is how far below a
// limit the share may be for a pair to be compared in full: three standard deviations.
const (
	screened = 32
	margin   = 0.05
)

// near is how far two values may differ, as a share of the larger, to count as the same: little
// more than the effect of encoding them again. Few common values of honest gradients are as
// close.
const near = 0.02

// screen counts over the positions of a chunk, not over pairs: only samples that share a
// position are compared.
func screen(samples []sample) *table {
	t := &table{
		samples: samples, counts: make([]int, len(samples)),
		pairs: make([]common, len(samples)*max(0, len(samples)-1)/2),
	}
	if len(samples) == 0 {
		return t
	}
	var at positions
	chunks := len(samples[0].chunks)
	for n := 0; n < chunks; n += max(1, chunks/screened) {
		at.clear()
		for i, s := range samples {
			t.counts[i] += len(s.chunks[n].Index)
			t.meet(&at, i, s.chunks[n])
		}
	}
	return t
}

// meet counts what a chunk shares with those added before, and adds it.
func (t *table) meet(at *positions, i int, c method.Chunk) {
	row := t.pairs[i*(i-1)/2:]
	for k, index := range c.Index {
		for e := at.first[index]; e != 0; {
			other := &at.entries[e-1]
			pair := &row[other.sample]
			pair.indices++
			if alike(other.value, c.Value[k]) {
				pair.values++
			}
			e = other.next
		}
		at.add(index, i, c.Value[k])
	}
}

func alike(a, b float32) bool {
	if a < 0 {
		a, b = -a, -b
	}
	return b > 0 && max(a, b)-min(a, b) <= near*max(a, b)
}

// suspect reports whether sample i may be similar to k < i: the screening did not exclude it.
func (t *table) suspect(i, k int, p *protocol.Params) bool {
	indices, values := t.pairs[i*(i-1)/2+k].shares(t.counts[i])
	return indices >= p.CopyIndices-margin || values >= p.CopyValues-margin
}

// shares returns which parts of sample i are in k. Parts of k do not count: a miner that sends
// early the few coefficients that all others will send must not turn them into copiers.
func (t *table) shares(i, k int) (indices, values float64) {
	a, b := &t.samples[i], &t.samples[k]
	var sum common
	for n := range a.chunks {
		sum.add(&a.chunks[n], &b.chunks[n])
	}
	return sum.shares(a.count)
}

// add counts what two chunks, whose indices ascend, have in common.
func (c *common) add(a, b *method.Chunk) {
	for i, k := 0, 0; i < len(a.Index) && k < len(b.Index); {
		switch x, y := a.Index[i], b.Index[k]; {
		case x < y:
			i++
		case x > y:
			k++
		default:
			c.indices++
			if alike(a.Value[i], b.Value[k]) {
				c.values++
			}
			i, k = i+1, k+1
		}
	}
}

func (c common) shares(count int) (indices, values float64) {
	if count == 0 {
		return 0, 0 // an empty gradient copies nothing
	}
	return float64(c.indices) / float64(count), float64(c.values) / float64(count)
}

// positions lists for each position within a chunk the samples that have a coefficient there.
type positions struct {
	first   [1 << 16]int32 // 1 + index of the newest entry; 0 for none
	entries []entry
	used    []uint16
}

type entry struct {
	sample int32
	value  float32
	next   int32
}

func (p *positions) add(index uint16, sample int, value float32) {
	if p.first[index] == 0 {
		p.used = append(p.used, index)
	}
	p.entries = append(p.entries, entry{int32(sample), value, p.first[index]})
	p.first[index] = int32(len(p.entries))
}

func (p *positions) clear() {
	for _, index := range p.used {
		p.first[index] = 0
	}
	p.used, p.entries = p.used[:0], p.entries[:0]
}
