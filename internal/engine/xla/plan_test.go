package xla

import "testing"

// Memory is kept free for the vectors that a node will have, and for no others: a validator of 1.2 B parameters fits a card of
// 24 GB, which moments and a gradient would fill.
func TestMissingVectors(t *testing.T) {
	loaded := vector{}
	for name, c := range map[string]struct {
		engine   *Engine
		backward bool
		want     int
	}{
		"validator":              {engine: &Engine{}, want: 2},
		"validator, loaded":      {engine: &Engine{params: loaded}, want: 1},
		"validator, in a trial":  {engine: &Engine{params: loaded, kept: loaded}},
		"miner with local steps": {engine: &Engine{}, backward: true, want: 6},
		"miner without":          {engine: &Engine{set: Settings{NoSteps: true}}, backward: true, want: 3},
		"miner, loaded":          {engine: &Engine{set: Settings{NoSteps: true}, params: loaded}, backward: true, want: 2},
	} {
		if got := c.engine.missing(c.backward); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
