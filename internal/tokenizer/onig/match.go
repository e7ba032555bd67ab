package onig

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"templar/internal/tokenizer/ucd"
)

// What one text costs a pattern that goes back and back is bounded: when the steps are
// used up, nothing more matches in it. Oniguruma bounds a match too, and then fails. A step
// that passes over many characters is more than one.
const (
	maxSteps  = 10_000_000
	byteSteps = 64      // more for each byte of a text
	stepBytes = 8       // that a step passes over
	maxStack  = 1 << 21 // places to go back to
)

// Pattern is a compiled pattern. It is safe for concurrent use.
type Pattern struct {
	prog  []inst
	regs  int
	heads *heads // first bytes of a match, nil for any
}

// Compile reads a pattern. Its error says what is wrong or not supported.
func Compile(text string) (*Pattern, error) {
	n, groups, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", text, err)
	}
	c := &compiler{regs: 2 * (groups + 1), class: make(map[string]*charset)}
	if err := c.emit(n); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", text, err)
	}
	c.add(inst{op: opMatch})
	heads := c.finish()
	return &Pattern{prog: c.prog, regs: c.regs, heads: heads}, nil
}

// All yields the matches in text, from left to right. An empty match right behind the last
// one is passed over.
func (p *Pattern) All(text []byte, yield func(lo, hi int) bool) {
	m := matcher{Pattern: p, text: text, seen: text, regs: slices.Repeat([]int{-1}, p.regs), left: maxSteps + byteSteps*len(text)}
	last := -1
	for at := 0; at <= len(text); {
		lo, hi, ok := m.search(at)
		if !ok {
			return
		}
		if lo == hi && hi == last {
			_, n := utf8.DecodeRune(text[at:])
			at += max(n, 1)
			continue
		}
		at, last = hi, hi
		if !yield(lo, hi) {
			return
		}
	}
}

type matcher struct {
	*Pattern
	text  []byte
	begin int // of the search: where \G stands
	regs  []int
	stack []frame
	left  int
	seen  []byte // the text up to where characters are matched: all of it, but in a look-behind
}

// frame is a place to go back to, or a register to set back.
type frame struct {
	pc, at int
	low    int // of a star: it gives characters back down to here
	kind   frameKind
}

type frameKind uint8

const (
	tryAgain frameKind = iota
	giveBack
	setBack // register pc to at
)

func (m *matcher) search(from int) (lo, hi int, ok bool) {
	m.begin = from
	for at := from; at <= len(m.text); {
		if m.heads != nil {
			for at < len(m.text) && !m.heads.has(m.text[at]) {
				at++
			}
			if at == len(m.text) {
				return 0, 0, false
			}
			if !utf8.RuneStart(m.text[at]) && at > from && inside(m.text, at) {
				at++
				continue
			}
		}
		m.unwind(0)
		if hi, ok := m.run(0, at, -1); ok {
			return at, hi, true
		}
		if m.left <= 0 {
			return 0, 0, false
		}
		_, n := utf8.DecodeRune(m.text[at:])
		at += max(n, 1)
	}
	return 0, 0, false
}

// inside tells whether text[at] lies within a character.
func inside(text []byte, at int) bool {
	for lo := at - 1; lo >= 0 && at-lo < utf8.UTFMax; lo-- {
		if utf8.RuneStart(text[lo]) {
			_, n := utf8.DecodeRune(text[lo:])
			return lo+n > at
		}
	}
	return false
}

// run matches from an instruction and a position on; end is where a look-behind must. What it puts on the stack is gone when it returns false; when it returns true,
// only registers to set back are left.
func (m *matcher) run(pc, at, end int) (int, bool) {
	base := len(m.stack)
	for {
		if m.left--; m.left <= 0 || len(m.stack) > maxStack {
			m.left = 0
			m.unwind(base)
			return 0, false
		}
		in := &m.prog[pc]
		ok := true
		switch in.op {
		case opBytes:
			m.left -= len(in.lit) / stepBytes
			if ok = bytes.HasPrefix(m.seen[at:], in.lit); ok {
				at += len(in.lit)
			}
			pc++
		case opSet:
			n := in.set.step(m.seen, at)
			ok = n > 0
			at += n
			pc++
		case opStar:
			at, ok = m.star(in, pc, at)
			pc++
		case opAssert:
			ok = m.assert(byte(in.x), at)
			pc++
		case opSplit:
			pc, ok = m.split(in, at)
		case opJump:
			pc = in.x
		case opSave:
			m.stack = append(m.stack, frame{pc: in.x, at: m.regs[in.x], kind: setBack})
			m.regs[in.x] = at
			pc++
		case opCheck:
			if pc++; m.regs[in.x] == at {
				pc = in.y
			}
		case opLook:
			ok = m.look(in.sub, at)
			pc++
		case opAtomic:
			at, ok = m.run(in.sub.pc, at, -1)
			pc++
		case opBackref:
			at, ok = m.backref(in, at)
			pc++
		case opEnd:
			ok = at == end
			pc++
		case opMatch:
			m.keep(base)
			return at, true
		}
		if !ok {
			if pc, at, ok = m.back(base); !ok {
				return 0, false
			}
		}
	}
}

