package onig

import "templar/internal/tokenizer/ucd"

// node is a part of a parsed pattern.
type node interface{}

type (
	// literal is characters one after the other.
	literal struct {
		runes []rune
		fold  bool // case is ignored
	}
	class     struct{ set ucd.Set }
	sequence  []node
	alternate []node
	repeat    struct {
		body     node
		min, max int // max < 0 for no bound
		lazy     bool
	}
	capture struct {
		body  node
		index int
	}
	atomic struct{ body node }
	look   struct {
		body        node
		behind, not bool
	}
	// assertion is the letter of \A, \z, \Z, \G, \b or \B, ^ or $.
	assertion byte
)

// width is the least and most characters that a node matches; most < 0 for no bound.
func width(n node) (least, most int) {
	switch n := n.(type) {
	case literal:
		least, most = len(n.runes), len(n.runes)
	case class:
		return 1, 1
	case sequence:
		for _, part := range n {
			lo, hi := width(part)
			least, most = least+lo, addWidth(most, hi)
		}
	case alternate:
		for i, part := range n {
			lo, hi := width(part)
			if i == 0 || lo < least {
				least = lo
			}
			if i == 0 || most >= 0 && (hi < 0 || hi > most) {
				most = hi
			}
		}
	case repeat:
		lo, hi := width(n.body)
		least, most = lo*n.min, hi*n.max
		if n.max < 0 || hi < 0 {
			most = -1
		}
	case capture:
		return width(n.body)
	case atomic:
		return width(n.body)
	case *lateReference:
		return 0, -1
	}
	return least, most
}

func addWidth(a, b int) int {
	if a < 0 || b < 0 {
		return -1
	}
	return a + b
}
