package lab

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"templar/internal/dashboard/collect"
	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/evaluator"
	"templar/internal/model"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/store/mem"
	"templar/protocol"
)

// Kinds of baselines.
const (
	Solo   = "solo"   // one node takes an AdamW step a batch, on the pages of all miners one after the other
	Dense  = "dense"  // an AdamW step a window along the mean gradient of all miners, in float32
	Signum = "signum" // as Dense, but the parameters move by the sign of the gradients' momentum (Bernstein et al. 2018, arXiv 1802.04434)
	DiLoCo = "diloco" // each miner takes AdamW steps as in Solo; the parameters move by the mean change, in float32
)

var kinds = []string{Solo, Dense, Signum, DiLoCo}

// Baseline trains without a network, roles or compression. It is Douillard et al. 2023 (arXiv 2311.08105) as DiLoCo.
type Baseline struct {
	Kind string `json:"kind"` // solo, dense, signum or diloco
	// The schedule of AdamW, with the meaning of SparseLoCo's parameters of these names. Signum takes its rates, and Beta1 as the
	// momentum's decay.
	InnerRate   float64 `json:"inner_learning_rate"`
	WarmupSteps int     `json:"inner_warmup_steps"`
	DecaySteps  int     `json:"inner_decay_steps"`
	FinalShare  float64 `json:"inner_final_share"`
	Beta1       float64 `json:"adam_beta1"`
	Beta2       float64 `json:"adam_beta2"`
	Eps         float64 `json:"adam_eps"`
	WeightDecay float64 `json:"weight_decay"`
	ClipNorm    float64 `json:"clip_norm"`
	// Outer is diloco's: SGD with Nesterov momentum. Momentum 0 is p <- p - outer_rate * mean.
	OuterRate     float64 `json:"outer_rate"`
	OuterMomentum float64 `json:"outer_momentum"`
}

func (b *Baseline) check() error {
	var errs []error
	if !slices.Contains(kinds, b.Kind) {
		errs = append(errs, fmt.Errorf("baseline: kind is %q: want one of %s", b.Kind, strings.Join(kinds, ", ")))
	}
	if err := b.adamW(0).Validate(); err != nil {
		errs = append(errs, fmt.Errorf("baseline: %w", err))
	}
	if b.DecaySteps < 1 || b.WarmupSteps < 0 || !(b.FinalShare >= 0 && b.FinalShare <= 1) {
		errs = append(errs, errors.New("baseline: inner_decay_steps: want 1 or more; inner_warmup_steps: 0 or more; inner_final_share: 0 to 1"))
	}
	if b.Kind == DiLoCo && (!(b.OuterRate > 0) || !(b.OuterMomentum >= 0 && b.OuterMomentum < 1)) {
		errs = append(errs, errors.New("baseline: outer_rate: want more than 0; outer_momentum: 0 to 1"))
	}
	return errors.Join(errs...)
}

// adamW is step n of the run: linear warm-up, then half a cosine.
func (b *Baseline) adamW(n int) engine.AdamW {
	rate := b.InnerRate
	if n < b.WarmupSteps {
		rate *= float64(n+1) / float64(b.WarmupSteps)
	} else {
		at := min(float64(n-b.WarmupSteps)/float64(max(b.DecaySteps, 1)), 1)
		rate *= b.FinalShare + (1-b.FinalShare)*(1+math.Cos(math.Pi*at))/2
	}
	return engine.AdamW{LearningRate: rate, Beta1: b.Beta1, Beta2: b.Beta2, Eps: b.Eps, WeightDecay: b.WeightDecay, MaxNorm: b.ClipNorm}
}

// bench is a baseline under way.
type bench struct {
	*Variant
	*Baseline
	run    run.Run
	data   *data.Dataset
	engine engine.Engine
	params []float32
	full   []engine.Batch // held-out text
	sample []engine.Batch
	now    Point
	points []Point
	o      Options

	moments  []engine.Moments // of each miner
	steps    []int            // of AdamW that each has taken
	momentum []float32        // of the outer step, or of Signum
}

func (v *Variant) trainBaseline(ctx context.Context, env Env, o Options) (t Trained, err error) {
	b, text, err := v.newBench(ctx, env, o)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, b.engine.Close()) }()
	err = b.all(ctx)
	t.Points, t.Utilise = b.points, collect.Unknown()
	t.Report = b.report(text)
	if err == nil {
		t.Model, t.State = b.params, b.run.Space.Hash(b.params)
	}
	return t, err
}

