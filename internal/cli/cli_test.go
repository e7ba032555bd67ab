package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"templar/cmd/templar/backends"
	"templar/internal/admin"
	"templar/internal/config"
	"templar/internal/dashboard/tui"
	"templar/internal/localnet"
	"templar/internal/model"
	"templar/internal/node"
	"templar/internal/telemetry"
	"templar/protocol"
)

// stub is an App that prints its requests.
func stub() App {
	return App{
		Version: "v0-test", Backends: backends.All(),
		Role: func(ctx context.Context, _ node.Backends, role telemetry.Role, n config.Node, log *slog.Logger) error {
			log.Debug("stub", "role", role, "chain", n.Chain.Endpoint, "netuid", n.Chain.NetUID, "peers", n.Options.Peers,
				"windows", n.Options.Windows, "test", n.Options.Test, "store", n.Options.StoreGathers, "config", n)
			log.Log(ctx, LevelTrace, "deep")
			return fmt.Errorf("stub: %w", os.ErrPermission)
		},
		Localnet: func(ctx context.Context, o localnet.Options) error {
			fmt.Fprintf(o.Out, "windows %d miners %d validators %d preset %s seed %d dir %s corpus %q include %q json %q plot %q live %v\n",
				o.Windows, o.Miners, o.Validators, o.Preset, o.Seed, o.DataDir, o.Corpus, o.Include, o.JSON, o.Plot, o.Live)
			if len(o.Adversaries) > 0 {
				fmt.Fprintf(o.Out, "adversaries %s\n", o.Adversaries)
			}
			return nil
		},
		Prepare: func(ctx context.Context, o localnet.Options) ([]string, error) {
			return []string{"templar chain start --home " + o.DataDir, "templar miner, and cheaters " + o.Adversaries.String()}, nil
		},
		Folders: func(_ context.Context, o localnet.Options, h localnet.Hosts) ([]string, error) {
			return []string{fmt.Sprintf("folders %v %s %v", h, o.DataDir, o.BlockTime)}, nil
		},
		Cheat: func(_ context.Context, o localnet.Options, name string) error {
			return fmt.Errorf("cheat %s in %s for %d windows", name, o.DataDir, o.Windows)
		},
	}
}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"templar": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		os.Exit(stub().Run(ctx, os.Args[1:], Std{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ()}))
	}})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:       "testdata/script",
		Condition: func(cond string) (bool, error) { return cond == "root" && os.Geteuid() == 0, nil },
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "freeport": freePort, "busyport": busyPort, "waitport": waitPort, "mkmodel": makeModel, "mkrun": makeRun, "env-file": envFile, "field": field, "waitpermit": waitPermit, "waitblock": waitBlock,
		},
	})
}

// exits CODE WORD...: runs the words and checks the exit code, which exec does not, and
// that each line on standard error has the program's name.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if exit := (interface{ ExitCode() int })(nil); errors.As(err, &exit) {
		got = fmt.Sprint(exit.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
	for line := range strings.Lines(ts.ReadFile("stderr")) {
		if got == "2" && !strings.HasPrefix(line, "templar: ") && !strings.Contains(line, "level=WARN") {
			ts.Fatalf("standard error has the line %q", line)
		}
	}
}

// freeport NAME: sets a variable to an address on which no process listens. Its port is below
// those, above 32767, that systems assign to connections and to listeners on port 0.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	for {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10_000+rand.IntN(20_000)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		ts.Check(err)
		ts.Setenv(args[0], l.Addr().String())
		ts.Check(l.Close())
		return
	}
}

// busyport NAME: sets a variable to an address on which a process listens.
func busyPort(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	ts.Defer(func() { l.Close() })
}

// waitport ADDR: waits until a process listens on ADDR.
func waitPort(ts *testscript.TestScript, neg bool, args []string) {
	for deadline := time.Now().Add(time.Minute); ; <-time.After(5 * time.Millisecond) {
		c, err := net.Dial("tcp", args[0])
		if err == nil {
			ts.Check(c.Close())
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v", err)
		}
	}
}

// mkmodel DIR VOCABULARY: writes a model with random weights.
func makeModel(ts *testscript.TestScript, neg bool, args []string) {
	p, err := protocol.Preset("tiny")
	ts.Check(err)
	if args[1] != "256" {
		p.Model.VocabSize = 512
	}
	ts.Check(model.Save(ts.MkAbs(args[0]), p.Model, model.Init(p.Model, 1)))
}

