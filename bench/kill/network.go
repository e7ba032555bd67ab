package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// patience is how long a role may report no new window, however often it is killed.
const patience = 5 * time.Minute

// network is the processes of a localnet.
type network struct {
	processes []*process
	rec       *record
}

// prepare makes a network and starts its processes.
func prepare(ctx context.Context, o *options, rec *record) (*network, error) {
	out, err := exec.CommandContext(ctx, o.templar, "localnet", "prepare", "--preset", o.preset, "--data-dir", filepath.Join(o.dir, "net"),
		"--miners", fmt.Sprint(o.miners), "--validators", fmt.Sprint(o.validators), "--windows", "1000000").Output()
	if err != nil {
		return nil, fmt.Errorf("localnet prepare: %w", withStderr(err))
	}
	if o.standby {
		line, err := addStandby(ctx, o.templar, filepath.Join(o.dir, "net"))
		if err != nil {
			return nil, fmt.Errorf("standby: %w", err)
		}
		out = append(out, line...)
	}
	logs := filepath.Join(o.dir, "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return nil, err
	}
	n := &network{rec: rec}
	for line := range strings.Lines(string(out)) {
		args := append(strings.Fields(line)[1:], "--log-json")
		if args[0] == "chain" && args[1] == "register" {
			if err := register(ctx, o.templar, args); err != nil {
				return n, errors.Join(err, n.stop())
			}
			continue
		}
		p := &process{path: o.templar, args: args, name: nameOf(args), rec: rec}
		if p.log, err = os.Create(filepath.Join(logs, p.name+".log")); err != nil {
			return n, errors.Join(err, n.stop())
		}
		p.mu.started = time.Now()
		n.processes = append(n.processes, p)
		p.start()
	}
	return n, nil
}

// addStandby adds a second aggregator to a network that has not started, as in docs/ops, and
// returns its command.
func addStandby(ctx context.Context, path, dir string) (string, error) {
	address, err := exec.CommandContext(ctx, path, "wallet", "new", "--wallet.path", filepath.Join(dir, "wallets"),
		"--wallet.name", "localnet", "--wallet.hotkey", "standby").Output()
	if err != nil {
		return "", withStderr(err)
	}
	config := filepath.Join(dir, "nodes", "standby.json")
	for _, e := range []struct{ from, to, old, new string }{
		{"run.json", "run.json", `"aggregators": [`, `"aggregators": ["` + strings.TrimSpace(string(address)) + `",`},
		{"nodes/aggregator-0.json", "nodes/standby.json", "aggregator-0", "standby"},
	} {
		b, err := os.ReadFile(filepath.Join(dir, e.from))
		if err != nil {
			return "", err
		}
		b = []byte(strings.ReplaceAll(string(b), e.old, e.new))
		if err := os.WriteFile(filepath.Join(dir, e.to), b, 0o600); err != nil {
			return "", err
		}
	}
	return "templar aggregator --config " + config + "\n", nil
}

// register retries until the chain, which was just started, accepts the registration.
func register(ctx context.Context, path string, args []string) (err error) {
	for range 50 {
		if _, err = exec.CommandContext(ctx, path, args...).Output(); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return fmt.Errorf("chain register: %w", withStderr(err))
}

func withStderr(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return err
}

// nameOf names a process after its command line: "store", "chain", "miner-0".
func nameOf(args []string) string {
	if args[0] == "store" || args[0] == "chain" {
		return args[0]
	}
	for i, a := range args {
		if a == "--config" {
			return strings.TrimSuffix(filepath.Base(args[i+1]), ".json")
		}
	}
	return args[0]
}

// await waits until every role has reported a window.
func (n *network) await(ctx context.Context, window uint64, limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; {
		behind := ""
		for _, p := range n.processes {
			if p.role() && n.rec.windowOf(p.name) < window {
				behind = fmt.Sprintf("%s is at window %d, not %d", p.name, n.rec.windowOf(p.name), window)
			}
		}
		if behind == "" {
			return nil
		}
		if err := n.rec.fault(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: %s", errNotBack, behind)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// lost names a role that has reported no new window for longer than patience.
func (n *network) lost() string {
	for _, p := range n.processes {
		if p.role() && time.Since(n.rec.lastNews(p.name)) > patience {
			return p.name
		}
	}
	return ""
}

func (n *network) stop() error {
	var errs []error
	for _, p := range n.processes {
		errs = append(errs, p.end())
	}
	return errors.Join(errs...)
}

// process is a command that is started again whenever it ends.
type process struct {
	path string
	args []string
	name string
	rec  *record
	log  *os.File

	wg sync.WaitGroup
	mu struct {
		sync.Mutex
		cmd     *exec.Cmd
		done    bool
		away    time.Duration // before the next start
		started time.Time
		kills   int
		exits   int // without a kill
		killed  bool
	}
}

func (p *process) role() bool { return p.name != "store" && p.name != "chain" }

func (p *process) start() { p.wg.Go(p.keepRunning) }

// keepRunning restarts the process, as a supervisor does.
func (p *process) keepRunning() {
	for {
		cmd := exec.Command(p.path, p.args...)
		pipe, err := cmd.StderrPipe()
		p.mu.Lock()
		if p.mu.done {
			p.mu.Unlock()
			return
		}
		if err == nil {
			err = cmd.Start()
		}
		p.mu.cmd, p.mu.killed, p.mu.away = cmd, false, 500*time.Millisecond
		p.mu.Unlock()
		if err == nil {
			p.follow(pipe)
			err = cmd.Wait()
		}
		p.mu.Lock()
		if !p.mu.killed && !p.mu.done {
			p.mu.exits++
			fmt.Fprintf(p.log, "-- exited: %v\n", err)
		}
		away := p.mu.away
		p.mu.Unlock()
		time.Sleep(away)
	}
}

func (p *process) follow(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fmt.Fprintln(p.log, lines.Text())
		p.rec.line(p.name, lines.Bytes())
	}
}

// kill sends SIGKILL and lets the process start again after a while. It reports false when
// the process is not running.
func (p *process) kill(away time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.cmd == nil || p.mu.cmd.Process == nil || p.mu.killed || p.mu.cmd.Process.Kill() != nil {
		return false
	}
	fmt.Fprintln(p.log, "-- killed")
	p.mu.killed, p.mu.away = true, away
	p.mu.kills++
	return true
}

func (p *process) end() error {
	p.mu.Lock()
	p.mu.done, p.mu.away = true, 0
	if p.mu.cmd != nil && p.mu.cmd.Process != nil {
		_ = p.mu.cmd.Process.Kill()
	}
	p.mu.Unlock()
	p.wg.Wait()
	return p.log.Close()
}
