package xla

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"templar/internal/engine"
	"templar/internal/engine/xla/hlo"
	"templar/internal/engine/xla/program"
	"templar/internal/kernel/pjrt"
	"templar/protocol"
)

// The CUDA plug-in compiles for a GPU that is not there. The tests read what it would run.
//
//	go test ./internal/engine/xla -run Deviceless -v -deviceless DIR/jax_plugins/xla_cuda13/xla_cuda_plugin.so
//
// DIR is a folder of wheels (jax-cuda13-pjrt, nvidia-nvvm and nvidia-cuda-nvcc suffice).
var deviceless = flag.String("deviceless", "", "file of the CUDA plug-in, to compile for GPUs that are not there")

var only = flag.String("only", "", "models to compile with -deviceless, with commas between them (default all)")

// llama is a model of the vocabulary of 32,000 that the presets have.
func llamaModel(hidden, layers, heads, kv, intermediate int) protocol.Model {
	return protocol.Model{
		VocabSize: 32000, HiddenSize: hidden, Layers: layers, Heads: heads, KVHeads: kv, IntermediateSize: intermediate,
		MaxPositions: 2048, RopeTheta: 10000, NormEps: 1e-5, InitStd: 0.02,
	}
}

// target is a GPU, and what it can do at most.
type target struct {
	name      string
	flops     float64 // dense bf16 products, a second
	bandwidth float64 // bytes a second
	memory    int64
}

var targets = []target{{"h100", 989e12, 3.35e12, 80e9}, {"h200", 989e12, 4.8e12, 141e9}}

func TestDeviceless(t *testing.T) {
	if *deviceless == "" {
		t.Skip("-deviceless is not given")
	}
	p, err := pjrt.Open(*deviceless)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		model   protocol.Model
		rows    int
		devices int
	}{
		{"1b", llamaModel(2048, 16, 8, 8, 8192), 6, 1}, // the preset, with heads of 256
		{"150m", llamaModel(768, 12, 12, 12, 2048), 6, 1},
		{"1.2b", llamaModel(2048, 16, 16, 16, 8192), 6, 1},
		{"7.2b", llamaModel(4096, 32, 32, 8, 14336), 8, 8},
	} {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), c.name) {
			continue
		}
		for _, g := range targets {
			t.Run(c.name+" on "+g.name, func(t *testing.T) {
				s := program.Pieces(c.model, program.Shape{Rows: c.rows, Cols: 2048, Kind: hlo.BF16, Fused: fusable(c.model), Devices: c.devices})
				if c.devices > 1 {
					s.Recompute = true
				}
				checkProgram(t, p, g, c.model, s)
			})
		}
	}
}

// collective reports whether devices exchange something.
func collective(opcode string) bool {
	return strings.HasPrefix(opcode, "all-") || strings.HasPrefix(opcode, "reduce-scatter") || strings.HasPrefix(opcode, "collective-")
}

// compileFor compiles a program, and lists its instructions.
func compileFor(t *testing.T, p *pjrt.Plugin, g target, devices int, text string) (*pjrt.Compiled, time.Duration, []instruction) {
	t.Helper()
	description, err := os.ReadFile(filepath.Join("testdata", g.name+".txtpb"))
	if err != nil {
		t.Fatal(err)
	}
	o := pjrt.CompileOptions{Partitions: devices, Flags: flags("cuda", false)}
	// Autotuning measures on the device.
	o.Flags["xla_gpu_autotune_level"], o.Flags["xla_gpu_enable_triton_gemm"] = "0", "false"
	began := time.Now()
	x, err := p.CompileFor(string(description), devices, []byte(text), o)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	optimized, format, err := x.Optimized()
	if err != nil {
		t.Fatal(err)
	}
	list, err := instructions(optimized, format)
	if err != nil || len(list) == 0 {
		t.Fatalf("%d instructions in %d bytes of %q, %v", len(list), len(optimized), format, err)
	}
	return x, took, list
}

