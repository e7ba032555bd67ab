package onig

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// vectors are patterns with the parts that the original splits texts into; another file
// may be named in TEMPLAR_ONIG_VECTORS.
func vectors(tb testing.TB) (out []vector) {
	tb.Helper()
	name := os.Getenv("TEMPLAR_ONIG_VECTORS")
	if name == "" {
		name = "../../../testkit/hf/testdata/patterns.jsonl"
	}
	f, err := os.Open(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var v vector
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			tb.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

type vector struct {
	Pattern string   `json:"pattern"`
	Cases   [][2]any `json:"cases"`
}

// split cuts text at the matches, as the pre-tokenizer Split with Isolated does.
func split(p *Pattern, text string) (out []string) {
	at := 0
	add := func(s string) {
		if s != "" {
			out = append(out, s)
		}
	}
	p.All([]byte(text), func(lo, hi int) bool {
		add(text[at:lo])
		add(text[lo:hi])
		at = hi
		return true
	})
	add(text[at:])
	return out
}

func TestSplitsAsTheOriginal(t *testing.T) {
	refused, cases := 0, 0
	for _, v := range vectors(t) {
		p, err := Compile(v.Pattern)
		if err != nil {
			if refused++; !strings.Contains(err.Error(), "not supported") {
				t.Errorf("%s: %v", v.Pattern, err)
			}
			continue
		}
		for _, c := range v.Cases {
			var want []string
			for _, s := range c[1].([]any) {
				want = append(want, s.(string))
			}
			cases++
			if got := split(p, c[0].(string)); !slices.Equal(got, want) {
				t.Errorf("%s on %+q:\n got %+q\nwant %+q", v.Pattern, c[0], got, want)
			}
		}
	}
	t.Logf("%d cases, %d patterns refused", cases, refused)
}

// What begins like a named class but names none is a class in the class. The parts are those
// of tokenizers 0.23.3.
func TestClassesThatNameNone(t *testing.T) {
	for pattern, want := range map[string][]string{
		`[[:]a]+`:       {"x", ":a", "[]b", ":", "]^", "a"},
		`[[:]]+`:        {"x", ":", "a[]b", ":", "]^a"},
		`[[::]a]+`:      {"x", ":a", "[]b", ":", "]^", "a"},
		`[[:]x:]+`:      {"x:", "a[]b", ":", "]^a"},
		`[[:^]a:]]+`:    {"x:a[]b", ":]", "^a"},
		`[[:^^alpha:]]`: {"x", ":", "a", "[]b", ":", "]", "^", "a"},
		`[[:al:pha:]]`:  {"x", ":", "a", "[]b", ":", "]^", "a"},
	} {
		p, err := Compile(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
		} else if got := split(p, "x:a[]b:]^a"); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", pattern, got, want)
		}
	}
}

func TestRefusesByName(t *testing.T) {
	for pattern, want := range map[string]string{
		`(?~a)`: "absent", `\X`: `\X`, `\Ka`: `\K`, `(?<n>a)\g<n>`: `\g`, `(a)(?(1)b)`: "conditional", `(?W:a)`: "option", `(?s:.)`: "option",
		`\p{Age=6.0}`: "Age=6.0", `\p{IsAlpha}`: "IsAlpha", `(*FAIL)`: "callout", `\xe9`: "byte", `\cA`: `\c`, `[a-\d]`: "range", `a{5,3}`: "bounds",
		`(`: "unmatched (", `)`: "unmatched )", `[a`: "class", `[[:]`: "class", `[[:x:]a]`: "[:x:]", `[[:^:]a]`: "[:^:]", `*a`: "nothing to repeat", `(?:a?){2}`: "match nothing", `\b+`: "anchor", `\k<x>`: "group", `a{100001}`: "more than",
		`(?:(?:a{1000}){1000}){1000}`: "too many", `(?:(?:ab){1000}){1000}`: "too many", `(?:(?:ab){100}c){10000}`: "steps", strings.Repeat("(?:", 300) + "a" + strings.Repeat(")", 300): "deep", "a\xff": "UTF-8",
	} {
		if _, err := Compile(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: error %v, want %q", pattern, err, want)
		}
	}
}

// A pattern that goes back and back ends.
func TestStepsAreBounded(t *testing.T) {
	p, err := Compile(`(?:a|a)*b`)
	if err != nil {
		t.Fatal(err)
	}
	if got := split(p, strings.Repeat("a", 64)); len(got) != 1 {
		t.Errorf("%d parts", len(got))
	}
}

// A step that passes over much text counts for it.
func TestLongStepsAreBounded(t *testing.T) {
	long := strings.Repeat("a", 1<<15)
	for pattern, text := range map[string]string{
		`(?>[a]*)b`:          long + "cab",
		`(?=([a]*))\1b`:      long + "cab",
		`(?i:(?=([a]*))\1b)`: long + "cab",
	} {
		p, err := Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := split(p, text); len(got) != 1 {
			t.Errorf("%s: %d parts, so that all steps were taken", pattern, len(got))
		}
	}
}

// A long text has steps enough for a pattern that does not go back.
func TestLongTexts(t *testing.T) {
	p, err := Compile(`a|b`)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	p.All(bytes.Repeat([]byte("ab"), 1<<21), func(int, int) bool { n++; return true })
	if n != 1<<22 {
		t.Errorf("%d matches in %d characters", n, 1<<22)
	}
}

// What a short pattern makes of itself when repetitions are written out is bounded, and so
// are the tables of its classes.
func TestLargeProgramsAreRefused(t *testing.T) {
	var classes strings.Builder
	for r := rune(0x4e00); r < 0x4e00+1500; r++ {
		fmt.Fprintf(&classes, "[x%c]", r)
	}
	for _, pattern := range []string{
		"(?:" + strings.Repeat("a", 1000) + "){60000}",
		"(?:[^" + strings.Repeat("acegikmoqsuwy", 20) + `\p{L}]x){30000}`,
		"(?:a" + strings.Repeat("b{0}", 1000) + "){30000}",
		classes.String(),
	} {
		if _, err := Compile(pattern); err == nil || !strings.Contains(err.Error(), "steps") {
			t.Errorf("%.40s: error %.200v, want one of steps", pattern, err)
		}
	}
	if _, err := Compile(strings.Repeat("()", 2000)); err == nil || !strings.Contains(err.Error(), "groups") {
		t.Errorf("error %.200v, want one of groups", err)
	}
}

func FuzzCompile(f *testing.F) {
	for _, v := range vectors(f)[:60] {
		f.Add(v.Pattern, v.Cases[0][0].(string))
	}
	f.Add("[[:]a]+", "x:a")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 60 || len(text) > 60 {
			return
		}
		p, err := Compile(pattern)
		if err != nil {
			return
		}
		if got := strings.Join(split(p, text), ""); got != text {
			t.Fatalf("%q on %q gives %q", pattern, text, got)
		}
	})
}
