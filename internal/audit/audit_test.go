package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"templar/internal/audit"
	"templar/internal/engine/cpu"
	"templar/internal/harness/testnet"
	"templar/internal/model"
	"templar/internal/report"
	"templar/internal/run"
	"templar/internal/score"
	"templar/internal/store"
	"templar/protocol"
	"templar/state"
	"templar/wire"
)

const windows = 7

// records is what anyone can read of the network.
func records(net *testnet.Network, validators ...string) *audit.Records {
	x := net.Node("miner-0").Parts()
	r := &audit.Records{Run: x.Run, Clock: x.Clock, Chain: x.Chain, Aggregator: x.Aggregator, Dataset: []store.Reader{net.Bucket("dataset")}}
	party := func(name string) audit.Party {
		n := net.Node(name)
		return audit.Party{UID: n.UID, Hotkey: n.Signer.Hotkey(), Bucket: net.Bucket(name)}
	}
	for i, name := range validators {
		v := party(name)
		v.Stake = uint64(len(validators) - i)
		r.Validators = append(r.Validators, v)
	}
	for _, name := range []string{"miner-0", "miner-1", "miner-2"} {
		r.Miners = append(r.Miners, party(name))
	}
	return r
}

func verify(t *testing.T, net *testnet.Network, r *audit.Records, w protocol.Window) audit.Result {
	t.Helper()
	e, err := cpu.New(net.Run.Params.Model, cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	result, err := audit.Verify(net.Context(), r, audit.Options{Window: w, Scores: true, Engine: e})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// check is the first of a name.
func check(r audit.Result, name string) audit.Check {
	if i := slices.IndexFunc(r.Checks, func(c audit.Check) bool { return c.Name == name }); i >= 0 {
		return r.Checks[i]
	}
	return audit.Check{}
}

// faults lists what differs, each with its check.
func faults(r audit.Result) (out []string) {
	for _, c := range r.Checks {
		for _, f := range c.Faults {
			out = append(out, c.Name+": "+f)
		}
	}
	return out
}

// Every window of an honest run comes out as its nodes say, and nothing is unknown but
// whether anything stood before the first.
func TestVerifyHonestRun(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(windows)
		r := records(net, "validator-0", "validator-1")
		for i := range windows {
			w := net.Window(i)
			result := verify(t, net, r, w)
			if result.Differs() || result.State != net.States("miner-0")[w] {
				t.Errorf("window %d: state %s, faults %q", w, result.State.Short(), faults(result))
			}
			for _, c := range result.Checks {
				if c.Outcome == audit.Unknown && i > 0 {
					t.Errorf("window %d: %s is unknown: %s", w, c.Name, c.Detail)
				}
			}
			if n := len(result.Checks); n < 4+2*6 {
				t.Errorf("window %d: only %d checks", w, n)
			}
			rests := "theta_0, drawn from the run's seed"
			if i >= 4 {
				rests = "checkpoint-5 of validator uid 0: 2 validators with 100 % of all stake signed the state after window 4"
			}
			if got := check(result, "start"); !strings.HasPrefix(got.Detail, rests) {
				t.Errorf("window %d: rests on %q", w, got.Detail)
			}
		}
		r.Chain = nil
		if result := verify(t, net, r, net.Window(5)); result.Differs() {
			t.Errorf("without a chain: %q", faults(result))
		}
	})
}

