package audit_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"templar/internal/audit"
	"templar/internal/checkpoint"
	"templar/internal/harness/testnet"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// A checkpoint that its owner made up is named and passed over: what was computed is still the
// network's state.
func TestLyingCheckpoint(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(windows)
		x := net.Node("validator-0").Parts()
		s, err := checkpoint.Load(net.Context(), net.Bucket("validator-0"), net.Run, 5, x.Signer.Hotkey())
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Params {
			s.Params[i] += 1e-2
		}
		if _, _, err := x.Saver().Save(net.Context(), net.Bucket("validator-0"), s); err != nil {
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

// Stake weighs what validators have signed: a minority makes nothing differ, and vouches for nothing.
// The owner of a checkpoint stands behind it, unless its own sample says otherwise.
func TestStakeDecides(t *testing.T) {
	const ok, differs, unknown = audit.OK, audit.Differs, audit.Unknown
	const led = "states after replayed windows that more than half of the validators' stake has signed: 0 of 1; the others lead to one that is signed" // the window that is verified is signed by all
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 3}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(windows)
		names := []string{"validator-0", "validator-1", "validator-2"}
		r, back := records(net, names...), []func(){}
		for _, c := range []struct {
			window protocol.Window // 5 starts from checkpoint-5, 6 replays window 5
			stakes [3]uint64
			says   [3]string // of the state after the window before
			check  string
			want   audit.Outcome
			detail string
		}{
			{5, [3]uint64{3, 2, 1}, [3]string{"", "other", ""}, "start", unknown, "checkpoint-5 of validator uid 0: signed by its owner only"},
			{5, [3]uint64{4, 2, 1}, [3]string{"", "other", ""}, "start", unknown, "checkpoint-5 of validator uid 0: signed by its owner only"},
			{5, [3]uint64{1, 2, 3}, [3]string{"", "other", ""}, "checkpoint", unknown, "checkpoint-5 of validator uid 0: not started from"},
			{5, [3]uint64{1, 2, 3}, [3]string{"", "other", ""}, "start", unknown, "checkpoint-5 of validator uid 2: signed by its owner only"},
			{5, [3]uint64{1, 1, 2}, [3]string{"", "", "other"}, "checkpoint", unknown, "checkpoint-5 of validator uid 0: not started from"},
			{5, [3]uint64{1, 2, 3}, [3]string{"", "other", "other"}, "checkpoint", differs, "checkpoint-5 of validator uid 0 is not the network's"},
			{5, [3]uint64{2, 1, 2}, [3]string{"other", "same", ""}, "checkpoint", unknown, "checkpoint-5 of validator uid 0: not started from"},
			{5, [3]uint64{1, 1, 2}, [3]string{"", "same", ""}, "start", unknown, "checkpoint-5 of validator uid 0: only 2 validators with 50 %"},
			{5, [3]uint64{2, 2, 3}, [3]string{"", "same", ""}, "start", ok, "checkpoint-5 of validator uid 0: 2 validators with 57.1 %"},
			{6, [3]uint64{3, 2, 1}, [3]string{"", "other", ""}, "replay", ok, led},
			{6, [3]uint64{3, 2, 1}, [3]string{"other", "", ""}, "replay", ok, led},
			{6, [3]uint64{3, 2, 1}, [3]string{"other", "", "other"}, "replay", differs, ""},
			{6, [3]uint64{3, 2, 1}, [3]string{"same", "", ""}, "replay", ok, led},
			{6, [3]uint64{3, 2, 1}, [3]string{"same", "", "same"}, "replay", ok, ""},
		} {
			for i, name := range names {
				key := protocol.SampleKey(c.window-1, protocol.UID(i))
				truth := get(t, net, name, key)
				back = append(back, func() { put(t, net, name, key, truth) })
				r.Validators[i].Stake = c.stakes[i]
				switch c.says[i] {
				case "other":
					resign(t, net, name, c.window-1, func(s *wire.Sample) { s.State[0]++ })
				case "":
					if err := net.Bucket(name).Delete(net.Context(), key); err != nil {
						t.Fatal(err)
					}
				}
			}
			result := verify(t, net, r, c.window)
			got := check(result, c.check)
			if got.Outcome != c.want || result.Differs() != (c.want == differs) || !strings.HasPrefix(got.Detail, c.detail) {
				t.Errorf("of stakes %v %q: %+v, faults %q", c.stakes, c.says, got, faults(result))
			}
			for _, put := range back {
				put()
			}
			back = nil
		}
	})
}

