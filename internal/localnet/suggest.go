package localnet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"templar/internal/dashboard/collect"
	"templar/protocol"
)

// Suggestion is a command to try with a network's data directory.
type Suggestion struct{ Command, Purpose string }

// Suggest returns what can be done with a network's data directory, or with a file of its report, after
// the run that r describes.
func Suggest(path string, r collect.Summary) []Suggestion {
	at := Quote(short(path))
	all := []Suggestion{{"templar open " + at, "show the page: losses, scores, windows, states"}}
	if _, err := os.Stat(filepath.Join(r.Checkpoint, "config.json")); r.Checkpoint != "" && err == nil {
		model := Suggestion{fmt.Sprintf("templar generate --model %s --prompt \"Light is\"", Quote(short(r.Checkpoint))), "continue a text with the model"}
		all = append([]Suggestion{model}, all...)
	}
	if _, err := os.Stat(filepath.Join(path, networkFile)); err != nil || len(r.Windows) == 0 {
		return all // the objects that the others read are in the data directory
	}
	if len(r.Miners) > 0 && r.ScoredBy != "" {
		all = append(all, Suggestion{fmt.Sprintf("templar explain --uid %d --data-dir %s", r.Miners[0].UID, at), "why a miner is paid what it is paid"})
	}
	return append(all, Suggestion{fmt.Sprintf("templar verify --window %d --scores --data-dir %s", r.Windows[len(r.Windows)-1].Window, at), "recompute a window from its public objects"})
}

// short is a path relative to the working directory, if it is below that.
func short(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return rel
	}
	return path
}

// introduce prints what is about to run, where the live view does not show it.
func (o *Options) introduce(n *network, c *console) {
	if o.Live {
		return
	}
	count := func(n int, what string) string {
		if n == 1 {
			return "1 " + what
		}
		return fmt.Sprintf("%d %ss", n, what)
	}
	miners := count(n.Miners, "miner")
	if len(n.adversaries) > 0 {
		miners += ", adversaries (" + n.Adversaries + ")"
	}
	fmt.Fprintf(o.Out, "localnet    %s, %s, an aggregator, an evaluator, a chain and an S3 server train one model on %s\n", miners, count(n.Validators, "validator"), n.Corpus)
	fmt.Fprintf(o.Out, "data        %s: the same command continues there\n", short(o.DataDir))
	if c.server != nil {
		fmt.Fprintf(o.Out, "page        %s\n", c.server.URL())
	}
}

// progress prints a line for each window that the evaluator has measured.
type progress struct {
	o     *Options
	begin time.Time
	first protocol.Window // of this process
	last  protocol.Window
}

func (p *progress) show(w protocol.Window, loss float64, r collect.Summary) {
	if p.o.Live || w <= p.last || r.StartWindow == 0 || w < r.StartWindow {
		return // measured before: at a restart, and more thoroughly at the end
	}
	p.last = w
	if p.first == 0 {
		p.first, p.begin = w, time.Now()
	}
	done, gathered := uint64(w-r.StartWindow)+1, 0
	for _, one := range r.Windows {
		if one.Window == w {
			gathered = len(one.Gathered)
		}
	}
	fmt.Fprintf(p.o.Out, "window %-4d %d of %d, held-out loss %.4f nats per byte, gradients of %d miners", w, done, p.o.Windows, loss, gathered)
	if w > p.first && done < p.o.Windows {
		left := time.Since(p.begin) / time.Duration(w-p.first) * time.Duration(p.o.Windows-done)
		fmt.Fprintf(p.o.Out, ", %v left", left.Round(time.Second))
	}
	fmt.Fprintln(p.o.Out)
}
