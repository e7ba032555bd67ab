package wandb

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/clock"
	"templar/internal/telemetry"
	"templar/internal/telemetry/telemetrytest"
	"templar/internal/telemetry/wandb/wandbtest"
	"templar/protocol"
)

// direct passes requests to a handler, without a network: so the bubble's time is virtual.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

const start = 10

// node is a node of a role with a sink. end stops it as Ctrl-C does; kill as kill -9.
type node struct {
	*Sink
	role   telemetry.Role
	cancel func()
	ended  chan struct{}
}

func run(t *testing.T, role telemetry.Role, o Options, server http.Handler) *node {
	t.Helper()
	o.Project, o.Version, o.URL = "templar", "1.2.3", "http://wandb.test"
	ctx, cancel := context.WithCancel(t.Context())
	n := &node{Sink: New(o, clock.Wall{}, slog.New(slog.DiscardHandler)), role: role, cancel: cancel, ended: make(chan struct{})}
	n.Sink.transport = direct{server}
	go func() { defer close(n.ended); n.Run(ctx) }()
	return n
}

func (n *node) window(w protocol.Window) {
	for _, e := range telemetrytest.Window(start, w, time.Now()) {
		if e.Role == n.role {
			n.Emit(e)
		}
	}
}

func (n *node) end() { n.cancel(); <-n.ended }

// steps returns the steps of a run's history, and its rows.
func steps(t *testing.T, r wandbtest.Run) (out []int64, rows []map[string]any) {
	t.Helper()
	for i, l := range r.History {
		var row map[string]any
		if err := json.Unmarshal([]byte(l), &row); err != nil {
			t.Fatalf("line %d: %q: %v", i, l, err)
		}
		out, rows = append(out, stepOf(l)), append(rows, row)
	}
	return out, rows
}

func contiguous(t *testing.T, r wandbtest.Run, n int) {
	t.Helper()
	got, _ := steps(t, r)
	if len(got) != n {
		t.Fatalf("%d rows %v, want %d", len(got), got, n)
	}
	for i, step := range got {
		if step != int64(i) {
			t.Fatalf("row %d is step %d", i, step)
		}
	}
}

// A node that is stopped, killed and refused now and then has one history, without gaps and
// repetitions.
func TestContiguous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		var down atomic.Bool
		server := &wandbtest.Server{Fail: func(string) (int, bool) {
			requests++
			if down.Load() {
				return 503, false
			}
			return map[bool]int{true: 503}[requests%3 == 0], requests%6 == 0
		}}
		o := Options{Dir: t.TempDir(), Key: wandbtest.Key}
		w := protocol.Window(start)
		for leg := range 4 {
			n := run(t, telemetry.Miner, o, server)
			for i := range 20 {
				if leg > 0 && i == 0 {
					n.window(w - 1) // replayed after the restart
				}
				n.window(w)
				w++
				time.Sleep(7 * time.Second)
			}
			if leg%2 == 0 {
				n.end()
			} else {
				down.Store(true)
				kill(n)
				down.Store(false)
			}
		}
		n := run(t, telemetry.Miner, o, server)
		n.window(w)
		time.Sleep(10 * time.Minute)
		n.end()
		ids := server.IDs()
		if len(ids) != 1 {
			t.Fatalf("runs %v", ids)
		}
		r := server.Run(ids[0])
		contiguous(t, r, 81)
		if !r.Complete || r.Variables["displayName"] != "M1" || r.Variables["groupName"] != "miner" || r.Variables["jobType"] != "mining" {
			t.Errorf("run %+v", r.Variables)
		}
		_, rows := steps(t, r)
		for name, want := range map[string]any{
			"latest/miner/loss": 2.5, "v1.2.3/miner/loss": 2.5, "v1.2.3/step": 80.0, "latest/miner/gather_peers": 2.0,
			"latest/miner/gather/success_rate": 50.0, "latest/miner/tokens_per_sec": 1536.0, "_step": 80.0,
		} {
			if rows[80][name] != want {
				t.Errorf("%s is %v, want %v", name, rows[80][name], want)
			}
		}
		if !strings.Contains(r.Summary, `"_step":80`) {
			t.Errorf("summary %s", r.Summary)
		}
	})
}

