package docs

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// full runs the tutorial, which takes some minutes.
var full = flag.Bool("tutorial", false, "run the commands of docs/tutorial.md")

// block is a code block of the tutorial: its machine (laptop, A or B), and whether each line runs in a
// terminal of its own.
type block struct {
	machine   string
	terminals bool
	lines     []string
}

func blocks(page string) (out []block) {
	for _, m := range regexp.MustCompile("(?ms)^```sh (\\w+)( terminals)?\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		out = append(out, block{m[1], m[2] != "", strings.Split(strings.TrimSpace(m[3]), "\n")})
	}
	return out
}

// tutorial reads the page, and builds the program into a folder for PATH.
func tutorial(t *testing.T) (all []block, bin string) {
	t.Helper()
	if !*full {
		t.Skip("runs with -tutorial: it takes some minutes")
	}
	page, err := os.ReadFile("tutorial.md")
	if err != nil {
		t.Fatal(err)
	}
	bin = t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "../cmd/templar").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return blocks(string(page)), bin
}

// machine runs commands of the tutorial in its folder, and in its network namespace if it has one.
type machine struct {
	t         *testing.T
	dir, bin  string
	namespace string
	logs      map[string]string // file of a terminal's output, by its command line
}

func (m *machine) command(ctx context.Context, line string) *exec.Cmd {
	words := []string{"bash", "-euo", "pipefail", "-c", line}
	if m.namespace != "" {
		words = append([]string{"ip", "netns", "exec", m.namespace}, words...)
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "PATH="+m.bin+":"+os.Getenv("PATH"), "HOME="+m.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 20 * time.Second
	return cmd
}

// run runs a block. Terminals go on until the test ends.
func (m *machine) run(b block) (output string) {
	m.t.Helper()
	for _, line := range b.lines {
		if b.terminals {
			m.terminal(line)
			continue
		}
		ctx, cancel := context.WithTimeout(m.t.Context(), 3*time.Minute)
		out, err := m.command(ctx, line).CombinedOutput()
		cancel()
		output += string(out)
		if err != nil {
			m.t.Fatalf("%s: %s: %v\n%s", b.machine, line, err, out)
		}
	}
	return output
}

func (m *machine) terminal(line string) {
	m.t.Helper()
	log, err := os.Create(filepath.Join(m.dir, fmt.Sprintf("terminal-%d.log", len(m.logs))))
	if err != nil {
		m.t.Fatal(err)
	}
	m.logs[line] = log.Name()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := m.command(ctx, "exec "+line)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		cancel()
		err := cmd.Wait()
		log.Close()
		if b, readErr := os.ReadFile(log.Name()); readErr == nil && (m.t.Failed() || err != nil && cmd.ProcessState.ExitCode() > 0) {
			m.t.Logf("%s: %v\n%s", line, err, b[max(0, len(b)-6000):])
		}
	})
}

// log is the output of the terminal whose command line begins so.
func (m *machine) log(line string) string {
	for l, file := range m.logs {
		if b, err := os.ReadFile(file); err == nil && strings.HasPrefix(l, line) {
			return string(b)
		}
	}
	return ""
}

// states are the state hashes that a node has logged, by window.
func states(log string) map[string]string {
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`msg=applied window=(\d+) .* state=(\w+)`).FindAllStringSubmatch(log, -1) {
		out[m[1]] = m[2]
	}
	return out
}

// until waits for a condition on other processes.
func until(t *testing.T, what string, limit time.Duration, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !met(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v: not yet %s", limit, what)
		}
	}
}

// The first part, in an empty folder.
func TestTutorialOnOneMachine(t *testing.T) {
	all, bin := tutorial(t)
	m := &machine{t: t, dir: t.TempDir(), bin: bin}
	var output string
	for _, b := range all {
		if b.machine == "laptop" {
			output += m.run(b)
		}
	}
	for _, want := range []string{
		"all nodes hold the same parameters", "templar-localnet holds a localnet: tiny, 20 windows done", "what would raise it", "nothing differs",
	} {
		if !strings.Contains(output, want) {
			t.Errorf("the output does not contain %q:\n%s", want, output)
		}
	}
}

