//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"templar/internal/plan"
)

// TestMain runs the bench's own processes, which it starts by its own name.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "child" {
		if err := command(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Every phase of every role is measured, and nothing is left behind.
func TestRoles(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	if err := command(t.Context(), []string{"-preset", "tiny", "-peers", "3", "-windows", "2", "-rates", "300,1000", "-json", "-dir", dir}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || len(r.Roles) != len(kinds) {
		t.Fatalf("%d roles, %v", len(r.Roles), err)
	}
	for i, k := range kinds {
		if want := len(k.phases) + len(k.linked); len(r.Roles[i].Phases) != want || r.Roles[i].Peak < 1<<20 {
			t.Errorf("%s: %d phases, want %d; peak %d", k.name, len(r.Roles[i].Phases), want, r.Roles[i].Peak)
		}
	}
	for _, rate := range []string{"300", "1000"} {
		if sum, ok := r.between(rate); !ok || sum <= 0 {
			t.Errorf("between two trainings at %s Mb/s: %v, %v", rate, sum, ok)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

func TestRefuses(t *testing.T) {
	for args, says := range map[string]string{
		"-only cook":              "no role or phase",
		"-rates fast":             "not a rate",
		"-preset tiny -dir /none": "-dir",
		"-preset 70b":             "are needed",
		"links -presets none":     "unknown preset",
		"links -dead many":        "not a number",
	} {
		if err := command(t.Context(), strings.Fields(args), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want an error that says %q", args, err, says)
		}
	}
}

// overLinks is the described method at 1b over links, with speeds of the method's steps that were measured on one core.
func overLinks() network {
	steps := plan.Speeds{Compress: 1.29e9, Reduce: 1.05e10, Apply: 4e9, Hash: 4.4e8}
	p := probe{speeds: steps, payload: 0.0175, update: 0.125}
	return network{
		preset: "1b", probe: p, latency: 20 * time.Millisecond, update: 1, windows: 2, seed: 1, batches: 100,
		machines: plan.Machines{
			Node: plan.Link{Up: 3e8, Down: 3e8}, Server: plan.Link{Up: 1e9, Down: 1e9}, Store: plan.Link{Up: 1e9, Down: 1e9},
			Speeds: p.times(2), Miners: 16, Validators: 3,
		},
	}
}

// Sixteen miners at 300 Mb/s with stores at 1 Gb/s train four fifths of the time, 65 % with three of them dead, because they
// relay the Aggregate: when all read it from one store it is less.
func TestLinks(t *testing.T) {
	if testing.Short() {
		t.Skip("simulates 18 windows of 19 nodes")
	}
	for name, c := range map[string]struct {
		change      func(*network)
		least, most float64
		included    float64
	}{
		"relayed":    {func(*network) {}, 0.80, 0.90, 15},
		"three dead": {func(n *network) { n.dead = 3 }, 0.65, 0.90, 12},
		"whole":      {func(n *network) { n.whole = true }, 0.50, 0.75, 15},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := overLinks()
			c.change(&n)
			out, err := n.simulate(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if out.Utilisation < c.least || out.Utilisation > c.most || out.Included < c.included || out.Provisional > 0 {
				t.Errorf("%+v", out)
			}
		})
	}
}

// Each row is printed when it is done: the second simulation ends at once, and the first row is there.
func TestRowsArePrintedAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("measures, and simulates six windows of 4 nodes")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out rows
	out.second = cancel
	err := command(ctx, strings.Fields("links -presets 150m -rates 300,1000 -dead 0 -windows 2 -miners 2 -validators 1"), &out, io.Discard)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 2 || !strings.HasPrefix(lines[1], "150m ") {
		t.Errorf("%q", lines)
	}
}

// rows calls a function when a second line is complete.
type rows struct {
	bytes.Buffer
	second func()
}

func (r *rows) Write(b []byte) (int, error) {
	n, err := r.Buffer.Write(b)
	if bytes.Count(r.Bytes(), []byte("\n")) == 2 {
		r.second()
	}
	return n, err
}
