package evaluation_test

import (
	"context"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/evaluation"
	"templar/internal/harness"
	"templar/internal/harness/testnet"
	"templar/internal/model"
	"templar/internal/score"
	"templar/internal/store"
	"templar/internal/store/mem"
	"templar/internal/workers"
	"templar/protocol"
)

// counting counts forward passes over batches.
type counting struct {
	engine.Engine
	passes int
}

func (c *counting) Loss(ctx context.Context, b engine.Batch) (engine.Loss, error) {
	c.passes++
	return c.Engine.Loss(ctx, b)
}

// setup makes a bench on the embedded book, and n miners' gradients.
func setup(t testing.TB, p protocol.Params, threads, n int) (*evaluation.Bench, *counting, []float32, []evaluation.Subject) {
	t.Helper()
	c, err := harness.Methods().New(&p, workers.Pool{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := cpu.New(p.Model, cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	counter := &counting{Engine: e}
	b := &evaluation.Bench{Params: &p, Method: c, Engine: counter, Data: book(t, &p), Clock: clock.Wall{}}
	var subjects []evaluation.Subject
	for i := range n {
		g, err := c.Encode(model.Init(p.Model, uint64(i+1)))
		if err != nil {
			t.Fatal(err)
		}
		subjects = append(subjects, evaluation.Subject{UID: protocol.UID(i), Payload: g})
	}
	return b, counter, model.Init(p.Model, 100), subjects
}

func book(t testing.TB, p *protocol.Params) *data.Dataset {
	t.Helper()
	files := mem.New(time.Now)
	key := store.Key{AccessKey: "owner", Secret: "owner", Admin: true}
	if err := files.AddKeys(key); err != nil {
		t.Fatal(err)
	}
	if err := files.CreateBucket("dataset"); err != nil {
		t.Fatal(err)
	}
	bucket, err := files.Dial(store.Location{Bucket: "dataset", AccessKey: "owner", Secret: "owner"})
	if err != nil {
		t.Fatal(err)
	}
	corpus, err := data.Opticks()
	if err != nil {
		t.Fatal(err)
	}
	_, hash, err := data.Build(t.Context(), bucket, corpus, data.Bytes{}, data.BuildOptions{PageTokens: p.PageTokens})
	if err != nil {
		t.Fatal(err)
	}
	set, err := data.Open(t.Context(), bucket, hash)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

var plan = evaluation.Plan{Window: 7, Step: 5, First: protocol.Hash{1}, Seed: protocol.Hash{2}}

func measure(t testing.TB, b *evaluation.Bench, params []float32, subjects []evaluation.Subject) []*score.Losses {
	t.Helper()
	out, err := b.Measure(t.Context(), plan, params, subjects, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The same losses, to the last bit, with one thread and with many, for a miner alone and
// among others, and in any order; and the parameters are as they were.
func TestMeasure(t *testing.T) {
	b, _, params, subjects := setup(t, testnet.Params(), 1, 3)
	before := slices.Clone(params)
	want := measure(t, b, params, subjects)
	for i := range params {
		if math.Float32bits(params[i]) != math.Float32bits(before[i]) {
			t.Fatalf("parameter %d was %v and is %v", i, before[i], params[i])
		}
	}
	many, _, _, _ := setup(t, testnet.Params(), 3, 0)
	if got := measure(t, many, params, subjects); !reflect.DeepEqual(got, want) {
		t.Errorf("with three threads %v, with one %v", got, want)
	}
	turned := slices.Clone(subjects)
	slices.Reverse(turned)
	got := measure(t, b, params, turned)
	slices.Reverse(got)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("in another order %v, want %v", got, want)
	}
	alone, among := measure(t, b, params, subjects[1:2])[0], *want[1]
	if among.Control == nil || alone.Control != nil {
		t.Errorf("controls: alone %v, among others %v", alone.Control, among.Control)
	}
	among.Control, among.Batches = nil, slices.Clone(among.Batches)
	for i := range among.Batches {
		among.Batches[i].Control = 0
	}
	if !reflect.DeepEqual(*alone, among) {
		t.Errorf("alone %v, among others %v", *alone, among)
	}
	for i, e := range want {
		if e.RandomBefore != want[0].RandomBefore || e.OwnBefore == e.OwnAfter || e.RandomBefore == e.RandomAfter {
			t.Errorf("miner %d: %+v", i, e)
		}
		if i > 0 && e.OwnBefore == want[0].OwnBefore {
			t.Errorf("miners 0 and %d were measured on the same pages", i)
		}
	}
}

// Each miner costs four losses, one of them as another's control, and the window one more.
func TestCost(t *testing.T) {
	b, counter, params, subjects := setup(t, testnet.Params(), 1, 4)
	measure(t, b, params, subjects)
	p := b.Params
	batches := len(data.SampleBatches(plan.Seed, p.PagesPerWindow*p.PageTokens/(p.SequenceLength*p.BatchSize), p.ValidatorSampleRate))
	if want := (4*len(subjects) + 1) * batches; counter.passes != want {
		t.Errorf("%d forward passes for %d miners and %d batches a loss, want %d", counter.passes, len(subjects), batches, want)
	}
}

// A miner that cannot be measured stops the window, with an error that names the missing input.
func TestMeasureFails(t *testing.T) {
	b, _, params, subjects := setup(t, testnet.Params(), 1, 2)
	ctx, cancel := context.WithCancel(t.Context())
	before := slices.Clone(params)
	_, err := b.Measure(ctx, plan, params, subjects, func(i int) {
		if i == 1 {
			cancel()
		}
	})
	if err == nil || !slices.Equal(params, before) {
		t.Errorf("error %v, parameters restored: %v", err, slices.Equal(params, before))
	}
}

// BenchmarkWindow evaluates four miners, as one window of the tiny preset does, and, in
// turn, as the Python original counts: for each miner two copies of the model and four
// losses.
//
//	go test ./internal/evaluation -run XXX -bench Window
func BenchmarkWindow(b *testing.B) {
	tiny, err := protocol.Preset("tiny")
	if err != nil {
		b.Fatal(err)
	}
	bench, counter, params, subjects := setup(b, tiny, 0, 4)
	var took [2]time.Duration
	var passes [2]int
	timed := func(side int, work func()) {
		began, before := time.Now(), counter.passes
		work()
		took[side] += time.Since(began)
		passes[side] += counter.passes - before
	}
	for b.Loop() {
		timed(0, func() { measure(b, bench, params, subjects) })
		timed(1, func() {
			for i := range subjects {
				before, after := slices.Clone(params), slices.Clone(params)
				measure(b, bench, before, subjects[i:i+1]) // alone, so with a common loss of its own
				_ = after
			}
		})
	}
	for side, name := range []string{"ours", "theirs"} {
		b.ReportMetric(float64(passes[side])/float64(b.N*len(subjects)), name+"-passes/miner")
		b.ReportMetric(60*float64(b.N)/took[side].Seconds(), name+"-windows/min")
	}
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "times-faster")
}
