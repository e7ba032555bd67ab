package sim

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"templar/internal/telemetry"
	"templar/protocol"
)

// trace tells the run as a story: a line for each window, and one for what is out of the
// ordinary. It holds no times and no hashes, so that it changes only when the story does.
type trace struct {
	net     *Network
	out     io.Writer // nil: nobody listens
	applied []passage
}

// passage is a window that some nodes have just applied.
type passage struct {
	window int
	nodes  []string
}

func (t *trace) line(format string, args ...any) {
	if t.out != nil {
		fmt.Fprintf(t.out, format+"\n", args...)
	}
}

// add tells what a node does.
func (t *trace) add(n *Node, format string, args ...any) {
	if t.out != nil {
		t.line("  %s %s", n.Name, fmt.Sprintf(format, args...))
	}
}

// window tells that a window begins, and who has applied what in the one before.
func (t *trace) window(i int) {
	if t.out == nil {
		return
	}
	t.flush()
	t.line("window %d", i)
}

// fault tells that something begins to go wrong.
func (t *trace) fault(f *forecast) { t.line("  fault: %s %s%s", f.Who, f.What, f.details()) }

func (t *trace) flush() {
	slices.SortFunc(t.applied, func(a, b passage) int { return a.window - b.window })
	for _, p := range t.applied {
		slices.Sort(p.nodes)
		t.line("  applied %d: %s", p.window, strings.Join(p.nodes, " "))
	}
	t.applied = nil
}

func (t *trace) event(n *Node, e telemetry.Event) {
	if t.out == nil {
		return
	}
	w := t.net.index(e.Window)
	switch b := e.Body.(type) {
	case telemetry.Started:
		t.add(n, "begins before window %d", w)
	case telemetry.Published:
		how := "publishes"
		if !b.Ours {
			how = "finds published"
		}
		t.add(n, "%s %d: %s", how, w, members(b))
	case telemetry.Applied:
		if b.Provisional {
			t.add(n, "goes on provisionally past window %d", w)
		} else {
			t.passes(w, n.Name)
		}
	case telemetry.Audited:
		if !b.Honest {
			t.add(n, "calls the Aggregate of window %d a lie", w)
		}
	case telemetry.Phase:
		if b.Name == "done" || b.Name == "announcing" {
			t.add(n, "is %s", b.Name)
		}
	}
}

func (t *trace) passes(window int, node string) {
	for i := range t.applied {
		if t.applied[i].window == window {
			t.applied[i].nodes = append(t.applied[i].nodes, node)
			return
		}
	}
	t.applied = append(t.applied, passage{window, []string{node}})
}

// members lists who is in an Aggregate, and who is not and why.
func members(p telemetry.Published) string {
	s := fmt.Sprint(p.Included)
	var skipped []protocol.UID
	for uid := range p.Skipped {
		skipped = append(skipped, uid)
	}
	slices.Sort(skipped)
	for _, uid := range skipped {
		s += fmt.Sprintf(" -%d %v", uid, p.Skipped[uid])
	}
	return s
}
