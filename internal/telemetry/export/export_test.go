package export

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"templar/internal/clock"
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
		{telemetry.Uploaded{Key: "k", Bytes: 7, Duration: 2 * time.Second}, "bytes=7i,seconds=2"},
		{telemetry.Gathered{Verdicts: []telemetry.PeerVerdict{{Verdict: protocol.VerdictOK}, {Verdict: protocol.VerdictLate}}, Bytes: 7},
			"peers=2i,success_rate=0.5,bytes=7i,seconds=0,skipped_late=1i"},
		{telemetry.Published{Bytes: 7, Included: []protocol.UID{1, 3, 4, 6}, Skipped: skipped, Ours: true, Gather: time.Second, Aggregate: time.Second / 4, Publish: time.Second / 8},
			"peers_selected=8i,peers_included=4i,success_rate=0.5,bytes=7i,ours=true,gather_seconds=1,aggregate_seconds=0.25,publish_seconds=0.125,skipped_bad_index=1i,skipped_late=2i,skipped_missing=1i"},
		{telemetry.Applied{Step: 4, LearningRate: 0.5, AggregateBytes: 7, Included: []protocol.UID{1}, Skipped: skipped, Provisional: true},
			"step=4i,learning_rate=0.5,bytes=7i,peers_included=1i,peers_skipped=4i,provisional=true"},
		{telemetry.Audited{Honest: true, Gradients: 3}, "honest=true,gradients=3i"},
		{telemetry.Evaluated{Miners: 4, Duration: time.Second}, "miners=4i,seconds=1"},
		{telemetry.WeightsSet{Accepted: true, Block: 99}, "accepted=true,block=99i"},
		{telemetry.Checkpointed{Prefix: "p", Bytes: 7}, "bytes=7i"},
	} {
		e, want := event(telemetry.Miner, c.body), ""
		if c.want != "" {
			want = `templar_` + strings.ReplaceAll(e.Kind(), "-", "_") + `,node=a\ node\,\=,role=miner,uid=3 window=12i,` + c.want + tail
		}
		if got := string(bytes.Join(points(e), nil)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", e.Kind(), got, want)
		}
	}
	scored := points(event(telemetry.Validator, telemetry.Scored{Miners: []telemetry.MinerScore{
		{UID: 1, GradientScore: 0.5, Mu: 26, Sigma: 8, Ordinal: 2, BinaryAverage: 0.25, SyncScore: 1, Final: 0.5, Weight: 1, Evaluated: true, Notes: []string{"late"}}, {UID: 4},
	}}))
	const want = `templar_scored,node=a\ node\,\=,role=validator,uid=3,miner=1 window=12i,gradient_score=0.5,mu=26,sigma=8,ordinal=2,binary_average=0.25,sync_score=1,final=0.5,weight=1,evaluated=true,penalties=1i` + tail
	if len(scored) != 2 || string(scored[0]) != want {
		t.Errorf("%s\nwant %s", scored, want)
	}
	compared := bytes.Join(points(event(telemetry.Validator, telemetry.Compared{Samples: []telemetry.SampleDistance{
		{UID: 1, Verdict: protocol.VerdictOK, L2: 0.5, MeanAbs: 0.25, StepsBehind: 2}, {UID: 4, Verdict: protocol.VerdictMissing},
	}})), nil)
	const distances = `templar_compared,node=a\ node\,\=,role=validator,uid=3,miner=1 window=12i,ok=true,l2=0.5,mean_abs=0.25,steps_behind=2` + tail +
		`templar_compared,node=a\ node\,\=,role=validator,uid=3,miner=4 window=12i,ok=false` + tail
	if string(compared) != distances {
		t.Errorf("%s\nwant %s", compared, distances)
	}
	if got := string(points(event(telemetry.Aggregator, telemetry.HeldOut{}))[0]); strings.Contains(got, "uid") {
		t.Errorf("an aggregator has no slot: %s", got)
	}
}

