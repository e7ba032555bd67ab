package adversary

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Mix says how many cheaters of each kind take part.
type Mix []Count

// Count is a number of cheaters of one kind.
type Count struct {
	Kind Kind
	N    int
}

// maxCount bounds the cheaters of a kind: more than one machine can run.
const maxCount = 64

// Parse reads a Mix like "lazy=1,noise=2"; a kind alone counts for one (two of
// sybil and of collude), and "" is an empty Mix.
func Parse(text string) (Mix, error) {
	if text == "" {
		return nil, nil
	}
	var out Mix
	for part := range strings.SplitSeq(text, ",") {
		c, err := parseCount(part)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o Count) bool { return o.Kind == c.Kind }) {
			return nil, fmt.Errorf("%s appears twice", c.Kind)
		}
		out = append(out, c)
	}
	return out, nil
}

func parseCount(part string) (Count, error) {
	name, number, counted := strings.Cut(strings.TrimSpace(part), "=")
	c := Count{Kind: Kind(name), N: 1}
	least := 1
	switch {
	case c.Kind == Sybil || c.Kind == Collude: // alone it would be an honest miner
		least, c.N = 2, 2
	case !slices.Contains(Kinds(), c.Kind):
		return c, fmt.Errorf("no adversary %q: have %s", name, strings.Join(names(), ", "))
	}
	if counted {
		var err error
		if c.N, err = strconv.Atoi(number); err != nil {
			return c, fmt.Errorf("%s=%s: want a number", name, number)
		}
	}
	if c.N < least || c.N > maxCount {
		return c, fmt.Errorf("%s=%d: want %d to %d", name, c.N, least, maxCount)
	}
	return c, nil
}

func names() []string {
	var out []string
	for _, k := range Kinds() {
		out = append(out, string(k))
	}
	return out
}

// String is the Mix as Parse reads it.
func (m Mix) String() string {
	parts := make([]string, len(m))
	for i, c := range m {
		parts[i] = fmt.Sprintf("%s=%d", c.Kind, c.N)
	}
	return strings.Join(parts, ",")
}

// Member is one cheater.
type Member struct {
	Kind  Kind
	Index int // among those of its kind
}

// Name is the member's name in its network, like noise-0.
func (m Member) Name() string { return fmt.Sprintf("%s-%d", m.Kind, m.Index) }

// Members lists the cheaters, those of a kind beside each other.
func (m Mix) Members() []Member {
	var out []Member
	for _, c := range m {
		for i := range c.N {
			out = append(out, Member{c.Kind, i})
		}
	}
	return out
}
