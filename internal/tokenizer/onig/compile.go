package onig

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"templar/internal/tokenizer/ucd"
)

const (
	maxProgram = 1 << 16 // instructions: repetitions are written out
	maxNesting = 100     // of programs within programs
	maxWork    = 1 << 20 // nodes, characters and ranges written out, bytes of new tables over 8
)

type op uint8

const (
	opBytes   op = iota // the bytes lit
	opSet               // one character of set
	opStar              // characters of set, x to y of them (y < 0: any number), as many as there are
	opAssert            // the assertion x
	opSplit             // try x, then y, each only where its first byte can be
	opJump              // to x
	opSave              // the position in register x
	opCheck             // to y when the position is that of register x: the loop's body was empty
	opLook              // sub must match, or must not
	opAtomic            // sub, without going back into it
	opBackref           // the text of a group
	opEnd               // of a look-behind: the position must be the one it began at
	opMatch
)

type inst struct {
	op         op
	x, y       int
	lit        []byte
	set        *charset
	sub        *sub
	heads      [2]*heads // of both ways of opSplit, nil for any
	groups     []int     // of opBackref
	fold, last bool      // of opBackref; of opStar: nothing follows
}

// sub is a program within one.
type sub struct {
	pc          int
	behind, not bool
	least, most int // characters that it matches, when behind
}

// heads is the first bytes of what can match.
type heads [4]uint64

func (h *heads) has(b byte) bool { return h[b>>6]&(1<<(b&63)) != 0 }
func (h *heads) add(b byte)      { h[b>>6] |= 1 << (b & 63) }

// charsetWords is the size of a table, one bit a character below 0x10000.
const charsetWords = 1 << 10

// charset is a set for matching.
type charset struct {
	ascii [2]uint64
	bmp   []uint64 // one bit a character below 0x10000
	rest  ucd.Set
	heads heads
}

func newCharset(s ucd.Set) *charset {
	c := &charset{bmp: make([]uint64, charsetWords)}
	for _, r := range s {
		for i := r.Lo; i <= min(r.Hi, 0xffff); i++ {
			c.bmp[i>>6] |= 1 << (i & 63)
		}
		if r.Hi > 0xffff {
			c.rest = append(c.rest, ucd.Range{Lo: max(r.Lo, 0x10000), Hi: r.Hi})
		}
	}
	c.ascii = [2]uint64{c.bmp[0], c.bmp[1]}
	c.findHeads()
	return c
}

func (c *charset) contains(r rune) bool {
	if r < 0x10000 {
		return c.bmp[r>>6]&(1<<(r&63)) != 0
	}
	return c.rest.Contains(r)
}

// step is the length of the character at text[i:], 0 when it is none of the set's or
// there is none. A byte that begins no character counts as U+FFFD.
func (c *charset) step(text []byte, i int) int {
	if i >= len(text) {
		return 0
	}
	b := text[i]
	if b < utf8.RuneSelf {
		if c.ascii[b>>6]&(1<<(b&63)) != 0 {
			return 1
		}
		return 0
	}
	r, n := utf8.DecodeRune(text[i:])
	if c.contains(r) {
		return n
	}
	return 0
}

func (c *charset) findHeads() {
	h := &c.heads
	*h = heads{c.ascii[0], c.ascii[1]}
	for i, word := range c.bmp[2:] {
		if word != 0 { // the 64 characters of a word have at most two first bytes
			at := rune(i+2) << 6
			h.addRune(at)
			h.addRune(at + 63)
		}
	}
	for _, r := range c.rest {
		for b := firstByte(r.Lo); b <= firstByte(r.Hi); b++ {
			h.add(b)
		}
	}
	if c.contains(utf8.RuneError) { // bytes that begin no character
		h[2], h[3] = ^uint64(0), ^uint64(0)
	}
}

func firstByte(r rune) byte { return utf8.AppendRune(nil, r)[0] }

func (h *heads) addRune(r rune) {
	if r >= 0xd800 && r < 0xe000 {
		h.add(0xed)
		return
	}
	h.add(firstByte(r))
}

type compiler struct {
	prog  []inst
	regs  int
	deep  int
	work  int
	class map[string]*charset
}

// add appends an instruction and returns its place.
func (c *compiler) add(i inst) int {
	c.prog = append(c.prog, i)
	return len(c.prog) - 1
}