// kill ends a node as kill -9 does: its file has no end, and half a record more.
func kill(n *node) {
	n.end() // of which the server hears nothing
	files, _ := filepath.Glob(filepath.Join(n.options.Dir, "*", "*.wandb"))
	f, err := reopen(files[0]) // which cuts the record of the end off
	if err != nil {
		panic(err)
	}
	torn := frame(f.size, wrapped(f.records+1, fieldHistory, Row{Step: f.last + 1}.record()))
	if _, err := f.WriteAt(torn[:len(torn)-3], f.size); err != nil {
		panic(err)
	}
	f.Close()
}

// A server that refuses the key, is away, or answers nonsense costs its data alone: the node is
// not held up, and the file has all rows.
func TestBadServers(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"denied": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"moved": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://evil.test/", http.StatusFound)
		},
		"nonsense": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"data": {"model": 7}}`) },
		"errors":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"errors": [{"message": "no"}]}`) },
		"silent":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				n := run(t, telemetry.Validator, Options{Dir: dir, Key: wandbtest.Key}, h)
				begin := time.Now()
				for w := range protocol.Window(5) {
					n.window(start + w)
				}
				if took := time.Since(begin); took > 0 {
					t.Errorf("emitting took %v", took)
				}
				time.Sleep(time.Minute)
				begin = time.Now()
				n.end()
				if took := time.Since(begin); took > farewell {
					t.Errorf("the end took %v", took)
				}
				if lines := read(t, dir); len(lines) != 5 || lines[4]["latest/validator/weights/1"] != 0.6 {
					t.Errorf("the file has %d rows", len(lines))
				}
			})
		})
	}
}

// read returns the rows of the one file below a folder.
func read(t *testing.T, dir string) (rows []map[string]any) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "offline-run-*", "run-*.wandb"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	last := fieldHeader
	err = scan(f, 0, func(_ int64, field protowireNumber, body []byte) bool {
		last = int(field)
		if field == fieldHistory {
			b, _, ok := line(body)
			var row map[string]any
			if err := json.Unmarshal(b, &row); err != nil || !ok {
				t.Fatal(string(b), err)
			}
			rows = append(rows, row)
		}
		return true
	})
	if err != nil || last != fieldExit {
		t.Errorf("the file ends with a record of kind %d, %v", last, err)
	}
	return rows
}

// Without a key nothing is sent. Each role has its names.
func TestOffline(t *testing.T) {
	for role, want := range map[telemetry.Role]string{
		telemetry.Miner: "v1.2.3/miner/timing/put", telemetry.Validator: "latest/validator/openskill/ordinal/3",
		telemetry.Aggregator: "latest/aggregator/gather/failed_uids", telemetry.Evaluator: "latest/evaluator/custom_eval/bpb",
	} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			n := run(t, role, Options{Dir: dir}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request without a key") }))
			n.window(start)
			n.window(start + 1)
			synctest.Wait()
			n.end()
			rows := read(t, dir)
			if len(rows) != 2 || rows[1][want] == nil {
				t.Errorf("%s: %d rows, the last without %s", role, len(rows), want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // a node that never began leaves nothing
		dir := t.TempDir()
		n := run(t, telemetry.Miner, Options{Dir: dir}, nil)
		n.end()
		if entries, err := os.ReadDir(dir); len(entries) > 0 || err != nil {
			t.Error(entries, err)
		}
	})
}

// The rows of another file, of a run with a given id, stay; what is new follows them.
func TestAnotherFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &wandbtest.Server{}
		for leg := range 2 {
			n := run(t, telemetry.Aggregator, Options{Dir: t.TempDir(), Key: wandbtest.Key, RunID: "given"}, server)
			for i := range 4 { // the second leg repeats a step
				n.window(start + protocol.Window(3*leg+i))
			}
			time.Sleep(time.Minute)
			n.end()
		}
		contiguous(t, server.Run("given"), 7)
	})
}
