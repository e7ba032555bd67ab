package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/clock"
	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/collect/collecttest"
	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// crowd is a network of n miners, of which the last 8 cheat: it emits the events of windows.
type crowd struct {
	miners int
	start  protocol.Window
	emit   func(telemetry.Event)
}

func (c crowd) meta(windows int) collect.Meta {
	m := collect.Meta{Preset: "tiny", Seed: 1, Windows: windows, Corpus: "opticks.txt", TokenUnit: "byte", UnigramEntropy: 3.16, BlocksPerWindow: 8, BlockTime: 500 * time.Millisecond, Cores: 16}
	for i := range c.miners {
		m.Nodes = append(m.Nodes, collect.Member{Name: c.name(i), Role: telemetry.Miner, UID: protocol.UID(i), Hotkey: protocol.Hotkey{byte(i + 1)}})
	}
	return m
}

func (c crowd) name(i int) string {
	if cheat := i - (c.miners - 8); cheat >= 0 && c.miners > 8 {
		return fmt.Sprintf("cheat-%d", cheat)
	}
	return fmt.Sprintf("miner-%d", i)
}

func (c crowd) window(w protocol.Window, at time.Time) {
	step := float64(w - c.start)
	loss := 2.3 + 3.2*math.Exp(-step/40) + 0.02*math.Sin(step)
	aggregate, state := collecttest.Hash("a", w), collecttest.Hash("s", w)
	skipped, lines := map[protocol.UID]protocol.Verdict{}, []score.Line{}
	var included []protocol.UID
	send := func(node string, role telemetry.Role, uid protocol.UID, b telemetry.Body) {
		c.emit(telemetry.Event{Time: at, Node: node, Role: role, UID: uid, Window: w, Body: b})
	}
	send("chain", "", 0, telemetry.Block{Number: uint64(w) * 8, Time: at})
	for i := range c.miners {
		uid := protocol.UID(i)
		honest := !strings.HasPrefix(c.name(i), "cheat")
		l := score.Line{Observation: score.Observation{UID: uid, Hotkey: protocol.Hotkey{byte(i + 1)}}, Evaluated: true, Own: 0.03, Random: 0.01,
			After: score.Record{UID: uid, Hotkey: protocol.Hotkey{byte(i + 1)}, Rating: score.Rating{Mu: 27 + float64(i%7), Sigma: 1 + 6*math.Exp(-step/20)}, BinaryAverage: 0.7, SyncScore: 0.97, Final: 12 + float64(i%7), Evaluations: 4, LastEvaluated: w, Batches: 12, Gain: 0.01, TypicalGain: 0.02}, Weight: 1 / float64(c.miners)}
		switch {
		case honest:
			included = append(included, uid)
		default:
			skipped[uid] = []protocol.Verdict{protocol.VerdictLate, protocol.VerdictNonFinite, protocol.VerdictWithheld, protocol.VerdictMissing}[i%4]
			l.After.Mu, l.After.Final, l.After.BinaryAverage, l.Weight = 18, 0, -0.2, 0
			l.Reasons = []score.Reason{{Kind: "invalid", Factor: 0, Detail: "its gradient was " + skipped[uid].String()}}
		}
		lines = append(lines, l)
		send(c.name(i), telemetry.Miner, uid, telemetry.Trained{Loss: loss + 0.05*math.Cos(float64(i)+step), Tokens: 3072, Batches: 6, Duration: 2 * time.Second})
		send(c.name(i), telemetry.Miner, uid, telemetry.Uploaded{Key: protocol.GradientKey(w, uid), Bytes: 13_000})
		send(c.name(i), telemetry.Miner, uid, telemetry.Applied{Aggregate: aggregate, State: state, LearningRate: 4e-4, Included: included, Skipped: skipped, AggregateBytes: 56_000})
		send(c.name(i), telemetry.Miner, uid, telemetry.Phase{Name: "training"})
	}
	send("aggregator-0", telemetry.Aggregator, 0, telemetry.Published{Hash: aggregate, Bytes: 56_000, Included: included, Skipped: skipped, Ours: true})
	send("validator-0", telemetry.Validator, 200, telemetry.Scored{Miners: lines})
	send("validator-0", telemetry.Validator, 200, telemetry.Applied{Aggregate: aggregate, State: state, LearningRate: 4e-4, Included: included, Skipped: skipped})
	send("evaluator-0", telemetry.Evaluator, 0, telemetry.HeldOut{Loss: loss, Tokens: 100, Bytes: 100})
	if (w-c.start)%5 == 0 {
		var tasks []telemetry.TaskScore
		for i, name := range []string{"arc_challenge", "arc_easy", "hellaswag", "mmlu", "openbookqa", "piqa", "winogrande"} {
			tasks = append(tasks, telemetry.TaskScore{Task: name, Documents: 500, Acc: 0.24 + 0.04*float64(i) + 0.002*step + 0.01*math.Sin(step+float64(i)), Norm: math.NaN(), NormErr: math.NaN()})
		}
		send("evaluator-0", telemetry.Evaluator, 0, telemetry.Benchmarked{Tasks: tasks, Duration: time.Second})
	}
}