func (c *compiler) emit(n node) error {
	c.work++
	switch n := n.(type) { // one step can be large, and a repetition of nothing takes none
	case literal:
		c.work += len(n.runes)
	case class:
		c.work += len(n.set)
	case repeat:
		if one, ok := n.body.(class); ok {
			c.work += len(one.set)
		}
	}
	if len(c.prog) > maxProgram || c.work > maxWork {
		return fmt.Errorf("pattern needs more than %d steps written out", maxProgram)
	}
	switch n := n.(type) {
	case literal:
		return c.literal(n)
	case class:
		c.add(inst{op: opSet, set: c.charset(n.set)})
	case sequence:
		for _, part := range n {
			if err := c.emit(part); err != nil {
				return err
			}
		}
	case alternate:
		return c.alternate(n)
	case repeat:
		return c.repeat(n)
	case capture:
		c.add(inst{op: opSave, x: 2 * n.index})
		if err := c.emit(n.body); err != nil {
			return err
		}
		c.add(inst{op: opSave, x: 2*n.index + 1})
	case atomic:
		return c.within(opAtomic, n.body, &sub{})
	case look:
		s := &sub{behind: n.behind, not: n.not}
		if n.behind {
			n.body = unfoldSeveral(n.body)
			s.least, s.most = width(n.body)
		}
		return c.within(opLook, n.body, s)
	case *lateReference:
		c.add(inst{op: opBackref, groups: *n.groups, fold: n.fold})
	case assertion:
		c.add(inst{op: opAssert, x: int(n)})
	default:
		return fmt.Errorf("no code for %T", n)
	}
	return nil
}

func (c *compiler) charset(s ucd.Set) *charset {
	key := fmt.Sprint(s)
	if c.class[key] == nil {
		c.work += charsetWords
		c.class[key] = newCharset(s)
	}
	return c.class[key]
}

func (c *compiler) within(o op, body node, s *sub) error {
	if c.deep++; c.deep > maxNesting {
		return fmt.Errorf("groups are more than %d deep", maxNesting)
	}
	over := c.add(inst{op: opJump})
	s.pc = len(c.prog)
	if err := c.emit(body); err != nil {
		return err
	}
	if s.behind {
		c.add(inst{op: opEnd})
	}
	c.add(inst{op: opMatch})
	c.prog[over].x = len(c.prog)
	c.add(inst{op: o, sub: s})
	c.deep--
	return nil
}

// literal writes characters out; where case is ignored, at each place the longest run
// that some character folds to, else the character's own foldings.
func (c *compiler) literal(l literal) error {
	if !l.fold {
		c.add(inst{op: opBytes, lit: []byte(string(l.runes))})
		return nil
	}
	for i := 0; i < len(l.runes); {
		n, length := foldedAt(l.runes[i:])
		if err := c.emit(n); err != nil {
			return err
		}
		i += length
	}
	return nil
}

// foldedAt is what the first characters match when case is ignored, and how many.
func foldedAt(runes []rune) (node, int) {
	several := ucd.SeveralOf()
	for n := min(len(runes), 3); n >= 2; n-- {
		if whole := foldingTo(several, runes[:n]); whole != nil {
			return alternate{folded(runes[:n]), class{ucd.NewSet(whole...)}}, n
		}
	}
	if parts := several[runes[0]]; parts != nil {
		return alternate{class{ucd.NewSet(foldingTo(several, parts)...)}, folded(parts)}, 1
	}
	return foldClass(runes[0]), 1
}

// foldingTo lists the characters that fold to runes.
func foldingTo(several map[rune][]rune, runes []rune) (out []ucd.Range) {
	for r, parts := range several {
		if slices.EqualFunc(parts, runes, func(a, b rune) bool { return slices.Contains(ucd.Fold(a), b) }) {
			out = append(out, ucd.Range{Lo: r, Hi: r})
		}
	}
	return out
}

// unfoldSeveral writes literals out character by character: behind, Oniguruma folds one
// character to one.
func unfoldSeveral(n node) node {
	switch n := n.(type) {
	case literal:
		if n.fold {
			return folded(n.runes)
		}
	case sequence:
		out := make(sequence, len(n))
		for i := range n {
			out[i] = unfoldSeveral(n[i])
		}
		return out
	case alternate:
		out := make(alternate, len(n))
		for i := range n {
			out[i] = unfoldSeveral(n[i])
		}
		return out
	case repeat:
		n.body = unfoldSeveral(n.body)
		return n
	case capture:
		return capture{unfoldSeveral(n.body), n.index}
	case atomic:
		return atomic{unfoldSeveral(n.body)}
	}
	return n
}

