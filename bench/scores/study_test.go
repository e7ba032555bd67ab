package scores

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"templar/internal/data"
)

var (
	study   = flag.String("study", "", "study to run: rank, adversaries, copied, harm, pay or unpaid")
	seeds   = flag.Int("seeds", 0, "seeds to run it with (0: as in docs/scores.md)")
	windows = flag.Int("windows", 0, "windows of each run (0: as in docs/scores.md)")
	picture = flag.String("plot", "", "file for a plot of how well the kinds are separated from honest work")
	only    = flag.String("only", "", "the one mix to run (pay, unpaid)")
	present = flag.Bool("present", false, "take the results that are in -out, and run nothing (pay)")
	out     = flag.String("out", "", "folder for the raw results; runs whose results exist are not repeated")
)

// book is the text that all studies train on.
func book(t *testing.T) *data.Corpus {
	t.Helper()
	c, err := data.Opticks()
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// recorded runs a network, or reads the result of an earlier study.
func recorded(t *testing.T, n network, corpus *data.Corpus) (r result) {
	t.Helper()
	file := n.file()
	if raw, err := os.ReadFile(file); err == nil && *out != "" {
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	began := time.Now()
	r = n.run(t, corpus)
	t.Logf("%s, seed %d: %d windows in %.0f s, held-out loss %.4f", n.Name, n.Seed, n.Windows, time.Since(began).Seconds(), r.HeldOut)
	if *out == "" || t.Failed() {
		return r
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return r
}

// file is where the result of a run is recorded.
func (n *network) file() string {
	return filepath.Join(*out, fmt.Sprintf("%s-%d.json", n.Name, n.Seed))
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
