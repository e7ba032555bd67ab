package cli

import (
	"math"
	"strings"
	"testing"
	"time"

	"templar/internal/node"
	"templar/internal/role"
	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// The text form has what an evaluator has measured, and no control characters of other machines.
func TestStatusShowsMeasurements(t *testing.T) {
	var miner, evaluator node.NodeStatus
	miner.Status = role.Status{Node: "miner-0", Role: telemetry.Miner, UID: 3, Phase: "training", Window: protocol.Window(8)}
	evaluator.Status = role.Status{
		Node: "evaluator-0", Role: telemetry.Evaluator, Phase: "fetching", HeldOut: &role.HeldOutStatus{Window: 7, Loss: 2.5, Perplexity: 12.18249, Tokens: 2048},
		Tasks: &role.TasksStatus{Window: 6, Tasks: []role.TaskStatus{{Task: "hella\x1bswag", Metric: "acc_norm", Value: 0.275, Documents: 200}, {Task: "piqa", Metric: "acc", Value: score.Number(math.NaN()), Documents: 0}}},
	}
	var b strings.Builder
	if err := printStatus(&b, node.ProcessStatus{Nodes: []node.NodeStatus{miner, evaluator}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{
		"measured by window what value of", "evaluator-0 7 held-out loss 2.5000 2048 tokens", "evaluator-0 7 perplexity 12.18 2048 tokens",
		"evaluator-0 6 hella swag acc_norm 27.5% 200 documents", "evaluator-0 6 piqa acc",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, b.String())
		}
	}
	b.Reset()
	if err := printStatus(&b, node.ProcessStatus{Nodes: []node.NodeStatus{miner}}, time.Now()); err != nil || strings.Contains(b.String(), "measured") {
		t.Errorf("%v, without an evaluator:\n%s", err, b.String())
	}
}