func (c *compiler) alternate(n alternate) error {
	var out []int
	for i, part := range n {
		last := i == len(n)-1
		split := -1
		if !last {
			split = c.add(inst{op: opSplit})
			c.prog[split].x = split + 1
		}
		if err := c.emit(part); err != nil {
			return err
		}
		if !last {
			out = append(out, c.add(inst{op: opJump}))
			c.prog[split].y = len(c.prog)
		}
	}
	for _, at := range out {
		c.prog[at].x = len(c.prog)
	}
	return nil
}

func (c *compiler) repeat(n repeat) error {
	if n.min > maxRepeat {
		return errors.New("repetitions of repetitions are too many")
	}
	if n.max == 0 {
		return nil
	}
	if least, _ := width(n.body); least == 0 && (n.min > 1 || n.max > 1) {
		return refuse("a counted repetition of what may match nothing")
	}
	if one, ok := n.body.(class); ok && !n.lazy {
		c.add(inst{op: opStar, set: c.charset(one.set), x: n.min, y: n.max})
		return nil
	}
	for range n.min {
		if err := c.emit(n.body); err != nil {
			return err
		}
	}
	if n.max < 0 {
		return c.loop(n)
	}
	var splits []int
	for range n.max - n.min {
		splits = append(splits, c.add(inst{op: opSplit}))
		if err := c.emit(n.body); err != nil {
			return err
		}
	}
	for _, at := range splits {
		c.leave(at, n.lazy)
	}
	return nil
}

// leave says where the choice between going on and leaving leads.
func (c *compiler) leave(at int, lazy bool) {
	c.prog[at].x, c.prog[at].y = at+1, len(c.prog)
	if lazy {
		c.prog[at].x, c.prog[at].y = c.prog[at].y, c.prog[at].x
	}
}

// loop repeats a body until it matches nothing.
func (c *compiler) loop(n repeat) error {
	least, _ := width(n.body)
	at := c.add(inst{op: opSplit})
	mark := c.regs
	if least == 0 {
		c.regs++
		c.add(inst{op: opSave, x: mark})
	}
	if err := c.emit(n.body); err != nil {
		return err
	}
	check := -1
	if least == 0 {
		check = c.add(inst{op: opCheck, x: mark})
	}
	c.add(inst{op: opJump, x: at})
	c.leave(at, n.lazy)
	if check >= 0 {
		c.prog[check].y = len(c.prog)
	}
	return nil
}

// finish fills in the first bytes of every choice and returns those of the whole, nil
// when a match may be empty.
func (c *compiler) finish() *heads {
	for i := range c.prog {
		in := &c.prog[i]
		switch in.op {
		case opSplit:
			in.heads = [2]*heads{c.first(in.x), c.first(in.y)}
		case opStar:
			in.last = c.prog[c.follow(i+1)].op == opMatch
		}
	}
	return c.first(0)
}

// follow passes jumps.
func (c *compiler) follow(pc int) int {
	for n := 0; c.prog[pc].op == opJump && n < 64; n++ {
		pc = c.prog[pc].x
	}
	return pc
}

// first is the bytes that can come first from an instruction on, nil for any or none.
func (c *compiler) first(pc int) *heads {
	h := new(heads)
	if budget := 256; !c.collect(pc, h, &budget) {
		return nil
	}
	return h
}

func (c *compiler) collect(pc int, h *heads, budget *int) bool {
	for {
		if *budget--; *budget < 0 {
			return false
		}
		switch in := &c.prog[pc]; in.op {
		case opBytes:
			if len(in.lit) == 0 {
				return false
			}
			h.add(in.lit[0])
			return true
		case opSet, opStar:
			for i := range h {
				h[i] |= in.set.heads[i]
			}
			if in.op == opSet || in.x > 0 {
				return true
			}
			pc++
		case opSplit:
			if !c.collect(in.x, h, budget) {
				return false
			}
			pc = in.y
		case opJump:
			pc = in.x
		case opSave, opCheck, opAssert, opLook, opEnd:
			pc++
		case opAtomic:
			return c.collect(in.sub.pc, h, budget)
		default:
			return false
		}
	}
}

// wordSet is \w, for \b and \B.
var wordSet = sync.OnceValue(func() *charset { return newCharset(ucd.MustLookup(`\w`)) })
