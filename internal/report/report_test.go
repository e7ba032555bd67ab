package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"templar/internal/harness/testnet"
	"templar/internal/report"
	"templar/internal/score"
	"templar/protocol"
	"templar/wire"
)

func TestEncodeAndDecode(t *testing.T) {
	signer, p := testnet.Key(t, 1), params()
	for _, want := range recorded(t) {
		b, err := want.Encode(signer, &p)
		if err != nil {
			t.Fatal(err)
		}
		got, by, err := report.Decode(b, &p)
		if err != nil || by != signer.Hotkey() || !reflect.DeepEqual(got, want) {
			t.Fatalf("window %d: signed by %s, %v", want.Window, by, err)
		}
	}
}

// A document has room for every slot that a chain can have, each with the largest line of a miner
// and all of them evaluated, and the limit is not much larger.
func TestMaxSizeFits(t *testing.T) {
	const slots = 4096
	p := params()
	p.UIDsPerWindow, p.PagesPerWindow, p.PageTokens = slots, 64, p.SequenceLength*p.BatchSize
	longest, most := -math.MaxFloat64/3, uint64(math.MaxUint64)
	pages := slices.Repeat([]uint64{most}, p.PagesPerWindow)
	record := score.Record{
		Rating: score.Rating{Mu: longest, Sigma: longest}, GradientScore: longest, BinaryAverage: longest, SyncScore: longest, Final: longest,
		Batches: longest, Gain: longest, TypicalGain: longest, Refused: most, Evaluations: most, LastEvaluated: protocol.Window(most), Waiting: most, InactiveWindows: most,
	}
	control, batches := protocol.UID(math.MaxUint16), make([]score.BatchLosses, p.PagesPerWindow)
	for i := range batches {
		batches[i] = score.BatchLosses{Before: score.Number(longest), After: score.Number(longest), Control: score.Number(longest)}
	}
	full := report.Miner{
		Content: protocol.Hash{1}, Stored: math.MinInt64, Registered: most, OwnPages: pages,
		Line: score.Line{
			Observation: score.Observation{
				Verdict: protocol.VerdictUnreachable,
				Copy:    &score.Copy{Of: math.MaxUint16, Indices: score.Number(longest), Values: score.Number(longest)},
				Sync: &score.Sync{Verdict: protocol.VerdictUnreachable, Distance: score.Distance{
					L2: score.Number(longest), MeanAbs: score.Number(longest), StepsBehind: score.Number(longest),
				}},
				Losses: &score.Losses{
					OwnBefore: score.Number(longest), OwnAfter: score.Number(longest), RandomBefore: score.Number(longest), RandomAfter: score.Number(longest),
					Control: &control, Batches: batches,
				},
			},
			Own: longest, Random: longest, Weight: longest,
		},
	}
	// At most one reason each of: standing, evaluation, activity, gradient, sample.
	for _, kind := range []score.Kind{score.KindNewHotkey, score.KindRefused, score.KindReset, score.KindShared, score.KindBlackout} {
		full.Reasons = append(full.Reasons, score.Reason{Kind: kind, Factor: longest, Detail: strings.Repeat("x", 256)})
	}
	r := recorded(t)[29]
	r.Miners, r.Unseen, r.CommonPages, r.Window = nil, nil, pages, protocol.Window(most)
	for i := range slots {
		m := full
		record.UID, record.Hotkey = protocol.UID(math.MaxUint16-slots+i), protocol.Hotkey{1, byte(i), byte(i >> 8)}
		m.Before, m.After, m.UID, m.Hotkey = record, record, record.UID, record.Hotkey
		r.Miners = append(r.Miners, m)
	}
	b, err := r.Encode(testnet.Key(t, 1), &p)
	if err != nil {
		t.Fatal(err)
	}
	if limit := report.MaxSize(&p); int64(len(b)) < limit/2 {
		t.Errorf("%d bytes, the limit is %d", len(b), limit)
	}
	if _, _, err := report.Decode(b, &p); err != nil {
		t.Error(err)
	}
	t.Logf("%d bytes of %d", len(b), report.MaxSize(&p))
}

// More miners than there can be are refused while they are read.
func TestListsAreBounded(t *testing.T) {
	for _, list := range []string{"miners", "unseen"} {
		b := []byte(`{"` + list + `":[` + strings.Repeat("{},", 4096) + `{}]}`)
		var r report.Report
		if err := json.Unmarshal(b, &r); err == nil || !strings.Contains(err.Error(), "4096 miners") || len(r.Miners)+len(r.Unseen) > 4096 {
			t.Errorf("%s: %v", list, err)
		}
	}
}

