// Command gpu measures the engine of a device as a node uses it: in its own process, with
// the calls of a miner's and of a validator's window. It prints a line of JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"templar/internal/engine"
	"templar/internal/engine/device"
	"templar/internal/model"
	"templar/internal/workers"
	"templar/method"
	"templar/method/dctsign"
	"templar/method/sparseloco"
	"templar/protocol"
)

// result is what is printed. Times are seconds.
type result struct {
	Device     string  `json:"device"`
	Engine     string  `json:"engine"`
	Model      string  `json:"model"`
	Parameters int     `json:"parameters"`
	Rows       int     `json:"rows"`
	Cols       int     `json:"cols"`
	Start      float64 `json:"start_s"`     // process, plug-in and device
	Load       float64 `json:"load_s"`      // parameters to the device
	First      float64 `json:"first_s"`     // batch: compilation, or its cache, and a run
	Batch      float64 `json:"batch_s"`     // median of the steps
	Best       float64 `json:"batch_min_s"` //
	Tokens     float64 `json:"tokens_per_s"`
	FLOPs      float64 `json:"model_flops_per_s"`
	MFU        float64 `json:"mfu"`
	ReadBack   float64 `json:"read_gradient_s"`
	SameBits   bool    `json:"same_bits"` // of two gradients of the same batch
	Loss       float64 `json:"loss"`
	AdamW      float64 `json:"adamw_s"` // the second local step, without compilation
	Trial      float64 `json:"trial_s"` // of a delta for each parameter, taken and undone
	LossOnly   float64 `json:"loss_only_s"`
	PerMinute  float64 `json:"evaluations_per_min"` // a trial step of dctsign and its losses on two batches
	// What a miner does at the end of a window, by method, and the same with the host's codec.
	Codec map[string]codec `json:"codec,omitempty"`
	Error string           `json:"error,omitempty"`
}

// codec is a payload: the buffer moved and compressed, and what was sent subtracted from it. GB are those of the
// buffer.
type codec struct {
	Payload     float64 `json:"payload_s"`
	PayloadGB   float64 `json:"payload_gb_per_s"`
	Stored      float64 `json:"stored_s"`
	Trial       float64 `json:"trial_s"` // a validator's trial step along it, decoded, taken and undone
	Bytes       int     `json:"bytes"`
	HostPayload float64 `json:"host_payload_s"` // the vectors read back, and compressed by the codec in Go
	HostGB      float64 `json:"host_gb_per_s"`
	HostStored  float64 `json:"host_stored_s"`
}

