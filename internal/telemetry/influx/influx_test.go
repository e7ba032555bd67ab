package influx

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"templar/internal/clock"
	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Unix(1, 5)

func event(role telemetry.Role, body telemetry.Body) telemetry.Event {
	return telemetry.Event{Time: at, Node: "a node,=\n\\", Role: role, UID: 3, Window: 12, Body: body}
}

// Every kind of event has its points, as InfluxDB reads them.
func TestPoints(t *testing.T) {
	const tail = " 1000000005\n"
	skipped := map[protocol.UID]protocol.Verdict{5: protocol.VerdictMissing, 2: protocol.VerdictLate, 7: protocol.VerdictLate, 8: protocol.VerdictBadIndex}
	for _, c := range []struct {
		body telemetry.Body
		want string // after the tags; empty: no point
	}{
		{telemetry.Phase{Name: "waiting"}, ""},
		{telemetry.Block{Number: 9}, ""},
		{telemetry.Started{StartWindow: 2, Parameters: 40}, "start_window=2i,parameters=40i"},
		{telemetry.Trained{Loss: 2.5, Tokens: 6, Batches: 2, Pages: []uint64{1, 2}, Duration: time.Second / 2}, "loss=2.5,tokens=6i,batches=2i,pages=2i,seconds=0.5"},
		{telemetry.Trained{Loss: math.NaN()}, "tokens=0i,batches=0i,pages=0i,seconds=0"},
		{telemetry.HeldOut{Loss: math.Inf(1), Tokens: 6}, "tokens=6i"},
		{telemetry.HeldOut{Loss: 0, Tokens: 6, Bytes: 6}, "loss=0,perplexity=1,bits_per_byte=0,tokens=6i"},
		{telemetry.Uploaded{Key: "k", Bytes: 7, Duration: 2 * time.Second}, "bytes=7i,seconds=2"},
		{telemetry.Gathered{Verdicts: []telemetry.PeerVerdict{{Verdict: protocol.VerdictOK}, {Verdict: protocol.VerdictLate}}, Bytes: 7},
			"peers=2i,success_rate=0.5,bytes=7i,seconds=0,skipped_late=1i"},
		{telemetry.Published{Bytes: 7, Included: []protocol.UID{1, 3, 4, 6}, Skipped: skipped, Ours: true, Gather: time.Second, Aggregate: time.Second / 4, Publish: time.Second / 8},
			"peers_selected=8i,peers_included=4i,success_rate=0.5,bytes=7i,ours=true,gather_seconds=1,aggregate_seconds=0.25,publish_seconds=0.125,skipped_bad_index=1i,skipped_late=2i,skipped_missing=1i,skipped_uids=\"[2,5,7,8]\""},
		{telemetry.Applied{Step: 4, LearningRate: 0.5, AggregateBytes: 7, Included: []protocol.UID{1}, Skipped: skipped, Provisional: true},
			"step=4i,learning_rate=0.5,bytes=7i,peers_included=1i,peers_skipped=4i,provisional=true"},
		{telemetry.Audited{Honest: true, Gradients: 3, LeftOut: []protocol.UID{5}}, "honest=true,gradients=3i,left_out=1i"},
		{telemetry.Evaluated{Miners: 4, Duration: time.Second}, "miners=4i,seconds=1"},
		{telemetry.WeightsSet{Accepted: true, Block: 99}, "accepted=true,block=99i"},
		{telemetry.Checkpointed{Prefix: "p", Bytes: 7}, "bytes=7i"},
	} {
		e, want := event(telemetry.Miner, c.body), ""
		if c.want != "" {
			want = `templar_` + strings.ReplaceAll(e.Kind(), "-", "_") + `,node=a\ node\,\=,role=miner,uid=3 window=12i,` + c.want + tail
		}
		if got := string(bytes.Join(Points(e), nil)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", e.Kind(), got, want)
		}
	}
	scored := Points(event(telemetry.Validator, telemetry.Scored{Miners: []score.Line{
		{
			Observation: score.Observation{UID: 1, Losses: &score.Losses{OwnBefore: 4, OwnAfter: 3, RandomBefore: 5, RandomAfter: score.Number(math.Inf(1))}},
			After:       score.Record{Rating: score.Rating{Mu: 26, Sigma: 8}, GradientScore: 0.5, BinaryAverage: 0.25, SyncScore: 1, Final: 0.5},
			Evaluated:   true, Reasons: []score.Reason{{Factor: 0.25}, {Factor: 1}}, Weight: 1,
		}, {Observation: score.Observation{UID: 4}},
	}}))
	const want = `templar_scored,node=a\ node\,\=,role=validator,uid=3,miner=1 window=12i,gradient_score=0.5,mu=26,sigma=8,ordinal=2,binary_average=0.25,sync_score=1,final=0.5,weight=1,evaluated=true,penalties=1i,own_before=4,own_after=3,random_before=5` + tail
	if len(scored) != 2 || string(scored[0]) != want {
		t.Errorf("%s\nwant %s", scored, want)
	}
	compared := bytes.Join(Points(event(telemetry.Validator, telemetry.Compared{Samples: []telemetry.Sample{
		{UID: 1, Sync: score.Sync{Verdict: protocol.VerdictOK, Distance: score.Distance{L2: 0.5, MeanAbs: 0.25, StepsBehind: 2}, Same: true}},
		{UID: 4, Sync: score.Sync{Verdict: protocol.VerdictMissing}},
	}})), nil)
	const distances = `templar_compared,node=a\ node\,\=,role=validator,uid=3,miner=1 window=12i,ok=true,l2=0.5,mean_abs=0.25,steps_behind=2,same_state=true` + tail +
		`templar_compared,node=a\ node\,\=,role=validator,uid=3,miner=4 window=12i,ok=false` + tail
	if string(compared) != distances {
		t.Errorf("%s\nwant %s", compared, distances)
	}
	if got := string(Points(event(telemetry.Aggregator, telemetry.HeldOut{}))[0]); strings.Contains(got, "uid") {
		t.Errorf("an aggregator has no slot: %s", got)
	}
}

// What a server gets over HTTP is what its interface asks for.
func TestRequest(t *testing.T) {
	type got struct{ path, query, authorization, body string }
	all := make(chan got, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		b, _ := io.ReadAll(z)
		all <- got{r.URL.Path, r.URL.RawQuery, r.Header.Get("Authorization"), string(b)}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	const body = `templar_held_out,node=a\ node\,\=,role=miner,uid=3 window=12i,loss=0,perplexity=1,tokens=9i 1000000005` + "\n"
	for _, c := range []struct {
		server Server
		want   got
	}{
		{Server{API: V1, Bucket: "b"}, got{"/write", "db=b&precision=ns", "", body}},
		{Server{API: V1, Bucket: "b", User: "u", Token: "token"}, got{"/write", "db=b&precision=ns", "Basic dTp0b2tlbg==", body}},
		{Server{API: V2, Org: "an org", Bucket: "b", Token: "token"}, got{"/api/v2/write", "bucket=b&org=an+org&precision=ns", "Token token", body}},
		{Server{API: V3, Bucket: "b", Token: "token"}, got{"/api/v3/write_lp", "db=b&precision=nanosecond", "Bearer token", body}},
	} {
		c.server.URL = server.URL
		m := New(c.server, nil, clock.Wall{}, slog.Default())
		m.Emit(event(telemetry.Miner, telemetry.HeldOut{Loss: 0, Tokens: 9}))
		m.Run(ctx)
		if g := <-all; g != c.want {
			t.Errorf("got  %+v\nwant %+v", g, c.want)
		}
	}
}
