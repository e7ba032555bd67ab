package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const asCommand = "TEMPLAR_TEST_AS_COMMAND"

// TestMain lets the test binary stand for the command in child processes.
func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is a running command of ours.
type process struct {
	*exec.Cmd
	name           string
	stdout, stderr bytes.Buffer
}

func command(ctx context.Context, t *testing.T, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.CommandContext(ctx, self, args...), name: strings.Join(args[:2], " ")}
	p.Env = append(os.Environ(), asCommand+"=1")
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *process) mustEnd(t *testing.T) {
	t.Helper()
	if err := p.Wait(); err != nil {
		t.Errorf("%s: %v\n%s", p.name, err, p.stderr.String())
	}
}

// states returns the state hash after each window that the process logged.
func (p *process) states(t *testing.T) map[uint64]string {
	states := map[uint64]string{}
	for lines := bufio.NewScanner(&p.stderr); lines.Scan(); {
		var line struct {
			Msg, State string
			Window     uint64
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Errorf("%s: %q is not a JSON record", p.name, lines.Text())
		}
		if line.Msg == "applied" {
			states[line.Window] = line.State
		}
	}
	return states
}

// TestNetworkOfProcesses: what `templar localnet` runs in one process, the commands
// that prepare prints run in many, and the nodes agree on every bit.
func TestNetworkOfProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some windows of wall time")
	}
	t.Parallel()
	const windows = 3
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "net")
	prepare := command(ctx, t, "localnet", "prepare", "--data-dir", dir,
		"--miners", "1", "--validators", "1", "--windows", strconv.Itoa(windows))
	prepare.mustEnd(t)

	var services, roles []*process
	for line := range strings.Lines(prepare.stdout.String()) {
		args := append(strings.Fields(line)[1:], "--log-json")
		switch p := command(ctx, t, args...); p.name {
		case "store serve", "chain start":
			services = append(services, p)
		case "chain register":
			p.mustEnd(t)
		default:
			roles = append(roles, p)
		}
	}
	if len(services) != 2 || len(roles) != 3 {
		t.Fatalf("%d services and %d roles in:\n%s", len(services), len(roles), prepare.stdout.String())
	}
	seen := map[uint64]string{}
	for _, p := range roles {
		p.mustEnd(t)
		states := p.states(t)
		if len(states) != windows && !strings.HasPrefix(p.name, "aggregator") { // it holds no model
			t.Errorf("%s applied windows %v, want %d", p.name, states, windows)
		}
		for w, state := range states {
			if seen[w] != "" && seen[w] != state {
				t.Errorf("window %d: %s holds %s, another node %s", w, p.name, state, seen[w])
			}
			seen[w] = state
		}
	}
	newest := uint64(0)
	for w := range seen {
		newest = max(newest, w)
	}
	requireEvidence(ctx, t, dir, strconv.FormatUint(newest, 10))
	for _, p := range services {
		if err := p.Process.Signal(os.Interrupt); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		p.mustEnd(t)
	}
}
