package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"templar/internal/dashboard/collect"
	"templar/internal/store/fs"
	"templar/protocol"
)

// TestKilledLocalnetGoesOn: after kill -9 the same command continues the run. Nothing published is
// contradicted, every node holds the same state after every window, and no score is lost.
func TestKilledLocalnetGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some windows of wall time")
	}
	for _, preset := range []string{"tiny", "tiny-loco"} { // one of each method
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			killedLocalnetGoesOn(t, preset)
		})
	}
}

func killedLocalnetGoesOn(t *testing.T, preset string) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "net")
	network := func(windows int) *process {
		return command(ctx, t, "localnet", "--preset", preset, "--data-dir", dir, "--miners", "2", "--validators", "2", "--windows", strconv.Itoa(windows), "--no-live")
	}

	first := network(100)
	before := awaitReport(ctx, t, first, filepath.Join(dir, "report.json"), func(r collect.Summary) bool {
		return len(r.Windows) >= 5 && len(r.Miners) == 2 && evaluated(r.Miners[0]) && evaluated(r.Miners[1])
	})
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it says that it was killed
	scores := evaluations(t, dir)

	windows := len(before.Windows) + 3
	second := network(windows)
	second.mustEnd(t)
	after, err := collect.ReadJSON(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatalf("%v\n%s", err, second.stderr.String())
	}
	if len(after.Windows) != windows {
		t.Errorf("%d windows in the report, want %d", len(after.Windows), windows)
	}
	for i, w := range after.Windows {
		if strays := w.Dissenters(); len(strays) > 0 {
			t.Errorf("window %d: %v hold other parameters", w.Window, strays)
		}
		if i < len(before.Windows) && w.AggregateHash != before.Windows[i].AggregateHash {
			t.Errorf("window %d: aggregate %s was published, now it is %s", w.Window, before.Windows[i].AggregateHash, w.AggregateHash)
		}
	}
	for hotkey, now := range evaluations(t, dir) {
		if now < scores[hotkey] || scores[hotkey] == 0 {
			t.Errorf("%s: %d evaluations before the kill, %d after", hotkey, scores[hotkey], now)
		}
	}
}

func evaluated(m collect.Miner) bool { return m.Standing != nil && m.Evaluations > 0 }

// awaitReport waits until enough accepts the report.
func awaitReport(ctx context.Context, t *testing.T, p *process, path string, enough func(collect.Summary) bool) collect.Summary {
	t.Helper()
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		if r, err := collect.ReadJSON(path); err == nil && enough(r) {
			return r
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s did not report enough:\n%s", p.name, p.stderr.String())
		case <-tick.C:
		}
	}
}

// evaluations reads how often the lead validator has evaluated each miner.
func evaluations(t *testing.T, dir string) map[protocol.Hotkey]uint64 {
	t.Helper()
	files, err := fs.Open(filepath.Join(dir, "nodes", "validator-0"), fs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	body, _, err := files.Bucket("state").Get(t.Context(), "scores.json", -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	var book struct {
		Records []struct {
			Hotkey      protocol.Hotkey
			Evaluations uint64
		}
	}
	if err := json.Unmarshal(b, &book); err != nil {
		t.Fatal(err)
	}
	out := map[protocol.Hotkey]uint64{}
	for _, r := range book.Records {
		out[r.Hotkey] = r.Evaluations
	}
	return out
}

// TestInterruptedLocalnetExitsCleanly: Ctrl-C is no failure, and says how to go on.
func TestInterruptedLocalnetExitsCleanly(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "net")
	p := command(ctx, t, "localnet", "--data-dir", dir, "--miners", "1", "--validators", "1", "--no-live")
	awaitReport(ctx, t, p, filepath.Join(dir, "report.json"), func(r collect.Summary) bool { return len(r.Windows) >= 1 })
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	p.mustEnd(t)
	if !strings.Contains(p.stdout.String(), "run the same command again to continue") {
		t.Errorf("standard output:\n%s\nstandard error:\n%s", p.stdout.String(), p.stderr.String())
	}
}
