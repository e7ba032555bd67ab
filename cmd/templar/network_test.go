package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"templar/protocol"
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

func (p *process) end() error {
	if err := p.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, err, p.stderr.String())
	}
	return nil
}

func (p *process) mustEnd(t *testing.T) {
	t.Helper()
	if err := p.end(); err != nil {
		t.Error(err)
	}
}

// record is a line of a node's log.
type record struct {
	Msg, State, Included, Skipped string
	Window                        uint64
}

// records reads what the process logged, once.
func (p *process) records(t *testing.T) (out []record) {
	for lines := bufio.NewScanner(&p.stderr); lines.Scan(); {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Errorf("%s: %q is not a JSON record", p.name, lines.Text())
		}
		out = append(out, r)
	}
	return out
}

// states returns the state hash after each window that was applied.
func states(log []record) map[uint64]string {
	states := map[uint64]string{}
	for _, r := range log {
		if r.Msg == "applied" {
			states[r.Window] = r.State
		}
	}
	return states
}

// cheats holds an aggregator's log against what a miner whose gradients are not finite must
// get. It returns what may only mean that the miner was late.
func cheats(t *testing.T, log []record, uid string) error {
	t.Helper()
	found := false
	for _, r := range log {
		if slices.Contains(strings.Fields(r.Included), uid) {
			t.Errorf("window %d: the cheater, uid %s, is part of the aggregate", r.Window, uid)
		}
		found = found || slices.Contains(strings.Split(r.Skipped, ", "), uid+" non-finite")
	}
	if !found {
		return fmt.Errorf("no window skipped uid %s as non-finite", uid)
	}
	return nil
}

// measures holds an evaluator's log against the windows that it was to measure: the state
// before the first, each after a window, and the last once more.
func measures(log []record, windows int) error {
	n := 0
	for _, r := range log {
		if r.Msg == "held-out" {
			n++
		}
	}
	if n != windows+2 {
		return fmt.Errorf("the evaluator measured %d times, want %d", n, windows+2)
	}
	return nil
}

// limit is for tests that hang; busy machines may take minutes.
const limit = 8 * time.Minute

// TestNetworkOfProcesses: what `templar localnet` runs in one process, the commands
// that prepare prints run in many, and the nodes agree on every bit. The evidence afterwards
// needs nodes that are in time: a machine that is too busy for that gets longer windows.
func TestNetworkOfProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some windows of wall time")
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for pace := 1.0; ; pace *= 4 {
		err := networkOfProcesses(ctx, t, pace)
		if err == nil || t.Failed() {
			return
		}
		if pace > 10 {
			t.Fatal(err)
		}
		t.Logf("with windows of %v times the preset's: %v", pace, err)
	}
}

// prepareNetwork returns the commands that form a network of longer windows.
func prepareNetwork(ctx context.Context, t *testing.T, dir string, windows int, pace float64) string {
	t.Helper()
	prepare := func() string {
		p := command(ctx, t, "localnet", "prepare", "--data-dir", dir, "--miners", "1", "--adversaries", "nan", "--validators", "1", "--windows", strconv.Itoa(windows))
		p.mustEnd(t)
		return p.stdout.String()
	}
	prepare()
	path := filepath.Join(dir, "run.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := protocol.DecodeParams(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*float64{&p.BlockSeconds, &p.DeltaSeconds, &p.SlackSeconds, &p.GatherSeconds, &p.KeySeconds, &p.PublicationSeconds, &p.PeerGatherSeconds, &p.ActiveCheckSeconds} {
		*s *= pace
	}
	if b, err = json.Marshal(p); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return prepare()
}

// networkOfProcesses returns what may only mean that the machine was late.
func networkOfProcesses(ctx context.Context, t *testing.T, pace float64) error {
	t.Helper()
	const windows = 3
	dir := filepath.Join(t.TempDir(), "net")
	commands := prepareNetwork(ctx, t, dir, windows, pace)
	var services, roles []*process
	for line := range strings.Lines(commands) {
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
	if len(services) != 2 || len(roles) != 5 {
		t.Fatalf("%d services and %d roles in:\n%s", len(services), len(roles), commands)
	}
	var late []error
	seen := map[uint64]string{}
	for _, p := range roles {
		p.mustEnd(t)
		log := p.records(t)
		states := states(log)
		if strings.HasPrefix(p.name, "aggregator") {
			late = append(late, cheats(t, log, "2")) // after a validator and a miner
		} else if len(states) != windows {
			late = append(late, fmt.Errorf("%s applied windows %v, want %d", p.name, states, windows))
		}
		if strings.HasPrefix(p.name, "evaluator") {
			late = append(late, measures(log, windows))
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
	late = append(late, evidence(ctx, t, dir, strconv.FormatUint(newest, 10)))
	for _, p := range services {
		if err := p.Process.Signal(os.Interrupt); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		p.mustEnd(t)
	}
	return errors.Join(late...)
}
