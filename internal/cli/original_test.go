package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"templar/internal/config"
	"templar/internal/node"
	"templar/internal/telemetry"
	"templar/protocol"
)

// Each row of the reference's table does what the table says.
func TestOriginalCommandLines(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/original.md")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join("testdata", "original.json")
	tiny, err := protocol.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(tiny)
	if err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(t.TempDir(), "run.json") // of a toy run, which --local expects
	if err := os.WriteFile(run, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		rows++
		command, result := strings.Trim(cells[1], " `"), strings.Trim(cells[2], " `")
		t.Run(command, func(t *testing.T) { originalCommandLine(t, command, result, config, run) })
	}
	if rows < 20 {
		t.Errorf("the page has %d rows", rows)
	}
}

func originalCommandLine(t *testing.T, command, result, file, run string) {
	app, started := stub(), false
	app.Role = func(context.Context, node.Backends, telemetry.Role, config.Node, *slog.Logger) error {
		started = true
		return nil
	}
	var stdout, stderr bytes.Buffer
	code := app.Run(t.Context(), append(strings.Fields(command), "--config", file, "--run", run), Std{Out: &stdout, Err: &stderr})
	if result == "accepted" {
		if code != exitOK || !started {
			t.Errorf("exit code %d, started %v\n%s", code, started, &stderr)
		}
		return
	}
	if got := strings.TrimSpace(stderr.String()); code != exitUsage || started || !strings.HasSuffix(got, "templar: "+result) {
		t.Errorf("exit code %d, started %v\n%s\nwant\n%s", code, started, got, result)
	}
}
