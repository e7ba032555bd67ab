package deploy

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"templar/protocol"
)

// go test ./deploy -upgrade builds earlier commits and runs them beside this one, for two minutes.
var withEarlier = flag.Bool("upgrade", false, "build the commits before the last changes of state files and of the protocol, and run them beside this one")

// git returns the output of a command.
func git(t *testing.T, words ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", ".."}, words...)...).Output()
	if err != nil {
		t.Fatalf("git %q: %v", words, err)
	}
	return strings.TrimSpace(string(out))
}

// before returns the commit before the last one that changed what fits a pattern in some files.
func before(t *testing.T, pattern string, files ...string) string {
	t.Helper()
	last := git(t, append([]string{"log", "-1", "--format=%H", "-G" + pattern, "HEAD", "--"}, files...)...)
	if last == "" {
		t.Fatalf("no commit changed %q in %q", pattern, files)
	}
	return git(t, "rev-parse", last+"^")
}

// programOf builds the program of a commit, or of the working tree when it is empty. edit changes the sources before.
func programOf(t *testing.T, commit string, edit func(dir string)) string {
	t.Helper()
	dir, program := "..", filepath.Join(t.TempDir(), "templar")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if commit != "" {
		dir = t.TempDir()
		archive := filepath.Join(t.TempDir(), "source.tar")
		git(t, "archive", "--format=tar", "--output="+archive, commit)
		if out, err := exec.CommandContext(t.Context(), "tar", "-x", "-f", archive, "-C", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if edit != nil {
		edit(dir)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, "./cmd/templar")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v: %s", commit, err, out)
	}
	return program
}

// protocolOf is the protocol's version of a program.
func protocolOf(t *testing.T, program string) int {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, "version").CombinedOutput()
	if m := regexp.MustCompile(`protocol (\d+)`).FindSubmatch(out); err == nil && m != nil {
		v, err := strconv.Atoi(string(m[1]))
		if err == nil {
			return v
		}
	}
	t.Fatalf("version: %v: %s", err, out)
	return 0
}

// processes are the commands of a network, as "templar localnet prepare" prints them.
type processes struct {
	t       *testing.T
	lines   []string
	files   map[string]*os.File
	running map[string]*exec.Cmd
}

func prepareNetwork(t *testing.T, program string) *processes {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "net")
	out, err := exec.CommandContext(t.Context(), program, "localnet", "prepare", "--data-dir", dir, "--miners", "2", "--validators", "2").Output()
	if err != nil {
		t.Fatalf("prepare: %v", err)
	}
	p := &processes{t: t, running: map[string]*exec.Cmd{}, files: map[string]*os.File{}}
	for line := range strings.Lines(string(out)) {
		p.lines = append(p.lines, strings.TrimSpace(line))
	}
	t.Cleanup(func() { p.stop() })
	return p
}

// command is the line whose words contain all of some words, without the program's name.
func (p *processes) command(words ...string) []string {
	p.t.Helper()
	for _, line := range p.lines {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			return strings.Fields(line)[1:]
		}
	}
	p.t.Fatalf("no command with %q in %q", words, p.lines)
	return nil
}

// config is the configuration file of a node.
func (p *processes) config(name string) string {
	p.t.Helper()
	words := p.command(name + ".json")
	return words[slices.Index(words, "--config")+1]
}

// start starts a node of a name, without a last window.
func (p *processes) start(name, program string, words ...string) {
	p.t.Helper()
	if i := slices.Index(words, "--windows"); i >= 0 {
		words = words[:i]
	}
	log, err := os.OpenFile(filepath.Join(p.t.TempDir(), "log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	if old := p.files[name]; old != nil {
		old.Close()
	}
	p.files[name] = log
	cmd := exec.Command(program, words...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.running[name] = cmd
}

// stop ends processes as Ctrl-C does; no names means all.
func (p *processes) stop(names ...string) {
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(p.running))
	}
	for _, name := range names {
		if err := p.running[name].Process.Signal(os.Interrupt); err != nil {
			p.running[name].Process.Kill()
		}
	}
	for _, name := range names {
		if err := p.running[name].Wait(); err != nil || p.t.Failed() {
			b, _ := os.ReadFile(p.files[name].Name())
			p.t.Logf("%s: %v\n%s", name, err, b[max(0, len(b)-3000):])
		}
		delete(p.running, name)
	}
}

var applied = regexp.MustCompile(`msg=applied window=(\d+) .*state=(\w+)`)

// states are the state hashes of a running node, by window.
func (p *processes) states(name string) map[string]string {
	out := map[string]string{}
	b, err := os.ReadFile(p.files[name].Name())
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range applied.FindAllStringSubmatch(string(b), -1) {
		out[m[1]] = m[2]
	}
	return out
}

// agree waits until all nodes that hold the model have logged the same state after so many windows since they started.
func (p *processes) agree(windows int, names ...string) {
	p.t.Helper()
	await(p.t, 3*time.Minute, fmt.Sprintf("%q agree in %d windows", names, windows), func() error {
		first := p.states(names[0])
		common := 0
		for w, state := range first {
			everywhere := true
			for _, name := range names[1:] {
				other, ok := p.states(name)[w]
				if ok && other != state {
					p.t.Fatalf("window %s: %s has the state %s, %s has %s", w, names[0], state, name, other)
				}
				everywhere = everywhere && ok
			}
			if everywhere {
				common++
			}
		}
		if common < windows {
			return fmt.Errorf("%d windows in common", common)
		}
		return nil
	})
}

