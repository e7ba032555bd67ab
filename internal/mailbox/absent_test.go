package mailbox_test

import (
	"testing"

	"templar/internal/mailbox"
	"templar/internal/run"
	"templar/protocol"
	"templar/wire"
)

func TestAbsent(t *testing.T) {
	aggregate := func(w protocol.Window, skipped ...protocol.UID) *run.Aggregate {
		a := &run.Aggregate{Aggregate: wire.Aggregate{Window: w}}
		for _, uid := range skipped {
			a.Skipped = append(a.Skipped, wire.Skipped{UID: uid, Verdict: protocol.VerdictMissing})
		}
		return a
	}
	for name, c := range map[string]struct {
		chain []*run.Aggregate
		next  protocol.Window
		want  bool // uid 3 is waited for
	}{
		"none":              {nil, 5, true},
		"one":               {[]*run.Aggregate{aggregate(4, 3)}, 5, true},
		"two in a row":      {[]*run.Aggregate{aggregate(3, 3, 7), aggregate(4, 2, 3)}, 5, false},
		"another":           {[]*run.Aggregate{aggregate(3, 2), aggregate(4, 2)}, 5, true},
		"back in the last":  {[]*run.Aggregate{aggregate(2, 3), aggregate(3, 3), aggregate(4)}, 5, true},
		"a window between":  {[]*run.Aggregate{aggregate(2, 3), aggregate(4, 3)}, 5, true},
		"an older chain":    {[]*run.Aggregate{aggregate(2, 3), aggregate(3, 3)}, 5, true},
		"three in a row":    {[]*run.Aggregate{aggregate(2, 3), aggregate(3, 3), aggregate(4, 3)}, 5, false},
		"seen twice in all": {[]*run.Aggregate{aggregate(2, 3), aggregate(3), aggregate(4, 3)}, 5, true},
	} {
		var absent mailbox.Absent
		for _, a := range c.chain {
			absent.Add(a)
		}
		if got := absent.Awaits(c.next, 3); got != c.want {
			t.Errorf("%s: waited for: %v", name, got)
		}
	}
}
