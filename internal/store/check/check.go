// Package check finds out whether a bucket does what the protocol needs of it, and says what
// to change where it does not. It takes a few seconds and some small objects under a prefix
// of its own, which it removes again.
package check

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"templar/internal/clock"
	"templar/internal/store"
)

// Status is what a step comes to.
type Status string

// Statuses: Warn is a bucket that works with a drawback, Skip a step that could not be
// taken.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
	Skip Status = "skip"
)

// Result tells about one step.
type Result struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"`        // what was found
	Fix    string `json:"fix,omitempty"` // what to do about it

	// Up and Down are the rates that throughput measured, in bytes a second.
	Up   float64 `json:"up,omitempty"`
	Down float64 `json:"down,omitempty"`
}

// Config of Run. The buckets are one bucket seen with two keys, without retries; either may
// be nil, and only the steps that need it are left out.
type Config struct {
	Write  store.Bucket // with the owner's key
	Read   store.Bucket // with the key for others
	Clock  clock.Clock
	Report func(Result) // told each result as it comes
}

// timeout bounds each step, and the clearing away at the end.
const timeout = 15 * time.Second

// Prefix begins the keys of all objects of checks.
const Prefix = "templar-check-"

// Run takes the steps one after another, and tells whether none failed. When ctx ends it
// stops, but clears away first.
func Run(ctx context.Context, c Config) (ok bool, err error) {
	r := &run{Config: c, prefix: Prefix + strings.ToLower(rand.Text()[:10]) + "/"}
	if c.Write != nil {
		defer func() { err = errors.Join(err, r.clear(ctx)) }()
	}
	ok = true
	for _, s := range r.steps() {
		result := r.take(ctx, s)
		if err := ctx.Err(); err != nil {
			return false, err
		}
		result.Name = s.name
		c.Report(result)
		ok = ok && result.Status != Fail
		if s.needed && !ok {
			c.Report(Result{Name: "the rest", Status: Skip, Detail: "not tried after that"})
			break
		}
	}
	return ok, nil
}

type step struct {
	name   string
	needed bool // without it the others make no sense
	take   func(ctx context.Context) Result
}

func (r *run) steps() []step {
	steps := []step{{"reach", true, r.reach}}
	if r.Write == nil {
		return append(steps, step{"read key", true, r.readKey}, step{"latency", false, r.latency}, step{"throughput", false, r.download})
	}
	return append(steps,
		step{"write key", true, r.writeKey},
		step{"read key", false, r.readKey},
		step{"clock", false, r.skew},
		step{"latency", false, r.latency},
		step{"throughput", false, r.throughput},
		step{"create once", false, r.createOnce},
		step{"list order", false, r.listOrder},
		step{"last modified", false, r.lastModified},
		step{"ranges", false, r.ranges},
		step{"multipart", false, r.multipart},
		step{"once in parts", false, r.onceInParts},
		step{"delete", false, r.remove},
	)
}

// run is one check.
type run struct {
	Config
	prefix  string
	keys    []string       // that may exist
	uploads []store.Upload // that were begun
	joins   bool           // an upload in parts was completed
	probe   store.Info
	put     time.Time // when the probe had been put
	began   time.Time // when that was begun
}

func (r *run) take(ctx context.Context, s step) Result {
	ctx, cancel := clock.WithTimeout(ctx, r.Clock, timeout)
	defer cancel()
	return s.take(ctx)
}

// any is the bucket with whatever key there is.
func (r *run) any() store.Bucket {
	if r.Write != nil {
		return r.Write
	}
	return r.Read
}

// store puts an object, which will be cleared away.
func (r *run) store(ctx context.Context, name, body string, o store.PutOptions) (store.Info, error) {
	key := r.prefix + name
	r.keys = append(r.keys, key)
	return r.Write.Put(ctx, key, strings.NewReader(body), int64(len(body)), o)
}

// clear removes all that the check may have left, even when ctx has ended.
func (r *run) clear(ctx context.Context) error {
	ctx, cancel := clock.WithTimeout(context.WithoutCancel(ctx), r.Clock, timeout)
	defer cancel()
	var failed error
	for _, key := range r.keys {
		if err := r.Write.Delete(ctx, key); err != nil && !errors.Is(err, store.ErrDenied) {
			failed = err // one is enough to say
		}
	}
	if len(r.keys) > 0 {
		uploads, err := r.Write.Uploads(ctx, r.prefix+partsName) // MinIO lists those of a whole key only
		if errors.Is(err, store.ErrDenied) || errors.Is(err, store.ErrInvalid) {
			err = nil
		}
		for _, u := range append(uploads, r.uploads...) {
			err = errors.Join(err, r.Write.AbortUpload(ctx, u))
		}
		failed = errors.Join(failed, err)
	}
	if failed != nil {
		return fmt.Errorf("objects that begin with %q may be left in the bucket: %w", r.prefix, failed)
	}
	return nil
}

func okf(format string, args ...any) Result {
	return Result{Status: OK, Detail: fmt.Sprintf(format, args...)}
}

func (r Result) but(s Status, fix string) Result {
	r.Status, r.Fix = s, fix
	return r
}
