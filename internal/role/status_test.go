package role

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/telemetry"
	"templar/protocol"
)

// The status shows what a role did last, passes each event on, and does not change under a reader.
func TestWatch(t *testing.T) {
	passed := 0
	r, p := Watch(telemetry.Reporter{
		Node: "miner-0", Role: telemetry.Miner, UID: 3, Clock: clock.Wall{},
		Sink: telemetry.SinkFunc(func(telemetry.Event) { passed++ }),
	})
	if s := p.Status(); s.Node != "miner-0" || s.Phase != "" || s.Done != nil {
		t.Errorf("before the first event: %+v", s)
	}
	r.Phase(0, "starting")
	r.Emit(7, telemetry.Started{StartWindow: 7, Parameters: 100})
	r.Phase(8, "training")
	r.Emit(8, telemetry.Trained{Loss: 2.5, Tokens: 1000, Batches: 4, Duration: 2 * time.Second})
	r.Emit(8, telemetry.Uploaded{Bytes: 10})
	r.Emit(8, telemetry.Applied{Step: 1, State: protocol.Hash{1}, AggregateBytes: 20, Skipped: map[protocol.UID]protocol.Verdict{2: protocol.VerdictLate}})
	before := p.Status()
	r.Emit(9, telemetry.Applied{Provisional: true, Step: 2})
	r.Emit(9, telemetry.Applied{Step: 2, State: protocol.Hash{2}})
	r.Emit(9, telemetry.Audited{Honest: false})
	s := p.Status()
	if before.Done.Window != 8 || before.Done.Skipped != "2 late" || before.Trained.TokensPerSecond != 500 || before.Sent != 10 || before.Received != 20 {
		t.Errorf("after window 8: %+v", before)
	}
	if s.Done.Window != 9 || s.Done.State != (protocol.Hash{2}) || s.Provisional || len(s.FalseAudits) != 1 || s.Phase != "training" || s.Run.StartWindow != 7 {
		t.Errorf("after window 9: %+v", s)
	}
	if passed != 9 {
		t.Errorf("%d events passed on, want 9", passed)
	}
	b, err := json.Marshal(s)
	if err != nil || !strings.Contains(string(b), `"phase":"training"`) {
		t.Error(string(b), err)
	}
}