// newBench makes the dataset and the initial parameters, those of a network with the same seed.
func (v *Variant) newBench(ctx context.Context, env Env, o Options) (*bench, data.Corpus, error) {
	p := v.runParams(o.Seed)
	text, err := v.corpus()
	if err != nil {
		return nil, text, err
	}
	bucket, err := bucketOf("dataset")
	if err != nil {
		return nil, text, err
	}
	if _, p.DatasetHash, err = data.Build(ctx, bucket, text, data.Bytes{}, data.BuildOptions{PageTokens: p.PageTokens}); err != nil {
		return nil, text, err
	}
	b := &bench{
		Variant: v, Baseline: v.Baseline, o: o, params: model.Init(p.Model, p.Seed),
		moments: make([]engine.Moments, v.Miners), steps: make([]int, v.Miners),
	}
	if b.run, err = run.New(p, env.Methods); err != nil {
		return nil, text, err
	}
	if b.data, err = data.Open(ctx, bucket, p.DatasetHash); err != nil {
		return nil, text, err
	}
	tokens, err := b.data.HeldOut(ctx)
	if err != nil {
		return nil, text, err
	}
	all := data.Batches(tokens, p.SequenceLength, p.BatchSize)
	if len(all) == 0 {
		return nil, text, errors.New("the text is too short: it has no held-out part")
	}
	b.full, b.sample = evaluator.Spread(all, evaluator.FullBatches), evaluator.Spread(all, v.Evaluate.Batches)
	b.engine, err = env.Engine(p.Model)
	return b, text, err
}

func bucketOf(name string) (store.Bucket, error) {
	s := mem.New(time.Now)
	err := errors.Join(s.CreateBucket(name), s.AddKeys(store.Key{AccessKey: "lab", Secret: "lab", Admin: true}))
	if err != nil {
		return nil, err
	}
	return s.Dial(store.Location{Bucket: name, AccessKey: "lab", Secret: "lab"})
}

func (b *bench) all(ctx context.Context) error {
	if err := b.measure(ctx, b.full); err != nil {
		return err
	}
	train := map[string]func(context.Context, protocol.Window) error{Solo: b.solo, Dense: b.dense, Signum: b.dense, DiLoCo: b.diloco}[b.Kind]
	for w := range b.Windows {
		if b.o.Window != nil {
			b.o.Window(w)
		}
		if err := train(ctx, protocol.Window(w)); err != nil {
			return err
		}
		b.now.Window++
		last := b.now.Window == b.Windows
		if !last && b.now.Window%b.Evaluate.Every != 0 {
			continue
		}
		batches := b.sample
		if last {
			batches = b.full
		}
		if err := b.measure(ctx, batches); err != nil {
			return err
		}
	}
	return nil
}

// measure adds a point.
func (b *bench) measure(ctx context.Context, batches []engine.Batch) error {
	if err := b.engine.Load(ctx, b.params); err != nil {
		return err
	}
	sum, err := engine.Losses(ctx, b.engine, batches)
	if err != nil {
		return err
	}
	b.now.Loss = sum.Mean()
	b.points = append(b.points, b.now)
	if b.o.HeldOut != nil {
		b.o.HeldOut(b.now)
	}
	return nil
}

// batches are a miner's of a window.
func (b *bench) batches(ctx context.Context, w protocol.Window, miner int) (out []engine.Batch, err error) {
	p := b.run.Params
	hash := sha256.Sum256(fmt.Appendf(nil, "%s window %d", p.Run, w))
	return b.data.Batches(ctx, data.Assign(hash, protocol.UID(miner), w, b.data.Pages(p.PageTokens), p.PagesPerWindow), p)
}

// descend takes a miner's AdamW steps of a window on the engine's parameters.
func (b *bench) descend(ctx context.Context, w protocol.Window, data, miner int) error {
	batches, err := b.batches(ctx, w, data)
	if err != nil {
		return err
	}
	for _, batch := range batches {
		if err := b.engine.ClearGradient(ctx); err != nil {
			return err
		}
		if err := b.accumulate(ctx, batch, 1); err != nil {
			return err
		}
		if _, err := b.engine.Step(ctx, b.adamW(b.steps[miner])); err != nil {
			return fmt.Errorf("step %d: %w", b.steps[miner], err)
		}
		b.steps[miner]++
	}
	return nil
}

// accumulate adds share times the gradient of a batch's mean loss.
func (b *bench) accumulate(ctx context.Context, batch engine.Batch, share float64) error {
	counted := 0
	for _, id := range batch.Targets {
		if id != engine.Ignore {
			counted++
		}
	}
	if counted == 0 {
		return nil
	}
	b.now.Tokens += int64(counted)
	_, err := b.engine.Accumulate(ctx, batch, float32(share/float64(counted)))
	return err
}

