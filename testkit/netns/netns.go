// Package netns makes hosts of its own on one machine, for tests of what crosses a network: network
// namespaces of Linux, joined by a bridge in one more. Each host has an address, a name that all
// resolve, and, if it is shaped, a delay and a rate. It needs root and iproute2.
package netns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Available says why hosts cannot be made here, nil if they can.
func Available() error {
	if runtime.GOOS != "linux" {
		return errors.New("network namespaces are Linux's")
	}
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return errors.New("ip of iproute2 is not installed")
	}
	n, err := New("a")
	if err != nil {
		return err
	}
	return n.Close()
}

// Net is a network of hosts, which can reach each other and nothing else.
type Net struct {
	prefix string // of the namespaces' names: others on the machine have theirs
	hosts  []string
}

// New makes a network. Close removes it.
func New(hosts ...string) (_ *Net, err error) {
	if len(hosts) > 200 {
		return nil, fmt.Errorf("%d hosts: want 200 or fewer", len(hosts))
	}
	n := &Net{prefix: fmt.Sprintf("tns%d-", os.Getpid()), hosts: hosts}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	hub := n.prefix + "hub"
	steps := []string{"netns add " + hub, "-n " + hub + " link add bridge type bridge", "-n " + hub + " link set bridge up"}
	for i, h := range hosts {
		ns, port := n.namespace(h), fmt.Sprint("port", i)
		steps = append(steps,
			"netns add "+ns,
			fmt.Sprintf("link add eth0 netns %s type veth peer name %s netns %s", ns, port, hub),
			fmt.Sprintf("-n %s link set %s master bridge up", hub, port),
			fmt.Sprintf("-n %s addr add %s/24 dev eth0", ns, n.Addr(h)),
			fmt.Sprintf("-n %s link set lo up", ns),
			fmt.Sprintf("-n %s link set eth0 up", ns))
	}
	for _, s := range steps {
		if err := run("ip", strings.Fields(s)...); err != nil {
			return nil, err
		}
	}
	for _, h := range hosts { // "ip netns exec" mounts these over those of /etc
		dir := filepath.Join("/etc/netns", n.namespace(h))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, "hosts"), []byte(n.HostsFile()), 0o644); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (n *Net) namespace(host string) string { return n.prefix + host }

// Addr is a host's address. It panics for a host that the network does not have.
func (n *Net) Addr(host string) netip.Addr {
	for i, h := range n.hosts {
		if h == host {
			return netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)})
		}
	}
	panic("netns: no host " + host)
}

// HostsFile is an /etc/hosts with the names of all hosts.
func (n *Net) HostsFile() string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n")
	for _, h := range n.hosts {
		fmt.Fprintf(&b, "%s %s\n", n.Addr(h), h)
	}
	return b.String()
}

// Command is a program that runs on a host. It is killed when ctx ends.
func (n *Net) Command(ctx context.Context, host, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", n.namespace(host), name}, args...)...)
}

// Shape delays what a host sends, and limits it to bits a second: between two hosts that are both shaped a
// round trip takes twice the delay. It needs tc of iproute2.
func (n *Net) Shape(host string, delay time.Duration, bits int64) error {
	n.Addr(host)
	return run("tc", "-n", n.namespace(host), "qdisc", "replace", "dev", "eth0", "root", "netem",
		"delay", fmt.Sprintf("%dus", delay.Microseconds()), "rate", fmt.Sprintf("%dbit", bits), "limit", "10000")
}

// Close removes the network. Processes that still run on its hosts lose it.
func (n *Net) Close() error {
	var errs []error
	for _, h := range append([]string{"hub"}, n.hosts...) {
		ns := n.namespace(h)
		if _, err := os.Stat(filepath.Join("/run/netns", ns)); err == nil {
			errs = append(errs, run("ip", "netns", "del", ns))
		}
		errs = append(errs, os.RemoveAll(filepath.Join("/etc/netns", ns)))
	}
	return errors.Join(errs...)
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
