package dashboard

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func tabled(t *testing.T, r Report, o TableOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Table(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTableGolden(t *testing.T) {
	agreed := played(20).Report()
	agreed.Checkpoint = "templar-data/checkpoint"
	golden(t, "table.txt", tabled(t, agreed, TableOptions{}))

	apart := played(3).Report()
	apart.Windows[1].StateHash["miner-1"] = scriptHash("another")
	delete(apart.Windows[2].StateHash, "validator-1")
	golden(t, "table_apart_60.txt", tabled(t, apart, TableOptions{Width: 60}))
	golden(t, "table_empty.txt", tabled(t, NewCollector(scriptMeta(3)).Report(), TableOptions{}))
}

func TestTableFitsAndIsPlain(t *testing.T) {
	text := string(tabled(t, played(20).Report(), TableOptions{}))
	for l := range strings.Lines(text) {
		if len(l) > 81 {
			t.Errorf("over 80 columns: %q", l)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("escape sequences without colour")
	}
	if coloured := string(tabled(t, played(20).Report(), TableOptions{Colour: true})); !strings.Contains(coloured, "\x1b[") {
		t.Error("no colour though asked for")
	}
}

func TestTableHidesEscapeSequences(t *testing.T) {
	r := played(1).Report()
	r.Miners[0].Notes = []string{"\x1b[2J"}
	if bytes.ContainsRune(tabled(t, r, TableOptions{}), '\x1b') {
		t.Error("a note can steer the terminal")
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestTableReportsWriteErrors(t *testing.T) {
	if err := Table(brokenWriter{}, Report{}, TableOptions{}); !errors.Is(err, errBroken) {
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

func TestFormats(t *testing.T) {
	for bytes, want := range map[int64][2]string{0: {"0 B", "0"}, 999: {"999 B", "999"}, 1000: {"1.0 KiB", "1.0K"}, 13517: {"13.2 KiB", "13.2K"}, 1 << 20: {"1.0 MiB", "1.0M"}, 1 << 62: {"4.0 EiB", "4.0E"}} {
		if got := [2]string{size(bytes), compact(bytes)}; got != want {
			t.Errorf("%d bytes: %q, want %q", bytes, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := count(n); got != want {
			t.Errorf("count %q, want %q", got, want)
		}
	}
	for seconds, want := range map[int]string{-1: "0s", 59: "59s", 112: "1m52s", 7380: "2h03m"} {
		if got := elapsed(time.Duration(seconds) * time.Second); got != want {
			t.Errorf("elapsed %q, want %q", got, want)
		}
	}
}
