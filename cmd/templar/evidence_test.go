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
// miner can over the network and as its owner can in its directory.
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
		errs = append(errs, p.end())
		var result struct {
			Checks []struct{ Check, Outcome string }
		}
		if err := json.Unmarshal(p.stdout.Bytes(), &result); err != nil || len(result.Checks) < 9 {
			errs = append(errs, fmt.Errorf("%s: %d checks, %v", where[0], len(result.Checks), err))
		}
		for _, c := range result.Checks {
			if c.Outcome != "ok" {
				errs = append(errs, fmt.Errorf("%s: %s is %s", where[0], c.Check, c.Outcome))
			}
		}
	}
	return errors.Join(errs...)
}
