package collect_test

import (
	"fmt"
	"log/slog"
	"testing"

	"templar/internal/dashboard/collect"
	"templar/internal/store"
)

func TestLogHandler(t *testing.T) {
	c := collect.NewCollector(collect.Meta{})
	log := slog.New(c.LogHandler(slog.LevelWarn))
	log.Info("not shown")
	log.With("bucket", "miner-1").WithGroup("s3").Warn("slow\x1b[2J\nstore", "code", 503, slog.Group("try", "n", 2))
	log.Error("refused", "key", store.Secret("hunter2"))
	notes := c.State().Notes
	want := []string{"slow [2J store bucket=miner-1 s3.code=503 s3.try.n=2", "refused key=***"}
	if len(notes) != len(want) {
		t.Fatalf("%d notes, want %d", len(notes), len(want))
	}
	for i, n := range notes {
		if n.Text != want[i] {
			t.Errorf("note %q, want %q", n.Text, want[i])
		}
	}
	if notes[1].Level != slog.LevelError {
		t.Errorf("level %v", notes[1].Level)
	}
}

func TestNotesAreBounded(t *testing.T) {
	c := collect.NewCollector(collect.Meta{})
	log := slog.New(c.LogHandler(slog.LevelWarn))
	for i := range 1000 {
		log.Warn(fmt.Sprint(i))
	}
	notes := c.State().Notes
	if n := len(notes); n != 64 || notes[n-1].Text != "999" || notes[0].Text != "936" {
		t.Errorf("%d notes from %q", len(notes), notes[0].Text)
	}
}