// mkrun FILE PRESET: writes run parameters.
func makeRun(ts *testscript.TestScript, neg bool, args []string) {
	b, err := runFile(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

func TestInterruption(t *testing.T) {
	run := func(app App, args ...string) (code int, stderr string) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var out, err bytes.Buffer
		return app.Run(ctx, args, Std{Out: &out, Err: &err}), err.String()
	}
	app := stub()
	app.Localnet = func(ctx context.Context, o localnet.Options) error { return fmt.Errorf("window 3: %w", ctx.Err()) }
	if code, stderr := run(app, "localnet"); code != exitOK || stderr != "" {
		t.Errorf("a service that stopped cleanly: %d %q", code, stderr)
	}
	app.Localnet = func(context.Context, localnet.Options) error { return errors.New("lost the disk") }
	if code, stderr := run(app, "localnet"); code != exitFailed || stderr != "templar: lost the disk\n" {
		t.Errorf("a service that failed while it stopped: %d %q", code, stderr)
	}
	app.Localnet = func(context.Context, localnet.Options) error { return tui.ErrInterrupted }
	if code, _ := run(app, "localnet"); code != exitInterrupted {
		t.Errorf("a second Ctrl-C: %d", code)
	}
	if code, stderr := run(app, "chain", "head", "--endpoint", "http://127.0.0.1:1"); code != exitInterrupted || stderr != "templar: interrupted\n" {
		t.Errorf("a question without an answer: %d %q", code, stderr)
	}
}

func TestAdvice(t *testing.T) {
	for err, want := range map[error]string{
		syscall.ENOSPC: "no space left on device: free some space",
		syscall.EROFS:  "read-only file system: choose a writable data directory",
		syscall.EACCES: "permission denied: change its mode",
	} {
		if got := advise(fmt.Errorf("open: %w", err)).Error(); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A server that cannot take its address says why, and what to do, once.
func TestAdviceOfListeners(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for addr, want := range map[string]string{
		taken.Addr().String(): "bind: address already in use: stop the process that listens there, or choose another address",
		"192.0.2.1:9000":      "this machine does not have that address: choose one that it has, or 0.0.0.0 for all",
		"9000":                "missing port in address: want host:port, like 127.0.0.1:9000, port 0 for a free one",
		"127.0.0.1:99999":     "invalid port: want host:port, like 127.0.0.1:9000, port 0 for a free one",
	} {
		_, err := admin.Listen(addr, admin.Options{})
		if got := advise(err).Error(); !strings.HasPrefix(got, "admin server: listen tcp") || !strings.HasSuffix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestLogLevelOrder(t *testing.T) {
	for line, want := range map[string]slog.Level{
		"":                          slog.LevelInfo,
		"--log-level warn":          slog.LevelWarn,
		"--debug":                   slog.LevelDebug,
		"--debug --trace":           LevelTrace,
		"--log-level error --debug": slog.LevelDebug,
		"DEBUG=1":                   slog.LevelDebug,
		"DEBUG=no":                  slog.LevelInfo,
		"DEBUG=1 --log-level error": slog.LevelError,
	} {
		std, app := Std{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}, stub()
		app.Localnet = func(ctx context.Context, o localnet.Options) error {
			if !o.Log.Enabled(ctx, want) || o.Log.Enabled(ctx, want-1) {
				t.Errorf("%q: the least level is not %v", line, want)
			}
			return nil
		}
		args := []string{"localnet"}
		for _, word := range strings.Fields(line) {
			if strings.HasPrefix(word, "-") || !strings.Contains(word, "=") {
				args = append(args, word)
			} else {
				std.Environ = append(std.Environ, word)
			}
		}
		if code := app.Run(t.Context(), args, std); code != exitOK {
			t.Errorf("%q: exit %d: %s", line, code, std.Err)
		}
	}
}

func TestTextWriter(t *testing.T) {
	for in, want := range map[string]string{
		"Light is":         "Light is\n",
		"ą—\n\tx":          "ą—\n\tx\n",
		"a\xffb":           "a\uFFFDb\n",
		"\x1b[31mred":      "\uFFFD[31mred\n",
		"cut \xe2\x80":     "cut \uFFFD\n",
		"\xc2\x9bc1 \x00 ": "\uFFFDc1 \uFFFD \n",
	} {
		var out bytes.Buffer
		w := &textWriter{w: &out}
		for i := range len(in) {
			if n, err := w.Write([]byte{in[i]}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := w.Close(); err != nil || out.String() != want {
			t.Errorf("%q: got %q, want %q", in, out.String(), want)
		}
	}
}

// TestEveryCommandExplainsItself: an example for each, and no usage dump on errors.
func TestEveryCommandExplainsItself(t *testing.T) {
	var walk func(path []string)
	walk = func(path []string) {
		cmd, _, err := stub().root(Std{}).Find(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cmd.Commands() {
			walk(append(path[:len(path):len(path)], c.Name()))
		}
		if len(cmd.Commands()) > 0 || cmd.Name() == "help" {
			return
		}
		if cmd.Short == "" || !strings.Contains(cmd.Example, "templar "+strings.Join(path, " ")) {
			t.Errorf("%v: no description, or no example of it", path)
		}
		var out, stderr bytes.Buffer
		code := stub().Run(t.Context(), append(path, "--no-such-flag"), Std{Out: &out, Err: &stderr})
		if code != exitUsage || out.Len() > 0 || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%v --no-such-flag: exit %d, out %q, err %q", path, code, out.String(), stderr.String())
		}
	}
	walk(nil)
}

func runFile(preset string) ([]byte, error) {
	p, err := protocol.Preset(preset)
	if err != nil {
		return nil, err
	}
	return json.Marshal(p)
}
