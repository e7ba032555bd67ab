//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
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
