package main

import "testing"

// Contradictions between nodes and within one node's log are faults; other lines are not.
func TestRecord(t *testing.T) {
	applied := func(state, aggregate string) string {
		return `{"level":"INFO","msg":"applied","window":7,"state":"` + state + `","aggregate":"` + aggregate + `"}`
	}
	for name, c := range map[string]struct {
		lines []string // of miner-0 and of miner-1, in turn
		fault bool
	}{
		"agree":             {[]string{applied("a", "x"), applied("a", "x")}, false},
		"other states":      {[]string{applied("a", "x"), applied("b", "x")}, true},
		"other aggregates":  {[]string{applied("a", "x"), applied("a", "y")}, true},
		"own contradiction": {[]string{applied("a", "x"), `{"msg":"phase"}`, applied("b", "x")}, true},
		"published another": {[]string{`{"msg":"published","window":7,"aggregate":"x"}`, applied("a", "y")}, true},
		"a partial line":    {[]string{`{"msg":"appl`}, true},
		"a command's error": {[]string{"templar: the chain is away"}, false},
		"provisional":       {[]string{applied("a", "x"), `{"level":"WARN","msg":"applied provisionally","window":7}`}, false},
	} {
		r := newRecord()
		for i, line := range c.lines {
			r.line([]string{"miner-0", "miner-1"}[i%2], []byte(line))
		}
		if err := r.fault(); (err != nil) != c.fault {
			t.Errorf("%s: %v", name, err)
		}
	}
}
