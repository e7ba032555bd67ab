package rules

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"templar/internal/chain/bittensor/scale"
	"templar/protocol"
)

// The vectors are run by internal/cli/vectors. Here is what they do not have.

func TestWeigh(t *testing.T) {
	w := Weigh(map[protocol.UID]uint16{9: 100, 2: 50, 5: 0, 7: 1}, 3)
	if !slices.Equal(w.UIDs, []uint16{2, 7, 9}) || !slices.Equal(w.Values, []uint16{32768, 655, 65535}) || w.VersionKey != 3 {
		t.Errorf("%+v", w)
	}
	if w := Weigh(map[protocol.UID]uint16{1: 0}, 0); len(w.UIDs) != 0 {
		t.Errorf("%+v", w)
	}
	if w := Weigh(map[protocol.UID]uint16{1: 1, 2: 65535}, 0); w.Values[0] != 1 {
		t.Errorf("a weight vanished: %+v", w)
	}
}

// Each fault alone is found, and a sound one is not.
func TestCheckWeights(t *testing.T) {
	sound := Terms{Block: 1000, N: 5, UID: 1, Registered: true, Permit: true, LastUpdate: 100, RateLimit: 100, MinWeights: 2, MaxWeight: 65535, VersionKey: 4, Stake: 10, StakeRequired: 10}
	w := Weights{UIDs: []uint16{0, 2}, Values: []uint16{65535, 3}, VersionKey: 4}
	if why := sound.Check(w); why != "" {
		t.Fatal(why)
	}
	for want, change := range map[string]func(t *Terms, w *Weights){
		"not registered": func(t *Terms, _ *Weights) { t.Registered = false },
		"stake":          func(t *Terms, _ *Weights) { t.Stake = 9 },
		"version":        func(_ *Terms, w *Weights) { w.VersionKey = 3 },
		"in 5 blocks":    func(t *Terms, _ *Weights) { t.LastUpdate = 906 },
		"permit":         func(t *Terms, _ *Weights) { t.Permit = false },
		"uid 7":          func(_ *Terms, w *Weights) { w.UIDs = []uint16{0, 7} },
		"at least 3":     func(t *Terms, _ *Weights) { t.MinWeights = 3 },
		"largest weight": func(t *Terms, _ *Weights) { t.MaxWeight = 40000 },
	} {
		terms, weights := sound, w
		change(&terms, &weights)
		if why := terms.Check(weights); !strings.Contains(why, want) {
			t.Errorf("%q, want %q", why, want)
		}
	}
	self := sound
	self.Permit = false
	if why := self.Check(Weights{UIDs: []uint16{1}, Values: []uint16{65535}, VersionKey: 4}); why != "" {
		t.Errorf("weights for oneself: %s", why)
	}
}

// Runtimes without epochs as state: the epoch follows from the block's number.
func TestRevealByBlocks(t *testing.T) {
	// Of a run of runtime 218: committed in block 54, tempo 5, subnet 2; to be revealed in
	// blocks 57 to 62.
	r, err := Epochs{Block: 53, Tempo: 5, NetUID: 2}.At(1)
	if err != nil || r.First != 57 || r.End != 63 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, stateful := range []bool{true, false} {
		if _, err := (Epochs{Block: 5, Stateful: stateful}).At(1); err == nil {
			t.Error("a tempo of 0 has no epochs")
		}
	}
}

func TestWords(t *testing.T) {
	for name, want := range map[string]string{"HotKeyNotThere": "hot key not there (HotKeyNotThere)", "Module.BadURLForm": "bad url form (BadURLForm)", "pallet 7.error 200": "the runtime failed with pallet 7.error 200"} {
		if got := Reason(name); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzCommitment(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 4, 6, 1, 2, 3, 4, 5})
	f.Fuzz(func(_ *testing.T, b []byte) {
		if c, err := DecodeCommitment(b); err == nil {
			c.Data()
		}
	})
}

func FuzzNeurons(f *testing.F) {
	f.Add([]byte{0})
	two := append([]byte{8}, make([]byte, 2*leastNeuron)...)
	if list, err := DecodeNeurons(two); err != nil || len(list) != 2 {
		f.Fatal(list, err)
	}
	f.Add(two)
	f.Add(scale.AppendVec(nil, two))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = DecodeNeurons(b) })
}

func FuzzOutcomes(f *testing.F) {
	f.Add(`{"code":1010,"message":"Invalid Transaction","data":"Custom error: 6"}`)
	f.Add(`{"inBlock":"0x00"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var e ErrorObject
		if json.Unmarshal([]byte(text), &e) == nil {
			if o := Pool(e); o.Class == Failed && o.Reason == "" {
				t.Errorf("%s failed without a reason", text)
			}
		}
		Status(json.RawMessage(text))
		if Dispatch(text).Reason == "" {
			t.Errorf("%q has no reason", text)
		}
	})
}

func FuzzReveal(f *testing.F) {
	f.Add(uint64(1), uint64(360), uint64(0), uint64(0), uint64(0), uint64(0), uint64(1))
	f.Fuzz(func(_ *testing.T, block, tempo, last, pending, index, since, period uint64) {
		_, _ = Epochs{Block: block, Tempo: tempo, Last: last, Pending: pending, Index: index, SinceStep: since, Stateful: true}.At(period % 8)
	})
}
