package attest_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"templar/internal/attest"
	"templar/internal/harness"
	"templar/internal/harness/testnet"
	"templar/internal/model"
	"templar/internal/workers"
	"templar/protocol"
	"templar/wire"
)

// Each validator's sample counts by its hash, if it has the values that belong to the hash.
func TestAttest(t *testing.T) {
	const w = protocol.Window(3)
	type state = attest.State
	same := func(*state) {}
	otherHash := func(s *state) { s.Hash[0]++ }
	otherAggregate := func(s *state) { s.Issue.Content[0]++ }
	copied := func(s *state) { s.Params = make([]float32, len(s.Params)) }
	drifted := func(s *state) {
		s.Hash[0]++
		s.Params = slices.Clone(s.Params)
		for i := range s.Params {
			s.Params[i] += 2e-2
		}
	}
	p := testnet.Params()
	m, err := harness.Methods().New(&p, workers.Pool{})
	if err != nil {
		t.Fatal(err)
	}
	steps := 2e-2 / m.StepSize(2) // Step counts windows applied
	for name, c := range map[string]struct {
		says    func(*state) // nil: nothing
		broken  bool
		unasked bool // the chain
		holder  bool
		agree   bool
		against bool
		apart   float64
	}{
		"the same":               {says: same, agree: true},
		"another hash":           {says: otherHash, against: true},
		"another aggregate":      {says: otherAggregate, against: true},
		"a drifted model":        {says: drifted, against: true, apart: steps},
		"a copied hash":          {says: copied},
		"nothing":                {},
		"unreachable":            {says: otherHash, broken: true},
		"the holder":             {says: otherHash, holder: true, agree: true},
		"the same, no chain":     {says: same, unasked: true, agree: true},
		"another hash, no chain": {says: otherHash, unasked: true, against: true, apart: math.NaN()},
		"copied, no chain":       {says: copied, unasked: true, agree: true}, // undetectable
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 1, Validators: 2}, func(net *testnet.Network) {
				net.CommitAll()
				for range 8 * net.Run.Params.BlocksPerWindow {
					if _, err := net.Chain.Advance(time.Now()); err != nil {
						t.Fatal(err)
					}
				}
				ours := state{Window: w, Step: 3, Issue: wire.Issue{Window: w, Content: protocol.Hash{1}}, Params: model.Init(net.Run.Params.Model, 1)}
				ours.Hash = net.Run.Space.Hash(ours.Params)
				v, x := net.Node("validator-0"), net.Node("miner-0").Parts()
				if c.says != nil {
					theirs := ours
					c.says(&theirs)
					if err := v.Parts().Samples().Post(net.Context(), v.Parts().Outbox(), theirs); err != nil {
						t.Fatal(err)
					}
				}
				if err := x.Directory.Refresh(net.Context()); err != nil {
					t.Fatal(err)
				}
				if c.broken {
					net.Break(v.Name, testnet.Unreachable)
				}
				holder := protocol.Hotkey{}
				if c.holder {
					holder = v.Signer.Hotkey()
				}
				validators := x.Directory.Validators()
				if c.unasked {
					x.Chain = nil
				}
				got := x.Samples().Attest(net.Context(), validators, ours, holder)
				stake := map[bool]uint64{true: 2000}
				if got.Agree != stake[c.agree] || got.Against != stake[c.against] || got.Total != 3000 {
					t.Errorf("%+v", got)
				}
				if signed := len(got.Signers) == 1; signed != (c.agree && !c.holder) || len(got.Unreachable) == 1 != c.broken {
					t.Errorf("%+v", got)
				}
				if math.IsNaN(got.Apart) != math.IsNaN(c.apart) || math.Abs(got.Apart-c.apart) > 1e-3 {
					t.Errorf("%v steps apart, want %v", got.Apart, c.apart)
				}
			})
		})
	}
}