// answers is a server in memory that answers with each status in turn, and then takes all.
type answers struct {
	mu       sync.Mutex
	statuses []int
	taken    []string // bodies
	requests []*http.Request
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a.requests = append(a.requests, r)
	status := http.StatusNoContent
	if len(a.statuses) > 0 {
		status, a.statuses = a.statuses[0], a.statuses[1:]
	}
	if status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	if status == http.StatusNoContent {
		a.taken = append(a.taken, string(b))
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("you sent " + r.Header.Get("Authorization")))}, nil
}

// A server that is away, or that an operator has to let in, costs nothing but time, and one
// that refuses a batch only that one.
func TestFailuresAreTriedAgain(t *testing.T) {
	all, rest := []string{"1\n2\n3\n4\n"}, []string{"2\n3\n4\n"}
	for name, c := range map[string]struct {
		statuses []int
		taken    []string
		failed   bool
		lost     bool // the first line
	}{
		"away":          {[]int{0, 503, 429, 408}, all, true, false},
		"wrong token":   {[]int{401, 403}, all, true, false},
		"wrong address": {[]int{404, 405, 307, 301}, all, true, false},
		"malformed":     {[]int{400}, rest, true, true},
		"too large":     {[]int{413}, rest, true, true},
		"unwanted":      {[]int{422}, rest, true, true},
		"always serves": {nil, append([]string{"1\n"}, rest...), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, said := &answers{statuses: c.statuses}, &bytes.Buffer{}
				m := NewMetrics(InfluxDB{URL: "http://x", Token: "hunter2"}, clock.Wall{}, slog.New(slog.NewTextHandler(said, nil)))
				m.queue.client.Transport = server
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { m.Run(ctx); close(done) }()
				m.queue.add([]byte("1\n"))
				synctest.Wait()
				time.Sleep(interval + time.Second)
				for i := 2; i <= 4; i++ {
					m.queue.add(fmt.Appendf(nil, "%d\n", i))
				}
				time.Sleep(5 * interval)
				stop()
				<-done
				if !slices.Equal(server.taken, c.taken) {
					t.Errorf("taken %q, want %q", server.taken, c.taken)
				}
				for line, want := range map[string]bool{
					`level=WARN msg="not delivered" what=metrics`: c.failed, `level=INFO msg="delivered again" what=metrics`: c.failed,
					`level=WARN msg="dropped undelivered" what=metrics lines=1`: c.lost, `msg="dropped undelivered"`: c.lost,
				} {
					if n := strings.Count(said.String(), line); n > 1 || (n == 1) != want {
						t.Errorf("%s %d times in\n%s", line, n, said)
					}
				}
				if strings.Contains(said.String(), "hunter2") {
					t.Errorf("the log holds the token: %s", said)
				}
			})
		})
	}
}

// What is left goes out when the node stops, and a server that hangs does not keep it.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &answers{}
		m := NewMetrics(InfluxDB{URL: "http://x"}, clock.Wall{}, slog.New(slog.DiscardHandler))
		m.queue.client.Transport = server
		ctx, stop := context.WithCancel(t.Context())
		stop()
		m.queue.add([]byte("1\n"))
		if m.Run(ctx); !slices.Equal(server.taken, []string{"1\n"}) {
			t.Errorf("taken %q", server.taken)
		}
		m.queue.client.Transport = hanging{}
		m.queue.add([]byte("2\n"))
		began := time.Now()
		if m.Run(ctx); time.Since(began) != farewell {
			t.Errorf("stopped after %v", time.Since(began))
		}
	})
}

type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// The queue holds so much and no more, and drops the oldest.
func TestQueueIsBounded(t *testing.T) {
	q := newQueue("lines", clock.Wall{}, slog.New(slog.DiscardHandler))
	line := func(i int) []byte { return fmt.Appendf(nil, "%0100000d", i) }
	const n = 200
	for i := range n {
		q.add(line(i))
	}
	first := q.take()
	if len(first) != maxBatch/100000 || !bytes.Equal(first[0], line(n-maxQueued/100000)) || q.mu.dropped != n-maxQueued/100000 {
		t.Errorf("%d lines from %.20s on, %d dropped", len(first), first[0], q.mu.dropped)
	}
	q.giveBack(first)
	again := q.take()
	if !bytes.Equal(again[0], first[0]) || q.mu.bytes != (maxQueued/100000-len(again))*100000 {
		t.Errorf("given back, the next are %d from %.20s on", len(again), again[0])
	}
	for i := range len(again) - 1 { // so that there is room for one of them
		q.add(line(n + i))
	}
	if q.giveBack(again); q.mu.bytes > maxQueued || !bytes.Equal(q.take()[0], again[len(again)-1]) {
		t.Errorf("given back to a full queue, it holds %d bytes", q.mu.bytes)
	}
}

