package onig

import (
	"errors"
	"fmt"
	"strings"

	"templar/internal/tokenizer/ucd"
)

// bracket reads a class behind its opening bracket. Where case is ignored, the characters
// that fold to several stand beside it.
func (p *parser) bracket() (node, error) {
	set, not, err := p.set()
	if err != nil {
		return nil, err
	}
	if !p.o.fold {
		return class{signed(set, not)}, nil
	}
	var extra []ucd.Range
	for _, r := range sortedRunes(ucd.Folds()) {
		if set.Contains(r) {
			for _, f := range ucd.Fold(r) {
				extra = append(extra, ucd.Range{Lo: f, Hi: f})
			}
		}
	}
	set = set.Union(extra)
	if not {
		return class{set.Negate()}, nil
	}
	out := alternate{class{set}}
	several := ucd.SeveralOf()
	for _, r := range sortedRunes(several) {
		if set.Contains(r) {
			out = append(out, folded(several[r]))
		}
	}
	if len(out) == 1 {
		return out[0], nil
	}
	return out, nil
}

func signed(s ucd.Set, not bool) ucd.Set {
	if not {
		return s.Negate()
	}
	return s
}

// folded is characters one by one, each with those that it folds with.
func folded(runes []rune) node {
	out := make(sequence, len(runes))
	for i, r := range runes {
		out[i] = foldClass(r)
	}
	return out
}

func foldClass(r rune) node {
	var ranges []ucd.Range
	for _, f := range ucd.Fold(r) {
		ranges = append(ranges, ucd.Range{Lo: f, Hi: f})
	}
	return class{ucd.NewSet(ranges...)}
}

// set reads a class up to its closing bracket, without what a ^ in front negates.
func (p *parser) set() (set ucd.Set, not bool, err error) {
	if p.depth++; p.depth > maxDepth {
		return nil, false, fmt.Errorf("classes are more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	not = p.accept("^")
	b := bracketSet{first: true}
	if p.peek("]") {
		if !strings.Contains(p.text[p.at+1:], "]") {
			return nil, false, errors.New("a class is empty")
		}
		p.at++
		_ = b.char(']') // the first item of a class is always valid
	}
	for {
		if p.peek("[:") {
			if named, err := p.posix(&b); err != nil {
				return nil, false, err
			} else if named {
				continue
			}
		}
		switch {
		case !p.more():
			return nil, false, errors.New("a class does not end")
		case p.accept("]"):
			return b.close(), not, nil
		case p.accept("&&"):
			b.and()
		case p.accept("["):
			inner, negated, err := p.set()
			if err != nil {
				return nil, false, err
			}
			if err := b.class(signed(inner, negated)); err != nil {
				return nil, false, err
			}
		case p.peek("-"):
			if err := p.hyphen(&b); err != nil {
				return nil, false, err
			}
		default:
			if err := p.member(&b); err != nil {
				return nil, false, err
			}
		}
	}
}

// posix reads [:name:] or [:^name:]. Anything else that begins with [: is a class in the
// class, except that a word in place of the name is refused, as the original does.
func (p *parser) posix(b *bracketSet) (bool, error) {
	inside, _, ends := strings.Cut(p.text[p.at+len("[:"):], ":]")
	if !ends {
		return false, nil
	}
	name, not := strings.CutPrefix(inside, "^")
	if inside == "" || strings.ContainsFunc(name, func(r rune) bool { return (r|0x20) < 'a' || (r|0x20) > 'z' }) {
		return false, nil
	}
	set, ok := ucd.Lookup("[:" + name + ":]")
	if !ok {
		return false, refuse("[:" + inside + ":]")
	}
	p.at += len("[:") + len(inside) + len(":]")
	return true, b.class(signed(set, not))
}

func (p *parser) member(b *bracketSet) error {
	r, err := p.next()
	if err != nil {
		return err
	}
	if r != '\\' {
		return b.char(r)
	}
	if !p.more() {
		return errEnds
	}
	switch c := p.text[p.at]; c {
	case 'b':
		p.at++
		return b.char('\b')
	case 'R', 'X', 'N', 'O', 'K', 'k', 'g', 'y', 'Y':
		return refuse(`\` + string(c) + " in a class")
	case '8', '9':
		return refuse(`\` + string(c) + " in a class")
	}
	if c := p.text[p.at]; c == 'w' || c == 'W' { // in a class, \w is another set: it lacks ½
		p.at++
		return b.class(signed(ucd.MustLookup("[:word:]"), c == 'W'))
	}
	set, ok, err := p.classEscape()
	if err != nil {
		return err
	}
	if ok {
		return b.class(set)
	}
	r, err = p.charEscape()
	if err != nil {
		return err
	}
	return b.char(r)
}

// hyphen is a range's, or stands for itself at an end of a class and behind a range.
func (p *parser) hyphen(b *bracketSet) error {
	p.at++
	last := p.peek("]") || p.peek("&&")
	switch {
	case b.open: // [+--]
		return b.char('-')
	case b.first || last:
		return b.char('-')
	case b.afterClass:
		return errors.New("a range in a class begins with a class")
	case b.afterRange:
		return b.char('-')
	}
	b.open = true
	return nil
}

// bracketSet gathers a class.
type bracketSet struct {
	ranges     []ucd.Range
	all        ucd.Set // of the parts before the last &&
	cut        bool
	first      bool // nothing stands in front
	open       bool // behind the hyphen of a range
	afterClass bool
	afterRange bool
}

func (b *bracketSet) char(r rune) error {
	if b.open {
		last := &b.ranges[len(b.ranges)-1]
		if r < last.Lo {
			return errors.New("a range in a class is empty")
		}
		last.Hi = r
		b.open, b.afterRange = false, true
		return nil
	}
	b.ranges = append(b.ranges, ucd.Range{Lo: r, Hi: r})
	b.first, b.afterClass, b.afterRange = false, false, false
	return nil
}

func (b *bracketSet) class(s ucd.Set) error {
	if b.open {
		return errors.New("a range in a class ends with a class")
	}
	b.ranges = append(b.ranges, s...)
	b.first, b.afterClass, b.afterRange = false, true, false
	return nil
}

func (b *bracketSet) and() {
	set := ucd.NewSet(b.ranges...)
	if b.cut {
		set = b.all.Intersect(set)
	}
	*b = bracketSet{all: set, cut: true, first: true}
}

func (b *bracketSet) close() ucd.Set {
	b.and()
	return b.all
}
