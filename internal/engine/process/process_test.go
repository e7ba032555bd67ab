//go:build linux || darwin

package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/engine/enginetest"
	"templar/internal/engine/process"
	"templar/internal/model"
	"templar/protocol"
)

// child makes this test binary an engine process.
const child = "TEMPLAR_PROCESS_TEST_CHILD"

// orphan makes it the parent of one.
const orphan = "TEMPLAR_PROCESS_TEST_ORPHAN"

func TestMain(m *testing.M) {
	if os.Getenv(child) == "" {
		os.Exit(m.Run())
	}
	if err := process.Serve(open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// open serves the CPU engine. The settings are its threads, or what goes wrong.
func open(m protocol.Model, settings []byte, notes process.Notes) (process.Engine, string, error) {
	threads, err := strconv.Atoi(string(settings))
	fault := ""
	if err != nil {
		threads, fault = 1, string(settings)
	}
	if fault == "refuse" {
		return nil, "", errors.New("no such device")
	}
	notes.Say("%d threads", threads)
	e, err := cpu.New(m, cpu.Options{Threads: threads})
	if err != nil {
		return nil, "", err
	}
	both := enginetest.Compressing(e)
	return &served{Engine: both, Compressor: engine.CompressorOf(both), fault: fault}, "test float32", nil
}

// served is an engine whose vectors cross in parts, and that has faults.
type served struct {
	engine.Engine
	engine.Compressor
	fault  string
	chosen []int // how many values were, by tensor
}

func (s *served) Begin(ctx context.Context, c engine.Compression) error {
	if err := s.Compressor.Begin(ctx, c); err != nil {
		return err
	}
	s.chosen = c.Kept(s.Layout())
	return nil
}

// CompressTo gives what is chosen in parts of a tensor each.
func (s *served) CompressTo(ctx context.Context, decay, scale float32, take process.Take) error {
	chosen, err := s.Compress(ctx, decay, scale)
	if err != nil {
		return err
	}
	at := 0
	for _, n := range s.chosen {
		err := take(at, n, func(index []uint16, value []float32) error {
			copy(index, chosen.Index[at:])
			copy(value, chosen.Value[at:])
			return nil
		})
		if err != nil {
			return err
		}
		at += n
	}
	return nil
}

func (s *served) SubtractFrom(ctx context.Context, from process.Source) error {
	var values []float32
	for _, n := range s.chosen {
		part, err := from(len(values), n)
		if err != nil {
			return err
		}
		values = append(values, part...)
	}
	return s.Subtract(ctx, values)
}

func (s *served) TrySentFrom(ctx context.Context, step engine.Sent, values, places process.Source) (func(context.Context) error, error) {
	at := 0
	for _, n := range step.Compression.Kept(s.Layout()) {
		v, err := values(at, n)
		if err != nil {
			return nil, err
		}
		step.Chosen.Value = append(step.Chosen.Value, v...)
		p, err := places(at, n)
		if err != nil {
			return nil, err
		}
		for _, place := range p {
			step.Chosen.Index = append(step.Chosen.Index, uint16(place))
		}
		at += n
	}
	return s.TrySent(ctx, step)
}

func (s *served) BufferTo(ctx context.Context, dst process.Sink) error {
	v := make([]float32, s.Layout().Size())
	if err := s.Buffer(ctx, v); err != nil {
		return err
	}
	return s.write(v, dst)
}

func (s *served) SetBufferFrom(ctx context.Context, from process.Source) error {
	v, err := s.read(from)
	if err != nil {
		return err
	}
	return s.SetBuffer(ctx, v)
}

func (s *served) read(from process.Source) ([]float32, error) {
	l := s.Layout()
	out := make([]float32, l.Size())
	for _, t := range l {
		part, err := from(t.Offset, t.Size())
		if err != nil {
			return nil, err
		}
		copy(out[t.Offset:], part)
	}
	return out, nil
}

func (s *served) write(v []float32, dst process.Sink) error {
	for _, t := range s.Layout() {
		err := dst(t.Offset, t.Size(), func(to []float32) error { copy(to, v[t.Offset:]); return nil })
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *served) LoadFrom(ctx context.Context, from process.Source) error {
	v, err := s.read(from)
	if err != nil {
		return err
	}
	return s.Load(ctx, v)
}

func (s *served) ParamsTo(ctx context.Context, dst process.Sink) error {
	l := s.Layout()
	v := make([]float32, l.Size())
	if err := s.Params(ctx, v); err != nil {
		return err
	}
	return s.write(v, dst)
}

func (s *served) GradientTo(ctx context.Context, dst process.Sink) error {
	v, err := s.Gradient(ctx)
	if err != nil {
		return err
	}
	return s.write(v, dst)
}

func (s *served) MomentsTo(ctx context.Context, first, second process.Sink) (uint64, error) {
	m, err := s.Moments(ctx)
	if err != nil || m.Steps == 0 {
		return 0, err
	}
	return m.Steps, errors.Join(s.write(m.Tensors[0].Values, first), s.write(m.Tensors[1].Values, second))
}

func (s *served) RestoreFrom(ctx context.Context, steps uint64, first, second process.Source) error {
	if steps == 0 {
		return s.Restore(ctx, engine.Moments{})
	}
	a, err := s.read(first)
	if err != nil {
		return err
	}
	b, err := s.read(second)
	if err != nil {
		return err
	}
	return s.Restore(ctx, engine.Moments{Steps: steps, Tensors: []engine.Tensor{{Name: engine.FirstMoment, Values: a}, {Name: engine.SecondMoment, Values: b}}})
}

func (s *served) TryFrom(ctx context.Context, from process.Source) (func(context.Context) error, error) {
	v, err := s.read(from)
	if err != nil {
		return nil, err
	}
	return s.Try(ctx, func(dst []float32, at int) { copy(dst, v[at:]) })
}

func (s *served) Loss(ctx context.Context, b engine.Batch) (engine.Loss, error) {
	switch s.fault {
	case "crash":
		fmt.Fprintln(os.Stderr, "F0000 check failed: a fault of the plug-in")
		syscall.Kill(os.Getpid(), syscall.SIGABRT)
		time.Sleep(time.Minute)
	case "hang":
		time.Sleep(time.Minute)
	case "exit":
		os.Exit(7)
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Minute)
	}
	return s.Engine.Loss(ctx, b)
}

func start(t *testing.T, m protocol.Model, settings string, limit time.Duration) (*process.Client, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return process.Start(m, process.Command{
		Path: self, Env: []string{child + "=1"}, Settings: []byte(settings), Limit: limit, Remedy: "use another plug-in",
	})
}

func TestConformance(t *testing.T) {
	enginetest.Run(t, func(m protocol.Model, threads int) (engine.Engine, error) {
		e, err := start(t, m, strconv.Itoa(threads), 0)
		if err != nil {
			return nil, err
		}
		return e, nil
	})
}

// A child that crashes, hangs or ends is an error with its last words and the remedy, of this call and
// of all later ones.
func TestFaults(t *testing.T) {
	m := enginetest.Models()["plain"]
	b := engine.Batch{Rows: 1, Cols: 2, Inputs: []int32{1, 2}, Targets: []int32{2, 3}}
	for fault, c := range map[string]struct {
		limit time.Duration
		says  []string
	}{
		"crash": {time.Minute, []string{"SIGABRT", "a fault of the plug-in", "use another plug-in"}},
		"hang":  {2 * time.Second, []string{"no answer for 2s", "use another plug-in"}},
		"exit":  {time.Minute, []string{"exit status 7"}},
		"kill":  {time.Minute, []string{"this machine's memory is full", "use another plug-in"}},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			e, err := start(t, m, fault, c.limit)
			if err != nil {
				t.Fatal(err)
			}
			params := model.Init(m, 1)
			if err := e.Load(t.Context(), params); err != nil {
				t.Fatal(err)
			}
			_, err = e.Loss(t.Context(), b)
			var lost *process.Lost
			if !errors.As(err, &lost) {
				t.Fatalf("error %v", err)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if again := e.Load(t.Context(), params); again != err {
				t.Errorf("a later call: %v", again)
			}
			for range 2 {
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			}
			if err := e.Load(t.Context(), params); !errors.Is(err, engine.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

func TestStartRefuses(t *testing.T) {
	m := enginetest.Models()["plain"]
	if e, err := start(t, m, "refuse", 0); err == nil || !strings.Contains(err.Error(), "no such device") {
		t.Errorf("%v, %v", e, err)
	}
	if _, err := process.Start(m, process.Command{Path: filepath.Join(t.TempDir(), "missing")}); err == nil {
		t.Error("a program that is not there is started")
	}
}

func TestUsageAndKind(t *testing.T) {
	m := enginetest.Models()["plain"]
	e, err := start(t, m, "1", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if engine.Kind(e) != "test float32" {
		t.Errorf("kind %q", engine.Kind(e))
	}
	if err := e.Load(t.Context(), model.Init(m, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Loss(t.Context(), engine.Batch{Rows: 1, Cols: 2, Inputs: []int32{1, 2}, Targets: []int32{2, 3}}); err != nil {
		t.Fatal(err)
	}
	if e.Usage().Busy <= 0 {
		t.Errorf("usage %+v", e.Usage())
	}
}

// A child whose parent is killed ends, although its engine hangs.
func TestOrphan(t *testing.T) {
	if os.Getenv(orphan) != "" { // the parent: it starts a child, says which, and waits to be killed
		e, err := start(t, enginetest.Models()["plain"], "hang", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Load(t.Context(), model.Init(enginetest.Models()["plain"], 1)); err != nil {
			t.Fatal(err)
		}
		go e.Loss(t.Context(), engine.Batch{Rows: 1, Cols: 2, Inputs: []int32{1, 2}, Targets: []int32{2, 3}})
		time.Sleep(200 * time.Millisecond) // until the child hangs
		fmt.Println("child", e.Pid())
		time.Sleep(time.Minute)
	}
	if runtime.GOOS != "linux" {
		t.Skip("processes are looked up in /proc")
	}
	parent := exec.Command(os.Args[0], "-test.run=^TestOrphan$")
	parent.Env = append(os.Environ(), orphan+"=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscanf(out, "child %d\n", &pid); err != nil {
		parent.Process.Kill()
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	parent.Wait()
	for range 200 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	syscall.Kill(pid, syscall.SIGKILL)
	t.Error("the child outlives its parent by ten seconds")
}
