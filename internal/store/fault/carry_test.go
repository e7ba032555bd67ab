package fault_test

import (
	"context"
	"io"
	"reflect"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/fault"
	"templar/internal/store/storetest"
)

// Every method of the port goes through the carrier, under a name of its own, and the
// carrier's error is its answer. There is no bucket here: a method that goes past panics.
func TestEveryMethodIsCarried(t *testing.T) {
	var names []string
	b := fault.Carry(nil, clock.Wall{}, func(_ context.Context, op fault.Op, _ func(context.Context, fault.Fault)) error {
		names = append(names, op.Name)
		return fault.ErrReset
	})
	storetest.EachMethod(t.Context(), b, func(method string, err error) {
		if err != fault.ErrReset {
			t.Errorf("%s: %v", method, err)
		}
	})
	seen := make(map[string]bool)
	for _, name := range names {
		seen[name] = true
	}
	if want := reflect.TypeFor[store.Bucket]().NumMethod(); len(names) != want || len(seen) != want {
		t.Errorf("%d methods made calls %v", want, names)
	}
}

// A carrier that lets calls through leaves a bucket as it is.
func TestCarryConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Fixture {
		return storetest.Fixture{Bucket: fault.Carry(empty(t, time.Now), clock.Wall{}, func(ctx context.Context, _ fault.Op, effect func(context.Context, fault.Fault)) error {
			effect(ctx, fault.Fault{})
			return nil
		})}
	})
}

// What a carrier answers after the effect replaces the store's answer, and the body is
// closed.
func TestCarrierLosesAnswers(t *testing.T) {
	for name, call := range map[string]func(store.Bucket) error{
		fault.Get: func(b store.Bucket) error {
			r, _, err := b.Get(t.Context(), "old", -1)
			if r != nil {
				t.Error("a body beside an error")
			}
			return err
		},
		fault.Range: func(b store.Bucket) error {
			r, err := b.GetRange(t.Context(), "old", 0, 1, "")
			if r != nil {
				t.Error("a body beside an error")
			}
			return err
		},
	} {
		inner := &closing{Bucket: open(t)}
		b := fault.Carry(inner, clock.Wall{}, func(ctx context.Context, _ fault.Op, effect func(context.Context, fault.Fault)) error {
			effect(ctx, fault.Fault{})
			return fault.ErrReset
		})
		if err := call(b); err != fault.ErrReset || inner.open != 0 || inner.opened != 1 {
			t.Errorf("%s: %v, %d of %d bodies left open", name, err, inner.open, inner.opened)
		}
	}
}

// closing counts the bodies that it opens and those that are open.
type closing struct {
	store.Bucket
	opened, open int
}

func (c *closing) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	r, info, err := c.Bucket.Get(ctx, key, limit)
	return c.count(r), info, err
}

func (c *closing) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	r, err := c.Bucket.GetRange(ctx, key, offset, n, etag)
	return c.count(r), err
}

func (c *closing) count(r io.ReadCloser) io.ReadCloser {
	c.opened++
	c.open++
	return counted{r, c}
}

type counted struct {
	io.ReadCloser
	by *closing
}

func (c counted) Close() error {
	c.by.open--
	return c.ReadCloser.Close()
}
