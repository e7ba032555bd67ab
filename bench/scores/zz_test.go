package scores

import (
	"slices"
	"testing"

	"templar/protocol"
)

func TestZZ(t *testing.T) {
	if *study != "zz" {
		t.Skip()
	}
	n := network{Name: "zz48", Seed: 1, Windows: 14, Small: true, Batches: slices.Repeat([]int{48}, 5), params: func(p *protocol.Params) {
		p.PagesPerWindow, p.ValidatorSampleRate = 48, 0.25
		p.Method = p.Method.With("momentum_decay", 0.9).With("topk_compression", 128).With("t_max", 82)
	}}
	r := recorded(t, n, book(t))
	t.Log(calibration([]result{r}))
	n = network{Name: "zz6m", Seed: 1, Windows: 14, Small: true, Batches: slices.Repeat([]int{6}, 5), params: func(p *protocol.Params) {
		p.PagesPerWindow, p.ValidatorSampleRate = 6, 0.5
		p.Method = p.Method.With("momentum_decay", 0.999).With("momentum_warmup", 5)
	}}
	r = recorded(t, n, book(t))
	t.Log(calibration([]result{r}))
}
