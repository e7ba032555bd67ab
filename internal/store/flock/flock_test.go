package flock

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

const holderPath = "FLOCK_TEST_PATH"

// TestMain is also the process that TestAnotherProcess kills.
func TestMain(m *testing.M) {
	path := os.Getenv(holderPath)
	if path == "" {
		os.Exit(m.Run())
	}
	release, err := Take(path)
	fmt.Println(err)
	io.Copy(io.Discard, os.Stdin)
	if err == nil {
		release()
	}
}

func needLocks(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		t.Skip("no locks here")
	}
}

// TestAnotherProcess: a killed holder's lock is free.
func TestAnotherProcess(t *testing.T) {
	needLocks(t)
	path := filepath.Join(t.TempDir(), "lock")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), holderPath+"="+path)
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "<nil>\n" {
		t.Fatalf("the other process: %q, %v", line, err)
	}
	if _, err := Take(path); !errors.Is(err, ErrHeld) {
		t.Errorf("beside another process: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	release, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Take(path); !errors.Is(err, ErrHeld) {
		t.Errorf("a second time: %v", err)
	}
	release()
}

// TestRemovedFile: a holder that removes the file on its way out leaves no two holders.
func TestRemovedFile(t *testing.T) {
	needLocks(t)
	path := filepath.Join(t.TempDir(), "lock")
	var holders, taken atomic.Int32
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for taken.Load() < 300 {
				release, err := Take(path)
				if errors.Is(err, ErrHeld) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if taken.Add(1); holders.Add(1) != 1 {
					t.Error("two holders")
					return
				}
				for range 50 {
					runtime.Gosched()
				}
				holders.Add(-1)
				os.Remove(path)
				release()
			}
		})
	}
	all.Wait()
}

func TestNoFolder(t *testing.T) {
	needLocks(t)
	if _, err := Take(filepath.Join(t.TempDir(), "no", "lock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
