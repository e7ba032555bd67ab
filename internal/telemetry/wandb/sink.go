package wandb

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"templar/internal/clock"
	"templar/internal/telemetry"
)

const (
	farewell  = 5 * time.Second // for the last rows
	maxQueued = 1024            // rows that a disk has not taken
	sumEvery  = 32              // rows from one summary in the file to the next
)

// Options describe what is recorded, and where it is sent.
type Options struct {
	Dir     string // of the file: wandb in the node's data directory
	Key     string // empty: the file is not uploaded
	URL     string // of the server
	Entity  string // empty: the key's own
	Project string
	Group   string  // empty: by role
	JobType string  // likewise
	RunID   string  // empty: one that is kept in Dir
	Name    string  // empty: by role and uid
	Version string  // of the program
	Config  []Value // of the run; no credential
}

// Sink is a telemetry.Sink that records and uploads while Run runs. Emit never waits.
type Sink struct {
	options Options
	clock   clock.Clock
	log     *slog.Logger
	wake    chan struct{}

	transport http.RoundTripper // nil: the network

	mu struct {
		sync.Mutex
		recorder recorder
		first    *telemetry.Event // of the node: its role and uid name the run
		queue    []step
		dropped  int
	}
}

var _ telemetry.Sink = (*Sink)(nil)

// New returns a sink. Failures are logged in log.
func New(o Options, c clock.Clock, log *slog.Logger) *Sink {
	return &Sink{options: o, clock: c, log: log, wake: make(chan struct{}, 1)}
}

// Emit takes one event of the node.
func (s *Sink) Emit(e telemetry.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.first == nil {
		s.mu.first = &e
	}
	e.Visit(&s.mu.recorder)
	done := s.mu.recorder.take()
	if done == nil {
		return
	}
	done.time = e.Time
	s.mu.queue = append(s.mu.queue, *done)
	if len(s.mu.queue) > maxQueued {
		s.mu.queue = s.mu.queue[1:]
		s.mu.dropped++
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run records until ctx ends, and then what is left. The file is opened with the first step, when
// the node holds its data directory.
func (s *Sink) Run(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.wake:
	}
	s.mu.Lock()
	first := s.mu.first
	empty := len(s.mu.queue) == 0
	s.mu.Unlock()
	if empty {
		return
	}
	f, info, err := s.open(*first)
	if err != nil {
		s.log.Warn("nothing is recorded for W&B", "err", err)
		return
	}
	defer f.Close()
	s.log.Info("recording for W&B", "file", f.path, "run", info.ID, "name", info.Name, "upload", s.options.Key != "")
	var uploading sync.WaitGroup
	u := &uploader{client: newClient(s.options.URL, s.options.Key, s.transport), info: info, path: f.path, clock: s.clock, log: s.log}
	if s.options.Key != "" {
		uploading.Go(func() { u.run(ctx) })
	}
	sums := map[string]any{}
	for s.record(f, sums); ctx.Err() == nil; s.record(f, sums) {
		select {
		case <-ctx.Done():
		case <-s.wake:
		}
	}
	s.record(f, sums)
	s.finish(f, sums)
	uploading.Wait()
	if s.options.Key != "" {
		s.sayGoodbye(ctx, u)
	}
}

// sayGoodbye uploads the last rows, if the server takes them quickly.
func (s *Sink) sayGoodbye(ctx context.Context, u *uploader) {
	ctx, cancel := clock.WithTimeout(context.WithoutCancel(ctx), s.clock, farewell)
	defer cancel()
	if err := u.flush(ctx, true); err != nil {
		s.log.Warn("the last measurements are not on W&B: the next start of the node sends them", "err", err)
	}
	u.close()
}

// open opens the file of the node's run.
func (s *Sink) open(first telemetry.Event) (*file, RunInfo, error) {
	o := s.options
	id, err := runID(o.Dir, o.RunID)
	if err != nil {
		return nil, RunInfo{}, err
	}
	host, _ := os.Hostname() // one that is not known is left out
	names := named(first)
	info := RunInfo{
		ID: id, Entity: o.Entity, Project: o.Project, Group: or(o.Group, names.group), JobType: or(o.JobType, names.jobType),
		Name: or(o.Name, names.name), Host: host, Tags: []string{"v" + o.Version}, Config: o.Config, Begin: s.clock.Now(),
	}
	f, err := openFile(o.Dir, info)
	if err != nil {
		return nil, info, err
	}
	info.Begin = f.begin
	return f, info, nil
}

func or(value, usual string) string {
	if value == "" {
		return usual
	}
	return value
}

// record writes the queued steps to the file. Steps that the file has already are those that a
// restarted node repeats.
func (s *Sink) record(f *file, sums map[string]any) {
	s.mu.Lock()
	queue, dropped := s.mu.queue, s.mu.dropped
	s.mu.queue, s.mu.dropped = nil, 0
	s.mu.Unlock()
	if dropped > 0 {
		s.log.Warn("the disk is too slow: steps are not recorded for W&B", "steps", dropped)
	}
	for _, step := range queue {
		if step.number <= f.last {
			continue
		}
		row := Row{Step: step.number, Runtime: step.time.Sub(f.begin).Seconds(), Time: step.time, Values: s.prefixed(step.values)}
		if err := f.append(row); err != nil {
			s.log.Warn("not recorded for W&B", "err", err)
			return
		}
		for _, v := range row.values() {
			sums[v.Name] = v.Value
		}
		if f.rows%sumEvery == 0 {
			s.summarise(f, sums)
		}
	}
}

// prefixed gives each value its two names, and the step its name in this version.
func (s *Sink) prefixed(values []Value) []Value {
	version := "v" + s.options.Version + "/"
	out := make([]Value, 0, 2*len(values)+1)
	for _, v := range values {
		out = append(out, Value{"latest/" + v.Name, v.Value}, Value{version + v.Name, v.Value})
	}
	return out
}

func (s *Sink) summarise(f *file, sums map[string]any) {
	if err := f.add(fieldSummary, summaryOf(sums)); err != nil {
		s.log.Warn("not recorded for W&B", "err", err)
	}
}

// finish writes the end of this process's part. The record of the end is cut off when the node
// is started again.
func (s *Sink) finish(f *file, sums map[string]any) {
	if len(sums) > 0 {
		s.summarise(f, sums)
	}
	if err := f.add(fieldExit, exitRecord(s.clock.Now().Sub(f.begin))); err != nil {
		s.log.Warn("not recorded for W&B", "err", err)
	}
}

// names are those of the original for a node.
type names struct{ name, group, jobType string }

func named(e telemetry.Event) names {
	prefix, n := "M", names{group: "miner", jobType: "mining"}
	switch e.Role {
	case telemetry.Miner:
	case telemetry.Validator:
		prefix, n = "V", names{group: "validator", jobType: "validation"}
	case telemetry.Aggregator:
		prefix, n = "A", names{group: "aggregator", jobType: "aggregation"}
	case telemetry.Evaluator:
		prefix, n = "E", names{group: "evaluations", jobType: "eval"}
	}
	n.name = fmt.Sprintf("%s%d", prefix, e.UID)
	return n
}

// Folder is where a node's runs are recorded in its data directory.
func Folder(dataDir string) string { return filepath.Join(dataDir, "wandb") }
