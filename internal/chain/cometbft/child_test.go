package cometbft_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"templar/internal/chain/cometbft"
)

// childConfig configures a node in a process of its own.
type childConfig struct {
	Home     string
	Interval time.Duration
	Sync     []string
}

// snapshotEvery outlives the 5 seconds that CometBFT looks for snapshots, twice.
const snapshotEvery = 80

const childVariable = "TEMPLAR_TEST_CHAIN"

// TestMain lets the test binary be a node that tests can kill.
func TestMain(m *testing.M) {
	if raw := os.Getenv(childVariable); raw != "" {
		fmt.Fprintln(os.Stderr, runChild(raw))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func runChild(raw string) error {
	var c childConfig
	if err := json.Unmarshal([]byte(raw), &c); err != nil {
		return err
	}
	n, err := cometbft.New(cometbft.Config{
		Home: c.Home, Listen: "127.0.0.1:0", BlockInterval: c.Interval, SnapshotEvery: snapshotEvery, RetainBlocks: 5 * snapshotEvery, Sync: c.Sync,
		Logger: childLogger(),
	})
	if err != nil {
		return err
	}
	file := filepath.Join(c.Home, "endpoint")
	if err := os.WriteFile(file+".new", []byte(n.Endpoint()), 0o600); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	return n.Run(context.Background())
}

// childLogger logs what CometBFT does, with TEMPLAR_TEST_LOG set.
func childLogger() *slog.Logger {
	if os.Getenv("TEMPLAR_TEST_LOG") == "" {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// child is a running node. Its owner kills it, at the latest the test's end does.
type child struct {
	cmd      *exec.Cmd
	endpoint string
}

func startChild(t testing.TB, home string, c childConfig) *child {
	t.Helper()
	c.Home = home
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(raw))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started := &child{cmd: cmd}
	t.Cleanup(started.kill)
	started.endpoint = childEndpoint(t, home)
	return started
}

// kill ends the process without warning.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// childEndpoint waits for the child to say where it listens.
func childEndpoint(t testing.TB, home string) (endpoint string) {
	t.Helper()
	file := filepath.Join(home, "endpoint")
	within(t, time.Minute, "the node to start", func() bool {
		b, err := os.ReadFile(file)
		endpoint = string(b)
		return err == nil && os.Remove(file) == nil
	})
	return endpoint
}

// within polls a condition that must come true.
func within(t testing.TB, limit time.Duration, what string, done func() bool) {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.After(limit); !done(); {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("waited %v for %s", limit, what)
		}
	}
}
