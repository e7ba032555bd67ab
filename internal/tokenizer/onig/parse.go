package onig

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"templar/internal/tokenizer/ucd"
)

const (
	maxPattern = 16 << 10 // bytes of a pattern
	maxDepth   = 250      // of groups and classes in each other
	maxRepeat  = 100000   // Oniguruma's own bound
	maxGroups  = 1000     // that capture: every search sets all of them back
)

// options are those that (?imx) switches.
type options struct{ fold, dotall, extended bool }

type parser struct {
	text   string
	at     int
	o      options
	depth  int
	groups int
	names  map[string][]int
	named  bool // some group has a name: then only those capture
	refs   []reference
}

// reference is a backreference whose group may come later.
type reference struct {
	name   string
	number int
	groups *[]int
}

// refuse names what the package does not do.
func refuse(what string) error { return fmt.Errorf("%s is not supported", what) }

var errEnds = errors.New("pattern ends too early")

func parse(text string) (n node, groups int, err error) {
	if len(text) > maxPattern {
		return nil, 0, fmt.Errorf("pattern of %d bytes: at most %d", len(text), maxPattern)
	}
	if !utf8.ValidString(text) {
		return nil, 0, errors.New("pattern is not UTF-8")
	}
	p := &parser{text: text, names: make(map[string][]int), named: hasNames(text)}
	if n, err = p.alternation(); err != nil {
		return nil, 0, err
	}
	if p.at < len(p.text) {
		return nil, 0, errors.New("unmatched )")
	}
	return n, p.groups, p.resolve()
}

// hasNames tells whether some group has a name.
func hasNames(text string) bool {
	for i := 0; i+3 < len(text); i++ {
		if text[i] == '\\' {
			i++
		} else if text[i:i+2] == "(?" && (text[i+2] == '\'' || text[i+2] == '<' && text[i+3] != '=' && text[i+3] != '!') {
			return true
		}
	}
	return false
}

func (p *parser) resolve() error {
	for _, r := range p.refs {
		switch {
		case r.name != "":
			if *r.groups = p.names[r.name]; *r.groups == nil {
				return fmt.Errorf("group %q is not there", r.name)
			}
		case p.named || r.number < 1 || r.number > p.groups:
			return fmt.Errorf("group %d is not there", r.number)
		default:
			*r.groups = []int{r.number}
		}
	}
	return nil
}

func (p *parser) more() bool { return p.at < len(p.text) }

func (p *parser) peek(s string) bool { return strings.HasPrefix(p.text[p.at:], s) }

func (p *parser) accept(s string) bool {
	if p.peek(s) {
		p.at += len(s)
		return true
	}
	return false
}

func (p *parser) next() (rune, error) {
	if !p.more() {
		return 0, errEnds
	}
	r, n := utf8.DecodeRuneInString(p.text[p.at:])
	p.at += n
	return r, nil
}

// alternation reads up to a closing parenthesis or the end.
func (p *parser) alternation() (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("groups are more than %d deep", maxDepth)
	}
	outer := p.o
	defer func() { p.depth--; p.o = outer }()
	var branches alternate
	for {
		n, err := p.branch()
		if err != nil {
			return nil, err
		}
		branches = append(branches, n)
		if !p.accept("|") {
			break
		}
	}
	if len(branches) == 1 {
		return branches[0], nil
	}
	return branches, nil
}