// A run that begins with an imported model rests on the copy that a validator serves. Without one its state is
// unknown, not false.
func TestVerifyImportedStart(t *testing.T) {
	m, folder := testnet.Params().Model, t.TempDir()
	theta := model.Init(m, 77) // not the one that the run's seed draws
	if err := model.Save(folder, m, theta); err != nil {
		t.Fatal(err)
	}
	space, err := state.New(m.Layout())
	if err != nil {
		t.Fatal(err)
	}
	imported := func(p *protocol.Params) { p.Theta0 = space.Hash(theta) }
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2, Params: imported}, func(net *testnet.Network) {
		net.Node("validator-0").Config.Theta0 = folder
		net.Start()
		net.RunWindows(3)
		r := records(net, "validator-0", "validator-1")
		w := net.Window(1)
		result := verify(t, net, r, w)
		if result.Differs() || result.State != net.States("miner-0")[w] {
			t.Errorf("state %s, faults %q", result.State.Short(), faults(result))
		}
		if got := check(result, "start"); got.Outcome != audit.OK || !strings.HasPrefix(got.Detail, "theta_0, imported") {
			t.Errorf("rests on %+v", got)
		}
		r.Validators[0].Bucket = down{r.Validators[0].Bucket}
		result = verify(t, net, r, w)
		if got := check(result, "start"); result.Differs() || got.Outcome != audit.Unknown || !strings.Contains(got.Detail, "connection refused") {
			t.Errorf("without the copy: %+v, faults %q", got, faults(result))
		}
		r.Validators = r.Validators[1:]
		if got := check(verify(t, net, r, w), "start"); got.Outcome != audit.Unknown || !strings.Contains(got.Detail, "no validator serves it") {
			t.Errorf("with another validator alone: %+v", got)
		}
	})
}

// down is a bucket whose reports and checkpoints do not come.
type down struct{ store.Reader }

func (d down) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	if strings.HasPrefix(key, "report-") || strings.HasPrefix(key, "checkpoint-") {
		return nil, store.Info{}, errors.New("connection refused")
	}
	return d.Reader.Get(ctx, key, limit)
}

// What cannot be read is unknown, not a difference.
func TestSilenceIsNoLie(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(windows)
		r := records(net, "validator-0", "validator-1")
		r.Validators[0].Bucket = down{r.Validators[0].Bucket}
		result := verify(t, net, r, net.Window(5))
		if result.Differs() {
			t.Errorf("found %q", faults(result))
		}
		unknown := func(c audit.Check) bool {
			return c.Outcome == audit.Unknown && strings.Contains(c.Detail, "connection refused")
		}
		if !slices.ContainsFunc(result.Checks, unknown) {
			t.Errorf("%+v", result.Checks)
		}
	})
}

// Gradients past their retention are unknown; a missing one that is to be kept still is a difference.
func TestGradientsAreKept(t *testing.T) {
	short := func(p *protocol.Params) { p.PayloadWindows = p.LeastPayloadWindows() }
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2, Params: short}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(13)
		r := records(net, "validator-0", "validator-1")
		old, newer := net.Window(2), net.Window(12)
		if _, err := net.Bucket("aggregator").Head(net.Context(), protocol.ArchiveKey(old, 3)); err == nil {
			t.Error("the archive of an old window was not deleted")
		}
		if got := check(verify(t, net, r, old), "update"); got.Outcome != audit.Unknown || !strings.Contains(got.Detail, "kept for 8 windows") {
			t.Errorf("an old window: %+v", got)
		}
		if err := net.Bucket("aggregator").Delete(net.Context(), protocol.ArchiveKey(newer, 3)); err != nil {
			t.Fatal(err)
		}
		if got := check(verify(t, net, r, newer), "update"); got.Outcome != audit.Differs {
			t.Errorf("a new window: %+v", got)
		}
	})
}

