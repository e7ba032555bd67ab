package cpu_test

import (
	"testing"
	"time"

	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/model"
)

// An engine counts what it computes, and no more than its threads can have worked.
func TestUsage(t *testing.T) {
	const threads = 2
	e, err := cpu.New(tiny(), cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	began := time.Now()
	if err := e.Load(t.Context(), model.Init(tiny(), 1)); err != nil {
		t.Fatal(err)
	}
	if u := e.Usage(); u != (engine.Usage{}) {
		t.Errorf("%+v before it computes", u)
	}
	b := random(tiny(), 8, 64)
	var before engine.Usage
	for name, call := range map[string]func() error{
		"loss":       func() error { _, err := e.Loss(t.Context(), b); return err },
		"accumulate": func() error { _, err := e.Accumulate(t.Context(), b, 1); return err },
	} {
		if err := call(); err != nil {
			t.Fatal(err)
		}
		u := e.Usage()
		if u.Busy <= before.Busy || u.CPU <= before.CPU {
			t.Errorf("%s: %+v after %+v", name, u, before)
		}
		before = u
	}
	if wall := time.Since(began); before.Busy > wall || before.CPU > threads*before.Busy+time.Millisecond {
		t.Errorf("%+v in %v", before, wall)
	}
}
