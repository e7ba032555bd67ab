// Command learning computes the studies of this folder and writes their tables to docs/learning.md, between the
// lines <!-- NAME --> and <!-- end -->, and the plot of the main comparison beside it.
//
//	go run ./bench/learning                  all of it, some hours on two cores
//	go run ./bench/learning -only main       one study
//	go run ./bench/learning -for 8m          what can be done in that time
//
// Finished runs are kept: after an interrupt, or when the time is up, the same command goes on. A study's table is written when all of its runs are
// finished.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// studies are the files of this folder, and how many seeds the page has of each.
var studies = []struct {
	name  string
	seeds int
}{
	{"tune", 1}, {"main", 5}, {"preset", 3}, {"widths", 5}, {"miners", 1}, {"cheaters-dctsign", 3}, {"cheaters-sparseloco", 3},
	{"copies-dctsign", 1}, {"copies-sparseloco", 1}, {"excluded-dctsign", 3}, {"excluded-sparseloco", 3},
}

type options struct {
	templar, page, out, only string
	seeds                    int
	most                     time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.templar, "templar", "", "the command (default: built from this tree)")
	flag.StringVar(&o.page, "page", "docs/learning.md", "the page")
	flag.StringVar(&o.out, "out", "templar-learning", "folder that keeps finished runs")
	flag.StringVar(&o.only, "only", "", "one study (default all)")
	flag.IntVar(&o.seeds, "seeds", 0, "seeds in place of the page's numbers")
	flag.DurationVar(&o.most, "for", 0, "stop after this time (default when all is done)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.most > 0 {
		ctx, stop = context.WithTimeout(ctx, o.most)
		defer stop()
	}
	err := o.run(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		log.Fatal("stopped: the same command goes on")
	case err != nil:
		log.Fatal(err)
	}
}

func (o *options) run(ctx context.Context) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	if o.templar == "" {
		o.templar = filepath.Join(o.out, "templar")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", o.templar, "./cmd/templar").CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w\n%s", err, out)
		}
	}
	for _, s := range studies {
		if o.only != "" && s.name != o.only {
			continue
		}
		if o.seeds > 0 {
			s.seeds = o.seeds
		}
		table, err := o.table(ctx, s.name, s.seeds)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := o.write(s.name, table); err != nil {
			return err
		}
	}
	return nil
}

// table computes a study.
func (o *options) table(ctx context.Context, name string, seeds int) (string, error) {
	plot := filepath.Join(o.out, name+".png")
	if name == "main" {
		plot = strings.TrimSuffix(o.page, filepath.Ext(o.page)) + ".png"
	}
	cmd := exec.CommandContext(ctx, o.templar, "lab", "compare", filepath.Join("bench", "learning", name+".yaml"),
		"--seeds", strconv.Itoa(seeds), "--out", o.out, "--json", filepath.Join(o.out, name+".json"), "--plot", plot, "--markdown")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	err := cmd.Run()
	return out.String(), err
}

// write replaces a study's table in the page.
func (o *options) write(name, table string) error {
	page, err := os.ReadFile(o.page)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- end -->"
	before, rest, found := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s has no lines %q and %q", o.page, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(o.page, []byte(before+begin+table+end+after), 0o644)
}