func main() {
	name := flag.String("device", "cuda", "device, as templar's --device")
	precision := flag.String("precision", "", "float32 or bf16 (default what suits the device)")
	plain := flag.Bool("plain", false, "attention without fused kernels")
	size := flag.String("model", "1b", "tiny, 150m or 1b: the model of that preset")
	rows := flag.Int("rows", 8, "sequences of a batch")
	cols := flag.Int("cols", 2048, "tokens of a sequence")
	steps := flag.Int("steps", 10, "batches to measure")
	peak := flag.Float64("peak", 989e12, "FLOP/s of the device, for the share that is used: dense bf16 of an H100 or H200")
	brief := flag.Bool("brief", false, "only the batches")
	flag.Parse()
	b := bench{peak: *peak, steps: *steps, brief: *brief}
	b.out.Device, b.out.Model, b.out.Rows, b.out.Cols = *name, *size, *rows, *cols
	err := b.run(context.Background(), *name, *size, device.Options{Precision: *precision, Plain: *plain, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		b.out.Error = err.Error()
	}
	if bad := json.NewEncoder(os.Stdout).Encode(b.out); bad != nil || err != nil {
		fmt.Fprintln(os.Stderr, "gpu:", err, bad)
		os.Exit(1)
	}
}

type bench struct {
	out   result
	peak  float64
	steps int
	brief bool
}

// timed runs f and returns how long it took.
func timed(f func() error) (float64, error) {
	began := time.Now()
	err := f()
	return time.Since(began).Seconds(), err
}

func (b *bench) run(ctx context.Context, name, size string, o device.Options) error {
	p, err := protocol.Preset(size)
	if err != nil {
		return err
	}
	m := p.Model
	m.MaxPositions = max(m.MaxPositions, b.out.Cols)
	params := model.Init(m, 1)
	b.out.Parameters = len(params)
	spec, err := device.Parse(name)
	if err != nil {
		return err
	}
	var e engine.Engine
	if b.out.Start, err = timed(func() (err error) { e, err = device.Start(spec, m, o); return err }); err != nil {
		return err
	}
	defer e.Close()
	b.out.Engine = engine.Kind(e)
	if b.out.Load, err = timed(func() error { return e.Load(ctx, params) }); err != nil {
		return err
	}
	batch := draw(m, b.out.Rows, b.out.Cols)
	if err := b.train(ctx, e, m, batch); err != nil || b.brief {
		return err
	}
	return b.validate(ctx, e, &p, batch)
}

// draw is a batch of random tokens.
func draw(m protocol.Model, rows, cols int) engine.Batch {
	rng := rand.New(rand.NewPCG(1, 2))
	b := engine.Batch{Rows: rows, Cols: cols}
	for range rows * cols {
		b.Inputs, b.Targets = append(b.Inputs, rng.Int32N(int32(m.VocabSize))), append(b.Targets, rng.Int32N(int32(m.VocabSize)))
	}
	return b
}

// train measures batches as a miner computes them.
func (b *bench) train(ctx context.Context, e engine.Engine, m protocol.Model, batch engine.Batch) error {
	accumulate := func() error {
		l, err := e.Accumulate(ctx, batch, 1)
		b.out.Loss = l.Mean()
		return err
	}
	var err error
	if b.out.First, err = timed(accumulate); err != nil {
		return err
	}
	once, err := e.Gradient(ctx)
	if err != nil {
		return err
	}
	want := slices.Clone(once)
	if err := e.ClearGradient(ctx); err != nil {
		return err
	}
	if err := accumulate(); err != nil {
		return err
	}
	b.out.ReadBack, err = timed(func() (err error) { once, err = e.Gradient(ctx); return err })
	if err != nil {
		return err
	}
	b.out.SameBits = slices.EqualFunc(want, once, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
	times := make([]float64, b.steps)
	for i := range times {
		if times[i], err = timed(accumulate); err != nil {
			return err
		}
	}
	slices.Sort(times)
	b.out.Best, b.out.Batch = times[0], times[len(times)/2]
	// 6 FLOP a token and parameter of a matrix, and 6 T H a layer and token for causal attention.
	l := m.Layout()
	tokens := float64(len(batch.Inputs))
	flop := tokens * (6*float64(l.Size()-m.VocabSize*m.HiddenSize) + 6*float64(m.Layers*batch.Cols*m.HiddenSize))
	b.out.Tokens, b.out.FLOPs, b.out.MFU = tokens/b.out.Batch, flop/b.out.Batch, flop/b.out.Batch/b.peak
	return nil
}

// validate measures local steps, trial steps and the codec.
func (b *bench) validate(ctx context.Context, e engine.Engine, p *protocol.Params, batch engine.Batch) error {
	o := engine.AdamW{LearningRate: 1e-4, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, MaxNorm: 1}
	step := func() error { _, err := e.Step(ctx, o); return err }
	if err := step(); err != nil {
		return err
	}
	var err error
	if b.out.AdamW, err = timed(step); err != nil {
		return err
	}
	trial := func() error {
		undo, err := e.Try(ctx, func(dst []float32, at int) {
			for i := range dst {
				dst[i] = 1e-5 * float32((at+i)%3-1)
			}
		})
		if err != nil {
			return err
		}
		return undo(ctx)
	}
	loss := func() error { _, err := e.Loss(ctx, batch); return err }
	for _, once := range []func() error{trial, loss} { // compile
		if err := once(); err != nil {
			return err
		}
	}
	if b.out.Trial, err = timed(trial); err != nil {
		return err
	}
	if b.out.LossOnly, err = timed(loss); err != nil {
		return err
	}
	b.out.Codec = map[string]codec{}
	for name, factory := range map[string]method.Factory{dctsign.Name: dctsign.New, sparseloco.Name: sparseloco.New} {
		if b.out.Codec[name], err = b.compress(ctx, e, name, p, factory, batch); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	b.out.PerMinute = 60 / (b.out.Codec[dctsign.Name].Trial + 2*b.out.LossOnly)
	return nil
}

// compress measures a method's payload with the engine's Compressor, and without it.
func (b *bench) compress(ctx context.Context, e engine.Engine, name string, p *protocol.Params, factory method.Factory, batch engine.Batch) (c codec, err error) {
	run := *p
	if name == dctsign.Name {
		run.Method = p.Method.With("momentum_warmup", 0) // or nothing is subtracted at first
	} else {
		loco, err := protocol.Preset(b.out.Model + "-loco")
		if err != nil {
			return c, err
		}
		run.Method = loco.Method
	}
	pool := workers.Pool{Workers: runtime.GOMAXPROCS(0), Each: func(n int, f func(int)) {
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { f(i) })
		}
		wg.Wait()
	}}
	m, err := factory(&run, pool)
	if err != nil {
		return c, err
	}
	params := model.Init(p.Model, 1)
	if engine.CompressorOf(e) != nil {
		if c.Payload, c.Stored, _, err = payload(ctx, m.NewTrainer(e), params, batch); err != nil {
			return c, err
		}
		c.PayloadGB = 4e-9 * float64(b.out.Parameters) / c.Payload
	}
	var body []byte
	if c.HostPayload, c.HostStored, body, err = payload(ctx, m.NewTrainer(struct{ engine.Engine }{e}), params, batch); err != nil {
		return c, err
	}
	c.HostGB, c.Bytes = 4e-9*float64(b.out.Parameters)/c.HostPayload, len(body)
	c.Trial, err = b.trial(ctx, e, m, params, body)
	return c, err
}

// trial measures the step along a payload, the second time.
func (b *bench) trial(ctx context.Context, e engine.Engine, m *method.Method, params []float32, body []byte) (took float64, err error) {
	p, v := m.Read(body)
	if !v.OK() {
		return 0, fmt.Errorf("the payload is %v", v)
	}
	if err := e.Load(ctx, params); err != nil {
		return 0, err
	}
	for range 2 {
		took, err = timed(func() error {
			undo, err := m.Trial(p, 1).Try(ctx, e)
			if err != nil {
				return err
			}
			return undo(ctx)
		})
		if err != nil {
			return 0, err
		}
	}
	return took, nil
}

// payload trains two windows of a batch each, and measures the end of the second.
func payload(ctx context.Context, t method.Trainer, params []float32, batch engine.Batch) (made, stored float64, body []byte, err error) {
	for step := range uint64(2) {
		if err := t.Begin(ctx, step, params); err != nil {
			return 0, 0, nil, err
		}
		if _, err := t.Batch(ctx, batch); err != nil {
			return 0, 0, nil, err
		}
		made, err = timed(func() (err error) { body, err = t.Payload(ctx); return err })
		if err != nil {
			return 0, 0, nil, err
		}
		if stored, err = timed(func() error { return t.Stored(ctx) }); err != nil {
			return 0, 0, nil, err
		}
	}
	return made, stored, body, nil
}