// Each false statement is reported, with the node that made it.
func TestVerifyNamesForgeries(t *testing.T) {
	type network = *testnet.Network
	rewrite := func(change func(*report.Report)) func(*testing.T, network, protocol.Window) {
		return func(t *testing.T, net network, w protocol.Window) {
			v := net.Node("validator-1")
			key := protocol.ReportKey(w, v.UID)
			r, _, err := report.Decode(get(t, net, v.Name, key), net.Run.Params)
			if err != nil {
				t.Fatal(err)
			}
			change(r)
			b, err := r.Encode(v.Signer, net.Run.Params)
			if err != nil {
				t.Fatal(err)
			}
			put(t, net, v.Name, key, b)
		}
	}
	evaluated := func(r *report.Report) *report.Miner {
		return &r.Miners[slices.IndexFunc(r.Miners, func(m report.Miner) bool { return m.Losses != nil })]
	}
	type forgery struct {
		forge func(*testing.T, network, protocol.Window)
		says  string
	}
	cases := map[string]forgery{
		"losses":        {rewrite(func(r *report.Report) { evaluated(r).Losses.OwnAfter -= 1e-5 }), "losses of validator uid 1: uid 2: the loss on own pages after"},
		"own batch":     {rewrite(func(r *report.Report) { evaluated(r).Losses.Batches[0].After -= 1e-5 }), "losses of validator uid 1: uid 2: the loss on own batch 0 after"},
		"control":       {rewrite(func(r *report.Report) { evaluated(r).Losses.Batches[0].Control += 1e-5 }), "losses of validator uid 1: uid 2: the loss on own batch 0 after its control's step"},
		"whose control": {rewrite(func(r *report.Report) { evaluated(r).Losses.Control = nil }), "losses of validator uid 1: uid 2: its control is none in the report"},
		"batches":       {rewrite(func(r *report.Report) { evaluated(r).Losses.Batches = nil }), "losses of validator uid 1: uid 2: 0 batches of own pages in the report"},
		"final score":   {rewrite(func(r *report.Report) { r.Miners[1].After.Final += 1e-5 }), "scores of validator uid 1: uid 3: final score after the window"},
		"weight":        {rewrite(func(r *report.Report) { r.Miners[0].Weight += 1e-5 }), "scores of validator uid 1: uid 2: weight"},
		"penalty": {rewrite(func(r *report.Report) { r.Miners[0].Verdict = protocol.VerdictLate }),
			"scores of validator uid 1: uid 2: reasons"},
		"standing before": {rewrite(func(r *report.Report) { r.Miners[2].Before.Mu++ }), "standings before of validator uid 1: uid 4: mu before the window"},
		"the draw":        {rewrite(func(r *report.Report) { evaluated(r).Drawn = false }), "draws of validator uid 1: uid 2: drawn for evaluation is false"},
		"common pages":    {rewrite(func(r *report.Report) { r.CommonPages[0]++ }), "draws of validator uid 1: the common pages"},
		"own pages":       {rewrite(func(r *report.Report) { evaluated(r).OwnPages[0]++ }), "draws of validator uid 1: uid 2 was measured on other pages"},
		"included":        {rewrite(func(r *report.Report) { r.Miners[1].Included = false }), "report of validator uid 1: uid 3: inclusion of the judged gradient"},
		"seed":            {rewrite(func(r *report.Report) { r.Seed[0]++ }), "report of validator uid 1: the seed of the evaluation"},
		"state":           {rewrite(func(r *report.Report) { r.State[0]++ }), "report of validator uid 1: it measured from the state"},
		"sync":            {rewrite(func(r *report.Report) { r.Miners[0].Sync.StepsBehind = 2 }), "scores of validator uid 1: uid 2: sync score after the window"},
		"copy": {rewrite(func(r *report.Report) { r.Miners[0].Copy = &score.Copy{Of: 3, Indices: 1, Values: 1} }),
			"copies of validator uid 1: uid 2: a copy is true"},
		"another's signature": {func(t *testing.T, net network, w protocol.Window) {
			r, _, err := report.Decode(get(t, net, "validator-1", protocol.ReportKey(w, 1)), net.Run.Params)
			if err != nil {
				t.Fatal(err)
			}
			b, err := r.Encode(net.Node("validator-0").Signer, net.Run.Params)
			if err != nil {
				t.Fatal(err)
			}
			put(t, net, "validator-1", protocol.ReportKey(w, 1), b)
		}, "report of validator uid 1: report of validator uid 1 on window 6: signed by"},
		"archive": {func(t *testing.T, net network, w protocol.Window) {
			put(t, net, "aggregator", protocol.ArchiveKey(w, 3), get(t, net, "aggregator", protocol.ArchiveKey(w, 2)))
		}, "update: uid 3: the archived gradient"},
		"update": {func(t *testing.T, net network, w protocol.Window) {
			forge(t, net, w, func(a *run.Aggregate) { a.Included = a.Included[:2] })
		}, "update: "},
		"chain": {func(t *testing.T, net network, w protocol.Window) {
			forge(t, net, w, func(a *run.Aggregate) { a.Previous[0]++ })
		}, "chain: it follows"},
		"closing": {func(t *testing.T, net *testnet.Network, w protocol.Window) {
			forge(t, net, w, func(a *run.Aggregate) { a.Closing[0]++ })
		}, "closing statement: the aggregate names"},
		"not listed": {func(t *testing.T, net *testnet.Network, w protocol.Window) {
			forge(t, net, w, func(a *run.Aggregate) { a.Included[0].Content[0]++ })
		}, "closing statement: uid 2: the aggregate includes a gradient that it does not list"},
		"learning rate": {func(t *testing.T, net network, w protocol.Window) {
			forge(t, net, w, func(a *run.Aggregate) { a.LearningRate *= 1.001 })
		}, "aggregate: its learning rate"},
		"aggregator": {func(t *testing.T, net network, w protocol.Window) {
			b := get(t, net, "aggregator", protocol.AggregateKey(w, 0))
			b[len(b)-1] ^= 1
			put(t, net, "aggregator", protocol.AggregateKey(w, 0), b)
		}, "aggregate: the object is bad-signature"},
		"sample": {func(t *testing.T, net network, w protocol.Window) {
			resign(t, net, "miner-1", w, func(s *wire.Sample) { s.Values[7]++ })
		}, "state: uid 3 sampled other parameters"},
		"state hash": {func(t *testing.T, net network, w protocol.Window) {
			resign(t, net, "miner-1", w, func(s *wire.Sample) { s.State[0]++ })
		}, "state: uid 3 signed the state"},
	}
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(windows)
		w, r := net.Window(5), records(net, "validator-0", "validator-1")
		for name, c := range cases {
			truth := objects(t, net, w)
			c.forge(t, net, w)
			got := faults(verify(t, net, r, w))
			if !slices.ContainsFunc(got, func(f string) bool { return strings.HasPrefix(f, c.says) }) {
				t.Errorf("%s: found %q, want %q", name, got, c.says)
			}
			for at, body := range truth {
				put(t, net, at.bucket, at.key, body)
			}
		}
		lost := get(t, net, "validator-1", protocol.ReportKey(w-1, 1))
		if err := net.Bucket("validator-1").Delete(net.Context(), protocol.ReportKey(w-1, 1)); err != nil {
			t.Fatal(err)
		}
		if result := verify(t, net, r, w); result.Differs() {
			t.Errorf("with a report lost: %q", faults(result))
		} else if !slices.ContainsFunc(result.Checks, func(c audit.Check) bool {
			return c.Name == "standings before of validator uid 1" && c.Outcome == audit.Unknown
		}) {
			t.Errorf("with a report lost: %+v", result.Checks)
		}
		put(t, net, "validator-1", protocol.ReportKey(w-1, 1), lost)
		if result := verify(t, net, r, w); result.Differs() {
			t.Errorf("after all forgeries were undone: %q", faults(result))
		}
	})
}

