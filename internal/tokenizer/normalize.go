package tokenizer

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"templar/internal/tokenizer/ucd"
)

// normalizers compiles the normaliser of a file.
func normalizers(s *stage) (out []func([]byte) []byte, err error) {
	for _, part := range s.parts() {
		n, err := normalizer(&part)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func normalizer(s *stage) (func([]byte) []byte, error) {
	switch s.Type {
	case "NFC":
		return form(norm.NFC), nil
	case "NFD":
		return form(norm.NFD), nil
	case "NFKC":
		return form(norm.NFKC), nil
	case "NFKD":
		return form(norm.NFKD), nil
	case "Lowercase":
		return lower, nil
	case "StripAccents":
		marks := ucd.MustLookup("rust:mark")
		return func(text []byte) []byte {
			return bytes.Map(func(r rune) rune {
				if marks.Contains(r) {
					return -1
				}
				return r
			}, text)
		}, nil
	case "Strip":
		return strip(isTrue(s.StripLeft, true), isTrue(s.StripRight, true)), nil
	case "Prepend":
		return prepend([]byte(s.Prepend)), nil
	case "Replace":
		return replace(s)
	}
	return nil, fmt.Errorf("normalizer %q is not supported", s.Type)
}

// form normalises, but for characters that came into Unicode after the implementation's
// tables: those it leaves as they are.
func form(f norm.Form) func([]byte) []byte {
	inert := ucd.MustLookup("rust:inert")
	return func(text []byte) []byte {
		var out []byte
		from := 0
		for at := 0; at < len(text); {
			if text[at] < utf8.RuneSelf {
				at++
				continue
			}
			r, n := utf8.DecodeRune(text[at:])
			if inert.Contains(r) {
				out = append(append(out, f.Bytes(text[from:at])...), text[at:at+n]...)
				from = at + n
			}
			at += n
		}
		if from == 0 {
			return f.Bytes(text)
		}
		return append(out, f.Bytes(text[from:])...)
	}
}

// lower is Rust's: each character on its own, that of U+0130 two, without a final sigma.
func lower(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		b := text[0]
		if b < utf8.RuneSelf {
			if b >= 'A' && b <= 'Z' {
				b += 'a' - 'A'
			}
			out, text = append(out, b), text[1:]
			continue
		}
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, b)
		case r == 0x130:
			out = append(out, "i\u0307"...)
		default:
			out = utf8.AppendRune(out, ucd.Lower(r))
		}
		text = text[n:]
	}
	return out
}

func strip(left, right bool) func([]byte) []byte {
	spaces := ucd.MustLookup("rust:space")
	return func(text []byte) []byte {
		if left {
			text = bytes.TrimLeftFunc(text, spaces.Contains)
		}
		if right {
			text = bytes.TrimRightFunc(text, spaces.Contains)
		}
		return text
	}
}

// replace replaces a string, or the matches of a pattern.
func replace(s *stage) (func([]byte) []byte, error) {
	var find finder
	var err error
	switch {
	case s.Pattern != nil && s.Pattern.Regex != nil:
		find, err = newFinder(*s.Pattern.Regex)
	case s.Pattern != nil && s.Pattern.String != nil && *s.Pattern.String != "":
		find = newLiteral(*s.Pattern.String)
	default:
		err = fmt.Errorf("normalizer %q without a pattern is not supported", s.Type)
	}
	to := []byte(s.Content)
	return func(text []byte) []byte {
		var out []byte
		at := 0
		find(text, func(lo, hi int) bool {
			out = append(append(out, text[at:lo]...), to...)
			at = hi
			return true
		})
		if at == 0 && out == nil {
			return text
		}
		return append(out, text[at:]...)
	}, err
}

func prepend(prefix []byte) func([]byte) []byte {
	return func(text []byte) []byte {
		if len(text) == 0 {
			return text
		}
		return append(prefix[:len(prefix):len(prefix)], text...)
	}
}
