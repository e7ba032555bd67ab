package audit_test

import (
	"strings"
	"testing"

	"templar/internal/audit"
	"templar/internal/checkpoint"
	"templar/internal/simnet"
	"templar/protocol"
	"templar/wire"
)

// A checkpoint that its owner made up is named and passed over: what was computed is still the
// network's state.
func TestLyingCheckpoint(t *testing.T) {
	simnet.Test(t, simnet.Config{Miners: 3, Validators: 2}, func(net *simnet.Network) {
		net.Start()
		net.RunWindows(windows)
		x := net.Node("validator-0").Exchange()
		s, err := checkpoint.Load(net.Context(), net.Bucket("validator-0"), net.Run, 5, x.Signer.Hotkey())
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Params {
			s.Params[i] += 1e-2
		}
		if _, _, err := checkpoint.Save(net.Context(), x, net.Bucket("validator-0"), s); err != nil {
			t.Fatal(err)
		}
		result := verify(t, net, records(net, "validator-0", "validator-1"), 6)
		lie, start := check(result, "checkpoint"), check(result, "start")
		if lie.Outcome != audit.Differs || !strings.HasPrefix(lie.Detail, "checkpoint-5 of validator uid 0") || !strings.HasPrefix(lie.Faults[0], "100 % of the validators' stake signed another state after window 4") {
			t.Errorf("%+v", lie)
		}
		if start.Outcome != audit.OK || !strings.HasPrefix(start.Detail, "checkpoint-5 of validator uid 1: 2 validators") {
			t.Errorf("%+v", start)
		}
		if !result.Differs() || result.State != net.States("miner-0")[6] {
			t.Errorf("state %s, faults %q", result.State.Short(), faults(result))
		}
	})
}

// What nobody but the checkpoint's owner has signed is its owner's word, and is said to be.
func TestOwnersWord(t *testing.T) {
	simnet.Test(t, simnet.Config{Miners: 3, Validators: 2}, func(net *simnet.Network) {
		net.Start()
		net.RunWindows(windows)
		r := records(net, "validator-0", "validator-1")
		if err := net.Bucket("validator-1").Delete(net.Context(), protocol.SampleKey(4, 1)); err != nil {
			t.Fatal(err)
		}
		result := verify(t, net, r, 6)
		start := check(result, "start")
		if result.Differs() || start.Outcome != audit.Unknown || !strings.HasPrefix(start.Detail, "checkpoint-5 of validator uid 0: only its owner's word") {
			t.Errorf("%+v, faults %q", start, faults(result))
		}
		if err := net.Bucket("validator-0").Delete(net.Context(), protocol.SampleKey(4, 0)); err != nil {
			t.Fatal(err)
		}
		resign(t, net, "miner-1", 6, func(s *wire.Sample) { s.State[0]++ })
		got := faults(verify(t, net, r, 6))
		if last := got[len(got)-1]; !strings.HasPrefix(last, "state: or else it is checkpoint-5 of validator uid 0 that is false") {
			t.Errorf("%q", got)
		}
	})
}

// A majority that has signed another state after a window that is replayed contradicts; less
// does not.
func TestReplayIsWitnessed(t *testing.T) {
	for liar, want := range map[string]audit.Outcome{"validator-0": audit.Differs, "validator-1": audit.OK} {
		simnet.Test(t, simnet.Config{Miners: 3, Validators: 2}, func(net *simnet.Network) {
			net.Start()
			net.RunWindows(windows)
			resign(t, net, liar, 5, func(s *wire.Sample) { s.State[0]++ })
			result := verify(t, net, records(net, "validator-0", "validator-1"), 6)
			replay := check(result, "replay")
			if replay.Outcome != want || result.Differs() != (want == audit.Differs) {
				t.Errorf("%s lies: %+v, faults %q", liar, replay, faults(result))
			}
			if want == audit.Differs && !strings.HasPrefix(replay.Faults[0], "66.7 % of the validators' stake signed another state after window 5, 33.3 % this one") {
				t.Errorf("%q", replay.Faults)
			}
		})
	}
}
