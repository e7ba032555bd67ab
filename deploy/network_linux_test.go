package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"templar/testkit/netns"
)

// go test ./deploy -network runs what the profile "network" of compose.yaml says, for two minutes.
var (
	withNetwork = flag.Bool("network", false, "run the network of compose.yaml from the image's contents, in namespaces")
	program     = flag.String("program", "", "static program to run there (default: build it)")
)

// deployment is the running network.
type deployment struct {
	t       *testing.T
	file    compose
	net     *netns.Net
	dir     string
	running map[string]*exec.Cmd
}

// The network of compose.yaml comes up from the image's contents, as its commands say, and trains: all
// nodes that hold parameters agree on them, and the model's loss falls. It goes on when the
// aggregator is killed, and an authority is killed and starts again. Each service has a network, a file system and a user without rights.
func TestNetworkTrains(t *testing.T) {
	if !*withNetwork {
		t.Skip("takes two minutes: go test ./deploy -network")
	}
	if err := netns.Available(); err != nil {
		t.Skip(err)
	}
	d := deploy(t)
	d.prepare()
	var members []string
	for _, name := range d.file.members("network") {
		if name != "prepare" {
			d.start(name)
			members = append(members, name)
		}
	}
	for _, name := range members {
		d.await(4*time.Minute, name+" is healthy", func() error { return d.healthy(name) })
	}
	first := d.loss()
	w := d.agreement(2)
	d.kill("aggregator-0")
	d.kill("chain-3")
	d.start("chain-3")
	w = d.agreement(w + 3)
	if last := d.loss(); last >= first {
		t.Errorf("the loss on held-out text was %.4f and is %.4f in window %d", first, last, w)
	} else {
		t.Logf("held-out loss %.4f, then %.4f; all states are equal in window %d", first, last, w)
	}
	d.stop()
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{t: t, file: readCompose(t), dir: t.TempDir(), running: map[string]*exec.Cmd{}}
	if *program == "" {
		*program = filepath.Join(d.dir, "templar")
		build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", *program, "../cmd/templar")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if err := image(*program, d.path("root")); err != nil {
		t.Fatal(err)
	}
	// Others than the user may not look into t.TempDir, and the container's processes need not.
	if err := os.MkdirAll(d.path("volumes", "network"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(d.path("volumes", "network"), user, user); err != nil {
		t.Fatal(err)
	}
	var hosts []string
	for _, name := range d.file.members("network") {
		if name != "prepare" {
			hosts = append(hosts, name)
		}
	}
	n, err := netns.New(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	d.net = n
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(d.path("hosts"), []byte(n.HostsFile()), 0o644); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *deployment) path(elem ...string) string {
	return filepath.Join(append([]string{d.dir}, elem...)...)
}

func (d *deployment) container(name string) container {
	d.t.Helper()
	c, err := d.file.container(name, d.path("root"), d.path("hosts"), d.path("volumes"))
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// prepare runs the service that makes keys and configurations, twice: the second time changes nothing.
func (d *deployment) prepare() {
	d.t.Helper()
	for range 2 {
		cmd, err := d.container("prepare").command(d.t.Context(), d.net, "")
		if err != nil {
			d.t.Fatal(err)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			d.t.Fatalf("prepare: %v: %s", err, out)
		}
	}
}

func (d *deployment) start(name string) {
	d.t.Helper()
	cmd, err := d.container(name).command(d.t.Context(), d.net, name)
	if err != nil {
		d.t.Fatal(err)
	}
	log, err := os.Create(d.path(name + ".log"))
	if err != nil {
		d.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.running[name] = cmd
	d.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if d.t.Failed() {
			d.t.Logf("%s:\n%s", name, tail(log.Name()))
		}
	})
}

// healthy runs a service's health check in its container.
func (d *deployment) healthy(name string) error {
	c := d.container(name)
	c.Command = d.file.Services[name].Healthcheck.Test[1:] // after CMD
	ctx, cancel := context.WithTimeout(d.t.Context(), 30*time.Second)
	defer cancel()
	cmd, err := c.command(ctx, d.net, name)
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func (d *deployment) await(limit time.Duration, what string, f func() error) {
	d.t.Helper()
	for until := time.Now().Add(limit); ; time.Sleep(time.Second) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(until) {
			d.t.Fatalf("%s: not after %v: %v", what, limit, err)
		}
	}
}

// agreement waits for a window, least or later, after which all nodes that hold parameters have been seen with the
// same ones, and for another one after it with other parameters. It returns the later window.
func (d *deployment) agreement(least int64) int64 {
	d.t.Helper()
	holders := []string{"validator-0", "validator-1", "miner-0", "miner-1", "miner-2", "evaluator-0"}
	seen := map[int64]map[string]string{} // by window and node
	var agreed []int64
	d.await(4*time.Minute, fmt.Sprintf("two windows after %d with equal states", least), func() error {
		for _, name := range holders {
			for w, state := range d.applied(name) {
				if seen[w] == nil {
					seen[w] = map[string]string{}
				}
				seen[w][name] = state
			}
		}
		agreed = nil
		for w, states := range seen {
			distinct := map[string]bool{}
			for _, s := range states {
				distinct[s] = true
			}
			if len(distinct) > 1 {
				d.t.Fatalf("window %d has several states: %v", w, states)
			}
			if len(states) == len(holders) && w >= least {
				agreed = append(agreed, w)
			}
		}
		if len(agreed) < 2 {
			return fmt.Errorf("windows %v, of %d seen", agreed, len(seen))
		}
		return nil
	})
	last := max(agreed[0], agreed[1])
	if seen[agreed[0]]["miner-0"] == seen[agreed[1]]["miner-0"] {
		d.t.Errorf("windows %v left the parameters as they were", agreed)
	}
	return last
}

// lines calls f with each line of a service's log.
func (d *deployment) lines(name string, f func(line map[string]any)) {
	b, err := os.ReadFile(d.path(name + ".log"))
	if err != nil {
		d.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var v map[string]any
		if json.Unmarshal([]byte(line), &v) == nil {
			f(v)
		}
	}
}

// applied are the states that a node's log names, by window.
func (d *deployment) applied(name string) map[int64]string {
	out := map[int64]string{}
	d.lines(name, func(v map[string]any) {
		if window, ok := v["window"].(float64); ok && v["msg"] == "applied" {
			out[int64(window)], _ = v["state"].(string)
		}
	})
	return out
}

// loss is the evaluator's last one.
func (d *deployment) loss() (loss float64) {
	d.t.Helper()
	d.await(2*time.Minute, "a loss", func() error {
		d.lines("evaluator-0", func(v map[string]any) {
			if l, ok := v["loss"].(float64); ok && v["msg"] == "held-out" {
				loss = l
			}
		})
		if loss == 0 {
			return errors.New("the evaluator measured nothing")
		}
		return nil
	})
	return loss
}

func (d *deployment) kill(name string) {
	d.t.Helper()
	if err := d.running[name].Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	_ = d.running[name].Wait() // it was killed
	delete(d.running, name)
}

// stop ends the services as the engine does, within their time.
func (d *deployment) stop() {
	d.t.Helper()
	for name, cmd := range d.running {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			d.t.Errorf("%s: %v", name, err)
		}
	}
	for name, cmd := range d.running {
		slow := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err != nil {
			d.t.Errorf("%s did not stop cleanly: %v", name, err)
		}
		slow.Stop()
	}
}