// await waits for a condition on other processes.
func await(t *testing.T, most time.Duration, what string, met func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(most); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if err = met(); err == nil {
			return
		}
	}
	t.Fatalf("after %v: not yet: %s: %v", most, what, err)
}

// refuses demands that a program ends with an error that has some words in it.
func refuses(t *testing.T, program string, command []string, words ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, command...).CombinedOutput()
	if err == nil || ctx.Err() != nil {
		t.Fatalf("%q: %v, not an error\n%s", command, err, out)
	}
	for _, word := range words {
		if !bytes.Contains(out, []byte(word)) {
			t.Errorf("%q lacks %q: %s", command, word, out)
		}
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	t.Logf("%s: %s", command[0], lines[len(lines)-1])
}

// Nodes of the commit before the last change of a state file and of this one form a network, and hold the same
// parameters. This program opens the folders of the earlier one, and the earlier one again those that this one has written.
// A program of another version of the protocol says so, on both sides.
func TestUpgrade(t *testing.T) {
	if !*withEarlier || testing.Short() {
		t.Skip("takes some minutes: go test ./deploy -upgrade")
	}
	if out, err := exec.CommandContext(t.Context(), "git", "-C", "..", "rev-parse", "--is-shallow-repository").Output(); err != nil || strings.TrimSpace(string(out)) != "false" {
		t.Skip("not a clone with its history: earlier commits cannot be built")
	}
	const version = "^const Version = "
	kept := strings.Fields(git(t, "grep", "-l", `versioned\.\(File\|Folder\){`, "--", "*.go", ":!*_test.go"))
	stateChange := before(t, `Version: +[0-9]|ersion += [0-9]|Schema += [0-9]`, append(kept, "internal/score/book.go")...)
	protocolChange := before(t, version, "protocol/doc.go")
	today, earlier, other := programOf(t, "", nil), programOf(t, stateChange, nil), programOf(t, protocolChange, nil)
	t.Logf("state files: %.8s, protocol %d; protocol: %.8s, version %d; this: version %d", stateChange, protocolOf(t, earlier), protocolChange, protocolOf(t, other), protocolOf(t, today))
	if protocolOf(t, today) != protocol.Version || protocolOf(t, other) == protocol.Version {
		t.Fatal("the programs are not of the protocol versions that they should be of")
	}

	if protocolOf(t, earlier) == protocol.Version {
		t.Run("beside", func(t *testing.T) { runBeside(t, earlier, today) })
	}
	t.Run("other protocol", func(t *testing.T) {
		ours, theirs := prepareNetwork(t, today), prepareNetwork(t, other)
		refuses(t, today, theirs.command("miner ", "miner-0.json"), "run.json")
		params := filepath.Join(filepath.Dir(filepath.Dir(ours.config("miner-0"))), "run.json")
		refuses(t, other, append(theirs.command("miner ", "miner-0.json"), "--run", params), "run.json")
	})
	t.Run("next protocol", func(t *testing.T) {
		next := programOf(t, "HEAD", func(dir string) {
			file := filepath.Join(dir, "protocol", "doc.go")
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b = regexp.MustCompile("(?m)"+version+`\d+$`).ReplaceAll(b, fmt.Appendf(nil, "const Version = %d", protocol.Version+1))
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
		})
		runNext(t, today, next)
	})
}

// serve starts what the nodes of a network need, and registers the miners.
func (p *processes) serve(program string) {
	p.t.Helper()
	p.start("store", program, p.command("store serve")...)
	p.start("chain", program, p.command("chain start")...)
	for _, miner := range []string{"miner-0", "miner-1"} {
		register := p.command("chain register", miner)
		await(p.t, time.Minute, miner+" is registered", func() error {
			out, err := exec.CommandContext(p.t.Context(), program, register...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
	}
}

var holders = []string{"validator-0", "validator-1", "miner-0", "miner-1"}

// node starts a node of a network by its name.
func (p *processes) node(name, program string) {
	p.t.Helper()
	p.start(name, program, p.command(name+".json")...)
}

func runBeside(t *testing.T, earlier, today string) {
	p := prepareNetwork(t, earlier)
	p.serve(earlier)
	for name, program := range map[string]string{
		"validator-0": earlier, "validator-1": today, "miner-0": earlier, "miner-1": today, "aggregator-0": earlier,
	} {
		p.node(name, program)
	}
	p.agree(4, holders...)
	for _, program := range []string{today, earlier} { // forth, and back
		p.stop()
		p.start("store", program, p.command("store serve")...)
		p.start("chain", program, p.command("chain start")...)
		for _, name := range append([]string{"aggregator-0"}, holders...) {
			p.node(name, program)
		}
		p.agree(3, holders...)
	}
	p.stop()
}

func runNext(t *testing.T, today, next string) {
	p := prepareNetwork(t, today)
	p.serve(today)
	for _, name := range []string{"validator-0", "validator-1", "miner-0", "aggregator-0"} {
		p.node(name, today)
	}
	p.agree(1, "validator-0", "validator-1", "miner-0")
	both := []string{fmt.Sprint("version ", protocol.Version), fmt.Sprint("version ", protocol.Version+1)}
	refuses(t, next, p.command("miner ", "miner-1.json"), append(both, "the validators announced the run in protocol")...)
	p.stop("miner-0")
	refuses(t, next, p.command("miner ", "miner-0.json"), append(both, "data.json is of protocol")...)
}
