package sim

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// Shrink looks for a smaller run in which the same invariant does not hold: with fewer
// windows, faults and nodes. It tries up to so many runs, and returns the last that failed,
// the given one at worst.
func Shrink(ctx context.Context, c Config, found Result, tries int) (Config, Result, error) {
	c.Trace, c.Progress = nil, nil
	s := shrinker{ctx: ctx, config: c, result: found, invariant: found.Violations[0].Invariant, tries: tries}
	s.windows()
	s.faults()
	s.nodes()
	s.faults()
	s.spans()
	s.windows()
	return s.config, s.result, s.err
}

type shrinker struct {
	ctx       context.Context
	config    Config // the smallest that failed
	result    Result
	invariant Invariant
	tries     int
	err       error
}

// attempt takes a smaller Config over if it fails as the first did.
func (s *shrinker) attempt(c Config) bool {
	if s.tries <= 0 || s.err != nil || c.Check() != nil {
		return false
	}
	s.tries--
	r, err := Run(s.ctx, c)
	if err != nil {
		s.err = err
		return false
	}
	same := slices.ContainsFunc(r.Violations, func(v Violation) bool { return v.Invariant == s.invariant })
	if same {
		s.config, s.result = c, r
	}
	return same
}

// windows ends the run soon after it fails.
func (s *shrinker) windows() {
	for _, more := range []int{1, settling} {
		c := s.config
		c.Windows = s.result.Violations[0].Window + more
		if c.Windows < s.config.Windows {
			c.Faults = slices.DeleteFunc(slices.Clone(c.Faults), func(f Fault) bool { return f.From > c.Windows })
			if s.attempt(c) {
				return
			}
		}
	}
}

// faults leaves out as many as it can: halves first, then smaller parts (Zeller and
// Hildebrandt 2002, ddmin, without its tests of the parts alone).
func (s *shrinker) faults() {
	for size := (len(s.config.Faults) + 1) / 2; size > 0; size /= 2 {
		for at := 0; at < len(s.config.Faults); {
			c := s.config
			c.Faults = slices.Delete(slices.Clone(c.Faults), at, min(at+size, len(c.Faults)))
			if !s.attempt(c) {
				at += size
			}
		}
	}
}

// spans shortens what lasts for several windows.
func (s *shrinker) spans() {
	for i := range s.config.Faults {
		if f := s.config.Faults[i]; f.To > f.From {
			c := s.config
			c.Faults = slices.Clone(c.Faults)
			c.Faults[i].To = f.From
			s.attempt(c)
		}
	}
}

// nodes leaves out those of the highest numbers, and the faults that name them.
func (s *shrinker) nodes() {
	for _, count := range []func(*Config) *int{
		func(c *Config) *int { return &c.Miners },
		func(c *Config) *int { return &c.Validators },
		func(c *Config) *int { return &c.Aggregators },
	} {
		for step := *count(&s.config) / 2; step > 0; step /= 2 {
			for {
				c := s.config
				*count(&c) -= step
				c.Faults = slices.DeleteFunc(slices.Clone(c.Faults), func(f Fault) bool { return !c.has(f.Who) || !c.has(f.Of) })
				if *count(&c) < 1 || !s.attempt(c) {
					break
				}
			}
		}
	}
}

// has reports whether the network has a node of that name; other words are no names.
func (c *Config) has(name string) bool {
	if !isNode(name) {
		return true
	}
	role, number, _ := strings.Cut(name, "-")
	i, _ := strconv.Atoi(number)
	return i < map[string]int{"miner": c.Miners, "validator": c.Validators, "aggregator": c.Aggregators}[role]
}
