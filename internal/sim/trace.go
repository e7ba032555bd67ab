package sim

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"templar/internal/telemetry"
	"templar/protocol"
)

// trace writes the events of a run: a line for each window, and one for each unusual event.
// It holds no times and no hashes, so that it changes only when the events do.
type trace struct {
	net    *Network
	out    io.Writer // nil: none
	order  io.Writer // takes what groups leave out, when set
	groups []group
}

// group is what several nodes have done since the window began, in any order.
type group struct {
	what   string
	window int
	nodes  []string
}

func (t *trace) line(format string, args ...any) {
	if t.out != nil {
		fmt.Fprintf(t.out, format+"\n", args...)
	}
}

// add records an action of a node.
func (t *trace) add(n *Node, format string, args ...any) {
	if t.out != nil {
		t.line("  %s %s", n.Name, fmt.Sprintf(format, args...))
	}
}

// window records that a window begins, and which nodes have applied which windows in the one before.
func (t *trace) window(i int) {
	if t.out == nil {
		return
	}
	t.flush()
	t.line("window %d", i)
}

// fault records the start of a fault.
func (t *trace) fault(f *planned) { t.line("  fault: %s %s%s", f.Who, f.What, f.details()) }

// flush records what the nodes have done in groups.
func (t *trace) flush() {
	slices.SortFunc(t.groups, func(a, b group) int {
		return cmp.Or(strings.Compare(a.what, b.what), cmp.Compare(a.window, b.window))
	})
	for _, g := range t.groups {
		slices.Sort(g.nodes)
		t.line("  %s %d: %s", g.what, g.window, strings.Join(g.nodes, " "))
	}
	t.groups = nil
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
			t.join(n, "go on provisionally past", w)
		} else {
			t.join(n, "applied", w)
		}
	case telemetry.Audited:
		if !b.Honest {
			t.add(n, "calls the Aggregate of window %d a lie", w)
		}
	case telemetry.Phase:
		switch b.Name {
		case "announcing":
			t.add(n, "is announcing")
		case "done":
			t.join(n, "done before", w)
		}
	}
}

// join adds a node to those that have done the same.
func (t *trace) join(n *Node, what string, window int) {
	i := slices.IndexFunc(t.groups, func(g group) bool { return g.what == what && g.window == window })
	if i < 0 {
		i, t.groups = len(t.groups), append(t.groups, group{what: what, window: window})
	}
	t.groups[i].nodes = append(t.groups[i].nodes, n.Name)
	if t.order != nil {
		fmt.Fprintln(t.order, n.Name, what, window)
	}
}

// members lists the members of an Aggregate, and the peers that it skips with the reasons.
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
