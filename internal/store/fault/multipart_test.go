package fault_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/fault"
)

// uploads does one step of an upload of "new", after those before it, and tells whether
// the step's effect is there.
var uploads = map[string]struct {
	do   func(ctx context.Context, b store.Bucket, u store.Upload, parts []store.Part) error
	done func(ctx context.Context, b store.Bucket, u store.Upload) bool
}{
	fault.CreateUpload: {
		func(ctx context.Context, b store.Bucket, _ store.Upload, _ []store.Part) error {
			_, err := b.CreateUpload(ctx, "another")
			return err
		},
		func(ctx context.Context, b store.Bucket, _ store.Upload) bool {
			us, err := b.Uploads(ctx, "another")
			return err == nil && len(us) == 1
		},
	},
	fault.Uploads: {
		func(ctx context.Context, b store.Bucket, _ store.Upload, _ []store.Part) error {
			us, err := b.Uploads(ctx, "")
			if err == nil && len(us) != 1 {
				return errors.New("want one upload")
			}
			return err
		}, nil,
	},
	fault.PutPart: {
		func(ctx context.Context, b store.Bucket, u store.Upload, _ []store.Part) error {
			_, err := b.PutPart(ctx, u, 2, strings.NewReader("more"), 4)
			return err
		},
		func(ctx context.Context, b store.Bucket, u store.Upload) bool {
			parts, err := b.Parts(ctx, u)
			return err == nil && len(parts) == 2
		},
	},
	fault.Parts: {
		func(ctx context.Context, b store.Bucket, u store.Upload, _ []store.Part) error {
			parts, err := b.Parts(ctx, u)
			if err == nil && len(parts) != 1 {
				return errors.New("want one part")
			}
			return err
		}, nil,
	},
	fault.CompleteUpload: {
		func(ctx context.Context, b store.Bucket, u store.Upload, parts []store.Part) error {
			_, err := b.CompleteUpload(ctx, u, parts, store.PutOptions{})
			return err
		},
		func(ctx context.Context, b store.Bucket, _ store.Upload) bool {
			got, err := get(ctx, b, "new")
			return err == nil && got == text
		},
	},
	fault.AbortUpload: {
		func(ctx context.Context, b store.Bucket, u store.Upload, _ []store.Part) error {
			return b.AbortUpload(ctx, u)
		},
		func(ctx context.Context, b store.Bucket, _ store.Upload) bool {
			us, err := b.Uploads(ctx, "")
			return err == nil && len(us) == 0
		},
	},
}

func TestUploadFaults(t *testing.T) {
	for _, c := range []struct {
		name      string
		fault     fault.Fault
		want      error
		persisted bool
	}{
		{"none", fault.Fault{}, nil, true},
		{"delay", fault.Fault{Delay: time.Second}, nil, true},
		{"hang", fault.Fault{Hang: true}, context.DeadlineExceeded, false},
		{"error", fault.Fault{Err: fault.ErrReset}, fault.ErrReset, false},
		{"error, yet done", fault.Fault{Err: fault.ErrReset, Persist: true}, fault.ErrReset, true},
	} {
		for op, step := range uploads {
			t.Run(c.name+"/"+op, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					inner := open(t)
					u, err1 := inner.CreateUpload(t.Context(), "new")
					p, err2 := inner.PutPart(t.Context(), u, 1, strings.NewReader(text), int64(len(text)))
					if err := errors.Join(err1, err2); err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					err := step.do(ctx, fault.Wrap(inner, clock.Wall{}, fault.Always(c.fault, op)), u, []store.Part{p})
					if !errors.Is(err, c.want) {
						t.Errorf("%v, want %v", err, c.want)
					}
					if step.done != nil && step.done(t.Context(), inner, u) != c.persisted {
						t.Errorf("persisted: %v, want %v", !c.persisted, c.persisted)
					}
				})
			})
		}
	}
}

// A mangled part has the size that was sent, for who sent it, and another in the store.
func TestMangledPart(t *testing.T) {
	inner := open(t)
	u, err := inner.CreateUpload(t.Context(), "new")
	if err != nil {
		t.Fatal(err)
	}
	b := fault.Wrap(inner, clock.Wall{}, fault.Always(fault.Fault{Damage: fault.Truncate, At: 3}, fault.PutPart))
	p, err := b.PutPart(t.Context(), u, 1, strings.NewReader(text), int64(len(text)))
	if err != nil || p.Size != int64(len(text)) {
		t.Errorf("%+v, %v", p, err)
	}
	if parts, err := inner.Parts(t.Context(), u); err != nil || len(parts) != 1 || parts[0].Size != 3 {
		t.Errorf("stored %+v, %v", parts, err)
	}
}