// A sample that its miner replaces after validators have judged it is not a fault of theirs.
func TestSamplePutAgain(t *testing.T) {
	for says, change := range map[string]func(*wire.Sample){
		"uid 3 signed our state hash: true in the report": func(s *wire.Sample) { s.State[0]++ },
		"steps from our parameters; in the report 0":      func(s *wire.Sample) { s.Values[7]++ },
	} {
		testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
			net.Start()
			net.RunWindows(windows)
			resign(t, net, "miner-1", 5, change)
			result := verify(t, net, records(net, "validator-0", "validator-1"), 6)
			if result.Differs() {
				t.Errorf("%s: found %q", says, faults(result))
			}
			for _, v := range []string{"0", "1"} {
				c := check(result, "sync scores of validator uid "+v)
				if c.Outcome != audit.Unknown || !strings.Contains(c.Detail, "put again since") || !strings.Contains(c.Detail, says) {
					t.Errorf("%s: %+v", says, c)
				}
			}
		})
	}
}

type object struct{ bucket, key string }

// objects reads all objects of window w that a forgery changes.
func objects(t *testing.T, net *testnet.Network, w protocol.Window) map[object][]byte {
	t.Helper()
	out := make(map[object][]byte)
	for _, at := range []object{
		{"validator-1", protocol.ReportKey(w, 1)}, {"aggregator", protocol.AggregateKey(w, 0)},
		{"aggregator", protocol.ArchiveKey(w, 3)}, {"miner-1", protocol.SampleKey(w, 3)},
	} {
		out[at] = get(t, net, at.bucket, at.key)
	}
	return out
}

