package collect

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"templar/internal/telemetry"
	"templar/protocol"
)

// MemberState is the present state of one member.
type MemberState struct {
	Member
	Phase           string
	Loss            Measure // a miner's own, of its last window
	TokensPerSecond Measure // while it trains
	Utilisation     Measure // of a miner's engine, in the last window that was published
	Up, Down        int64   // bytes of protocol objects in this process
	Last            string  // the last thing of note: a verdict, weights, an aggregate
	Bad             bool    // Last is bad news
	Final, Weight   Measure // a miner's, at the reference validator
}

// State is what the live view draws.
type State struct {
	Meta
	Began       time.Time // of this process; zero before the first event
	Window      protocol.Window
	Index       int // Window's place in the run, from 1 on; 0 while it has not begun
	Block       uint64
	BlockSeen   time.Time
	Parameters  int
	InitialLoss Measure
	Losses      []float64 // known held-out losses, by window
	Tokens      int64     // in this process
	Utilisation Measure   // of the cores, since the first window began in this process
	Nodes       []MemberState
	Notes       []Note // oldest first
}

// board is the state of the live view, built from events.
type board struct {
	block     uint64
	blockSeen time.Time
	nodes     map[string]*MemberState
	notes     []Note
}

func newBoard(nodes []Member) board {
	b := board{nodes: map[string]*MemberState{}}
	for _, n := range nodes {
		b.nodes[n.Name] = &MemberState{Member: n, Loss: Unknown(), TokensPerSecond: Unknown(), Utilisation: Unknown(), Final: Unknown(), Weight: Unknown()}
	}
	return b
}

func (b *board) node(e telemetry.Event) *MemberState {
	n := b.nodes[e.Node]
	if n == nil {
		n = &MemberState{Member: Member{Name: e.Node}, Loss: Unknown(), TokensPerSecond: Unknown(), Utilisation: Unknown(), Final: Unknown(), Weight: Unknown()}
		b.nodes[e.Node] = n
	}
	n.Role, n.UID = e.Role, e.UID
	return n
}

func (b *board) recordPublished(e telemetry.Event, n *MemberState, p telemetry.Published) {
	n.Last, n.Bad = fmt.Sprintf("%d of %d in", len(p.Included), len(p.Included)+len(p.Skipped)), len(p.Skipped) > 0
	if !p.Ours {
		return
	}
	for _, m := range b.nodes {
		if m.Role != telemetry.Miner {
			continue
		}
		if v, ok := p.Skipped[m.UID]; ok {
			m.Last, m.Bad = v.String(), true
		} else if slices.Contains(p.Included, m.UID) {
			m.Last, m.Bad = protocol.VerdictOK.String(), false
		}
	}
	if len(p.Skipped) > 0 {
		b.note(e.Time, slog.LevelWarn, fmt.Sprintf("window %d: skipped uid %s", e.Window, telemetry.Skipped(p.Skipped)))
	}
}

func (b *board) recordApplied(e telemetry.Event, n *MemberState, a telemetry.Applied, books *books) {
	n.Down += a.AggregateBytes
	if a.Provisional {
		b.note(e.Time, slog.LevelWarn, fmt.Sprintf("window %d: %s continues without the Aggregate, provisionally", e.Window, e.Node))
		return
	}
	if books.window(e.Window).alone(e.Node) {
		b.note(e.Time, slog.LevelError, fmt.Sprintf("window %d: %s holds another state than the nodes before it: %s", e.Window, e.Node, a.State.Short()))
	}
}

func (b *board) recordWeights(e telemetry.Event, n *MemberState, w telemetry.WeightsSet) {
	if w.Accepted {
		n.Last, n.Bad = fmt.Sprintf("set @%d", w.Block), false
		b.note(e.Time, slog.LevelInfo, fmt.Sprintf("window %d: %s set its weights in block %d", e.Window, e.Node, w.Block))
		return
	}
	n.Last, n.Bad = "refused", true
	b.note(e.Time, slog.LevelWarn, fmt.Sprintf("window %d: the chain refused the weights of %s: %s", e.Window, e.Node, w.Reason))
}

// State returns the present state of the network; the caller owns it.
func (c *Collector) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	board, books := &c.mu.board, &c.mu.books
	s := State{
		Meta: c.meta, Began: books.first, Block: board.block, BlockSeen: board.blockSeen, Parameters: books.parameters,
		InitialLoss: books.initialLoss(), Utilisation: Unknown(), Losses: c.losses(), Notes: slices.Clone(board.notes), Nodes: board.snapshot(books),
	}
	if c.mu.earlier != nil {
		s.InitialLoss = c.mu.earlier.InitialLoss.Or(s.InitialLoss)
	}
	s.Utilisation, _ = books.usage.total()
	for _, m := range books.miners {
		s.Tokens += m.tokens
	}
	if s.BlocksPerWindow > 0 {
		s.Window = protocol.Window(s.Block / s.BlocksPerWindow)
	}
	if books.started && s.Window >= books.start {
		s.Index = int(s.Window-books.start) + 1
	}
	return s
}

// losses lists the known held-out losses, the earlier process's included.
func (c *Collector) losses() []float64 {
	known := map[protocol.Window]float64{}
	if c.mu.earlier != nil {
		for _, w := range c.mu.earlier.Windows {
			if w.HeldOutLoss.Known() {
				known[w.Window] = float64(w.HeldOutLoss)
			}
		}
	}
	for w, loss := range c.mu.books.heldOut {
		if loss.Known() && (!c.mu.books.started || w >= c.mu.books.start) {
			known[w] = float64(loss)
		}
	}
	out := make([]float64, 0, len(known))
	for _, w := range slices.Sorted(maps.Keys(known)) {
		out = append(out, known[w])
	}
	return out
}

func (b *board) snapshot(books *books) []MemberState {
	var scores map[protocol.UID]Standing
	if v := books.validators[books.reference()]; v != nil {
		scores = v.scores
	}
	out := make([]MemberState, 0, len(b.nodes))
	for _, n := range b.nodes {
		s := *n
		if standing, ok := scores[n.UID]; ok && n.Role == telemetry.Miner {
			s.Final, s.Weight = Measure(standing.Final), Measure(standing.Weight)
		}
		out = append(out, s)
	}
	order := []telemetry.Role{telemetry.Miner, telemetry.Validator, telemetry.Aggregator, telemetry.Evaluator}
	slices.SortFunc(out, func(x, y MemberState) int {
		return cmp.Or(cmp.Compare(slices.Index(order, x.Role), slices.Index(order, y.Role)), cmp.Compare(x.UID, y.UID), cmp.Compare(x.Name, y.Name))
	})
	return out
}
