package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// requireEvidence explains a miner and verifies a window of a running network, as its
// miner can over the network and as its owner can in its directory.
func requireEvidence(ctx context.Context, t *testing.T, dir string, window string) {
	t.Helper()
	for _, where := range [][]string{
		{"--config", filepath.Join(dir, "nodes", "miner-0.json")}, {"--data-dir", dir},
	} {
		p := command(ctx, t, append([]string{"explain", "--uid", "1", "--windows", "1"}, where...)...)
		p.mustEnd(t)
		if out := p.stdout.String(); !strings.Contains(out, "part of the window's update") || !strings.Contains(out, "what would raise it") {
			t.Errorf("%s: %s", where[0], out)
		}
		p = command(ctx, t, append([]string{"verify", "--window", window, "--scores", "--json"}, where...)...)
		p.mustEnd(t)
		var result struct {
			Checks []struct{ Check, Outcome string }
		}
		if err := json.Unmarshal(p.stdout.Bytes(), &result); err != nil || len(result.Checks) < 9 {
			t.Errorf("%s: %d checks, %v", where[0], len(result.Checks), err)
		}
		for _, c := range result.Checks {
			if c.Outcome != "ok" {
				t.Errorf("%s: %s is %s", where[0], c.Check, c.Outcome)
			}
		}
	}
}
