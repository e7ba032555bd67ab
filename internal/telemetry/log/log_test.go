package log

import (
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// logged returns the line that New's sink writes for body, without its time.
func logged(role telemetry.Role, body telemetry.Body) string {
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
	New(log).Emit(telemetry.Event{Node: "n", Role: role, UID: 3, Window: 12, Body: body})
	return strings.TrimSuffix(b.String(), "\n")
}

func TestSink(t *testing.T) {
	h := protocol.Hash{0xab, 0xcd, 0xef, 0x01, 0x23}
	skipped := map[protocol.UID]protocol.Verdict{5: protocol.VerdictMissing, 2: protocol.VerdictLate}
	for _, c := range []struct {
		body telemetry.Body
		want string
	}{
		{telemetry.Phase{Name: "training"}, `level=DEBUG msg=phase window=12 node=n uid=3 phase=training`},
		{telemetry.Block{Number: 96}, `level=DEBUG msg=block window=12 node=n uid=3 block=96`},
		{telemetry.Started{StartWindow: 12, Parameters: 459904, StateHash: h}, `level=INFO msg=started window=12 node=n uid=3 start_window=12 parameters=459904 state=abcdef01`},
		{telemetry.Trained{Loss: 2.71828, Tokens: 3072, Batches: 6, Duration: 1234567 * time.Microsecond}, `level=INFO msg=trained window=12 node=n uid=3 loss=2.7183 tokens=3072 batches=6 took=1.235s`},
		{telemetry.Trained{Loss: math.NaN()}, `level=INFO msg=trained window=12 node=n uid=3 loss=NaN tokens=0 batches=0 took=0s`},
		{telemetry.Uploaded{Key: "gradient-12-3-v1", Bytes: 9}, `level=DEBUG msg=uploaded window=12 node=n uid=3 key=gradient-12-3-v1 bytes=9 took=0s`},
		{telemetry.Gathered{Verdicts: []telemetry.PeerVerdict{{UID: 0, Verdict: protocol.VerdictOK}, {UID: 1, Verdict: protocol.VerdictLate}}, Bytes: 9}, `level=DEBUG msg=gathered window=12 node=n uid=3 verdict="0 ok, 1 late" success=0.5 bytes=9 took=0s`},
		{telemetry.Published{Hash: h, Bytes: 9, Included: []protocol.UID{0, 1}, Skipped: skipped, Ours: true, Gather: 3 * time.Second, Aggregate: 20 * time.Millisecond, Publish: time.Second},
			`level=INFO msg=published window=12 node=n uid=3 aggregate=abcdef01 bytes=9 included="0 1" skipped="2 late, 5 missing" ours=true success=0.5 gather=3s aggregation=20ms publication=1s`},
		{telemetry.Applied{Aggregate: h, State: h, Step: 7, LearningRate: 0.004}, `level=INFO msg=applied window=12 node=n uid=3 step=7 state=abcdef01 aggregate=abcdef01 rate=0.004`},
		{telemetry.Applied{Provisional: true, Step: 7, Included: []protocol.UID{4}}, `level=WARN msg="applied provisionally" window=12 node=n uid=3 step=7 included=4`},
		{telemetry.Compared{Samples: []telemetry.Sample{{UID: 1, Sync: score.Sync{Verdict: protocol.VerdictOK, Distance: score.Distance{L2: 0.25, MeanAbs: 0.125, StepsBehind: 31.25001}}}}},
			`level=DEBUG msg=compared window=12 node=n uid=3 miner=1 verdict=ok l2=0.25 mean_abs=0.125 steps_behind=31.25`},
		{telemetry.Scored{Miners: []score.Line{{Observation: score.Observation{UID: 1}, After: score.Record{Final: 0.5}, Reasons: []score.Reason{{Kind: "a", Factor: 1, Detail: "x"}, {Kind: "b", Factor: 1, Detail: "y"}}}}}, `level=DEBUG msg=scored window=12 node=n uid=3 miner=1 evaluated=false gradient_score=0 ordinal=0 binary_average=0 sync_score=0 final=0.5 weight=0 reasons="a: x; b: y"`},
		{telemetry.WeightsSet{Accepted: true, Block: 99}, `level=INFO msg="weights set" window=12 node=n uid=3 block=99`},
		{telemetry.WeightsSet{Reason: "too soon"}, `level=WARN msg="weights refused" window=12 node=n uid=3 block=0 reason="too soon"`},
		{telemetry.Checkpointed{Prefix: "checkpoint-12-v1/", Bytes: 9}, `level=INFO msg=checkpoint window=12 node=n uid=3 prefix=checkpoint-12-v1/ bytes=9`},
		{telemetry.HeldOut{Loss: 3, Tokens: 9, Bytes: 27}, `level=INFO msg=held-out window=12 node=n uid=3 bits_per_byte=1.4427 loss=3 perplexity=20.0855 tokens=9`},
		{telemetry.HeldOut{Loss: 3, Tokens: 9}, `level=INFO msg=held-out window=12 node=n uid=3 loss=3 perplexity=20.0855 tokens=9`},
	} {
		if got := logged(telemetry.Miner, c.body); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", telemetry.Event{Body: c.body}.Kind(), got, c.want)
		}
	}
}

func TestSinkLeavesOutAnAggregatorsUID(t *testing.T) {
	if got := logged(telemetry.Aggregator, telemetry.Phase{Name: "waiting"}); strings.Contains(got, "uid") {
		t.Errorf("an aggregator has no slot: %s", got)
	}
}