// back takes the newest choice up again.
func (m *matcher) back(base int) (pc, at int, ok bool) {
	for len(m.stack) > base {
		f := &m.stack[len(m.stack)-1]
		switch f.kind {
		case setBack:
			m.regs[f.pc] = f.at
		case giveBack:
			_, n := utf8.DecodeLastRune(m.text[f.low:f.at])
			if f.at -= n; f.at > f.low {
				return f.pc, f.at, true
			}
			fallthrough
		default:
			pc, at = f.pc, f.at
			m.stack = m.stack[:len(m.stack)-1]
			return pc, at, true
		}
		m.stack = m.stack[:len(m.stack)-1]
	}
	return 0, 0, false
}

func (m *matcher) unwind(base int) {
	for len(m.stack) > base {
		if f := m.stack[len(m.stack)-1]; f.kind == setBack {
			m.regs[f.pc] = f.at
		}
		m.stack = m.stack[:len(m.stack)-1]
	}
}

// keep drops the choices of a part that has matched, not its registers' old values.
func (m *matcher) keep(base int) {
	m.stack = append(m.stack[:base], slices.DeleteFunc(m.stack[base:], func(f frame) bool { return f.kind != setBack })...)
}

func (m *matcher) star(in *inst, pc, at int) (int, bool) {
	from, low := at, at
	for n := 0; in.y < 0 || n < in.y; n++ {
		if n == in.x {
			low = at
		}
		size := in.set.step(m.seen, at)
		if size == 0 {
			if n < in.x {
				m.left -= (at - from) / stepBytes
				return at, false
			}
			break
		}
		at += size
	}
	m.left -= (at - from) / stepBytes
	if in.y == in.x {
		low = at
	}
	if at > low && !in.last {
		m.stack = append(m.stack, frame{pc: pc + 1, at: at, low: low, kind: giveBack})
	}
	return at, true
}

// split chooses a way, and notes the other where it can match too.
func (m *matcher) split(in *inst, at int) (pc int, ok bool) {
	if at < len(m.text) {
		b := m.text[at]
		if h := in.heads[0]; h != nil && !h.has(b) {
			return in.y, true
		}
		if h := in.heads[1]; h != nil && !h.has(b) {
			return in.x, true
		}
	}
	m.stack = append(m.stack, frame{pc: in.y, at: at})
	return in.x, true
}

func (m *matcher) look(s *sub, at int) bool {
	base := len(m.stack)
	var found bool
	if !s.behind {
		_, found = m.run(s.pc, at, -1)
	} else {
		found = m.lookBehind(s, at)
	}
	if s.not {
		m.unwind(base)
	}
	return found != s.not
}

// lookBehind tries every beginning that is near and far enough, the nearest first.
func (m *matcher) lookBehind(s *sub, at int) bool {
	if s.least != s.most { // then Oniguruma matches nothing beyond the place
		defer func(seen []byte) { m.seen = seen }(m.seen)
		m.seen = m.text[:at]
	}
	from := at
	for n := 0; ; n++ {
		if n >= s.least {
			if _, ok := m.run(s.pc, from, at); ok {
				return true
			}
		}
		if from == 0 || n == s.most || m.left <= 0 {
			return false
		}
		_, size := utf8.DecodeLastRune(m.text[:from])
		from -= size
	}
}

func (m *matcher) backref(in *inst, at int) (int, bool) {
	m.left -= len(in.groups)
	for i := len(in.groups) - 1; i >= 0; i-- {
		lo, hi := m.regs[2*in.groups[i]], m.regs[2*in.groups[i]+1]
		if lo < 0 || hi < lo { // not matched yet
			continue
		}
		text := m.text[lo:hi]
		m.left -= len(text) / stepBytes
		if !in.fold {
			if bytes.HasPrefix(m.seen[at:], text) {
				return at + len(text), true
			}
			continue
		}
		m.left -= len(text)
		if end, ok := foldPrefix(m.seen[at:], text); ok {
			return at + end, true
		}
	}
	return at, false
}

func foldPrefix(text, prefix []byte) (int, bool) {
	at := 0
	for len(prefix) > 0 {
		want, n := utf8.DecodeRune(prefix)
		got, size := utf8.DecodeRune(text[at:])
		if size == 0 || !slices.Contains(ucd.Fold(want), got) {
			return 0, false
		}
		prefix, at = prefix[n:], at+size
	}
	return at, true
}

func (m *matcher) assert(kind byte, at int) bool {
	switch kind {
	case 'A':
		return at == 0
	case 'z':
		return at == len(m.text)
	case 'Z':
		return at == len(m.text) || at == len(m.text)-1 && m.text[at] == '\n'
	case 'G':
		return at == m.begin
	case '^':
		return at == 0 || at < len(m.text) && m.text[at-1] == '\n'
	case '$':
		return at == len(m.text) || m.text[at] == '\n'
	}
	before, _ := utf8.DecodeLastRune(m.text[:at])
	after, _ := utf8.DecodeRune(m.text[at:])
	boundary := (at > 0 && wordSet().contains(before)) != (at < len(m.text) && wordSet().contains(after))
	return boundary == (kind == 'b')
}