func (b *bench) solo(ctx context.Context, w protocol.Window) error {
	if err := b.engine.Load(ctx, b.params); err != nil {
		return err
	}
	for m := range b.Miners {
		if err := b.descend(ctx, w, m, 0); err != nil {
			return err
		}
	}
	return b.engine.Params(ctx, b.params)
}

func (b *bench) dense(ctx context.Context, w protocol.Window) error {
	if err := errors.Join(b.engine.Load(ctx, b.params), b.engine.ClearGradient(ctx)); err != nil {
		return err
	}
	for m := range b.Miners {
		batches, err := b.batches(ctx, w, m)
		if err != nil {
			return err
		}
		for _, batch := range batches {
			if err := b.accumulate(ctx, batch, 1/float64(len(batches)*b.Miners)); err != nil {
				return err
			}
		}
	}
	b.exchange()
	if b.Kind == Signum {
		return b.signs(ctx, b.adamW(int(w)))
	}
	if _, err := b.engine.Step(ctx, b.adamW(int(w))); err != nil {
		return err
	}
	return b.engine.Params(ctx, b.params)
}

// signs moves the parameters by the sign of the momentum.
func (b *bench) signs(ctx context.Context, o engine.AdamW) error {
	g, err := b.engine.Gradient(ctx)
	if err != nil {
		return err
	}
	if b.momentum == nil {
		b.momentum = make([]float32, len(g))
	}
	for i, x := range g {
		m := float32(o.Beta1)*b.momentum[i] + x
		if b.momentum[i] = m; m != 0 {
			b.params[i] -= float32(math.Copysign(o.LearningRate, float64(m)))
		}
	}
	return nil
}

func (b *bench) diloco(ctx context.Context, w protocol.Window) error {
	local, mean := make([]float32, len(b.params)), make([]float32, len(b.params))
	for m := range b.Miners {
		copy(local, b.params)
		if err := errors.Join(b.engine.Load(ctx, local), b.engine.Restore(ctx, b.moments[m])); err != nil {
			return err
		}
		if err := b.descend(ctx, w, m, m); err != nil {
			return err
		}
		if err := b.engine.Params(ctx, local); err != nil {
			return err
		}
		for i, p := range b.params {
			mean[i] += (p - local[i]) / float32(b.Miners)
		}
		moments, err := b.engine.Moments(ctx)
		if err != nil {
			return err
		}
		b.moments[m] = clone(moments)
	}
	b.outer(mean)
	b.exchange()
	return nil
}

func clone(m engine.Moments) engine.Moments {
	out := engine.Moments{Steps: m.Steps}
	for _, t := range m.Tensors {
		out.Tensors = append(out.Tensors, engine.Tensor{Name: t.Name, Values: slices.Clone(t.Values)})
	}
	return out
}

// outer moves the parameters.
func (b *bench) outer(mean []float32) {
	if b.momentum == nil {
		b.momentum = make([]float32, len(mean))
	}
	rate, decay := float32(b.OuterRate), float32(b.OuterMomentum)
	for i, d := range mean {
		b.momentum[i] = decay*b.momentum[i] + d
		b.params[i] -= rate * (d + decay*b.momentum[i])
	}
}

// exchange counts a vector of float32 that every miner sends and one that it fetches.
func (b *bench) exchange() {
	size := 4 * int64(len(b.params))
	b.now.Up, b.now.Down = b.now.Up+size, b.now.Down+size
}

// report has what a baseline measures.
func (b *bench) report(text data.Corpus) collect.Summary {
	r := collect.NewCollector(collect.Meta{
		Preset: b.Preset + ", " + b.Kind, Seed: b.o.Seed, Windows: b.Windows, Corpus: text.Name, TokenUnit: "byte",
		UnigramEntropy: data.UnigramEntropy(text.Text),
	}).Summary()
	r.Parameters, r.Tokens = len(b.params), b.now.Tokens
	for i, p := range b.points {
		r.FinalLoss = collect.Measure(p.Loss)
		if i == 0 {
			r.InitialLoss = r.FinalLoss
			continue
		}
		r.Windows = append(r.Windows, collect.Window{
			Window: protocol.Window(p.Window), HeldOutLoss: r.FinalLoss, Seconds: collect.Unknown(), LearningRate: collect.Unknown(),
		})
	}
	return r
}
