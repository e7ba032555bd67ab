package localnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"templar/cmd/templar/backends"
	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/tui"
	"templar/internal/model"
	"templar/internal/node"
)

// options are those of the smallest network that trains.
func options(t *testing.T, windows uint64) Options {
	return Options{
		Backends: backends.All(), Windows: windows, Miners: 1, Validators: 1, Preset: "tiny", Seed: 7, DataDir: filepath.Join(t.TempDir(), "net"),
		Log: slog.New(slog.DiscardHandler), Out: &bytes.Buffer{},
	}
}

// inTime runs a network whose nodes must be in time for their windows. On a machine that is too
// busy for the preset's it runs again, with longer ones: check returns faults that a slow machine may
// cause, and reports all others to t.
func inTime(t *testing.T, makeOptions func() Options, check func(Options) error) {
	t.Helper()
	for pace := 1.0; ; pace *= 4 {
		o := makeOptions()
		stretch(t, o, pace)
		if err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		err := check(o)
		if err == nil {
			return
		}
		if pace > 10 {
			t.Fatal(err)
		}
		t.Logf("with windows of %v times the preset's: %v", pace, err)
	}
}

// stretch prepares a network in which everything has more time.
func stretch(t *testing.T, o Options, by float64) {
	t.Helper()
	if _, err := Prepare(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	p, err := node.LoadParams(o.path("run.json"))
	if err != nil {
		t.Fatal(err)
	}
	p.Pace(time.Duration(float64(p.BlockTime()) * by))
	if err := writeJSON(o.path("run.json"), p); err != nil {
		t.Fatal(err)
	}
}

// TestTwoNetworksInOneProcess: two runs at once, one of them with cheaters, disturb each other in
// nothing, and each leaves what a run should leave.
func TestTwoNetworksInOneProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some windows of wall time")
	}
	for name, cheaters := range map[string]string{"one": "", "other": "nan,lazy,noise"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			makeOptions := func() Options {
				o := options(t, 2)
				o.Miners, o.Validators, o.Adversaries = 2, 2, mix(t, cheaters)
				o.JSON = filepath.Join(t.TempDir(), "report.json")
				return o
			}
			inTime(t, makeOptions, func(o Options) error {
				checkLeftovers(t, o)
				requireInventory(t, o.DataDir)
				r := checkStates(t, o)
				err := checkWindows(o, r)
				if cheaters != "" {
					err = errors.Join(err, checkCheaters(t, r))
				}
				return err
			})
		})
	}
}

// checkStates holds the nodes' parameters against each other.
func checkStates(t *testing.T, o Options) collect.Summary {
	t.Helper()
	r, err := collect.ReadJSON(o.JSON)
	if err != nil {
		t.Fatal(err)
	}
	if uint64(len(r.Windows)) != o.Windows {
		t.Errorf("%d windows reported, want %d", len(r.Windows), o.Windows)
	}
	for _, w := range r.Windows {
		if strays := w.Dissenters(); len(strays) > 0 {
			t.Errorf("window %d: %v hold other parameters", w.Window, strays)
		}
	}
	return r
}

// checkWindows returns the windows in which a node was late.
func checkWindows(o Options, r collect.Summary) error {
	var errs []error
	for _, w := range r.Windows {
		if want := o.Miners + len(o.Adversaries.Members()) + o.Validators + 1; len(w.StateHash) != want {
			errs = append(errs, fmt.Errorf("window %d: %d nodes reported a state, want %d", w.Window, len(w.StateHash), want))
		}
		if len(w.Gathered) == 0 || w.GradientBytes == 0 {
			errs = append(errs, fmt.Errorf("window %d: no gradient was aggregated (skipped: %v)", w.Window, w.Skipped))
		}
	}
	if !(r.FinalLoss < r.InitialLoss) {
		errs = append(errs, fmt.Errorf("held-out loss went from %v to %v", r.InitialLoss, r.FinalLoss))
	}
	for _, m := range r.Miners {
		if m.SyncScore != 1 {
			errs = append(errs, fmt.Errorf("%s: sync score %v, want 1 for a node in sync", m.Node, m.SyncScore))
		}
	}
	return errors.Join(errs...)
}