// resign changes a node's sync sample of window w.
func resign(t *testing.T, net *testnet.Network, node string, w protocol.Window, change func(*wire.Sample)) {
	t.Helper()
	n := net.Node(node)
	s, verdict := wire.DecodeSample(get(t, net, n.Name, protocol.SampleKey(w, n.UID)),
		wire.Expect{Run: net.Run.Hash, Window: w, UID: n.UID, Hotkey: n.Signer.Hotkey()}, net.Run.Params.SampleValues)
	if !verdict.OK() {
		t.Fatal(verdict)
	}
	change(s)
	b, err := wire.EncodeSample(s, n.Signer)
	if err != nil {
		t.Fatal(err)
	}
	put(t, net, n.Name, protocol.SampleKey(w, n.UID), b)
}

// forge changes an Aggregate and signs it again.
func forge(t *testing.T, net *testnet.Network, w protocol.Window, change func(*run.Aggregate)) {
	t.Helper()
	key := protocol.AggregateKey(w, 0)
	a, _, verdict := net.Run.Aggregate(get(t, net, "aggregator", key), w, 0)
	if !verdict.OK() {
		t.Fatal(verdict)
	}
	change(a)
	b, err := wire.EncodeAggregate(&a.Aggregate, net.Run.Format(), net.Node("aggregator-0").Signer)
	if err != nil {
		t.Fatal(err)
	}
	put(t, net, "aggregator", key, b)
}

