package sim

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the traces of testdata anew")

const cutHere = "--- what happens ---\n"

// Each file of testdata is a story: what it is about, the network, what goes wrong, and
// what happens. To write it anew: go test ./internal/sim -run Scenarios -update.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			script, want, _ := strings.Cut(string(text), cutHere)
			got := tell(t, script)
			if *update {
				if err := os.WriteFile(file, []byte(script+cutHere+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("the story has changed: is that meant? If so, run with -update.\n%s", difference(want, got))
			}
		})
	}
}

// tell runs a scenario and returns its trace.
func tell(t *testing.T, text string) string {
	t.Helper()
	c := Config{Aggregators: 1, Engine: Cheap, Threads: 1}
	var script []string
	for line := range strings.Lines(text) {
		if network, ok := strings.CutPrefix(line, "network: "); ok {
			if _, err := fmt.Sscanf(network, "seed %d, %d windows, %d miners, %d validators, %d aggregators", &c.Seed, &c.Windows, &c.Miners, &c.Validators, &c.Aggregators); err != nil {
				t.Fatal(network, err)
			}
			line = "\n"
		}
		script = append(script, line)
	}
	c.Faults = parse(t, strings.Join(script, ""))
	var out bytes.Buffer
	c.Trace = &out
	if r := runs(t, c); r.Failed() {
		t.Errorf("%v", r.Violations)
	}
	return out.String()
}

// difference shows the first lines that differ.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		if i >= len(w) || i >= len(g) || w[i] != g[i] {
			return fmt.Sprintf("line %d:\nwant %q\ngot  %q", i+1, w[min(i, len(w)-1)], g[min(i, len(g)-1)])
		}
	}
	return ""
}
