package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"templar/internal/store"
)

func (r *run) latency(ctx context.Context) Result {
	const n = 10
	var took []time.Duration
	for range n {
		begin := r.Clock.Now()
		_, err := r.any().Head(ctx, r.prefix+"probe")
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return failed(err)
		}
		took = append(took, r.Clock.Now().Sub(begin))
	}
	slices.Sort(took)
	result := okf("median %s, slowest of %d %s", round(took[n/2]), n, round(took[n-1]))
	if took[n/2] > 500*time.Millisecond {
		return result.but(Warn, "far away or overloaded: a store nearer to this machine would leave more time in each window")
	}
	return result
}

// slowest is the rate in bytes a second below which windows are missed.
const slowest = 1 << 20

// sample grows until it takes long enough to tell the rate.
func (r *run) sample(try func(n int) error) (rate float64, n int, err error) {
	for n = 128 << 10; ; n *= 4 {
		begin := r.Clock.Now()
		if err := try(n); err != nil {
			return 0, n, err
		}
		took := max(r.Clock.Now().Sub(begin), time.Microsecond)
		if took > 500*time.Millisecond || n >= 32<<20 {
			return float64(n) / took.Seconds(), n, nil
		}
	}
}

func (r *run) throughput(ctx context.Context) Result {
	up, n, err := r.sample(func(n int) error {
		_, err := r.store(ctx, fmt.Sprint("size-", n), strings.Repeat("x", n), store.PutOptions{})
		return err
	})
	if err != nil {
		return failed(err)
	}
	down, _, err := r.sample(func(most int) error {
		return drain(ctx, r.Write, fmt.Sprint(r.prefix, "size-", min(n, most)), int64(most))
	})
	if err != nil {
		return failed(err)
	}
	result := speeds(fmt.Sprintf("up %s, down %s", perSecond(up), perSecond(down)), min(up, down))
	result.Up, result.Down = up, down
	return result
}

func speeds(detail string, slow float64) Result {
	result := okf("%s", detail)
	if slow < slowest {
		return result.but(Warn, "below 1 MiB/s a gradient may not arrive in its window: look for a faster line, or a nearer store")
	}
	return result
}

// download measures with what the bucket holds.
func (r *run) download(ctx context.Context) Result {
	infos, err := r.Read.List(ctx, "", "", 100)
	if err != nil {
		return failed(err)
	}
	if len(infos) == 0 {
		return Result{Status: Skip, Detail: "the bucket is empty"}
	}
	largest := slices.MaxFunc(infos, func(a, b store.Info) int { return int(min(a.Size, 1<<30) - min(b.Size, 1<<30)) })
	down, n, err := r.sample(func(n int) error { return drain(ctx, r.Read, largest.Key, int64(n)) })
	if err != nil {
		return failed(err)
	}
	if largest.Size < int64(n) {
		return okf("reads; no object is large enough to tell how fast")
	}
	result := speeds("down "+perSecond(down), down)
	result.Down = down
	return result
}

func drain(ctx context.Context, b store.Reader, key string, n int64) error {
	body, err := b.GetRange(ctx, key, 0, n, "")
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(io.Discard, body)
	return err
}

func perSecond(rate float64) string { return fmt.Sprintf("%.1f MiB/s", rate/(1<<20)) }
