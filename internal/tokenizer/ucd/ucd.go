// Package ucd holds the sets of characters that Hugging Face's tokenizers work with: the
// properties of its pattern engine, case folding, and what its normalisers take for
// letters, marks and spaces. The tables were measured, character by character, of the
// implementation itself (testkit/hf/tables.py): its parts carry different versions of
// Unicode, none of which is that of Go's package unicode.
package ucd

import (
	_ "embed" // for the tables
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed tables.txt
var text string

// Range is the characters from Lo to Hi.
type Range struct{ Lo, Hi rune }

// Set is ranges in ascending order that neither touch nor overlap.
type Set []Range

// MaxRune is the last code point.
const MaxRune = 0x10ffff

// Contains reports whether r is in the set.
func (s Set) Contains(r rune) bool {
	_, found := slices.BinarySearchFunc(s, r, func(a Range, r rune) int {
		switch {
		case a.Hi < r:
			return -1
		case a.Lo > r:
			return 1
		}
		return 0
	})
	return found
}

// NewSet sorts and joins ranges.
func NewSet(ranges ...Range) Set {
	s := slices.Clone(ranges)
	slices.SortFunc(s, func(a, b Range) int { return int(a.Lo - b.Lo) })
	out := s[:0]
	for _, r := range s {
		if n := len(out); n > 0 && r.Lo <= out[n-1].Hi+1 {
			out[n-1].Hi = max(out[n-1].Hi, r.Hi)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// Negate is all characters that s lacks.
func (s Set) Negate() Set {
	out := make(Set, 0, len(s)+1)
	next := rune(0)
	for _, r := range s {
		if r.Lo > next {
			out = append(out, Range{next, r.Lo - 1})
		}
		next = r.Hi + 1
	}
	if next <= MaxRune {
		out = append(out, Range{next, MaxRune})
	}
	return out
}

// Union is the characters of either set.
func (s Set) Union(o Set) Set { return NewSet(append(slices.Clone(s), o...)...) }

// Intersect is the characters of both.
func (s Set) Intersect(o Set) Set { return s.Negate().Union(o.Negate()).Negate() }

// tables is the file, parsed when first needed and never changed.
type tables struct {
	sets    map[string]string // by name, as written
	lower   map[rune]rune
	fold    map[rune][]rune // all members of a character's class, itself too
	several map[rune][]rune // what a character folds to, where that is several
}

var load = sync.OnceValue(func() *tables {
	t := &tables{sets: map[string]string{}, lower: map[rune]rune{}, fold: map[rune][]rune{}, several: map[rune][]rune{}}
	for line := range strings.Lines(text) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch kind {
		case "set":
			names, ranges, _ := strings.Cut(rest, " ")
			for name := range strings.SplitSeq(names, ",") {
				t.sets[name] = ranges
			}
		case "lower":
			t.parseLower(rest)
		case "fold":
			for class := range strings.FieldsSeq(rest) {
				members := numbers(class, "=")
				for _, r := range members {
					t.fold[r] = members
				}
			}
		case "several":
			for item := range strings.FieldsSeq(rest) {
				from, to, _ := strings.Cut(item, "=")
				t.several[number(from)] = numbers(to, "+")
			}
		}
	}
	return t
})

func (t *tables) parseLower(text string) {
	for item := range strings.FieldsSeq(text) {
		var lo, hi, step, d rune
		if _, err := fmt.Sscanf(item, "%x-%x/%d%d", &lo, &hi, &step, &d); err != nil {
			panic("ucd: " + item) // the file is part of the program
		}
		for r := lo; r <= hi; r += step {
			t.lower[r] = r + d
		}
	}
}

func number(hex string) rune {
	n, err := strconv.ParseUint(hex, 16, 31)
	if err != nil {
		panic("ucd: " + err.Error()) // the file is part of the program
	}
	return rune(n)
}

func numbers(text, separator string) (out []rune) {
	for part := range strings.SplitSeq(text, separator) {
		out = append(out, number(part))
	}
	return out
}

// Lookup returns a set by name: a property of the pattern engine in lower case without
// spaces, hyphens and underscores, \w, \d, \s or \h, a POSIX bracket such as [:alpha:], or
// a set of the implementation beside the engine, whose name begins with "rust:".
func Lookup(name string) (Set, bool) {
	ranges, ok := load().sets[name]
	if !ok {
		return nil, false
	}
	var out Set
	at := rune(0)
	for item := range strings.FieldsSeq(ranges) {
		gap, length, long := strings.Cut(item, "+")
		r := Range{Lo: at + number(gap)}
		r.Hi = r.Lo
		if long {
			r.Hi += number(length)
		}
		out, at = append(out, r), r.Hi
	}
	return out, true
}

// MustLookup is Lookup for names that the table is known to have.
func MustLookup(name string) Set {
	s, ok := Lookup(name)
	if !ok {
		panic("ucd: no set " + name)
	}
	return s
}

// Lower is the lower case of a character as Rust's standard library has it, save for
// U+0130, whose lower case is the two characters "i" and U+0307.
func Lower(r rune) rune {
	if l, ok := load().lower[r]; ok {
		return l
	}
	return r
}

// Fold returns all characters that match r when case is ignored, r among them.
func Fold(r rune) []rune {
	if f := load().fold[r]; f != nil {
		return f
	}
	return []rune{r}
}

// Several returns the two or three characters that r folds to, nil for one.
func Several(r rune) []rune { return load().several[r] }

// SeveralOf lists the characters that fold to several.
func SeveralOf() map[rune][]rune { return load().several }

// Folds lists the characters whose class has other members.
func Folds() map[rune][]rune { return load().fold }
