package telemetry

import (
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"templar/protocol"
)

// logged returns the line that LogSink writes for body, without its time.
func logged(role Role, body Body) string {
	var b strings.Builder
	log := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	LogSink(log).Emit(Event{Node: "n", Role: role, UID: 3, Window: 12, Body: body})
	return strings.TrimSuffix(b.String(), "\n")
}

func TestLogSink(t *testing.T) {
	h := protocol.Hash{0xab, 0xcd, 0xef, 0x01, 0x23}
	skipped := map[protocol.UID]protocol.Verdict{5: protocol.VerdictMissing, 2: protocol.VerdictLate}
	for _, c := range []struct {
		body Body
		want string
	}{
		{Phase{"training"}, `level=DEBUG msg=phase window=12 node=n uid=3 phase=training`},
		{Block{Number: 96}, `level=DEBUG msg=block window=12 node=n uid=3 block=96`},
		{Started{12, 459904, h}, `level=INFO msg=started window=12 node=n uid=3 start_window=12 parameters=459904 state=abcdef01`},
		{Trained{Loss: 2.71828, Tokens: 3072, Batches: 6, Duration: 1234567 * time.Microsecond}, `level=INFO msg=trained window=12 node=n uid=3 loss=2.7183 tokens=3072 batches=6 took=1.235s`},
		{Trained{Loss: math.NaN()}, `level=INFO msg=trained window=12 node=n uid=3 loss=NaN tokens=0 batches=0 took=0s`},
		{Uploaded{Key: "gradient-12-3-v1", Bytes: 9}, `level=DEBUG msg=uploaded window=12 node=n uid=3 key=gradient-12-3-v1 bytes=9 took=0s`},
		{Gathered{Verdicts: []PeerVerdict{{UID: 0, Verdict: protocol.VerdictOK}, {UID: 1, Verdict: protocol.VerdictLate}}, Bytes: 9}, `level=DEBUG msg=gathered window=12 node=n uid=3 verdict="0 ok, 1 late" success=0.5 bytes=9 took=0s`},
		{Published{Hash: h, Bytes: 9, Included: []protocol.UID{0, 1}, Skipped: skipped, Ours: true, Gather: 3 * time.Second, Aggregate: 20 * time.Millisecond, Publish: time.Second},
			`level=INFO msg=published window=12 node=n uid=3 aggregate=abcdef01 bytes=9 included="0 1" skipped="2 late, 5 missing" ours=true success=0.5 gather=3s aggregation=20ms publication=1s`},
		{Applied{Aggregate: h, State: h, Step: 7, LearningRate: 0.004}, `level=INFO msg=applied window=12 node=n uid=3 step=7 state=abcdef01 aggregate=abcdef01 rate=0.004`},
		{Applied{Provisional: true, Step: 7, Included: []protocol.UID{4}}, `level=WARN msg="applied provisionally" window=12 node=n uid=3 step=7 included=4`},
		{Compared{[]SampleDistance{{UID: 1, Verdict: protocol.VerdictOK, L2: 0.25, MeanAbs: 0.125, StepsBehind: 31.25001}}},
			`level=DEBUG msg=compared window=12 node=n uid=3 miner=1 verdict=ok l2=0.25 mean_abs=0.125 steps_behind=31.25`},
		{Scored{Miners: []MinerScore{{UID: 1, Final: 0.5, Notes: []string{"a", "b"}}}}, `level=DEBUG msg=scored window=12 node=n uid=3 miner=1 evaluated=false gradient_score=0 ordinal=0 binary=0 sync=0 final=0.5 weight=0 notes="a; b"`},
		{WeightsSet{Accepted: true, Block: 99}, `level=INFO msg="weights set" window=12 node=n uid=3 block=99`},
		{WeightsSet{Reason: "too soon"}, `level=WARN msg="weights refused" window=12 node=n uid=3 block=0 reason="too soon"`},
		{Checkpointed{"checkpoint-12-v1/", 9}, `level=INFO msg=checkpoint window=12 node=n uid=3 prefix=checkpoint-12-v1/ bytes=9`},
		{HeldOut{Loss: 3, Tokens: 9}, `level=INFO msg=held-out window=12 node=n uid=3 loss=3 tokens=9`},
	} {
		if got := logged(Miner, c.body); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.body.kind(), got, c.want)
		}
	}
}

func TestLogSinkLeavesOutAnAggregatorsUID(t *testing.T) {
	if got := logged(Aggregator, Phase{"waiting"}); strings.Contains(got, "uid") {
		t.Errorf("an aggregator has no slot: %s", got)
	}
}

func TestTeeKeepsTheOrder(t *testing.T) {
	var got []string
	sink := func(name string) Sink {
		return SinkFunc(func(e Event) { got = append(got, name+" "+e.Kind()) })
	}
	tee := Tee(sink("a"), sink("b"))
	tee.Emit(Event{Body: Phase{}})
	tee.Emit(Event{Body: HeldOut{}})
	if s := strings.Join(got, ", "); s != "a phase, b phase, a held-out, b held-out" {
		t.Error(s)
	}
}
