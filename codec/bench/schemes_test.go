package bench

import (
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"templar/codec"
	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/model"
	"templar/method/dctsign"
	"templar/protocol"
)

var schemes = []codec.Scheme{codec.SchemeF32, codec.SchemeF16, codec.SchemeI8}

const (
	miners  = 3
	windows = 24
)

// TestSchemes trains the localnet's model by the localnet's rules, without a network:
// theta_0, pages and their order depend on the seed alone, so that schemes are
// compared in pairs. It prints the tables of ADR 9.
//
//	CODEC_SEEDS=5 go test -run Schemes -v -timeout 0 ./codec/bench
func TestSchemes(t *testing.T) {
	seeds, _ := strconv.Atoi(os.Getenv("CODEC_SEEDS"))
	if seeds == 0 {
		t.Skip("set CODEC_SEEDS to the number of seeds")
	}
	text := corpus(t)
	loss := map[codec.Scheme][]float64{}
	for seed := range uint64(seeds) {
		for _, scheme := range schemes {
			n := newNet(t, text, scheme, seed)
			n.train(t, seed)
			loss[scheme] = append(loss[scheme], n.heldOut(t))
			if scheme == codec.DefaultScheme && seed == 0 {
				n.describe(t)
			}
			n.engine.Close()
		}
		report(loss)
	}
}

func report(loss map[codec.Scheme][]float64) {
	fmt.Println("| scheme | held-out loss, mean | against f32, mean | standard error | least | most |\n|---|---|---|---|---|---|")
	for _, s := range schemes {
		n := float64(len(loss[s]))
		var sum, mean, square float64
		var against []float64
		for i, l := range loss[s] {
			a := 100 * (l/loss[codec.SchemeF32][i] - 1)
			against = append(against, a)
			sum, mean, square = sum+l, mean+a/n, square+a*a
		}
		fmt.Printf("| %v | %.4f | %+.2f %% | %.2f %% | %+.2f %% | %+.2f %% |\n", s, sum/n, mean,
			math.Sqrt(max(square-n*mean*mean, 0)/max(n-1, 1)/n), slices.Min(against), slices.Max(against))
	}
}