// A checkpoint that counts its steps from another start is not started from.
func TestCheckpointOfAnotherStart(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(windows)
		x := net.Node("validator-0").Parts()
		s, err := checkpoint.Load(net.Context(), net.Bucket("validator-0"), net.Run, 5, x.Signer.Hotkey())
		if err != nil {
			t.Fatal(err)
		}
		s.Start++
		if _, _, err := x.Saver().Save(net.Context(), net.Bucket("validator-0"), s); err != nil {
			t.Fatal(err)
		}
		result := verify(t, net, records(net, "validator-0", "validator-1"), 6)
		refused, start := check(result, "checkpoint"), check(result, "start")
		if refused.Outcome != audit.Unknown || !strings.Contains(refused.Detail, "it states that the run starts at window") {
			t.Errorf("%+v", refused)
		}
		if start.Outcome != audit.OK || !strings.HasPrefix(start.Detail, "checkpoint-5 of validator uid 1") {
			t.Errorf("%+v", start)
		}
	})
}

// hanging is a bucket whose checkpoints can be listed, or not even that, and never come.
type hanging struct {
	store.Reader
	list bool
}

func (h hanging) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	if strings.HasPrefix(key, "checkpoint-") {
		return nil, store.Info{}, testnet.Hanging(ctx)
	}
	return h.Reader.Get(ctx, key, limit)
}

func (h hanging) List(ctx context.Context, prefix, after string, max int) ([]store.Info, error) {
	if h.list && strings.HasPrefix(prefix, "checkpoint-") {
		return nil, testnet.Hanging(ctx)
	}
	return h.Reader.List(ctx, prefix, after, max)
}

// A store that hangs does not prevent the use of the next checkpoint, and of a thousand checkpoints
// of one validator only a few are read.
func TestCheckpointsThatTakeTime(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(windows)
		r := records(net, "validator-0", "validator-1")
		bucket := r.Validators[0].Bucket
		for _, list := range []bool{false, true} {
			r.Validators[0].Bucket = hanging{bucket, list}
			result := verify(t, net, r, 6)
			if start := check(result, "start"); start.Outcome != audit.OK || !strings.HasPrefix(start.Detail, "checkpoint-5 of validator uid 1") {
				t.Errorf("list %v: %+v", list, start)
			}
		}
		r.Validators[0].Bucket = bucket
		for next := net.Window(0); next <= 6; next++ {
			put(t, net, "validator-0", protocol.CheckpointPrefix(next)+"manifest.json", []byte("{}"))
			put(t, net, "validator-1", protocol.CheckpointPrefix(next)+"manifest.json", []byte("{}"))
		}
		result, tried := verify(t, net, r, 6), 0
		for _, c := range result.Checks {
			if c.Name == "checkpoint" {
				tried++
			}
		}
		if tried != 2*3 || result.Differs() || !strings.HasPrefix(check(result, "start").Detail, "theta_0") {
			t.Errorf("%d checkpoints tried, faults %q", tried, faults(result))
		}
	})
}

// A checkpoint that only its owner has signed is reported as such.
func TestOwnersWord(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(windows)
		r := records(net, "validator-0", "validator-1")
		if err := net.Bucket("validator-1").Delete(net.Context(), protocol.SampleKey(4, 1)); err != nil {
			t.Fatal(err)
		}
		result := verify(t, net, r, 6)
		start := check(result, "start")
		if result.Differs() || start.Outcome != audit.Unknown || !strings.HasPrefix(start.Detail, "checkpoint-5 of validator uid 0: signed by its owner only") {
			t.Errorf("%+v, faults %q", start, faults(result))
		}
		if err := net.Bucket("validator-0").Delete(net.Context(), protocol.SampleKey(4, 0)); err != nil {
			t.Fatal(err)
		}
		resign(t, net, "miner-1", 6, func(s *wire.Sample) { s.State[0]++ })
		got := faults(verify(t, net, r, 6))
		if last := got[len(got)-1]; !strings.HasPrefix(last, "state: or checkpoint-5 of validator uid 0 is false") {
			t.Errorf("%q", got)
		}
	})
}

// A majority that has signed another state after a window that is replayed contradicts; less
// does not.
func TestReplayIsWitnessed(t *testing.T) {
	for liar, want := range map[string]audit.Outcome{"validator-0": audit.Differs, "validator-1": audit.OK} {
		testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
			net.Start()
			net.RunWindows(windows)
			resign(t, net, liar, 5, func(s *wire.Sample) { s.State[0]++ })
			result := verify(t, net, records(net, "validator-0", "validator-1"), 6)
			replay := check(result, "replay")
			if replay.Outcome != want || result.Differs() != (want == audit.Differs) {
				t.Errorf("%s with a forged sample: %+v, faults %q", liar, replay, faults(result))
			}
			if want == audit.Differs && !strings.HasPrefix(replay.Faults[0], "66.7 % of the validators' stake signed another state after window 5, 33.3 % this one") {
				t.Errorf("%q", replay.Faults)
			}
		})
	}
}