// ran is a page of a crowd that has done windows.
func ran(t *testing.T, miners, windows int) (*Server, crowd, *collect.Collector) {
	t.Helper()
	c := crowd{miners: miners, start: 100}
	collector := collect.NewCollector(c.meta(windows + 100))
	c.emit = collector.Emit
	begin := time.Now().Add(-time.Duration(windows) * 4 * time.Second)
	c.emit(telemetry.Event{Time: begin, Node: "miner-0", Role: telemetry.Miner, Body: telemetry.Started{StartWindow: c.start, Parameters: 459_904}})
	for i := range windows {
		c.window(c.start+protocol.Window(i), begin.Add(time.Duration(i)*4*time.Second))
	}
	return New(collector, clock.Wall{}, Options{Title: "crowd", Version: "v1"}), c, collector
}

// long is a page of a run of many windows, of which this process knows the report, and the crowd
// that goes on.
func long(t *testing.T, miners, windows int) (*Server, crowd) {
	t.Helper()
	c := crowd{miners: miners, start: 100}
	r := collect.Summary{StartWindow: c.start, Parameters: 459_904, Seconds: 40_000, Tokens: 1e9, InitialLoss: 5.5, Utilisation: 0.9}
	for i := range windows {
		loss := 2.3 + 3.2*math.Exp(-float64(i)/900) + 0.05*math.Sin(float64(i))
		w := collect.Window{
			Window: c.start + protocol.Window(i), HeldOutLoss: collect.Measure(loss), AggregateHash: collecttest.Hash("a", i), Seconds: 4, LearningRate: 4e-4, Utilisation: 0.9,
			StateHash: map[string]protocol.Hash{"validator-0": collecttest.Hash("s", i)}, TrainingLoss: map[string]collect.Measure{}, Gathered: []protocol.UID{0, 1},
		}
		for n := range miners {
			w.TrainingLoss[c.name(n)] = collect.Measure(loss + 0.1*math.Cos(float64(n+i)))
		}
		r.Windows = append(r.Windows, w)
	}
	collector := collect.NewCollector(c.meta(windows + 100))
	collector.Resume(r)
	c.emit = collector.Emit
	c.window(c.start+protocol.Window(windows), time.Now())
	return New(collector, clock.Wall{}, Options{Title: "long"}), c
}

// 10,000 windows of 64 miners are less than a megabyte, and an update far less.
func TestSize(t *testing.T) {
	s, _ := long(t, 64, 10_000)
	for partial, most := range map[bool]int{false: 1 << 20, true: 100 << 10} {
		began := time.Now()
		b, err := json.Marshal(s.look(partial))
		if err != nil || len(b) > most {
			t.Errorf("partial %v: %d bytes, %v", partial, len(b), err)
		}
		t.Logf("partial %v: %d bytes in %v", partial, len(b), time.Since(began).Round(time.Millisecond))
	}
	v := s.look(false)
	if n := len(v.Charts.Window); n > maxRows+2 || v.Charts.Window[0] != 100 || v.Charts.Window[n-1] != 10_100 {
		t.Errorf("%d rows from %d to %d", n, v.Charts.Window[0], v.Charts.Window[n-1])
	}
}

