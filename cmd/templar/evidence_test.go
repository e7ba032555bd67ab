package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// evidence explains a miner and verifies a window of a running network, as its
// miner can over the network and as its owner can in its directory. It returns what may
// only mean that the machine was late.
func evidence(ctx context.Context, t *testing.T, dir string, window string) error {
	t.Helper()
	var errs []error
	for _, where := range [][]string{
		{"--config", filepath.Join(dir, "nodes", "miner-0.json")}, {"--data-dir", dir},
	} {
		p := command(ctx, t, append([]string{"explain", "--uid", "1", "--windows", "1"}, where...)...)
		errs = append(errs, p.end())
		if out := p.stdout.String(); !strings.Contains(out, "part of the window's update") || !strings.Contains(out, "what would raise it") {
			errs = append(errs, fmt.Errorf("%s: %s", where[0], out))
		}
		p = command(ctx, t, append([]string{"verify", "--window", window, "--scores", "--json"}, where...)...)
		errs = append(errs, verdict(t, p))
	}
	return errors.Join(errs...)
}

// verdict waits for a verification. Late nodes leave checks unknown; none that differs, and
// no exit code that says so, is theirs.
func verdict(t *testing.T, p *process) error {
	t.Helper()
	exit := p.end()
	var result struct {
		Checks []struct {
			Check, Outcome string
			Faults         []string
		}
	}
	if err := json.Unmarshal(p.stdout.Bytes(), &result); err != nil {
		return errors.Join(exit, fmt.Errorf("%s: %w", p.name, err))
	}
	if exit != nil {
		t.Error(exit)
	}
	var errs []error
	if len(result.Checks) < 9 {
		errs = append(errs, fmt.Errorf("%s: %d checks", p.name, len(result.Checks)))
	}
	for _, c := range result.Checks {
		switch c.Outcome {
		case "ok":
		case "unknown":
			errs = append(errs, fmt.Errorf("%s: %s is unknown", p.name, c.Check))
		default:
			t.Errorf("%s: %s %s: %q", strings.Join(p.Args[1:], " "), c.Check, c.Outcome, c.Faults)
		}
	}
	return errors.Join(errs...)
}
