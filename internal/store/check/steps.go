package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"templar/internal/store"
)

const body = "the quick brown fox jumps over the lazy dog"

// slack is how far a store's clock may be off: what the protocol forgives.
const slack = 2 * time.Second

func (r *run) reach(ctx context.Context) Result {
	begin := r.Clock.Now()
	_, err := r.any().List(ctx, r.prefix, "", 1)
	if errors.Is(err, store.ErrDenied) {
		return okf("answers in %s", round(r.Clock.Now().Sub(begin))) // the keys' own steps say more
	}
	if err != nil {
		return failed(err)
	}
	return okf("answers in %s", round(r.Clock.Now().Sub(begin)))
}

func (r *run) writeKey(ctx context.Context) Result {
	r.began = r.Clock.Now()
	if _, err := r.store(ctx, "probe", body, store.PutOptions{}); err != nil {
		return failed(err)
	}
	r.put = r.Clock.Now()
	var err error
	if r.probe, err = r.Write.Head(ctx, r.prefix+"probe"); err != nil {
		return failed(err)
	}
	return okf("writes and reads")
}

func (r *run) readKey(ctx context.Context) Result {
	if r.Read == nil {
		return Result{Status: Skip, Detail: "no second key was given"}
	}
	if _, err := r.Read.List(ctx, "", "", 1); err != nil {
		return failed(err)
	}
	if r.Write != nil {
		if got, err := read(ctx, r.Read, r.prefix+"probe"); err != nil || got != body {
			return failed(oddly(err, "what was written reads as %q", got))
		}
	}
	key := r.prefix + "not-allowed"
	r.keys = append(r.keys, key)
	_, err := r.Read.Put(ctx, key, strings.NewReader(body), int64(len(body)), store.PutOptions{})
	switch {
	case errors.Is(err, store.ErrDenied) && !errors.Is(err, store.ErrUnauthenticated):
		return okf("reads, and cannot write")
	case err != nil:
		return failed(err)
	}
	return Result{Status: Fail, Detail: "the read key can write", Fix: "every peer is told the read key: make one that may only read (R2: Object Read)"}.
		after(r.Read.Delete(ctx, key))
}

// after adds what went wrong while clearing away at once.
func (r Result) after(err error) Result {
	if err != nil {
		r.Detail += fmt.Sprintf(", and what it wrote is left: %v", err)
	}
	return r
}

func read(ctx context.Context, b store.Reader, key string) (string, error) {
	r, _, err := b.Get(ctx, key, int64(len(body)))
	if err != nil {
		return "", err
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	return string(got), err
}

func (r *run) skew(context.Context) Result {
	// The store dates in whole seconds, at some moment between the beginning and the end.
	off := time.Duration(0)
	if late := r.probe.LastModified.Sub(r.put); late > 0 {
		off = late
	} else if early := r.began.Truncate(time.Second).Sub(r.probe.LastModified); early > 0 {
		off = -early
	}
	if off.Abs() > slack {
		return okf("this machine and the store are %s apart", round(off.Abs())).
			but(Fail, "uploads would count as early or late: set this machine's clock (timedatectl set-ntp true), or the server's")
	}
	return okf("this machine and the store agree to %s", max(time.Second, round(off.Abs())))
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}

// oddly is err or, when there is none, what is odd all the same.
func oddly(err error, format string, args ...any) error {
	if err == nil {
		return fmt.Errorf(format, args...)
	}
	return err
}
