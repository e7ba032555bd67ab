package collect_test

import (
	"bytes"
	"math"
	"reflect"
	"sync"
	"testing"
	"time"

	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/collect/collecttest"
	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

func encoded(t *testing.T, r collect.Summary) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReportGolden(t *testing.T) {
	golden(t, "report.json", encoded(t, collecttest.Played(3).Summary()))
}

func TestReportBeforeTheFirstEvent(t *testing.T) {
	golden(t, "empty.json", encoded(t, collect.NewCollector(collect.Meta{Preset: "tiny", UnigramEntropy: math.NaN()}).Summary()))
}

func TestReportIsACopy(t *testing.T) {
	c := collecttest.Played(3)
	before := encoded(t, c.Summary())
	r := c.Summary()
	r.Windows[2].StateHash["miner-0"] = protocol.Hash{}
	r.Windows[2].TrainingLoss["miner-0"] = 0
	r.Windows[2].Gathered[0] = 9
	r.Windows[2].Skipped[9] = protocol.VerdictLate
	r.Miners[2].Notes[0] = "changed"
	r.Miners[2].Validators["validator-0"] = collect.Standing{}
	if !bytes.Equal(before, encoded(t, c.Summary())) {
		t.Error("changing a report changed the collector")
	}
}

// one emits bodies of one node in one window, a second apart.
func one(c *collect.Collector, node string, role telemetry.Role, uid protocol.UID, w protocol.Window, bodies ...telemetry.Body) {
	for i, body := range bodies {
		c.Emit(telemetry.Event{Time: collecttest.Begin.Add(time.Duration(i) * time.Second), Node: node, Role: role, UID: uid, Window: w, Body: body})
	}
}

func TestProvisionalStateIsNotReported(t *testing.T) {
	c := collect.NewCollector(collect.Meta{})
	one(c, "miner-0", telemetry.Miner, 0, 7, telemetry.Applied{Provisional: true, Included: []protocol.UID{1}})
	if n := len(c.Summary().Windows); n != 0 {
		t.Errorf("%d windows reported, want none", n)
	}
	one(c, "miner-0", telemetry.Miner, 0, 7, telemetry.Applied{State: collecttest.Hash("s"), Aggregate: collecttest.Hash("a")})
	if got := c.Summary().Windows[0].StateHash["miner-0"]; got != collecttest.Hash("s") {
		t.Errorf("state after the repair is %v", got.Short())
	}
}

func TestFirstPublicationCounts(t *testing.T) {
	c := collect.NewCollector(collect.Meta{})
	one(c, "aggregator-0", telemetry.Aggregator, 0, 7, telemetry.Started{StartWindow: 7}, telemetry.Published{Hash: collecttest.Hash("a"), Bytes: 10, Ours: true})
	one(c, "aggregator-1", telemetry.Aggregator, 0, 7, telemetry.Phase{}, telemetry.Phase{}, telemetry.Published{Hash: collecttest.Hash("a"), Bytes: 99})
	one(c, "miner-0", telemetry.Miner, 0, 7, telemetry.Applied{State: collecttest.Hash("s"), Aggregate: collecttest.Hash("a"), AggregateBytes: 10})
	w := c.Summary().Windows[0]
	if w.Seconds != 1 || w.AggregateBytes != 10 {
		t.Errorf("seconds %v, aggregate bytes %d; want 1 and 10", w.Seconds, w.AggregateBytes)
	}
}

func TestReferenceIsAValidatorThatKeepsUp(t *testing.T) {
	c := collect.NewCollector(collect.Meta{})
	scored := telemetry.Scored{Miners: []score.Line{{Observation: score.Observation{UID: 4}, After: score.Record{Final: 1}}}}
	one(c, "validator-0", telemetry.Validator, 10, 20, scored)
	one(c, "validator-1", telemetry.Validator, 11, 22, scored)
	if got := c.Summary().ScoredBy; got != "validator-0" {
		t.Errorf("scored by %q, want the lowest uid", got)
	}
	one(c, "validator-1", telemetry.Validator, 11, 23, scored)
	if got := c.Summary().ScoredBy; got != "validator-1" {
		t.Errorf("scored by %q, though it has fallen behind", got)
	}
}

func TestResumedRunReportsAsOne(t *testing.T) {
	const windows, stop = 8, 4
	first := collect.NewCollector(collecttest.Meta(windows))
	(&collecttest.Script{Windows: stop, Emit: first.Emit}).Play(0)
	path := t.TempDir() + "/report.json"
	if err := first.Summary().WriteJSON(path); err != nil {
		t.Fatal(err)
	}
	earlier, err := collect.ReadJSON(path)
	if err != nil {
		t.Fatal(err)
	}
	second := collect.NewCollector(collecttest.Meta(windows))
	second.Resume(earlier)
	// The nodes first replay the last window: it must not lose what was known of it.
	replayed := earlier.Windows[stop-1]
	one(second, "miner-0", telemetry.Miner, 0, replayed.Window, telemetry.Applied{
		Aggregate: replayed.AggregateHash, State: replayed.StateHash["miner-0"], AggregateBytes: replayed.AggregateBytes,
		LearningRate: float32(replayed.LearningRate), Included: replayed.Gathered,
	})
	(&collecttest.Script{Windows: windows, Emit: second.Emit}).Play(stop)

	got, want := second.Summary(), collecttest.Played(windows).Summary()
	want.Windows[stop].Seconds = 3 // since the second process started, not since the window before
	want.Windows[stop].Utilisation, want.Windows[stop].MinerUtilisation = want.Windows[0].Utilisation, want.Windows[0].MinerUtilisation
	if !reflect.DeepEqual(got.Windows, want.Windows) {
		t.Errorf("windows differ:\n%v\n%v", got.Windows, want.Windows)
	}
	if got.Tokens != want.Tokens || got.InitialLoss != want.InitialLoss || got.FinalLoss != want.FinalLoss {
		t.Errorf("tokens %d, losses %v -> %v; want %d, %v -> %v", got.Tokens, got.InitialLoss, got.FinalLoss, want.Tokens, want.InitialLoss, want.FinalLoss)
	}
	if n := len(second.State().Losses); n != windows {
		t.Errorf("the live view knows %d losses, want %d", n, windows)
	}
}

func TestMergeGivesANewOwnerNothing(t *testing.T) {
	before := collect.Summary{Miners: []collect.Miner{{UID: 3, Hotkey: "old", Tokens: 5}, {UID: 4, Hotkey: "same", Tokens: 5}}}
	now := collect.Summary{Miners: []collect.Miner{{UID: 3, Hotkey: "new", Tokens: 1}, {UID: 4, Hotkey: "same", Tokens: 1}}}
	merged := now.Merge(before)
	if a, b := merged.Miners[0].Tokens, merged.Miners[1].Tokens; a != 1 || b != 6 {
		t.Errorf("tokens %d and %d, want 1 and 6", a, b)
	}
}

func TestDissenters(t *testing.T) {
	a, b := collecttest.Hash("a"), collecttest.Hash("b")
	for name, c := range map[string]struct {
		states map[string]protocol.Hash
		want   []string
	}{
		"no nodes": {nil, nil},
		"agreed":   {map[string]protocol.Hash{"m0": a, "m1": a}, nil},
		"minority": {map[string]protocol.Hash{"m0": b, "m1": a, "v0": a}, []string{"m0"}},
		"even":     {map[string]protocol.Hash{"m0": b, "m1": a}, []string{"m1"}},
	} {
		if got := (collect.Window{StateHash: c.states}).Dissenters(); len(got) != len(c.want) || (len(got) > 0 && !reflect.DeepEqual(got, c.want)) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestStateIsNotedWhenItDiffers(t *testing.T) {
	c := collect.NewCollector(collect.Meta{})
	a, b := telemetry.Applied{State: collecttest.Hash("a")}, telemetry.Applied{State: collecttest.Hash("b")}
	one(c, "miner-1", telemetry.Miner, 1, 7, a)
	one(c, "miner-0", telemetry.Miner, 0, 7, b)
	one(c, "miner-2", telemetry.Miner, 2, 7, a)
	notes := c.State().Notes
	if want := "window 7: miner-0 holds another state than the nodes before it: " + b.State.Short(); len(notes) != 1 || notes[0].Text != want {
		t.Errorf("notes %v, want %q alone", notes, want)
	}
}

func TestConcurrentUse(t *testing.T) {
	c := collect.NewCollector(collecttest.Meta(4))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { (&collecttest.Script{Windows: 4, Emit: c.Emit}).Play(0) })
		all.Go(func() {
			for range 50 {
				_ = c.State()
				_ = c.Summary().Encode(&bytes.Buffer{})
			}
		})
	}
	all.Wait()
	if n := len(c.Summary().Windows); n != 4 {
		t.Errorf("%d windows, want 4", n)
	}
}
