package node

import (
	"context"
	"errors"
	"strings"
	"testing"

	"templar/internal/config"
	"templar/internal/harness"
	"templar/internal/harness/testnet"
	"templar/internal/run"
	"templar/internal/store/check"
	"templar/internal/telemetry"
)

// A node whose device cannot be opened, or has no room for the model's state, could not start.
func TestReadyOpensTheDevice(t *testing.T) {
	r := must(run.New(testnet.Params(), harness.Methods()))(t)
	state := 3 * 4 * int64(r.Space.Size())
	for name, c := range map[string]struct {
		role telemetry.Role
		free int64
		err  error
		want check.Status // empty: no result
		says string
	}{
		"enough":        {role: telemetry.Miner, free: state, want: check.OK, says: "a card"},
		"not known":     {role: telemetry.Miner, want: check.OK, says: "a card"},
		"too little":    {role: telemetry.Miner, free: state - 1, want: check.Fail, says: "the state of a miner takes"},
		"less is right": {role: telemetry.Evaluator, free: state - 1, want: check.OK, says: "a card"},
		"not there":     {role: telemetry.Validator, err: errors.New("no driver"), want: check.Fail, says: "cuda:1: no driver"},
		"not needed":    {role: telemetry.Aggregator, err: errors.New("no driver")},
	} {
		var opened string
		probe := func(_ context.Context, device string) (string, int64, error) {
			opened = device
			return "a card", c.free, c.err
		}
		var got []check.Result
		ready := readiness{
			ctx: t.Context(), role: c.role, loaded: &r, ok: true, c: config.Node{Options: config.Options{Device: "cuda:1"}},
			env:    Env{Backends: Backends{Engines: map[string]EngineKind{"cpu": {}, "cuda": {Probe: probe}}}},
			report: func(r check.Result) { got = append(got, r) },
		}
		ready.device()
		if c.want == "" {
			if len(got) > 0 || opened != "" {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Status != c.want || !strings.Contains(got[0].Detail, c.says) || ready.ok != (c.want == check.OK) || (got[0].Fix == "") != ready.ok || opened != "cuda:1" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