// What there was no room for is told, once, also when the server takes all that is sent.
func TestOverflowIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := &bytes.Buffer{}
		m := NewMetrics(InfluxDB{URL: "http://x"}, clock.Wall{}, slog.New(slog.NewTextHandler(said, nil)))
		m.queue.client.Transport = &answers{}
		for range maxQueued/maxBatch + 3 {
			m.queue.add(make([]byte, maxBatch))
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		m.Run(ctx)
		if s := said.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, `level=WARN msg="dropped undelivered" what=metrics lines=3`) {
			t.Errorf("said %s", s)
		}
	})
}

// The address of a Loki server may hold a token: no failure shows it.
func TestAddressIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := &bytes.Buffer{}
		l, err := NewLog("http://user:hunter2@logs.example/hunter2?token=hunter2", nil, clock.Wall{}, slog.New(slog.NewTextHandler(said, nil)))
		if err != nil {
			t.Fatal(err)
		}
		l.queue.client.Transport = &answers{statuses: []int{0}}
		l.queue.add([]byte("1 line"))
		ctx, stop := context.WithCancel(t.Context())
		stop()
		l.Run(ctx)
		if s := said.String(); !strings.Contains(s, `msg="not delivered" what="log lines" err="unexpected EOF"`) || strings.Contains(s, "hunter2") {
			t.Errorf("said %s", s)
		}
	})
}

// What InfluxDB and Loki get over HTTP is what their interfaces ask for.
func TestRequests(t *testing.T) {
	type got struct{ path, query, authorization, body string }
	all := make(chan got, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		all <- got{r.URL.Path, r.URL.RawQuery, r.Header.Get("Authorization"), string(b)}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	m := NewMetrics(InfluxDB{URL: server.URL, Org: "an org", Bucket: "b", Token: "token"}, clock.Wall{}, slog.Default())
	m.Emit(event(telemetry.Miner, telemetry.HeldOut{Loss: 3, Tokens: 9}))
	m.Run(ctx)
	want := got{"/api/v2/write", "bucket=b&org=an+org&precision=ns", "Token token", `templar_held_out,node=a\ node\,\=,role=miner,uid=3 window=12i,loss=3,tokens=9i 1000000005` + "\n"}
	if g := <-all; g != want {
		t.Errorf("got  %+v\nwant %+v", g, want)
	}

	l, err := NewLog(strings.Replace(server.URL, "//", "//user:password@", 1), map[string]string{"node": "miner-0"}, clock.Wall{}, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewJSONHandler(l, nil)).Info("a \"quoted\" line", "window", 12)
	l.Run(ctx)
	g := <-all
	var body struct {
		Streams []struct {
			Stream map[string]string
			Values [][2]string
		}
	}
	if err := json.Unmarshal([]byte(g.body), &body); err != nil || g.path != "/loki/api/v1/push" || g.authorization != "Basic dXNlcjpwYXNzd29yZA==" {
		t.Fatal(err, g)
	}
	var line struct {
		Msg    string
		Window int
	}
	s := body.Streams[0]
	if err := json.Unmarshal([]byte(s.Values[0][1]), &line); err != nil || line.Msg != `a "quoted" line` || line.Window != 12 || s.Stream["node"] != "miner-0" || len(s.Values[0][0]) != 19 {
		t.Errorf("%v, %+v", err, s)
	}
	if _, err := NewLog("http://user:hunter2@%zz", nil, clock.Wall{}, slog.Default()); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}
