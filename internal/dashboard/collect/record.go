package collect

import (
	"fmt"
	"log/slog"

	"templar/internal/dashboard/human"
	"templar/internal/telemetry"
)

// recorder enters events into the books, for the summary, and on the board, for the live view.
type recorder struct {
	*books
	*board
}

var _ telemetry.Visitor = recorder{}

func (r recorder) Phase(e telemetry.Event, p telemetry.Phase) { r.node(e).Phase = p.Name }

func (r recorder) Block(e telemetry.Event, b telemetry.Block) {
	if b.Number >= r.block {
		r.block, r.blockSeen = b.Number, e.Time
	}
}

func (r recorder) Started(e telemetry.Event, s telemetry.Started) {
	r.node(e)
	r.books.recordStarted(e.Time, s)
}

func (r recorder) Trained(e telemetry.Event, t telemetry.Trained) {
	n := r.node(e)
	n.Loss, n.TokensPerSecond = Measure(t.Loss), Rate(int64(t.Tokens), t.Duration.Seconds())
	r.books.recordTrained(e, t)
}

func (r recorder) Uploaded(e telemetry.Event, u telemetry.Uploaded) {
	r.node(e).Up += u.Bytes
	r.books.recordUploaded(e, u)
}

func (r recorder) Gathered(e telemetry.Event, g telemetry.Gathered) { r.node(e).Down += g.Bytes }

func (r recorder) Published(e telemetry.Event, p telemetry.Published) {
	r.books.recordPublished(e, p)
	for name, u := range r.window(e.Window).MinerUtilisation {
		if n := r.nodes[name]; n != nil {
			n.Utilisation = u
		}
	}
	r.board.recordPublished(e, r.node(e), p)
}

func (r recorder) Applied(e telemetry.Event, a telemetry.Applied) {
	r.books.recordApplied(e, a)
	r.board.recordApplied(e, r.node(e), a, r.books)
}

func (r recorder) Audited(e telemetry.Event, a telemetry.Audited) {
	r.node(e)
	if !a.Honest {
		r.note(e.Time, slog.LevelError, fmt.Sprintf("window %d: %s found that the aggregate is wrong", e.Window, e.Node))
	}
}

func (r recorder) Evaluated(e telemetry.Event, _ telemetry.Evaluated) { r.node(e) } // its phases are shown

func (r recorder) Compared(e telemetry.Event, _ telemetry.Compared) { r.node(e) } // the scores that follow are shown

func (r recorder) Scored(e telemetry.Event, s telemetry.Scored) {
	r.node(e)
	r.books.recordScored(e, s)
}

func (r recorder) WeightsSet(e telemetry.Event, w telemetry.WeightsSet) {
	r.board.recordWeights(e, r.node(e), w)
}

func (r recorder) Checkpointed(e telemetry.Event, c telemetry.Checkpointed) {
	r.node(e)
	r.checkpoint = c.Prefix
	r.note(e.Time, slog.LevelInfo, fmt.Sprintf("window %d: %s saved %s (%s)", e.Window, e.Node, c.Prefix, human.Size(c.Bytes)))
}

func (r recorder) HeldOut(e telemetry.Event, h telemetry.HeldOut) {
	r.node(e)
	r.heldOut[e.Window] = Measure(h.Loss)
}

func (r recorder) Benchmarked(e telemetry.Event, b telemetry.Benchmarked) {
	r.node(e)
	scores := make(map[string]Measure, len(b.Tasks)) // never changed: summaries share it
	for _, t := range b.Tasks {
		_, value := t.Main()
		scores[t.Task] = Measure(value)
	}
	r.tasks[e.Window] = scores
}
