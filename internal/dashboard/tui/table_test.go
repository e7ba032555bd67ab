package tui

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/collect/collecttest"
)

func tabled(t *testing.T, r collect.Summary, o TableOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Table(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTableGolden(t *testing.T) {
	agreed := collecttest.Played(20).Summary()
	agreed.Checkpoint = "templar-data/checkpoint"
	golden(t, "table.txt", tabled(t, agreed, TableOptions{}))

	apart := collecttest.Played(3).Summary()
	apart.Windows[1].StateHash["miner-1"] = collecttest.Hash("another")
	delete(apart.Windows[2].StateHash, "validator-1")
	golden(t, "table_apart_60.txt", tabled(t, apart, TableOptions{Width: 60}))
	golden(t, "table_empty.txt", tabled(t, collect.NewCollector(collecttest.Meta(3)).Summary(), TableOptions{}))
}

func TestTableFitsAndIsPlain(t *testing.T) {
	text := string(tabled(t, collecttest.Played(20).Summary(), TableOptions{}))
	for l := range strings.Lines(text) {
		if len(l) > 81 {
			t.Errorf("over 80 columns: %q", l)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("escape sequences without colour")
	}
	if coloured := string(tabled(t, collecttest.Played(20).Summary(), TableOptions{Colour: true})); !strings.Contains(coloured, "\x1b[") {
		t.Error("no colour though asked for")
	}
}

func TestTableHidesEscapeSequences(t *testing.T) {
	r := collecttest.Played(1).Summary()
	r.Miners[0].Notes = []string{"\x1b[2J"}
	if bytes.ContainsRune(tabled(t, r, TableOptions{}), '\x1b') {
		t.Error("a note can steer the terminal")
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestTableReportsWriteErrors(t *testing.T) {
	if err := Table(brokenWriter{}, collect.Summary{}, TableOptions{}); !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
}

func TestUseColour(t *testing.T) {
	none := func(string) string { return "" }
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if UseColour(file, none) || UseColour(&bytes.Buffer{}, none) {
		t.Error("colour on what is not a terminal")
	}
}
