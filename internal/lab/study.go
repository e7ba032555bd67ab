package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"templar/internal/dashboard/collect"
	"templar/internal/strictjson"
	"templar/internal/workers"
)

// Study trains several Variants, each with several seeds.
type Study struct {
	Variants []Variant // that Check has accepted, with different names
	First    uint64    // seed
	Seeds    int
	Dir      string // keeps the finished runs: a second Run computes only what is missing
	Threads  int    // runs at a time; 0: as many as there are cores
	Env      Env
	Notify   func(Progress) // called when something has changed, one call at a time; nil: never
}

// Progress is how far a Study is.
type Progress struct {
	Runs, Done, Kept int           // Kept of Done were there before
	Left             time.Duration // estimated; negative: not known yet
	Finished         *Result       // the run that has just ended; nil: none
}

// job is one run to do.
type job struct {
	variant *Variant
	seed    uint64
	path    string
}

// Run trains what is missing and compares all. Runs that have ended when ctx ends are kept.
func (s *Study) Run(ctx context.Context) (Comparison, error) {
	if _, err := Names(s.Variants); err != nil {
		return Comparison{}, err
	}
	if err := os.MkdirAll(filepath.Join(s.Dir, "runs"), 0o755); err != nil {
		return Comparison{}, fmt.Errorf("study: %w", err)
	}
	results := make([][]*Result, len(s.Variants))
	t := newTracker(s)
	work, ctx := errgroup.WithContext(ctx)
	threads := s.Threads
	if threads <= 0 {
		threads = workers.Cores()
	}
	var missing []job
	for i := range s.Variants {
		v := &s.Variants[i]
		results[i] = make([]*Result, s.Seeds)
		for k := range s.Seeds {
			j := job{v, s.First + uint64(k), s.path(v, s.First+uint64(k))}
			r, err := readResult(j.path, v.key(j.seed))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return Comparison{}, err
			}
			if err == nil {
				r.Variant = v.Name // it may have been called otherwise
				results[i][k] = &r
				t.kept(j)
				continue
			}
			missing = append(missing, j)
		}
	}
	work.SetLimit(threads)
	each := max(1, threads/max(1, len(missing))) // cores for each run, when there are few
	for _, j := range missing {
		work.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r, err := s.train(ctx, j, each, t)
			if err != nil {
				return fmt.Errorf("%s, seed %d: %w", j.variant.Name, j.seed, err)
			}
			return s.keep(j, r, results, t)
		})
	}
	if err := work.Wait(); err != nil {
		return Comparison{}, err
	}
	return compare(s.Variants, results), nil
}

// path is where a run's result is kept.
func (s *Study) path(v *Variant, seed uint64) string {
	return filepath.Join(s.Dir, "runs", v.key(seed)+".json")
}

func (s *Study) train(ctx context.Context, j job, threads int, t *tracker) (Result, error) {
	trained, err := j.variant.Train(ctx, s.Env, Options{
		Seed: j.seed, Threads: threads, Window: func(w int) { t.window(j, w) },
	})
	return trained.Result, err
}

func (s *Study) keep(j job, r Result, results [][]*Result, t *tracker) error {
	err := collect.WriteFile(j.path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(r)
	})
	if err != nil {
		return err
	}
	for i := range s.Variants {
		if &s.Variants[i] == j.variant {
			results[i][j.seed-s.First] = &r
		}
	}
	t.ended(j, &r)
	return nil
}

func readResult(path, key string) (r Result, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := strictjson.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%s: %w: remove it, and its run is computed again", path, err)
	}
	if r.Key != key || len(r.Points) == 0 {
		return r, fmt.Errorf("%s: not the result of this run: remove it, and the run is computed again", path)
	}
	return r, nil
}

// tracker estimates how long a Study takes. A run's cost is the tokens that it trains on.
type tracker struct {
	study *Study
	began time.Time

	mu struct {
		sync.Mutex
		now      Progress
		cost     float64         // of all missing runs
		finished float64         // cost of those that have ended in this process
		running  map[job]float64 // cost so far
	}
}

func newTracker(s *Study) *tracker {
	t := &tracker{study: s, began: time.Now()}
	t.mu.now = Progress{Runs: len(s.Variants) * s.Seeds, Left: -1}
	t.mu.running = make(map[job]float64)
	for i := range s.Variants {
		t.mu.cost += float64(s.Seeds) * s.Variants[i].cost()
	}
	return t
}

// cost is in parameters times tokens, with what validators compute.
func (v *Variant) cost() float64 {
	p := &v.params
	window := float64(p.PagesPerWindow * p.PageTokens)
	trained := window * float64(v.Miners+len(v.mix.Members()))
	if v.Baseline == nil {
		miners := float64(min(p.UIDsPerWindow, v.Miners+len(v.mix.Members())))
		trained += float64(v.Validators) * (3*miners + 1) * p.ValidatorSampleRate * window / 3
	}
	return trained * float64(v.Windows) * float64(p.Model.Layout().Size())
}

func (t *tracker) kept(j job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.now.Done++
	t.mu.now.Kept++
	t.mu.cost -= j.variant.cost()
	t.notify(nil)
}

func (t *tracker) window(j job, w int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.running[j] = j.variant.cost() * float64(w) / float64(j.variant.Windows)
	t.notify(nil)
}

func (t *tracker) ended(j job, r *Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.mu.running, j)
	t.mu.finished += j.variant.cost()
	t.mu.now.Done++
	t.notify(r)
}

// notify is called with the lock held.
func (t *tracker) notify(r *Result) {
	done := t.mu.finished
	for _, c := range t.mu.running {
		done += c
	}
	if done > 0 {
		spent := time.Since(t.began)
		t.mu.now.Left = time.Duration(float64(spent) * max(0, t.mu.cost-done) / done)
	}
	if t.study.Notify != nil {
		p := t.mu.now
		p.Finished = r
		t.study.Notify(p)
	}
}