// branch reads what stands between bars. Characters without a quantifier gather in one
// literal: some foldings are of several.
func (p *parser) branch() (node, error) {
	var parts sequence
	for p.more() && !p.peek("|") && !p.peek(")") {
		atom, err := p.atom()
		if err != nil {
			return nil, err
		}
		if atom == nil { // a comment, or space that does not count
			continue
		}
		quantified, err := p.quantified(atom)
		if err != nil {
			return nil, err
		}
		if l, ok := quantified.(literal); ok && len(parts) > 0 {
			if before, ok := parts[len(parts)-1].(literal); ok && before.fold == l.fold {
				parts[len(parts)-1] = literal{append(before.runes, l.runes...), l.fold}
				continue
			}
		}
		parts = append(parts, quantified)
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return parts, nil
}

// quantified reads the quantifiers behind an atom.
func (p *parser) quantified(n node) (node, error) {
	for p.more() {
		if p.o.extended {
			p.blank()
		}
		q, ok, possessive, err := p.quantifier()
		if err != nil || !ok {
			return n, err
		}
		if _, bad := n.(assertion); bad {
			return nil, refuse("a quantifier behind an anchor")
		}
		if l, bad := n.(look); bad {
			return nil, refuse(fmt.Sprintf("a quantifier behind a look-around (%v)", l.behind))
		}
		n = nest(q, n)
		if possessive {
			n = atomic{n}
		}
	}
	return n, nil
}

// blank skips what (?x) ignores.
func (p *parser) blank() {
	for p.more() {
		switch c := p.text[p.at]; {
		case c == ' ' || c >= '\t' && c <= '\r':
			p.at++
		case c == '#':
			end := strings.IndexByte(p.text[p.at:], '\n')
			if end < 0 {
				end = len(p.text) - p.at - 1
			}
			p.at += end + 1
		default:
			return
		}
	}
}

// quantifier reads one, if there is one. A brace that begins none is a character.
func (p *parser) quantifier() (q repeat, ok, possessive bool, err error) {
	if !p.more() {
		return
	}
	switch p.text[p.at] {
	case '?':
		q = repeat{max: 1}
	case '*':
		q = repeat{max: -1}
	case '+':
		q = repeat{min: 1, max: -1}
	case '{':
		return p.interval()
	default:
		return
	}
	p.at++
	if p.accept("?") {
		q.lazy = true
	} else if p.accept("+") {
		possessive = true
	}
	return q, true, possessive, nil
}

// interval reads {n}, {n,}, {,m} or {n,m}.
func (p *parser) interval() (q repeat, ok, possessive bool, err error) {
	end := strings.IndexByte(p.text[p.at:], '}')
	if end < 0 {
		return
	}
	low, high, comma := strings.Cut(p.text[p.at+1:p.at+end], ",")
	if !digits(low) || !digits(high) || low+high == "" {
		return
	}
	q = repeat{max: -1}
	if low != "" {
		q.min, err = strconv.Atoi(low)
	}
	if high != "" && err == nil {
		q.max, err = strconv.Atoi(high)
	}
	if !comma {
		q.max = q.min
	}
	if err != nil || q.min > maxRepeat || q.max > maxRepeat {
		return q, false, false, fmt.Errorf("repetition %q is more than %d", p.text[p.at:p.at+end+1], maxRepeat)
	}
	p.at += end + 1
	if q.max >= 0 && q.min > q.max { // Oniguruma reads {5,3} as (?>...){3,5}
		return q, false, false, refuse("a repetition whose bounds fall")
	}
	if comma && p.accept("?") {
		q.lazy = true
	}
	return q, true, false, nil
}

func digits(s string) bool {
	return strings.Trim(s, "0123456789") == "" && len(s) < 8
}

// popular is Oniguruma's number of ?, *, +, ??, *? and +?, -1 for others.
func (q *repeat) popular() int {
	kind := -1
	switch {
	case q.min == 0 && q.max == 1:
		kind = 0
	case q.min == 0 && q.max < 0:
		kind = 1
	case q.min == 1 && q.max < 0:
		kind = 2
	}
	if q.lazy && kind >= 0 {
		kind += 3
	}
	return kind
}

// nest puts a quantifier around a node. Of two around each other, Oniguruma makes one
// where it can, and that one decides about which match is preferred.
func nest(q repeat, n node) node {
	if q.min == 1 && q.max == 1 {
		return n
	}
	q.body = n
	inner, ok := n.(repeat)
	if !ok {
		return q
	}
	outerKind, innerKind := q.popular(), inner.popular()
	switch {
	case innerKind >= 0 && outerKind < 0:
		if (innerKind == 1 || innerKind == 2) && q.max > 1 && !q.lazy {
			q.max = max(q.min, 1)
		}
	case innerKind < 0 || outerKind < 0:
		if q.min == q.max && inner.min == inner.max {
			q.min, q.max, q.body = q.min*inner.min, q.max*inner.max, inner.body
			if q.min > maxRepeat {
				q.min, q.max = maxRepeat+1, maxRepeat+1 // the compiler refuses it
			}
		}
	default:
		return reduce(reductions[innerKind][outerKind], q, inner)
	}
	return q
}

// The reductions by kind of the inner and the outer quantifier: '.' leaves both, '-' drops
// the outer, '*', '+', 'a' (*?) and 'q' (??) replace both, 'p' makes (?:x+)??.
var reductions = [6]string{"-**qa.", "---pp-", "**-.p-", "-aa-aa", "------", ".*+aa-"}

func reduce(how byte, q, inner repeat) node {
	one := repeat{body: inner.body}
	switch how {
	case '-':
		return inner
	case '*':
		one.max = -1
	case '+':
		one.min, one.max = 1, -1
	case 'a':
		one.max, one.lazy = -1, true
	case 'q':
		one.max, one.lazy = 1, true
	case 'p':
		one.min, one.max = 1, -1
		return repeat{body: one, max: 1, lazy: true}
	default:
		return q
	}
	return one
}

// atom reads one character, class, group or assertion; nil for what does not count.
func (p *parser) atom() (node, error) {
	r, err := p.next()
	if err != nil {
		return nil, err
	}
	if p.o.extended && (r == ' ' || r >= '\t' && r <= '\r' || r == '#') {
		p.at--
		p.blank()
		return nil, nil
	}
	switch r {
	case '(':
		return p.group()
	case '[':
		return p.bracket()
	case '.':
		return p.dot(p.o.dotall), nil
	case '^', '$':
		return assertion(r), nil
	case '?', '*', '+':
		return nil, errors.New("a quantifier has nothing to repeat")
	case '{':
		p.at--
		if _, ok, _, err := p.interval(); ok || err != nil {
			return nil, errors.Join(errors.New("a quantifier has nothing to repeat"), err)
		}
		p.at++
	case '\\':
		return p.escape()
	}
	return p.char(r), nil
}

func (p *parser) char(r rune) node { return literal{[]rune{r}, p.o.fold} }

func (p *parser) dot(all bool) node {
	if all {
		return class{ucd.Set{{Lo: 0, Hi: ucd.MaxRune}}}
	}
	return class{ucd.Set{{Lo: '\n', Hi: '\n'}}.Negate()}
}

// group reads what follows an opening parenthesis.
func (p *parser) group() (node, error) {
	switch {
	case p.peek("*"):
		return nil, refuse("a callout (*...)")
	case !p.accept("?"):
		if p.named {
			return p.closed(func(n node) node { return group(n) })
		}
		return p.captured("")
	case p.accept("#"):
		return nil, p.comment()
	case p.accept(":"):
		return p.closed(func(n node) node { return group(n) })
	case p.accept("="):
		return p.closed(func(n node) node { return look{body: n} })
	case p.accept("!"):
		return p.closed(func(n node) node { return look{body: n, not: true} })
	case p.accept(">"):
		return p.closed(func(n node) node { return atomic{n} })
	case p.accept("<="):
		return p.closed(func(n node) node { return look{body: n, behind: true} })
	case p.accept("<!"):
		return p.closed(func(n node) node { return look{body: n, behind: true, not: true} })
	case p.accept("<"):
		return p.namedGroup('>')
	case p.accept("'"):
		return p.namedGroup('\'')
	case p.peek("~"):
		return nil, refuse("an absent operator (?~...)")
	case p.peek("("):
		return nil, refuse("a conditional (?(...)...)")
	case p.peek("{"), p.peek("@"):
		return nil, refuse("a callout or history (?{...}), (?@...)")
	}
	return p.switches()
}

// group keeps a literal of a group apart from the characters beside it. A repetition
// stays what it is, for quantifiers around it.
func group(n node) node {
	if l, ok := n.(literal); ok {
		return sequence{l}
	}
	return n
}

func (p *parser) closed(wrap func(node) node) (node, error) {
	n, err := p.alternation()
	if err != nil {
		return nil, err
	}
	if !p.accept(")") {
		return nil, errors.New("unmatched (")
	}
	return wrap(n), nil
}

func (p *parser) captured(name string) (node, error) {
	if p.groups++; p.groups > maxGroups {
		return nil, fmt.Errorf("more than %d groups that capture", maxGroups)
	}
	index := p.groups
	if name != "" {
		p.names[name] = append(p.names[name], index)
	}
	return p.closed(func(n node) node { return capture{n, index} })
}

func (p *parser) namedGroup(end rune) (node, error) {
	name, err := p.name(end)
	if err != nil {
		return nil, err
	}
	return p.captured(name)
}

func (p *parser) name(end rune) (string, error) {
	i := strings.IndexRune(p.text[p.at:], end)
	if i < 1 {
		return "", errors.New("a name of a group does not end")
	}
	name := p.text[p.at : p.at+i]
	p.at += i + 1
	if strings.ContainsAny(name, "+-") {
		return "", refuse(fmt.Sprintf("the relative reference %q", name))
	}
	return name, nil
}

func (p *parser) comment() error {
	for p.more() {
		switch p.text[p.at] {
		case '\\':
			p.at++
		case ')':
			p.at++
			return nil
		}
		p.at++
	}
	return errors.New("a comment does not end")
}

// switches reads options up to the group that they are for, or that is all they are: then
// they are for the rest of the group around, bars included.
func (p *parser) switches() (node, error) {
	o, on := p.o, true
	for {
		r, err := p.next()
		if err != nil {
			return nil, err
		}
		switch r {
		case '-':
			on = false
		case 'i':
			o.fold = on
		case 'm':
			o.dotall = on
		case 'x':
			o.extended = on
		case ':', ')':
			outer := p.o
			p.o = o
			n, err := p.alternation()
			p.o = outer
			if err != nil {
				return nil, err
			}
			if r == ':' && !p.accept(")") {
				return nil, errors.New("unmatched (")
			}
			return group(n), nil
		default:
			return nil, refuse(fmt.Sprintf("the option %q", "(?"+string(r)+")"))
		}
	}
}

// escape reads what follows a backslash outside of brackets.
func (p *parser) escape() (node, error) {
	if !p.more() {
		return nil, errEnds
	}
	switch c := p.text[p.at]; c {
	case 'A', 'z', 'Z', 'G', 'b', 'B':
		p.at++
		return assertion(c), nil
	case 'R':
		p.at++
		line := class{ucd.Set{{Lo: '\n', Hi: '\r'}, {Lo: 0x85, Hi: 0x85}, {Lo: 0x2028, Hi: 0x2029}}}
		return atomic{alternate{literal{runes: []rune("\r\n")}, line}}, nil
	case 'N', 'O':
		p.at++
		return p.dot(c == 'O'), nil
	case 'K', 'X', 'y', 'Y', 'g':
		return nil, refuse(`\` + string(c))
	case 'k':
		return p.namedReference()
	}
	if n := p.number(); n > 0 {
		return p.reference("", n), nil
	}
	if set, ok, err := p.classEscape(); ok || err != nil {
		return class{set}, err
	}
	r, err := p.charEscape()
	return p.char(r), err
}

func (p *parser) namedReference() (node, error) {
	p.at++
	var name string
	var err error
	switch {
	case p.accept("<"):
		name, err = p.name('>')
	case p.accept("'"):
		name, err = p.name('\'')
	default:
		return literal{[]rune{'k'}, p.o.fold}, nil
	}
	if err != nil {
		return nil, err
	}
	if n, err := strconv.Atoi(name); err == nil {
		return p.reference("", n), nil
	}
	return p.reference(name, 0), nil
}

// number reads a decimal backreference: one digit, or more where there are so many groups
// already. Others are octal.
func (p *parser) number() int {
	end := p.at
	for end < len(p.text) && p.text[end] >= '0' && p.text[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(p.text[p.at:end])
	if err != nil || p.text[p.at] == '0' || n > 9 && n > p.groups {
		return 0
	}
	p.at = end
	return n
}

func (p *parser) reference(name string, number int) node {
	groups := new([]int)
	p.refs = append(p.refs, reference{name, number, groups})
	return &lateReference{groups, p.o.fold}
}

// lateReference becomes a backref when all groups are known.
type lateReference struct {
	groups *[]int
	fold   bool
}

// classEscape reads \d, \p{...} and the like, in brackets and without.
func (p *parser) classEscape() (set ucd.Set, ok bool, err error) {
	c := p.text[p.at]
	switch c {
	case 'd', 'w', 's', 'h':
		p.at++
		return ucd.MustLookup(`\` + string(c)), true, nil
	case 'D', 'W', 'S', 'H':
		p.at++
		return ucd.MustLookup(`\` + strings.ToLower(string(c))).Negate(), true, nil
	case 'p', 'P':
		if !strings.HasPrefix(p.text[p.at+1:], "{") { // \pL is the letters p and L
			return nil, false, nil
		}
		end := strings.IndexByte(p.text[p.at:], '}')
		if end < 0 {
			return nil, false, errors.New("a property does not end")
		}
		name, not := strings.CutPrefix(p.text[p.at+2:p.at+end], "^")
		p.at += end + 1
		return property(name, not != (c == 'P'))
	}
	return nil, false, nil
}

func property(name string, not bool) (ucd.Set, bool, error) {
	key := strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '-' || r == '_':
			return -1
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, name)
	if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return nil, false, refuse(fmt.Sprintf(`the property \p{%s}`, name))
	}
	set, ok := ucd.Lookup(key)
	if !ok {
		return nil, false, refuse(fmt.Sprintf(`the property \p{%s}`, name))
	}
	if not {
		set = set.Negate()
	}
	return set, true, nil
}

// charEscape reads an escape that is one character.
func (p *parser) charEscape() (rune, error) {
	r, err := p.next()
	if err != nil {
		return 0, err
	}
	switch r {
	case 't', 'n', 'r', 'f', 'a', 'v', 'e':
		return rune("\t\n\r\f\a\v\x1b"[strings.IndexRune("tnrfave", r)]), nil
	case 'x':
		if p.peek("{") {
			return p.braced(16)
		}
		return p.code(16, 0, 2)
	case 'u':
		return p.code(16, 4, 4)
	case 'o':
		if p.peek("{") {
			return p.braced(8)
		}
	case 'c', 'C', 'M':
		return 0, refuse(`\` + string(r))
	case '0':
		return p.code(8, 0, 2)
	case '1', '2', '3', '4', '5', '6', '7':
		p.at--
		return p.code(8, 1, 3)
	}
	return r, nil
}

func (p *parser) braced(base int) (rune, error) {
	end := strings.IndexByte(p.text[p.at:], '}')
	if end < 0 {
		return 0, errors.New("a code does not end")
	}
	n, err := strconv.ParseUint(p.text[p.at+1:p.at+end], base, 32)
	if err != nil || n > ucd.MaxRune {
		return 0, refuse(fmt.Sprintf("the code %q", p.text[p.at:p.at+end+1]))
	}
	p.at += end + 1
	return rune(n), nil
}

// code reads least to most digits.
func (p *parser) code(base, least, most int) (rune, error) {
	end := p.at
	for end < len(p.text) && end-p.at < most && isDigit(p.text[end], base) {
		end++
	}
	digits := p.text[p.at:end]
	p.at = end
	if len(digits) < least {
		return 0, errors.New("a code has too few digits")
	}
	n, err := strconv.ParseUint("0"+digits, base, 32)
	if err != nil || most < 4 && n > 0x7f {
		return 0, refuse(fmt.Sprintf("the byte %q", digits))
	}
	return rune(n), nil
}

func isDigit(c byte, base int) bool {
	_, err := strconv.ParseUint(string(rune(c)), base, 8)
	return err == nil
}

func sortedRunes(m map[rune][]rune) []rune {
	out := make([]rune, 0, len(m))
	for r := range m {
		out = append(out, r)
	}
	slices.Sort(out)
	return out
}
