package collect_test

import (
	"math"
	"testing"
	"time"

	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/collect/collecttest"
	"templar/internal/telemetry"
	"templar/protocol"
)

// Utilisation counts what engines compute between the first window's training and the last
// publication: not the measurement before, of which a part may fall into the window, and nothing
// after. A node that was killed begins at zero again.
func TestUtilisation(t *testing.T) {
	c := collect.NewCollector(collect.Meta{Cores: 2, Nodes: []collect.Member{{Name: "miner-0", Role: telemetry.Miner}}})
	emit := func(second float64, node string, role telemetry.Role, busy, cpu float64, w protocol.Window, body telemetry.Body) {
		d := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
		c.Emit(telemetry.Event{Time: collecttest.Begin.Add(d(second)), Node: node, Role: role, Window: w, Usage: telemetry.Usage{Busy: d(busy), CPU: d(cpu)}, Body: body})
	}
	near := func(what string, got collect.Measure, want float64) {
		t.Helper()
		if math.Abs(float64(got)-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	emit(0, "evaluator-0", telemetry.Evaluator, 0, 0, 0, telemetry.Started{StartWindow: 5})
	emit(8, "evaluator-0", telemetry.Evaluator, 4, 8, 4, telemetry.Phase{Name: "measuring"})
	emit(14, "miner-0", telemetry.Miner, 3, 3, 5, telemetry.Trained{Duration: 4 * time.Second, Tokens: 1, Batches: 1}) // began at 10
	emit(16, "evaluator-0", telemetry.Evaluator, 8, 16, 4, telemetry.HeldOut{})                                        // three quarters of it after 10
	emit(20, "aggregator-0", telemetry.Aggregator, 0, 0, 5, telemetry.Published{})
	emit(20, "evaluator-0", telemetry.Evaluator, 7.5, 15, 6, telemetry.Phase{Name: "fetching"})                            // overtaken by the one before
	emit(24, "miner-0", telemetry.Miner, 1.4, 1.4, 6, telemetry.Trained{Duration: 2 * time.Second, Tokens: 1, Batches: 1}) // of another process
	emit(25, "aggregator-0", telemetry.Aggregator, 0, 0, 6, telemetry.Published{})
	emit(40, "evaluator-0", telemetry.Evaluator, 18, 36, 6, telemetry.HeldOut{})
	for _, w := range []protocol.Window{5, 6} {
		emit(41, "miner-0", telemetry.Miner, 2, 2, w, telemetry.Applied{})
	}
	r := c.Summary()
	near("utilisation", r.Utilisation, (3+6+1.4)/(2*15.0))
	near("engine seconds", r.EngineSeconds, 10.4)
	near("the miner's", r.Miners[0].Utilisation, 4.4/15.0)
	near("window 5", r.Windows[0].Utilisation, 9/20.0)
	near("window 6", r.Windows[1].Utilisation, 1.4/10.0)
	near("the miner in window 6", r.Windows[1].MinerUtilisation["miner-0"], 1.4/5.0)
	near("the live view's", c.State().Utilisation, 10.4/30.0)

	double := r.Merge(r)
	near("of two parts", double.Utilisation, float64(r.Utilisation))
	near("seconds of two parts", double.EngineSeconds, 20.8)
	idle := collect.NewCollector(collect.Meta{Cores: 2}).Summary()
	near("of a part without windows", idle.Merge(r).Utilisation, float64(r.Utilisation))
	near("before a part without windows", r.Merge(idle).Utilisation, float64(r.Utilisation))
}
