package sim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is one statement of a script: what goes wrong, with whom, and in which windows,
// counted from the run's first.
type Fault struct {
	From, To int    // windows, both included
	Who      string // a node, a group of nodes, "store" or "chain"
	What     string // the verb, one of the constants

	Phase  string        // crash: at its beginning
	Op     string        // drop, fail, slow: the request, or "all"
	Object string        // drop, fail, slow: the kind of object; empty: any
	Of     string        // drop, fail, slow: owner of the bucket; empty: any. rolls, promotes: the node
	Share  int           // drop, fail, slow: of the requests, in percent
	Time   time.Duration // slow, disk, clock
	Blocks int           // reorganise
	Topic  string        // cut: from what. lies: the part that is falsified
}

// The verbs.
const (
	doCrash      = "crash"
	doDown       = "down"
	doJoin       = "joins"
	doLeave      = "leaves"
	doClock      = "clock"
	doDisk       = "disk"
	doCut        = "cut"
	doFalsify    = "lies"
	doDrop       = "drop"
	doFail       = "fail"
	doSlow       = "slow"
	doRoll       = "rolls"
	doStall      = "stall"
	doReorganise = "reorganise"
	doPromote    = "promotes"
)

const (
	theStore = "store"
	theChain = "chain"
	anything = "all"

	anythingTrue = "everything" // what a byzantine validator lies about
	relayedParts = "parts"      // what a miner does

	maxWindow = 1_000_000
	maxTime   = time.Hour
)

var (
	groups      = []string{"miners", "validators", "aggregators", "nodes"}
	ops         = []string{"put", "get", "head", "list", "delete", anything}
	topics      = []string{theStore, theChain, "everything"}
	falsifiable = []string{"sum", "rate", "members", "history", "closing", "conflict", "statements"} // about which an aggregator lies
	objects     = map[string]string{                                                                 // the beginnings of their keys
		"gradient": "gradient-", "sample": "debug-", "aggregate": "aggregator-", "checkpoint": "checkpoint-",
		"archive": "archive-", "part": "part-", "closing": "closing-", "key": "key-", "peers": "peers_", "start": "start_window",
	}
)

// Script is a list of faults.
type Script []Fault

// Parse reads a script: a statement a line, "#" begins a comment. Its error names every
// line that is wrong.
func Parse(text string) (Script, error) {
	var s Script
	var errs []error
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		f, err := parseFault(line)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", number, err))
			continue
		}
		s = append(s, f)
	}
	return s, errors.Join(errs...)
}

// parseFault reads "window 3..5: miner-2 crash at uploading".
func parseFault(line string) (f Fault, err error) {
	when, what, ok := strings.Cut(line, ":")
	if !ok {
		return f, fmt.Errorf("%q: want %q", strings.TrimSpace(line), "window N: ...")
	}
	if f.From, f.To, err = parseWhen(when); err != nil {
		return f, err
	}
	w := words(strings.Fields(what))
	if f.Who, f.What = w.next(), w.next(); f.What == "" {
		return f, fmt.Errorf("%q: want a node or group and a fault, for example %q", strings.TrimSpace(what), "miner-0 crash")
	}
	if err := f.parse(&w); err != nil {
		return f, err
	}
	if len(w) > 0 {
		return f, fmt.Errorf("%q is not expected here", strings.Join(w, " "))
	}
	return f, f.check()
}

func parseWhen(s string) (from, to int, err error) {
	w := words(strings.Fields(s))
	if w.next() != "window" || len(w) != 1 {
		return 0, 0, fmt.Errorf("%q: want %q or %q", strings.TrimSpace(s), "window 3", "window 3..5")
	}
	first, last, isRange := strings.Cut(w.next(), "..")
	if !isRange {
		last = first
	}
	from, err = parseWindow(first)
	if err == nil {
		to, err = parseWindow(last)
	}
	if err == nil && to < from {
		err = fmt.Errorf("windows %d..%d end before they begin", from, to)
	}
	return from, to, err
}

func parseWindow(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > maxWindow || strconv.Itoa(n) != s {
		return 0, fmt.Errorf("%q is not a window: want a number from 0 to %d", s, maxWindow)
	}
	return n, nil
}

// words is what is left of a statement.
type words []string

func (w *words) next() string {
	if len(*w) == 0 {
		return ""
	}
	first := (*w)[0]
	*w = (*w)[1:]
	return first
}

// take takes the next word if it is that one.
func (w *words) take(word string) bool {
	if len(*w) == 0 || (*w)[0] != word {
		return false
	}
	w.next()
	return true
}

func (w *words) expect(word string) error {
	if !w.take(word) {
		return fmt.Errorf("want %q, not %q", word, strings.Join(*w, " "))
	}
	return nil
}

func (w *words) oneOf(list []string) (string, error) {
	word := w.next()
	if !slices.Contains(list, word) {
		return "", fmt.Errorf("%q: want one of %s", word, strings.Join(list, ", "))
	}
	return word, nil
}

func (w *words) duration() (time.Duration, error) {
	word := w.next()
	d, err := time.ParseDuration(word)
	if err != nil || d.Abs() > maxTime {
		return 0, fmt.Errorf("%q: want a time like 500ms or 2s, at most %v", word, maxTime)
	}
	return d, nil
}

// String is the script as Parse reads it.
func (s Script) String() string {
	var b strings.Builder
	for _, f := range s {
		b.WriteString(f.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// concerns reports whether a fault names the node or a group that it is in.
func (f *Fault) concerns(node string) bool {
	role, _, _ := strings.Cut(node, "-")
	return f.Who == node || f.Who == "nodes" || f.Who == role+"s"
}

// in reports whether the fault is in force in a window.
func (f *Fault) in(window int) bool { return f.From <= window && window <= f.To }