// The second part, on two machines with a link of 40 ms in each direction and 50 Mb/s.
func TestTutorialOnTwoMachines(t *testing.T) {
	all, bin := tutorial(t)
	a := &machine{t: t, dir: filepath.Join(t.TempDir(), "ours"), bin: bin, namespace: "templar-test-a", logs: map[string]string{}}
	b := &machine{t: t, dir: t.TempDir(), bin: bin, namespace: "templar-test-b", logs: map[string]string{}}
	if err := os.Mkdir(a.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// The machines have no SSH server.
	scp := fmt.Sprintf("#!/bin/sh\nfor f in \"$@\"; do case $f in *:ours/*) cp %q/\"${f#*:ours/}\" .;; esac; done\n", a.dir)
	if err := os.WriteFile(filepath.Join(bin, "scp"), []byte(scp), 0o700); err != nil {
		t.Fatal(err)
	}
	connect(t, wire{delay: 40 * time.Millisecond, rate: 50e6}, a.namespace, "192.0.2.1/24", b.namespace, "192.0.2.2/24")
	measured, met := false, false
	for _, blk := range all {
		switch blk.machine {
		case "A":
			a.run(blk)
		case "B":
			if !measured {
				roundTrip(t, b.namespace, "192.0.2.1:26657", 80*time.Millisecond)
				measured = true
			}
			if !blk.terminals && len(b.logs) > 0 && !met {
				together(t, a, b)
				met = true
			}
			for i, line := range blk.lines {
				if strings.HasPrefix(line, "templar verify") { // of a window of this run
					window := regexp.MustCompile(`included="1 2"`).Split(a.log("templar aggregator"), 2)[0]
					n := regexp.MustCompile(`msg=published window=(\d+)`).FindAllStringSubmatch(window, -1)
					blk.lines[i] = regexp.MustCompile(`--window \d+`).ReplaceAllString(line, "--window "+n[len(n)-1][1])
				}
			}
			b.run(blk)
		}
	}
	until(t, "a measurement by the evaluator", 2*time.Minute, func() bool { return strings.Contains(b.log("templar evaluator"), "msg=held-out") })
}

// together waits until both miners are in the Aggregates, and compares the states of three nodes.
func together(t *testing.T, a, b *machine) {
	t.Helper()
	until(t, "three windows with the gradients of both miners", 4*time.Minute, func() bool {
		return strings.Count(a.log("templar aggregator"), `included="1 2"`) >= 3
	})
	var common []string
	var ofA, ofB, ofV map[string]string
	until(t, "three windows after which all have logged their state", 2*time.Minute, func() bool {
		ofA, ofB, ofV = states(a.log("templar miner")), states(b.log("templar miner")), states(a.log("templar validator"))
		common = nil
		for w := range ofA {
			if ofB[w] != "" && ofV[w] != "" {
				common = append(common, w)
			}
		}
		return len(common) >= 3
	})
	slices.Sort(common)
	for _, w := range common {
		if ofA[w] != ofB[w] || ofA[w] != ofV[w] {
			t.Errorf("window %s: miner A has state %s, miner B %s, the validator %s", w, ofA[w], ofB[w], ofV[w])
		}
	}
	t.Logf("the same states after the windows %v; %s", common, regexp.MustCompile(`success=.*`).FindAllString(a.log("templar aggregator"), -1))
}

// wire is a line between two machines, in each direction.
type wire struct {
	delay time.Duration
	rate  float64 // bits a second
}

// queue is how much a line holds back at most, in time: what exceeds it is dropped.
const queue = 200 * time.Millisecond

// connect makes two network namespaces, with a line between them that this process carries: not every kernel
// has netem. It skips the test where that is not permitted.
func connect(t *testing.T, l wire, nameA, addressA, nameB, addressB string) {
	t.Helper()
	ends := [2]*os.File{}
	for i, end := range []struct{ namespace, address string }{{nameA, addressA}, {nameB, addressB}} {
		device := fmt.Sprintf("tmpl%d", i)
		_ = exec.Command("ip", "netns", "del", end.namespace).Run() // of a test that was killed
		if out, err := exec.Command("ip", "netns", "add", end.namespace).CombinedOutput(); err != nil {
			t.Skipf("no network namespaces here: %v: %s", err, bytes.TrimSpace(out))
		}
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", end.namespace).Run() })
		tun, err := openTUN(device)
		if err != nil {
			t.Skipf("no network devices here: %v", err)
		}
		t.Cleanup(func() { tun.Close() })
		ends[i] = tun
		for _, args := range [][]string{
			{"link", "set", device, "netns", end.namespace}, {"-n", end.namespace, "link", "set", "lo", "up"},
			{"-n", end.namespace, "addr", "add", end.address, "dev", device}, {"-n", end.namespace, "link", "set", device, "up"},
		} {
			if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
				t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
			}
		}
	}
	go l.carry(ends[0], ends[1])
	go l.carry(ends[1], ends[0])
}

// openTUN makes a network device whose packets are read from and written to a file.
func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("TUNSETIFF: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// carry passes packets on, each after the time that it takes on the line. It ends when a file is closed.
func (l wire) carry(from, to *os.File) {
	type packet struct {
		due  time.Time
		body []byte
	}
	line := make(chan packet, 4096)
	defer close(line)
	go func() {
		for p := range line {
			time.Sleep(time.Until(p.due))
			_, _ = to.Write(p.body) // a full queue behind the line drops it
		}
	}()
	free := time.Now() // when the line has sent all before
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		now := time.Now()
		if free.Before(now) {
			free = now
		}
		if free.Sub(now) > queue {
			continue
		}
		free = free.Add(time.Duration(float64(n*8) / l.rate * float64(time.Second)))
		select {
		case line <- packet{free.Add(l.delay), bytes.Clone(buffer[:n])}:
		default:
		}
	}
}

// roundTrip checks that a connection from a namespace takes as long as the line says.
func roundTrip(t *testing.T, namespace, address string, least time.Duration) {
	t.Helper()
	took := make(chan time.Duration, 1)
	go func() {
		defer close(took)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and its namespace with it
		f, err := os.Open("/var/run/netns/" + namespace)
		if err != nil {
			return
		}
		defer f.Close()
		if unix.Setns(int(f.Fd()), unix.CLONE_NEWNET) != nil {
			return
		}
		begin := time.Now()
		c, err := net.DialTimeout("tcp", address, 10*time.Second)
		if err == nil {
			took <- time.Since(begin)
			c.Close()
		}
	}()
	d, ok := <-took
	if !ok || d < least {
		t.Fatalf("a connection over the line took %v, want %v or more", d, least)
	}
	t.Logf("a connection over the line takes %v", d)
}
