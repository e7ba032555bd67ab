package evaluator_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"templar/internal/engine"
	"templar/internal/evaluator"
	"templar/internal/harness/testnet"
	"templar/internal/results"
	"templar/internal/store"
	"templar/internal/tasks"
	"templar/internal/telemetry"
	"templar/protocol"
)

// sets are two small tasks.
func sets(t *testing.T) []*tasks.Set {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"piqa.jsonl":       strings.Repeat(`{"goal": "a", "sol1": "b", "sol2": "cd", "label": 1}`+"\n", 3),
		"openbookqa.jsonl": strings.Repeat(`{"question_stem": "q", "choices": {"text": ["a", "b", "c"], "label": ["A", "B", "C"]}, "answerKey": "C"}`+"\n", 4),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := tasks.OpenAll(dir, tasks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// counting is an engine that counts what it measures, and fails at one batch of answers.
type counting struct {
	engine.Engine
	texts, answers int // batches
	fails          int // the batch of answers that does, from 1 on
}

func (c *counting) Loss(ctx context.Context, b engine.Batch) (engine.Loss, error) {
	c.texts++
	return c.Engine.Loss(ctx, b)
}

func (c *counting) RowLosses(ctx context.Context, b engine.Batch) ([]engine.Loss, error) {
	if c.answers++; c.answers == c.fails {
		return nil, errors.New("the device is away")
	}
	return c.Engine.RowLosses(ctx, b)
}

// published reads the records in the evaluator's bucket.
func published(t *testing.T, net *testnet.Network) (out []*results.Record) {
	t.Helper()
	b := net.Bucket("miner-2")
	var keys []string
	if err := store.EachKey(net.Context(), b, protocol.KindEvaluation.Prefix(), func(key string, _ protocol.Key) { keys = append(keys, key) }); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		raw, _, err := store.ReadAll(net.Context(), b, key, results.MaxSize)
		if err != nil {
			t.Fatal(err)
		}
		r, by, err := results.Decode(raw)
		if err != nil || by != net.Node("miner-2").Parts().Signer.Hotkey() || key != protocol.EvaluationKey(r.Window) {
			t.Fatalf("%s: %v", key, err)
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *results.Record) int { return int(a.Window) - int(b.Window) })
	return out
}

// Tasks are measured at the states of checkpoints and at the last one, held-out text at each; every state has a signed
// record in the bucket. An evaluator that is started again measures nothing twice, and reports the same.
func TestPublishesResults(t *testing.T) {
	// No checkpoint comes, so that the second process begins with theta_0, as the first.
	rare := func(p *protocol.Params) { p.CheckpointFrequency = 100 }
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 1, Params: rare}, func(net *testnet.Network) {
		net.Start("miner-2")
		const windows = 3
		cfg := evaluator.Config{Windows: windows, Batches: 1, Tasks: sets(t), TasksEvery: 2}
		first := &counting{}
		var measured []telemetry.Benchmarked
		watch := func(c *counting) func(*evaluator.Deps) {
			return func(d *evaluator.Deps) {
				c.Engine = d.Engine
				d.Engine = c
				heldOut := d.Events.Sink
				d.Events.Sink = telemetry.SinkFunc(func(e telemetry.Event) {
					heldOut.Emit(e)
					if b, ok := e.Body.(telemetry.Benchmarked); ok {
						measured = append(measured, b)
					}
				})
			}
		}
		_, heldOut, done := watched(t, net, cfg, watch(first))
		net.RunWindows(windows + 2)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		got := published(t, net)
		var withTasks []int
		for i, r := range got {
			if r.Window != net.Window(i)-1 || r.HeldOut.Tokens == 0 || r.Run != net.Run.Hash {
				t.Errorf("record %d is %+v", i, r)
			}
			if i > 0 && r.State != net.States("validator-0")[r.Window] {
				t.Errorf("record %d is of another state", i)
			}
			if len(r.Tasks) > 0 {
				withTasks = append(withTasks, i)
				if r.Tasks[0].Name != tasks.OpenBookQA || r.Tasks[0].Documents != 4 || r.Tasks[1].Documents != 3 || r.Tokenizer != "bytes" {
					t.Errorf("tasks %+v", r.Tasks)
				}
			}
		}
		if len(got) != windows+1 || !slices.Equal(withTasks, []int{0, 2, 3}) {
			t.Errorf("%d records, tasks in %v", len(got), withTasks)
		}
		if len(measured) != 3 || first.answers != 15 {
			t.Fatalf("%d results in %d batches", len(measured), first.answers)
		}
		if s := measured[2].Tasks[1]; s.Task != tasks.PIQA || s.Documents != 3 || s.Acc != float64(got[3].Tasks[1].Correct)/3 || s.Norm != float64(got[3].Tasks[1].Normed)/3 {
			t.Errorf("reported %+v, published %+v", s, got[3].Tasks[1])
		}

		// The bucket loses a record, and the next process finds that.
		if err := net.Bucket("miner-2").Delete(net.Context(), protocol.EvaluationKey(got[1].Window)); err != nil {
			t.Fatal(err)
		}
		again := &counting{}
		measured = nil
		_, later, done := watched(t, net, cfg, watch(again))
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		last := net.Window(windows - 1)
		if again.texts+again.answers != 0 || len(later()[last]) == 0 || later()[last][0].Loss != heldOut()[last][1].Loss || len(measured) == 0 {
			t.Errorf("started again, it measured %d batches of text and %d of answers, and reported %v and %v", again.texts, again.answers, later(), measured)
		}
		if n := len(published(t, net)); n != windows+1 {
			t.Errorf("%d records", n)
		}
	})
}

// A stop costs the task under way: those before it are kept.
func TestKeepsTasks(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 1}, func(net *testnet.Network) {
		net.Start("miner-2")
		net.RunWindows(1)
		cfg := evaluator.Config{Windows: 1, Batches: 1, Tasks: sets(t)}
		first, second := &counting{fails: 4}, &counting{}
		_, _, done := watched(t, net, cfg, func(d *evaluator.Deps) { first.Engine, d.Engine = d.Engine, first })
		if err := <-done; err == nil || !strings.Contains(err.Error(), "the device is away") {
			t.Fatal(err)
		}
		_, _, done = watched(t, net, cfg, func(d *evaluator.Deps) { second.Engine, d.Engine = d.Engine, second })
		net.RunWindows(2)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		// The second task of theta_0, of two batches, and both of the last state.
		if got := published(t, net); second.answers != 7 || len(got) != 2 || len(got[0].Tasks) != 2 {
			t.Errorf("%d batches of answers, records %+v", second.answers, got)
		}
		_, _, done = watched(t, net, cfg, func(d *evaluator.Deps) { d.Tokenizer = nil })
		if err := <-done; err == nil || !strings.Contains(err.Error(), "--tokenizer") {
			t.Errorf("%v", err)
		}
	})
}