// What is wrong with a report of another node is found before anything of it is used.
func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*report.Report)
		says   string
	}{
		"another version":  {func(r *report.Report) { r.Version = 1 }, "version 1"},
		"before the start": {func(r *report.Report) { r.Start = r.Window + 1 }, "before start window"},
		"out of order":     {func(r *report.Report) { r.Miners[1].UID = r.Miners[0].UID }, "out of order"},
		"a hotkey twice":   {func(r *report.Report) { r.Miners[1].Hotkey = r.Miners[0].Hotkey }, "appears twice"},
		"two uids":         {func(r *report.Report) { r.Miners[1].After.UID++ }, "its records have different hotkeys or uids"},
		"another's score":  {func(r *report.Report) { r.Miners[1].After.Hotkey[0]++ }, "its records have different hotkeys"},
		"two hotkeys":      {func(r *report.Report) { r.Miners[1].Before.Hotkey[0]++ }, "its records have different hotkeys"},
		"a terminal code":  {func(r *report.Report) { r.Miners[0].Reasons = []score.Reason{{Detail: "\x1b[2J"}} }, "plain text"},
		"a long text":      {func(r *report.Report) { r.Miners[0].Reasons = []score.Reason{{Detail: strings.Repeat("x", 300)}} }, "256 bytes"},
		"many reasons":     {func(r *report.Report) { r.Miners[0].Reasons = make([]score.Reason, 17) }, "reasons"},
		"many miners":      {func(r *report.Report) { r.Unseen = slices.Repeat([]score.Record{{Hotkey: protocol.Hotkey{1}}}, 4096) }, "4096 miners"},
	} {
		r := recorded(t)[5]
		c.change(r)
		payload, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var into report.Report
		if err := json.Unmarshal(payload, &into); err != nil {
			t.Fatal(err)
		}
		if err := into.Validate(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that says %q", name, err, c.says)
		}
	}
	b, err := wire.Seal(wire.DomainPeers, recorded(t)[0], testnet.Key(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	p := params()
	if _, _, err := report.Decode(b, &p); err == nil {
		t.Error("a document that was signed for another use passes for a report")
	}
}

func TestNumber(t *testing.T) {
	for _, v := range []float64{0, 1.5, -1e-300, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN()} {
		b, err := json.Marshal(score.Number(v))
		var got score.Number
		if err == nil {
			err = json.Unmarshal(b, &got)
		}
		if err != nil || (float64(got) != v && !(math.IsNaN(v) && math.IsNaN(float64(got)))) {
			t.Errorf("%v becomes %s and then %v, %v", v, b, got, err)
		}
	}
	for _, b := range []string{`"nan"`, `"1"`, `"Inf"`, `true`, `[]`} {
		var got score.Number
		if err := json.Unmarshal([]byte(b), &got); err == nil {
			t.Errorf("%s is read as %v", b, got)
		}
	}
}

// Rescore finds every number that was changed, and names it.
func TestRescoreNames(t *testing.T) {
	p := params()
	for name, change := range map[string]func(*report.Miner){
		"mu": func(m *report.Miner) { m.After.Mu += 1e-4 }, "final score": func(m *report.Miner) { m.After.Final += 1e-5 },
		"binary average": func(m *report.Miner) { m.After.BinaryAverage += 1e-5 }, "weight": func(m *report.Miner) { m.Weight += 1e-5 },
		"own pages": func(m *report.Miner) { m.Own += 1e-5 }, "evaluated": func(m *report.Miner) { m.Evaluated = !m.Evaluated }, "reasons": func(m *report.Miner) { m.Reasons = append(m.Reasons, score.Reason{Kind: "x"}) },
	} {
		r := recorded(t)[10]
		change(&r.Miners[1])
		found, err := r.Rescore(&p)
		if err != nil || len(found) != 1 || found[0].UID != r.Miners[1].UID || !strings.Contains(found[0].What, name) {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
	}
}

// Follows finds changes of a standing between two windows, also of a miner that was not observed;
// a miner that lost its uid to another may be absent.
func TestFollows(t *testing.T) {
	hidden := score.Record{Hotkey: protocol.Hotkey{9}, UID: 99, Rating: score.Rating{Mu: 30, Sigma: 5}}
	newcomer := report.Miner{Line: score.Line{Reasons: []score.Reason{{Kind: score.KindNewHotkey, Factor: 1}}}}
	newcomer.Before = score.Record{Hotkey: protocol.Hotkey{8}, UID: 99}
	newcomer.After, newcomer.UID, newcomer.Hotkey = newcomer.Before, newcomer.Before.UID, newcomer.Before.Hotkey
	for name, c := range map[string]struct {
		change func(*report.Report)
		want   string
	}{
		"nothing": {func(*report.Report) {}, ""},
		"changed": {func(r *report.Report) { r.Unseen[0].Mu++ }, "mu before the window"},
		"dropped": {func(r *report.Report) { r.Unseen = nil }, "standing before the window"},
		"made up": {func(r *report.Report) {
			r.Unseen = append(r.Unseen, score.Record{Hotkey: protocol.Hotkey{7}, UID: 100})
		}, "standing before the window"},
		"replaced":   {func(r *report.Report) { r.Unseen, r.Miners = nil, append(r.Miners, newcomer) }, ""},
		"called new": {func(r *report.Report) { r.Miners[0].Reasons = newcomer.Reasons }, "standing before the window"},
	} {
		all := recorded(t)
		earlier, r := all[9], all[10]
		earlier.Unseen, r.Unseen = []score.Record{hidden}, []score.Record{hidden}
		c.change(r)
		found := r.Follows(earlier)
		if (len(found) == 0 && c.want != "") || (c.want == "" && len(found) > 0) ||
			(c.want != "" && !strings.Contains(found[0].What, c.want)) {
			t.Errorf("%s: found %v, want %q", name, found, c.want)
		}
	}
}

// FuzzReport: whatever a validator writes, nothing that reads it panics or hangs.
func FuzzReport(f *testing.F) {
	for _, r := range recorded(f)[:6] {
		b, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	p := params()
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &report.Report{}
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.DisallowUnknownFields()
		if dec.Decode(r) != nil || r.Validate() != nil {
			return
		}
		_, _ = r.Rescore(&p)
		r.Draw(&p)
		r.Follows(r)
		for i := range r.Miners {
			if _, ok := report.Explain([]*report.Report{r}, r.Miners[i].UID, &p); !ok {
				t.Errorf("uid %d cannot be explained", r.Miners[i].UID)
			}
		}
	})
}

// The explanations for an honest miner, an unreliable one, a copycat and one that has drifted.
func TestExplain(t *testing.T) {
	all, p := recorded(t), params()
	var out strings.Builder
	for _, c := range []struct {
		uid  protocol.UID
		last int // window
	}{{1, 30}, {2, 29}, {3, 28}, {3, 26}, {4, 28}, {5, 29}} {
		e, ok := report.Explain([]*report.Report{all[c.last-1], all[c.last-2]}, c.uid, &p)
		if !ok {
			t.Fatalf("uid %d cannot be explained", c.uid)
		}
		fmt.Fprintf(&out, "uid %d\n", e.UID)
		for _, s := range e.Windows {
			fmt.Fprintf(&out, "window %d: final %.4f, weight %.4f\n", s.Window, s.Final, s.Weight)
			for _, l := range s.Lines {
				fmt.Fprintf(&out, "  %s: %s\n", l.About, l.Says)
			}
		}
		for _, a := range e.Advice {
			fmt.Fprintf(&out, "advice: %s\n", a)
		}
		out.WriteByte('\n')
	}
	const file = "testdata/explain.txt"
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("explained:\n%s", out.String())
	}
	if _, ok := report.Explain(all[:1], 99, &p); ok {
		t.Error("explains an unknown uid")
	}
}

// Losses of other engines may differ by more, and no name makes the tolerance smaller than that of one engine.
func TestLossTolerance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{
		{"", "", 1e-6}, {"cpu float32", "cpu float32", 1e-6}, {"", "cpu float32", 1e-6},
		{"cpu float32", "cuda float32", 1e-5}, {"cpu float32", "cuda bf16", 1e-3}, {"cuda bf16", "cuda bf16", 1e-3}, {"", "anything", 1e-3},
	} {
		for _, got := range []float64{report.LossTolerance(c.a, c.b), report.LossTolerance(c.b, c.a)} {
			if got != c.want {
				t.Errorf("%q and %q: %g, want %g", c.a, c.b, got, c.want)
			}
		}
	}
}

func TestEngineName(t *testing.T) {
	for name, ok := range map[string]bool{"": true, "cuda bf16": true, "a\x1bb": false, strings.Repeat("x", 257): false} {
		r := &report.Report{Version: report.Version, Engine: name}
		if err := r.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