func get(t *testing.T, net *testnet.Network, bucket, key string) []byte {
	t.Helper()
	body, _, err := net.Bucket(bucket).Get(net.Context(), key, -1)
	if err != nil {
		t.Fatal(key, err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, net *testnet.Network, bucket, key string, body []byte) {
	t.Helper()
	if _, err := net.Bucket(bucket).Put(net.Context(), key, bytes.NewReader(body), int64(len(body)), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// What is final, charged and void is read from what validators have signed.
func TestStanding(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2, Aggregators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(windows)
		w, r := net.Window(3), records(net, "validator-0", "validator-1") // with stakes of 2 and 1
		if s := r.StandingOf(net.Context(), r.Docket(net.Context()), w); !s.Final || s.Term != 0 || len(s.Charges) > 0 || s.String() != "final: 100 % of all stake signed the state after it" {
			t.Errorf("%+v: %v", s, s)
		}
		liar := net.Node("aggregator-0").Signer
		charge := func(node string, voids ...wire.Void) {
			v := net.Node(node)
			raw, err := wire.Seal(wire.DomainCharges, wire.Charges{Run: net.Run.Hash, Charges: []wire.Charge{{Window: w, Reason: wire.ReasonUpdate, Accused: liar.Hotkey()}}, Voids: voids}, v.Signer)
			if err != nil {
				t.Fatal(err)
			}
			put(t, net, node, protocol.ChargesKey(), raw)
		}
		charge("validator-1")
		s := r.StandingOf(net.Context(), r.Docket(net.Context()), w)
		if !s.Final || len(s.Void) > 0 || len(s.Charges) != 1 || !strings.HasSuffix(s.String(), "; validator uid 1 charges window "+fmt.Sprint(w)+" of term 0: update") {
			t.Errorf("charged by a third of the stake: %v", s)
		}
		if before := r.StandingOf(net.Context(), r.Docket(net.Context()), w-1); len(before.Charges) > 0 {
			t.Errorf("the window before: %v", before)
		}
		charge("validator-0", wire.Void{Window: w, Accused: liar.Hotkey()})
		s = r.StandingOf(net.Context(), r.Docket(net.Context()), w)
		if s.Final || s.Most != 0 || len(s.Charges) != 2 || len(s.Void) != 1 || s.Void[0].Accused != liar.Hotkey() || s.Term == 0 {
			t.Errorf("charged by all: %v", s)
		}
		if text := s.String(); !strings.HasPrefix(text, "not final: at most 0 %") || !strings.Contains(text, "term 0 is void from window "+fmt.Sprint(w)+" on, passing over aggregator "+liar.Hotkey().String()) {
			t.Errorf("charged by all: %s", text)
		}
	})
}

// A window whose state is not signed is final when a later one is, which follows from it. What is not says what is missing.
func TestUnsignedWindows(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(windows + 2)
		r := records(net, "validator-0", "validator-1")
		unsign := func(w protocol.Window) {
			for i, name := range []string{"validator-0", "validator-1"} {
				if err := net.Bucket(name).Delete(net.Context(), protocol.SampleKey(w, protocol.UID(i))); err != nil {
					t.Fatal(err)
				}
			}
		}
		finality := func(w protocol.Window) (audit.Check, audit.Check, string) {
			t.Helper()
			result, err := audit.Verify(net.Context(), r, audit.Options{Window: w})
			if err != nil {
				t.Fatal(err)
			}
			if final := check(result, "final"); result.Final != (final.Outcome == audit.OK) {
				t.Errorf("window %d: final %v: %+v", w, result.Final, final)
			}
			return check(result, "final"), check(result, "replay"), r.StandingOf(net.Context(), r.Docket(net.Context()), w).String()
		}
		unsign(net.Window(1))
		unsign(net.Window(2))
		by := fmt.Sprintf("after window %d, which follows from it", net.Window(3))
		if final, _, says := finality(net.Window(2)); final.Outcome != audit.OK || !strings.Contains(final.Detail, by) || !strings.Contains(says, by) {
			t.Errorf("a later state is signed: %+v, %s", final, says)
		}
		if _, replay, _ := finality(net.Window(3)); replay.Outcome != audit.OK || !strings.Contains(replay.Detail, "1 of 3; the others lead to one that is signed") {
			t.Errorf("two windows on the way are not signed: %+v", replay)
		}
		for i := 3; i < windows+2; i++ {
			unsign(net.Window(i))
		}
		final, replay, says := finality(net.Window(3))
		if final.Outcome != audit.Unknown || !strings.Contains(final.Detail, "more than half none of the") || !strings.HasPrefix(says, "not final") {
			t.Errorf("no later state is signed: %+v, %s", final, says)
		}
		if replay.Outcome != audit.Unknown || !strings.Contains(replay.Detail, fmt.Sprintf("none after window %d", net.Window(0))) {
			t.Errorf("no later state is signed: %+v", replay)
		}
	})
}

// A statement that a miner keeps and that is not the one that counts is named, with the proof that the two are.
func TestVerifyFindsTwoStatements(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(windows)
		w, r := net.Window(5), records(net, "validator-0", "validator-1")
		signed := net.Node("aggregator-0").Signer
		b, err := wire.EncodeClosing(&wire.Closing{Run: net.Run.Hash, Window: w, Aggregator: signed.Hotkey()}, signed)
		if err != nil {
			t.Fatal(err)
		}
		put(t, net, "miner-1", protocol.ClosingKey(w), b)
		got := faults(verify(t, net, r, w))
		if len(got) != 1 || !strings.HasPrefix(got[0], "closing statement: uid 3 was shown "+wire.ClosingHash(b).Short()) || !strings.HasSuffix(got[0], "the signatures of both prove it") {
			t.Errorf("found %q", got)
		}
	})
}
