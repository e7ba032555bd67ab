package xla

import (
	"os"
	"strings"
	"testing"

	"templar/internal/engine"
	"templar/internal/engine/xla/hlo"
	"templar/internal/model"
	"templar/protocol"
)

// Where fused attention does not compile, as on the CPU plug-in, it is computed by products, and the log says so.
func TestFusedAttentionFallsBack(t *testing.T) {
	path := os.Getenv("TEMPLAR_PJRT_PLUGIN")
	if path == "" {
		t.Skip("TEMPLAR_PJRT_PLUGIN is not set: `testkit/pjrt/install DIR` prints the path of a CPU plug-in")
	}
	var said strings.Builder
	d, err := Open(Options{Plugin: path, Quick: true, Visible: -1, Slow: func(format string, _ ...any) { said.WriteString(format + "\n") }})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	m := protocol.Model{
		VocabSize: 32, HiddenSize: 32, Layers: 1, Heads: 4, KVHeads: 2, IntermediateSize: 16,
		MaxPositions: 64, RopeTheta: 10000, NormEps: 1e-6, InitStd: 0.02,
	}
	e, err := d.New(m, Settings{Precision: "bf16"})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if e.fused || e.kind != hlo.BF16 {
		t.Fatalf("fused attention %t on a CPU, in %s", e.fused, e.kind)
	}
	e.fused = true
	if err := e.Load(t.Context(), model.Init(m, 1)); err != nil {
		t.Fatal(err)
	}
	b := engine.Batch{Rows: 1, Cols: 64, Inputs: make([]int32, 64), Targets: make([]int32, 64)}
	if l, err := e.Accumulate(t.Context(), b, 1); err != nil || l.Tokens != 64 {
		t.Fatalf("%v, %v", l, err)
	}
	if !strings.Contains(said.String(), "by products") {
		t.Errorf("the log says %q", said.String())
	}
}
