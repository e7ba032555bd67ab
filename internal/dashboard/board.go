package dashboard

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

// NodeState is where one node stands now.
type NodeState struct {
	Node
	Phase           string
	Loss            Number // a miner's own, of its last window
	TokensPerSecond Number // while it trains
	Up, Down        int64  // bytes of protocol objects in this process
	Last            string // the last thing of note: a verdict, weights, an aggregate
	Bad             bool   // Last is bad news
	Final, Weight   Number // a miner's, at the reference validator
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
	InitialLoss Number
	Losses      []float64 // known held-out losses, by window
	Tokens      int64     // in this process
	Nodes       []NodeState
	Notes       []Note // oldest first
}

// board is what events leave behind for the live view.
type board struct {
	block     uint64
	blockSeen time.Time
	nodes     map[string]*NodeState
	notes     []Note
}

func newBoard(nodes []Node) board {
	b := board{nodes: map[string]*NodeState{}}
	for _, n := range nodes {
		b.nodes[n.Name] = &NodeState{Node: n, Loss: unknown(), TokensPerSecond: unknown(), Final: unknown(), Weight: unknown()}
	}
	return b
}

func (b *board) node(e telemetry.Event) *NodeState {
	n := b.nodes[e.Node]
	if n == nil {
		n = &NodeState{Node: Node{Name: e.Node}, Loss: unknown(), TokensPerSecond: unknown(), Final: unknown(), Weight: unknown()}
		b.nodes[e.Node] = n
	}
	n.Role, n.UID = e.Role, e.UID
	return n
}

func (b *board) record(e telemetry.Event, books *books) {
	if body, ok := e.Body.(telemetry.Block); ok { // the chain's, not a node's
		if body.Number >= b.block {
			b.block, b.blockSeen = body.Number, e.Time
		}
		return
	}
	n := b.node(e)
	switch body := e.Body.(type) {
	case telemetry.Phase:
		n.Phase = body.Name
	case telemetry.Trained:
		n.Loss, n.TokensPerSecond = Number(body.Loss), rate(int64(body.Tokens), body.Duration.Seconds())
	case telemetry.Uploaded:
		n.Up += body.Bytes
	case telemetry.Gathered:
		n.Down += body.Bytes
	case telemetry.Published:
		b.recordPublished(e, n, body)
	case telemetry.Applied:
		b.recordApplied(e, n, body, books)
	case telemetry.Audited:
		if !body.Honest {
			b.note(e.Time, slog.LevelError, fmt.Sprintf("window %d: %s found that the aggregator lied", e.Window, e.Node))
		}
	case telemetry.WeightsSet:
		b.recordWeights(e, n, body)
	case telemetry.Checkpointed:
		b.note(e.Time, slog.LevelInfo, fmt.Sprintf("window %d: %s saved %s (%s)", e.Window, e.Node, body.Prefix, size(body.Bytes)))
	}
}

func (b *board) recordPublished(e telemetry.Event, n *NodeState, p telemetry.Published) {
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

func (b *board) recordApplied(e telemetry.Event, n *NodeState, a telemetry.Applied, books *books) {
	n.Down += a.AggregateBytes
	if a.Provisional {
		b.note(e.Time, slog.LevelWarn, fmt.Sprintf("window %d: %s goes on without the Aggregate, provisionally", e.Window, e.Node))
		return
	}
	if books.window(e.Window).alone(e.Node) {
		b.note(e.Time, slog.LevelError, fmt.Sprintf("window %d: %s holds another state than the nodes before it: %s", e.Window, e.Node, a.State.Short()))
	}
}

func (b *board) recordWeights(e telemetry.Event, n *NodeState, w telemetry.WeightsSet) {
	if w.Accepted {
		n.Last, n.Bad = fmt.Sprintf("set @%d", w.Block), false
		b.note(e.Time, slog.LevelInfo, fmt.Sprintf("window %d: %s set its weights in block %d", e.Window, e.Node, w.Block))
		return
	}
	n.Last, n.Bad = "refused", true
	b.note(e.Time, slog.LevelWarn, fmt.Sprintf("window %d: the chain refused the weights of %s: %s", e.Window, e.Node, w.Reason))
}

// State returns where the network stands; the caller owns it.
func (c *Collector) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	board, books := &c.mu.board, &c.mu.books
	s := State{
		Meta: c.meta, Began: books.first, Block: board.block, BlockSeen: board.blockSeen, Parameters: books.parameters,
		InitialLoss: books.initialLoss(), Losses: c.losses(), Notes: slices.Clone(board.notes), Nodes: board.snapshot(books),
	}
	if c.mu.earlier != nil {
		s.InitialLoss = c.mu.earlier.InitialLoss.or(s.InitialLoss)
	}
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

func (b *board) snapshot(books *books) []NodeState {
	var scores map[protocol.UID]Standing
	if v := books.validators[books.reference()]; v != nil {
		scores = v.scores
	}
	out := make([]NodeState, 0, len(b.nodes))
	for _, n := range b.nodes {
		s := *n
		if standing, ok := scores[n.UID]; ok && n.Role == telemetry.Miner {
			s.Final, s.Weight = standing.FinalScore, standing.Weight
		}
		out = append(out, s)
	}
	order := []telemetry.Role{telemetry.Miner, telemetry.Validator, telemetry.Aggregator, telemetry.Observer}
	slices.SortFunc(out, func(x, y NodeState) int {
		return cmp.Or(cmp.Compare(slices.Index(order, x.Role), slices.Index(order, y.Role)), cmp.Compare(x.UID, y.UID), cmp.Compare(x.Name, y.Name))
	})
	return out
}