// The codec's programs are compiled for the largest tensors: products are cuBLASLt's, devices exchange nothing, and the memory beside
// the tensor is a few times its own.
func TestDevicelessCodec(t *testing.T) {
	if *deviceless == "" {
		t.Skip("-deviceless is not given")
	}
	p, err := pjrt.Open(*deviceless)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []program.Chunked{
		{Shape: []int{32000, 2048}, Chunk: engine.Chunking{Rows: 64, Cols: 64, Keep: 64}, Devices: 1},
		{Shape: []int{32000, 2048}, Chunk: engine.Chunking{Rows: 64, Cols: 64, Keep: 32}, Cosine: true, Devices: 1},
		{Shape: []int{2048}, Chunk: engine.Chunking{Rows: 1, Cols: 64, Keep: 32}, Cosine: true, Devices: 1},
		{Shape: []int{14336, 4096}, Chunk: engine.Chunking{Rows: 64, Cols: 64, Keep: 64}, Devices: 8},
		{Shape: []int{14336, 4096}, Chunk: engine.Chunking{Rows: 64, Cols: 64, Keep: 32}, Cosine: true, Devices: 8},
	} {
		for name, text := range map[string]string{"compress": program.Compress(c, !c.Cosine), "remove": program.Remove(c), "trial": program.Trial(c, c.Cosine)} {
			for _, g := range targets {
				t.Run(fmt.Sprintf("%s %v on %d of %s, cosine %t", name, c.Shape, c.Devices, g.name, c.Cosine), func(t *testing.T) {
					x, took, list := compileFor(t, p, g, c.Devices, text)
					defer x.Close()
					count := map[string]int{}
					for _, i := range list {
						if slices.Contains([]string{"custom-call", "sort", "scatter", "gather", "while", "dot"}, i.opcode) || collective(i.opcode) {
							count[i.opcode+" "+i.target]++
						}
					}
					memory, err := x.Memory()
					if err != nil {
						t.Fatal(err)
					}
					t.Logf("compiled in %.1f s; %v; %d MB of arguments, %d MB temporary", took.Seconds(), count, memory.Arguments>>20, memory.Temporary>>20)
					for _, n := range slices.Sorted(maps.Keys(count)) {
						if collective(n) || strings.HasPrefix(n, "dot") || strings.HasPrefix(n, "while") {
							t.Errorf("%d times %s", count[n], n)
						}
					}
					size := int64(4)
					for _, n := range c.Shape {
						size *= int64(n)
					}
					if own := size / int64(c.Devices); memory.Temporary > 6*own+64<<20 {
						t.Errorf("%d bytes beside a tensor of %d", memory.Temporary, own)
					}
				})
			}
		}
	}
}

// checkProgram compiles a gradient and reads the result.
func checkProgram(t *testing.T, p *pjrt.Plugin, g target, m protocol.Model, s program.Shape) {
	t.Helper()
	x, took, list := compileFor(t, p, g, s.Devices, program.Gradient(m, s))
	defer x.Close()
	count := map[string]int{}
	inPlace := 0
	for _, i := range list {
		switch {
		case i.opcode == "custom-call":
			count[i.target]++
			if strings.Contains(i.config, `"beta":1`) {
				inPlace++
			}
		case collective(i.opcode) || i.opcode == "dot":
			count[i.opcode]++
		}
	}
	var calls []string
	for _, name := range slices.Sorted(maps.Keys(count)) {
		calls = append(calls, fmt.Sprintf("%s %d", name, count[name]))
	}
	t.Logf("compiled in %.1f s; %s; %d products add in place", took.Seconds(), strings.Join(calls, ", "), inPlace)

	// Each layer has 7 matrices, and a forward and two backward products of each; the head too, for each
	// piece.
	if count["dot"] > 0 {
		t.Errorf("%d products are left to the compiler's own loops", count["dot"])
	}
	forward, backward := count["__cudnn$fmhaSoftmax"], count["__cudnn$fmhaSoftmaxBackward"]
	var want [2]int
	if s.Fused {
		want = [2]int{m.Layers, m.Layers}
		if s.Recompute {
			want[0] *= 2
		}
	}
	if forward != want[0] || backward != want[1] {
		t.Errorf("%d forward and %d backward calls of fused attention, want %d", forward, backward, want)
	}
	if s.Devices == 1 && inPlace < 7*m.Layers+1 {
		t.Errorf("%d products add to the gradient in place, want %d or more", inPlace, 7*m.Layers+1)
	}
	memory, err := x.Memory()
	if err != nil {
		t.Fatal(err)
	}
	l := m.Layout()
	state := 4 * int64(l.Size()) / int64(s.Devices)
	// On several devices a product is reduced first, and then added: into the memory that holds the gradient too.
	if memory.Aliases < state {
		t.Errorf("%d bytes of results are in the memory of arguments, want the gradient's %d", memory.Aliases, state)
	}
	t.Logf("planned a device: %.1f GB of arguments, %.1f GB temporary; with two moments %.1f of %.0f GB; estimate of the temporary memory %.1f GB",
		gb(memory.Arguments), gb(memory.Temporary), gb(memory.Total()+2*state), gb(g.memory), gb(program.Activations(m, s, true)))
	if memory.Total() > g.memory {
		t.Errorf("%d bytes do not fit on a card of %d", memory.Total(), g.memory)
	}
	work := program.Work(m, s, true)
	compute, move := work.FLOP/float64(s.Devices)/g.flops, work.Bytes/float64(s.Devices)/g.bandwidth
	bound := "compute"
	if move > compute {
		bound = "memory"
	}
	t.Logf("roofline: %.1f TFLOP (%.1f ms at %.0f TFLOP/s), %.1f GB (%.1f ms at %.2f TB/s): bound by %s, at most %.0f tokens/s",
		work.FLOP/1e12, compute*1e3, g.flops/1e12, work.Bytes/1e9, move*1e3, g.bandwidth/1e12, bound, float64(s.Rows*s.Cols)/max(compute, move))
}

func gb(n int64) float64 { return float64(n) / 1e9 }
