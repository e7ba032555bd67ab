package tokenizer

import (
	"container/heap"
	"math"
)

// merger is the memory of merging one word.
type merger struct {
	ids   []int32
	ranks []int32 // of the pair that begins at each symbol
	list  linked
}

// longWord is where a heap pays: below it, looking at all pairs each time is faster.
const longWord = 48

const never = math.MaxInt32

// run merges m.ids and appends the outcome to dst.
func (m *merger) run(dst []int32, merges map[uint64]merge) []int32 {
	if len(m.ids) >= longWord {
		return m.list.run(dst, m.ids, merges)
	}
	ids := m.ids
	m.ranks = m.ranks[:0]
	for i := range ids {
		m.ranks = append(m.ranks, rankAt(ids, i, merges))
	}
	ranks := m.ranks
	for len(ids) > 1 {
		best := 0
		for i, r := range ranks {
			if r < ranks[best] {
				best = i
			}
		}
		if ranks[best] == never {
			break
		}
		ids[best] = merges[pair(ids[best], ids[best+1])].id
		ids = append(ids[:best+1], ids[best+2:]...)
		ranks = append(ranks[:best+1], ranks[best+2:]...)
		ranks[best] = rankAt(ids, best, merges)
		if best > 0 {
			ranks[best-1] = rankAt(ids, best-1, merges)
		}
	}
	return append(dst, ids...)
}

// rankAt is the rank of the pair that begins at i.
func rankAt(ids []int32, i int, merges map[uint64]merge) int32 {
	if i+1 < len(ids) {
		if m, ok := merges[pair(ids[i], ids[i+1])]; ok {
			return m.rank
		}
	}
	return never
}

// linked merges a long word in O(n log n): symbols are a doubly linked list, pairs wait
// in a heap and are looked at again when their turn comes.
type linked struct {
	symbols []symbol
	queue   []candidate
}

type symbol struct {
	id, prev, next int32 // -1: none
	gone           bool
}

type candidate struct {
	rank, at int32
	ids      uint64 // the pair that was ranked
	id       int32
}

// Len is the number of waiting pairs.
func (l *linked) Len() int { return len(l.queue) }

// Less puts the earliest merge first, the leftmost of equals.
func (l *linked) Less(i, j int) bool {
	a, b := l.queue[i], l.queue[j]
	return a.rank < b.rank || a.rank == b.rank && a.at < b.at
}

// Swap exchanges two pairs.
func (l *linked) Swap(i, j int) { l.queue[i], l.queue[j] = l.queue[j], l.queue[i] }

// Push appends a candidate.
func (l *linked) Push(x any) { l.queue = append(l.queue, x.(candidate)) }

// Pop removes the last.
func (l *linked) Pop() any {
	last := l.queue[len(l.queue)-1]
	l.queue = l.queue[:len(l.queue)-1]
	return last
}

func (l *linked) run(dst, ids []int32, merges map[uint64]merge) []int32 {
	l.symbols, l.queue = l.symbols[:0], l.queue[:0]
	for i, id := range ids {
		l.symbols = append(l.symbols, symbol{id: id, prev: int32(i) - 1, next: int32(i) + 1})
	}
	l.symbols[len(ids)-1].next = -1
	for i := range ids {
		if c, ok := l.candidate(int32(i), merges); ok {
			l.queue = append(l.queue, c)
		}
	}
	heap.Init(l)
	for len(l.queue) > 0 {
		l.merge(heap.Pop(l).(candidate), merges)
	}
	for i := int32(0); i >= 0; i = l.symbols[i].next {
		dst = append(dst, l.symbols[i].id)
	}
	return dst
}

// merge does a pair unless one of its symbols has changed since it was ranked.
func (l *linked) merge(c candidate, merges map[uint64]merge) {
	s := &l.symbols[c.at]
	if s.gone || s.next < 0 || pair(s.id, l.symbols[s.next].id) != c.ids {
		return
	}
	right := &l.symbols[s.next]
	right.gone = true
	s.id, s.next = c.id, right.next
	if s.next >= 0 {
		l.symbols[s.next].prev = c.at
	}
	for _, at := range []int32{s.prev, c.at} {
		if next, ok := l.candidate(at, merges); ok {
			heap.Push(l, next)
		}
	}
}

func (l *linked) candidate(at int32, merges map[uint64]merge) (candidate, bool) {
	if at < 0 || l.symbols[at].next < 0 {
		return candidate{}, false
	}
	ids := pair(l.symbols[at].id, l.symbols[l.symbols[at].next].id)
	m, ok := merges[ids]
	return candidate{rank: m.rank, at: at, ids: ids, id: m.id}, ok
}
