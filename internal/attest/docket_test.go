package attest_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"templar/internal/attest"
	"templar/internal/chain"
	"templar/internal/directory"
	"templar/internal/harness/testnet"
	"templar/internal/store"
	"templar/internal/store/mem"
	"templar/protocol"
	"templar/wire"
)

type electorate []directory.Peer

func (e electorate) Validators() []directory.Peer { return e }

func newBucket(t *testing.T) store.Bucket {
	t.Helper()
	s := mem.New(time.Now)
	b, err := s.Dial(store.Location{Bucket: "validator", AccessKey: "owner", Secret: "owner"})
	if err := errors.Join(err, s.CreateBucket("validator"), s.AddKeys(store.Key{AccessKey: "owner", Secret: "owner", Admin: true})); err != nil {
		t.Fatal(err)
	}
	return b
}

// A hostile validator with 40 % of the stake shows its charges to some nodes and not to others, or different ones to
// each, while honest validators charge different windows. All honest nodes come to know the same terms.
func TestChargesShownToSome(t *testing.T) {
	const w = protocol.Window(10)
	first, second := protocol.Hotkey{1}, protocol.Hotkey{2}
	charge := func(at protocol.Window, accused protocol.Hotkey) []wire.Charge {
		return []wire.Charge{{Window: at, Reason: wire.ReasonPayloads, Accused: accused}}
	}
	none := protocol.Hotkey{}
	// The stake of the hostile validator is 4, that of the honest ones 3, 2 and 1.
	honest := [][]wire.Charge{charge(8, first), charge(w, first), charge(w, second)}
	for name, shown := range map[string]map[string][]wire.Charge{
		"to no node":              {},
		"to one validator":        {"validator-3": charge(8, none)},
		"to the largest":          {"validator-1": charge(8, first)},
		"to a miner":              {"miner-0": charge(8, first)},
		"different ones":          {"validator-1": charge(w, first), "validator-2": charge(w, second), "validator-3": charge(9, none), "miner-0": charge(7, none), "aggregator-0": charge(w, none)},
		"of the same window":      {"validator-1": charge(w, first), "validator-3": charge(w, second), "miner-0": charge(w, second)},
		"to a validator, at last": {"miner-0": charge(8, none), "validator-2": charge(8, none)},
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 1, Validators: 4, Aggregators: 2}, func(net *testnet.Network) {
				readers := []string{"validator-1", "validator-2", "validator-3", "miner-0", "aggregator-0"}
				buckets := make([]store.Bucket, 4) // as all see them
				for i := range buckets {
					buckets[i] = newBucket(t)
				}
				put := func(b store.Bucket, by int, doc wire.Charges) {
					doc.Run = net.Run.Hash
					raw, err := wire.Seal(wire.DomainCharges, doc, net.Node(fmt.Sprintf("validator-%d", by)).Signer)
					if err == nil {
						err = store.PutBytes(net.Context(), b, protocol.ChargesKey(), raw, store.PutOptions{})
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				dockets := make(map[string]*attest.Docket)
				for _, reader := range readers {
					var e electorate
					for i, b := range buckets {
						if i == 0 {
							b = newBucket(t)
							if c, ok := shown[reader]; ok {
								put(b, 0, wire.Charges{Charges: c, Voids: []wire.Void{{Window: c[0].Window, Accused: c[0].Accused}}})
							}
						}
						e = append(e, directory.Peer{Neuron: chain.Neuron{Hotkey: net.Node(fmt.Sprintf("validator-%d", i)).Signer.Hotkey(), Stake: uint64(4 - i)}, Bucket: b})
					}
					dockets[reader] = &attest.Docket{Samples: net.Node("miner-0").Parts().Samples(), Directory: e, Judges: reader[0] == 'v'}
				}
				for i, c := range honest {
					put(buckets[i+1], i+1, wire.Charges{Charges: c})
				}
				for range 4 {
					for i, reader := range readers {
						d := dockets[reader]
						d.Refresh(net.Context(), nil)
						if i >= len(honest) {
							continue
						}
						raw, err := wire.EncodeEvidence(d.Evidence())
						if err == nil {
							err = store.PutBytes(net.Context(), buckets[i+1], protocol.EvidenceKey(), raw, store.PutOptions{})
						}
						if err != nil {
							t.Fatal(err)
						}
						voids := slices.SortedFunc(slices.Values(d.Terms().Voids()), func(a, b wire.Void) int { return cmp.Compare(a.Term, b.Term) })
						put(buckets[i+1], i+1, wire.Charges{Charges: honest[i], Voids: voids})
					}
				}
				want := dockets["validator-1"].Terms()
				if want.Of(w) == 0 {
					t.Error("nothing is void")
				}
				for _, reader := range readers {
					for at := protocol.Window(5); at < 13; at++ {
						if got := dockets[reader].Terms().Of(at); got != want.Of(at) {
							t.Errorf("%s: window %d has term %d+%d, for validator-1 %d+%d", reader, at, got.From(), got&0xffff, want.Of(at).From(), want.Of(at)&0xffff)
						}
					}
				}
			})
		})
	}
}

// Evidence that is too large, of strangers, or that shows nothing void, has no effect.
func TestEvidence(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 3, Aggregators: 2}, func(net *testnet.Network) {
		doc := func(by string, w protocol.Window) []byte {
			raw, err := wire.Seal(wire.DomainCharges, wire.Charges{Run: net.Run.Hash, Charges: []wire.Charge{{Window: w, Reason: wire.ReasonUpdate}}}, net.Node(by).Signer)
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
		forged := slices.Clone(doc("validator-0", 5))
		forged[len(forged)-10] ^= 1
		two := func(a, b []byte) [][]byte { return [][]byte{a, b} }
		for name, c := range map[string]struct {
			documents [][]byte
			void      bool
		}{
			"two of three":        {two(doc("validator-0", 5), doc("validator-1", 6)), true},
			"one":                 {[][]byte{doc("validator-0", 5)}, false},
			"one, twice":          {two(doc("validator-0", 5), doc("validator-0", 5)), false},
			"one, of two windows": {two(doc("validator-0", 5), doc("validator-0", 6)), false},
			"a stranger's":        {two(doc("validator-0", 5), doc("miner-0", 6)), false},
			"a forged one":        {two(forged, doc("validator-1", 6)), false},
		} {
			var e electorate
			for i := range 3 {
				e = append(e, directory.Peer{Neuron: chain.Neuron{Hotkey: net.Node(fmt.Sprintf("validator-%d", i)).Signer.Hotkey(), Stake: 1}, Bucket: newBucket(t)})
			}
			evidence := wire.Evidence{Voids: make([][]json.RawMessage, 1)}
			for _, d := range c.documents {
				evidence.Voids[0] = append(evidence.Voids[0], d)
			}
			raw, err := wire.EncodeEvidence(&evidence)
			if err == nil {
				err = store.PutBytes(net.Context(), e[2].Bucket.(store.Bucket), protocol.EvidenceKey(), raw, store.PutOptions{})
			}
			if err != nil {
				t.Fatal(err)
			}
			d := attest.Docket{Samples: net.Node("miner-0").Parts().Samples(), Directory: e, Judges: true}
			d.Refresh(net.Context(), nil)
			if got := d.Terms().Of(7); (got != 0) != c.void || c.void && got.From() != 6 || c.void != (len(d.Evidence().Voids) == 1) {
				t.Errorf("%s: term %d, evidence of %d", name, got, len(d.Evidence().Voids))
			}
		}
	})
}
