package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"templar/internal/clock"
)

// RetryPolicy says how often and how long Retry tries. Zero fields mean the default.
type RetryPolicy struct {
	Attempts int            // at most, the first included; default 5
	Base     time.Duration  // first delay, doubled each time; default 200 ms
	Max      time.Duration  // a delay's ceiling; default 5 s
	Budget   time.Duration  // no attempt starts later than this after the first; default 1 min
	Rand     func() float64 // jitter in [0, 1); default math/rand/v2
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	p.Attempts = cmp.Or(p.Attempts, 5)
	p.Base = cmp.Or(p.Base, 200*time.Millisecond)
	p.Max = cmp.Or(p.Max, 5*time.Second)
	p.Budget = cmp.Or(p.Budget, time.Minute)
	if p.Rand == nil {
		p.Rand = rand.Float64
	}
	return p
}

// delay is the wait after a number of failures: exponential, its upper half random,
// so that nodes that failed together do not come back together.
func (p RetryPolicy) delay(failures int) time.Duration {
	d := min(p.Base, p.Max)
	for range failures - 1 {
		d = min(2*d, p.Max)
	}
	return d/2 + time.Duration(p.Rand()*float64(d/2))
}

// Retryable tells whether trying again may help: err is a fault of the transport or
// the server and none of the errors that the port names.
func Retryable(err error) bool {
	for _, final := range []error{ErrNotFound, ErrExists, ErrDenied, ErrTooLarge, ErrInvalid, ErrChanged} {
		if errors.Is(err, final) {
			return false
		}
	}
	return err != nil
}

// Retry repeats requests that failed with a Retryable error, waiting on c. A body is
// retried until it is opened: what breaks off later is the reader's to ask for again.
//
// A Put with IfAbsent whose attempt failed may have been stored all the same. When
// the next one finds the key taken, the object is read back: the same bytes mean
// success, others ErrExists.
func Retry(b Bucket, p RetryPolicy, c clock.Clock) Bucket {
	return &retrying{bucket: b, policy: p.withDefaults(), clock: c}
}

type retrying struct {
	bucket Bucket
	policy RetryPolicy
	clock  clock.Clock
}

func (r *retrying) do(ctx context.Context, attempt func() error) error {
	start := r.clock.Now()
	for n := 1; ; n++ {
		err := attempt()
		if !Retryable(err) || ctx.Err() != nil {
			return err
		}
		d := r.policy.delay(n)
		if n >= r.policy.Attempts || r.clock.Now().Add(d).Sub(start) > r.policy.Budget {
			return fmt.Errorf("gave up after attempt %d: %w", n, err)
		}
		if stop := r.clock.Sleep(ctx, d); stop != nil {
			return fmt.Errorf("%w before a retry: %w", stop, err)
		}
	}
}

func (r *retrying) Head(ctx context.Context, key string) (info Info, err error) {
	err = r.do(ctx, func() error {
		info, err = r.bucket.Head(ctx, key)
		return err
	})
	return info, err
}

func (r *retrying) Get(ctx context.Context, key string, limit int64) (body io.ReadCloser, info Info, err error) {
	err = r.do(ctx, func() error {
		body, info, err = r.bucket.Get(ctx, key, limit)
		return err
	})
	return body, info, err
}

func (r *retrying) GetRange(ctx context.Context, key string, offset, n int64, etag string) (body io.ReadCloser, err error) {
	err = r.do(ctx, func() error {
		body, err = r.bucket.GetRange(ctx, key, offset, n, etag)
		return err
	})
	return body, err
}

func (r *retrying) List(ctx context.Context, prefix, after string, max int) (infos []Info, err error) {
	err = r.do(ctx, func() error {
		infos, err = r.bucket.List(ctx, prefix, after, max)
		return err
	})
	return infos, err
}

func (r *retrying) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o PutOptions) (info Info, err error) {
	unknown := false // whether an attempt failed that may have been stored
	err = r.do(ctx, func() error {
		info, err = r.bucket.Put(ctx, key, body, size, o)
		if unknown && errors.Is(err, ErrExists) {
			info, err = r.ours(ctx, key, body, size, err)
		}
		unknown = unknown || err != nil
		return err
	})
	return info, err
}

// ours returns the stored object's Info if it is what was to be put, else exists.
func (r *retrying) ours(ctx context.Context, key string, body io.ReaderAt, size int64, exists error) (Info, error) {
	stored, info, err := r.bucket.Get(ctx, key, size)
	if errors.Is(err, ErrTooLarge) {
		return Info{}, exists
	}
	if err != nil {
		return Info{}, fmt.Errorf("compare with what is stored: %w", err)
	}
	defer stored.Close()
	if info.Size != size {
		return Info{}, exists
	}
	same, err := equal(stored, body, size)
	if err != nil {
		return Info{}, fmt.Errorf("compare with what is stored: %w", err)
	}
	if !same {
		return Info{}, exists
	}
	return info, nil
}

func (r *retrying) Delete(ctx context.Context, key string) error {
	return r.do(ctx, func() error { return r.bucket.Delete(ctx, key) })
}

// equal compares the size bytes that both should have.
func equal(a io.Reader, b io.ReaderAt, size int64) (bool, error) {
	x, y := make([]byte, 32<<10), make([]byte, 32<<10)
	r := io.NewSectionReader(b, 0, size)
	for left := size; left > 0; left -= int64(len(x)) {
		x, y = x[:min(left, int64(len(x)))], y[:min(left, int64(len(y)))]
		if _, err := io.ReadFull(a, x); err != nil {
			return false, err
		}
		if _, err := io.ReadFull(r, y); err != nil {
			return false, err
		}
		if !bytes.Equal(x, y) {
			return false, nil
		}
	}
	return true, nil
}