func corpus(t *testing.T) []byte {
	b, err := os.ReadFile("../../internal/data/corpus/opticks.txt.bz2")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(bzip2.NewReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

type net struct {
	params   protocol.Params
	text     []byte
	engine   *cpu.Engine
	method   dctsign.Params
	codec    *codec.Codec
	theta    []float32
	momentum [miners][]float32
}

func newNet(t *testing.T, text []byte, scheme codec.Scheme, seed uint64) *net {
	p, err := protocol.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	n := &net{params: p, text: text, theta: model.Init(p.Model, seed)}
	if n.engine, err = cpu.New(p.Model, cpu.Options{Threads: 1}); err != nil {
		t.Fatal(err)
	}
	if err := p.Method.Decode(&n.method); err != nil {
		t.Fatal(err)
	}
	n.codec, err = codec.New(p.Model.Layout(), codec.Spec{TargetChunk: n.method.TargetChunk, TopK: n.method.TopK, Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n.momentum {
		n.momentum[i] = make([]float32, len(n.theta))
	}
	return n
}

func (n *net) train(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	for step := range windows {
		var sent []*codec.Gradient
		for i := range n.momentum {
			n.accumulate(t, r, i, step)
			g, err := n.codec.Compress(n.momentum[i])
			if err != nil {
				t.Fatal(err)
			}
			if step >= n.method.MomentumWarmup && step < windows-1 { // the last stays, to be described
				n.codec.Subtract(n.momentum[i], g)
			}
			sent = append(sent, g)
		}
		n.codec.Apply(n.theta, n.codec.Aggregate(sent), float32(n.method.RateAt(uint64(step))), float32(n.method.WeightDecay))
	}
}

// accumulate is m <- decay*m + lr*g over one window's pages.
func (n *net) accumulate(t *testing.T, r *rand.Rand, miner, step int) {
	p := &n.params
	if err := errors.Join(n.engine.Load(t.Context(), n.theta), n.engine.ClearGradient(t.Context())); err != nil {
		t.Fatal(err)
	}
	tokens := 0
	for range p.PagesPerWindow {
		at := r.IntN(len(n.text)*9/10 - p.PageTokens)
		l, err := n.engine.Accumulate(t.Context(), n.batch(at), 1)
		if err != nil {
			t.Fatal(err)
		}
		tokens += l.Tokens
	}
	decay, rate := float32(n.method.MomentumDecay), float32(n.method.RateAt(uint64(step))/float64(tokens))
	gradient, err := n.engine.Gradient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := n.momentum[miner]
	for i, g := range gradient {
		m[i] = decay*m[i] + rate*g
	}
}

// batch is one page: PageTokens bytes of the text from at on.
func (n *net) batch(at int) engine.Batch {
	b := engine.Batch{Rows: n.params.PageTokens / n.params.SequenceLength, Cols: n.params.SequenceLength}
	for i := range b.Rows * b.Cols {
		b.Inputs = append(b.Inputs, int32(n.text[at+i]))
		b.Targets = append(b.Targets, int32(n.text[at+i+1]))
	}
	return b
}

// heldOut is the mean loss of the text's last tenth, every other page of it.
func (n *net) heldOut(t *testing.T) float64 {
	if err := n.engine.Load(t.Context(), n.theta); err != nil {
		t.Fatal(err)
	}
	var total engine.Loss
	for at := len(n.text) * 9 / 10; at+n.params.PageTokens < len(n.text); at += 2 * n.params.PageTokens {
		l, err := n.engine.Loss(t.Context(), n.batch(at))
		if err != nil {
			t.Fatal(err)
		}
		total.Add(l)
	}
	return total.Mean()
}

// describe prints what each scheme makes of the first miner's momentum: size and error
// over its matrices.
func (n *net) describe(t *testing.T) {
	var layout protocol.Layout
	var momentum []float32
	for _, tensor := range n.params.Model.Layout() {
		if len(tensor.Shape) == 2 {
			momentum = append(momentum, n.momentum[0][tensor.Offset:][:tensor.Size()]...)
			tensor.Offset = layout.Size()
			layout = append(layout, tensor)
		}
	}
	fmt.Println("| scheme | bytes a chunk | indices, bits each | entropy of their gaps | error of the values sent |\n|---|---|---|---|---|")
	exact := map[[3]int]float32{}
	for _, s := range schemes {
		c, err := codec.New(layout, codec.Spec{TargetChunk: n.method.TargetChunk, TopK: n.method.TopK, Scheme: s})
		if err != nil {
			t.Fatal(err)
		}
		g, err := c.Compress(momentum)
		if err != nil {
			t.Fatal(err)
		}
		d := description{exact: exact, gaps: map[int]int{}}
		c.Each(g, d.add)
		d.print(s, len(g.Bytes()), c)
	}
}

type description struct {
	exact         map[[3]int]float32 // what f32 sends, by tensor, chunk and index
	coefficients  int
	gaps          map[int]int
	wrong, energy float64
}

func (d *description) add(ch codec.Chunk) {
	before := -1
	for i, at := range ch.Index {
		d.gaps[int(at)-before]++
		before = int(at)
		key := [3]int{ch.Tensor, ch.Chunk, int(at)}
		if _, ok := d.exact[key]; !ok {
			d.exact[key] = ch.Value[i] // f32 comes first
		}
		want := float64(d.exact[key])
		d.wrong += (float64(ch.Value[i]) - want) * (float64(ch.Value[i]) - want)
		d.energy += want * want
		d.coefficients++
	}
}

func (d *description) print(s codec.Scheme, size int, c *codec.Codec) {
	width, header := map[codec.Scheme]int{codec.SchemeF32: 4, codec.SchemeF16: 2, codec.SchemeI8: 1}[s], 5 // count, scale
	if s == codec.SchemeF32 {
		header = 1
	}
	entropy := 0.0
	for _, n := range d.gaps {
		entropy -= float64(n) * math.Log2(float64(n)/float64(d.coefficients))
	}
	indices := 8 * (size - 1 - header*c.Chunks() - width*d.coefficients)
	fmt.Printf("| %v | %.1f | %.2f | %.2f | %.5f |\n", s, float64(size-1)/float64(c.Chunks()),
		float64(indices)/float64(d.coefficients), entropy/float64(d.coefficients), math.Sqrt(d.wrong/d.energy))
}