func checkLeftovers(t *testing.T, o Options) {
	t.Helper()
	if _, _, err := model.Load(filepath.Join(o.DataDir, "model")); err != nil {
		t.Errorf("trained model: %v", err)
	}
	f, err := os.Open(filepath.Join(o.DataDir, "loss.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := png.DecodeConfig(f); err != nil {
		t.Errorf("loss plot: %v", err)
	}
	if out := o.Out.(*bytes.Buffer).String(); !strings.Contains(out, "all nodes hold the same parameters") {
		t.Errorf("summary does not contain the states:\n%s", out)
	}
}

// TestInterruptedRunReports: when its context ends, a run reports what there is.
func TestInterruptedRunReports(t *testing.T) {
	leaks(t)
	o := options(t, 50)
	ctx, cancel := context.WithCancel(t.Context())
	log := &trigger{text: "msg=published", then: cancel}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	if err := Run(ctx, o); err != nil {
		t.Fatal(err)
	}
	if out := o.Out.(*bytes.Buffer).String(); !strings.Contains(out, "run the same command again to continue") {
		t.Errorf("summary does not say how to continue:\n%s", out)
	}
	if _, err := collect.ReadJSON(o.path("report.json")); err != nil {
		t.Error(err)
	}
}

// leaks makes the test fail when it leaves goroutines behind, other than those that are
// not ours to end: CometBFT's two, and LevelDB's, which lingers for a second.
func leaks(t *testing.T) {
	ignore := []goleak.Option{goleak.IgnoreCurrent()}
	for _, function := range []string{
		"github.com/cometbft/cometbft/libs/autofile.OpenAutoFile.func1",
		"github.com/cometbft/cometbft/libs/autofile.(*AutoFile).closeFileRoutine",
		"github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain",
	} {
		ignore = append(ignore, goleak.IgnoreAnyFunction(function))
	}
	t.Cleanup(func() { goleak.VerifyNone(t, ignore...) })
}

// trigger calls then at the first log line that holds text.
type trigger struct {
	text string
	then func()
}

func (w *trigger) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(w.text)) {
		w.then()
	}
	return len(b), nil
}

func TestPrepareRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "theirs"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		change func(*Options)
		want   string
	}{
		"short corpus":     {func(o *Options) { o.Corpus = file }, "too short"},
		"missing corpus":   {func(o *Options) { o.Corpus = file + "-not" }, "no such file"},
		"a file as folder": {func(o *Options) { o.DataDir = filepath.Join(file, "net") }, "not a directory"},
		"somebody's files": {func(o *Options) { o.DataDir = full }, "holds no network"},
		"unknown preset":   {func(o *Options) { o.Preset = "huge" }, "unknown preset"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := options(t, 1)
			c.change(&o)
			if _, err := Prepare(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if left, _ := filepath.Glob(o.DataDir + ".preparing-*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestPrepareIsIdempotentAndTellsNetworksApart(t *testing.T) {
	o := options(t, 1)
	first, err := Prepare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Prepare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(first, "\n") != strings.Join(again, "\n") {
		t.Errorf("commands changed from\n%v\nto\n%v", first, again)
	}
	o.Seed++
	if _, err := Prepare(t.Context(), o); err == nil || !strings.Contains(err.Error(), "--seed is 7 there, not 8") {
		t.Errorf("another seed: %v", err)
	}
}

func TestQuote(t *testing.T) {
	for path, want := range map[string]string{
		"/home/ann/net-1": "/home/ann/net-1",
		"/my nets/1":      "'/my nets/1'",
		"/ann's":          `'/ann'\''s'`,
	} {
		if got := Quote(path); got != want {
			t.Errorf("Quote(%q) = %s, want %s", path, got, want)
		}
	}
}

func TestRunRefusesABusyAddress(t *testing.T) {
	o := options(t, 1)
	if _, err := Prepare(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	n, err := load(&o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", n.StoreAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error %v", err)
	}
}

func TestRunRefusesADirectoryInUse(t *testing.T) {
	o := options(t, 1)
	if _, err := Prepare(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(o.path("store"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "in use by another localnet") {
		t.Errorf("error %v", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := options(t, 1)
	if err := Run(ctx, o); !errors.Is(err, tui.ErrInterrupted) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(o.DataDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("data directory: %v, want none of a network that was not complete", err)
	}
}