// A view shows what the collector knows, in the names that the page reads.
func TestView(t *testing.T) {
	s, _, _ := ran(t, 12, 3)
	b, err := json.Marshal(s.look(false))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"title":"crowd"`, `"window":[100,101,102]`, `"cheat-0":[`, `"skipped":{"10":"withheld","11":"missing","4":"late"`,
		`"nodes":13`, `"apart":[]`, `"verdict":"ok"`, `"verdict":"non-finite"`, `"mu":27`, `"scored_by":"validator-0"`, `"phase":"training"`, `"level":"WARN"`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/api/miner?uid=11", nil))
	if body := w.Body.String(); strings.Count(body, `"window":`) != 3 || !strings.Contains(body, `its gradient was missing`) || !strings.Contains(body, `"own_improvement":0.03`) {
		t.Errorf("miner: %s", body)
	}
	if u := s.look(true); len(u.Charts.Window) != 3 || !u.Partial {
		t.Errorf("update %+v", u.Charts)
	}
}

// The files have their kinds and the policy, and are not sent again.
func TestFiles(t *testing.T) {
	s, _, _ := ran(t, 3, 1)
	for path, kind := range map[string]string{"/": "text/html", "/app.js": "text/javascript", "/app.css": "text/css", "/icon.svg": "image/svg+xml"} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		h := w.Result().Header
		if w.Code != 200 || !strings.HasPrefix(h.Get("Content-Type"), kind) || h.Get("Content-Security-Policy") != policy {
			t.Errorf("%s: %d %v", path, w.Code, h)
		}
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("If-None-Match", h.Get("ETag"))
		again := httptest.NewRecorder()
		if s.ServeHTTP(again, r); again.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", path, again.Code)
		}
		if b := w.Body.String(); strings.Contains(b, "http://") && strings.Contains(strings.ReplaceAll(b, "http://www.w3.org/2000/svg", ""), "http://") || strings.Contains(strings.ReplaceAll(b, "https://github.com/leeoniya/uPlot", ""), "https://") {
			t.Errorf("%s names another server", path)
		}
	}
	for path, code := range map[string]int{"/nothing": 404, "/api/miner": 400, "/api/miner?uid=70000": 400} {
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, httptest.NewRequest("GET", path, nil)); w.Code != code {
			t.Errorf("%s: %d, want %d", path, w.Code, code)
		}
	}
}

// A stream begins with a view, goes on with updates while there is something new, and ends with
// its page. There are not more than maxStreams.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c, _ := ran(t, 3, 2)
		ctx, stop := context.WithCancel(t.Context())
		var done []chan struct{}
		var first *bufio.Reader
		for i := range maxStreams + 1 {
			in, out := io.Pipe()
			ended := make(chan struct{})
			w := &pipeWriter{header: http.Header{}, out: out}
			go func() {
				defer close(ended)
				s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/api/stream", nil))
				out.Close()
			}()
			if i == 0 {
				first = bufio.NewReader(in)
				read(t, first, "event: view")
			} else {
				go io.Copy(io.Discard, in)
			}
			done = append(done, ended)
			if i == maxStreams {
				<-ended
				if w.code != http.StatusServiceUnavailable {
					t.Errorf("stream %d: %d", i, w.code)
				}
			}
			synctest.Wait()
		}
		c.window(102, time.Now())
		if data := read(t, first, "event: update"); !strings.Contains(data, `"window":[100,101,102]`) {
			t.Errorf("update %.300s", data)
		}
		go io.Copy(io.Discard, first)
		stop()
		for _, d := range done {
			<-d
		}
	})
}

// read reads up to an event, and returns its data.
func read(t *testing.T, r *bufio.Reader, name string) string {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(name, err)
		}
		if strings.TrimSpace(line) == name {
			data, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
}

type pipeWriter struct {
	header http.Header
	code   int
	out    *io.PipeWriter
}

func (w *pipeWriter) Header() http.Header         { return w.header }
func (w *pipeWriter) WriteHeader(code int)        { w.code = code }
func (w *pipeWriter) Write(b []byte) (int, error) { return w.out.Write(b) }
func (w *pipeWriter) Flush()                      {}
