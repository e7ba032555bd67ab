package collect

import (
	"maps"
	"slices"
	"strings"
	"time"

	"templar/internal/telemetry"
	"templar/protocol"
)

// books is the state of the report, built from events.
type books struct {
	first, last time.Time // of all events
	mark        time.Time // when the window now under way began: see closeWindow
	started     bool
	start       protocol.Window
	parameters  int
	heldOut     map[protocol.Window]Measure
	tasks       map[protocol.Window]map[string]Measure
	windows     map[protocol.Window]*windowBook
	miners      map[protocol.UID]*minerBook
	validators  map[string]*validatorBook
	checkpoint  string
	usage       usageBook
}

type windowBook struct {
	Window
	applied, closed bool
	uploads         map[protocol.UID]int64
}

type minerBook struct {
	node, hotkey string
	loss         Measure
	tokens       int64
	training     time.Duration
	up           int64
}

type validatorBook struct {
	uid     protocol.UID
	window  protocol.Window
	scores  map[protocol.UID]Standing
	history map[protocol.UID][]scoredLine // newest last
}

func newBooks(nodes []Member) books {
	b := books{
		heldOut:    map[protocol.Window]Measure{},
		tasks:      map[protocol.Window]map[string]Measure{},
		windows:    map[protocol.Window]*windowBook{},
		miners:     map[protocol.UID]*minerBook{},
		validators: map[string]*validatorBook{},
		usage:      usageBook{engines: map[string]*engineBook{}},
	}
	for _, n := range nodes {
		if n.Role != telemetry.Miner {
			continue
		}
		m := b.miner(n.UID)
		m.node = n.Name
		if !n.Hotkey.IsZero() {
			m.hotkey = n.Hotkey.String()
		}
	}
	return b
}

func (b *books) miner(uid protocol.UID) *minerBook {
	if b.miners[uid] == nil {
		b.miners[uid] = &minerBook{loss: Unknown()}
	}
	return b.miners[uid]
}

func (b *books) window(w protocol.Window) *windowBook {
	if b.windows[w] == nil {
		b.windows[w] = &windowBook{
			Window: Window{
				Window: w, Seconds: Unknown(), LearningRate: Unknown(), Utilisation: Unknown(), MinerUtilisation: map[string]Measure{},
				StateHash: map[string]protocol.Hash{}, TrainingLoss: map[string]Measure{},
			},
			uploads: map[protocol.UID]int64{},
		}
	}
	return b.windows[w]
}

func (b *books) see(t time.Time) {
	if b.first.IsZero() || t.Before(b.first) {
		b.first = t
	}
	if t.After(b.last) {
		b.last = t
	}
	if b.mark.IsZero() {
		b.mark = t
	}
}

func (b *books) recordStarted(t time.Time, s telemetry.Started) {
	if !b.started {
		b.started, b.mark = true, t
	}
	b.start, b.parameters = s.StartWindow, s.Parameters
}

func (b *books) recordTrained(e telemetry.Event, t telemetry.Trained) {
	m := b.miner(e.UID)
	m.node, m.loss = e.Node, Measure(t.Loss)
	m.tokens += int64(t.Tokens)
	m.training += t.Duration
	b.window(e.Window).TrainingLoss[e.Node] = Measure(t.Loss)
}

func (b *books) recordUploaded(e telemetry.Event, u telemetry.Uploaded) {
	if e.Role != telemetry.Miner {
		return
	}
	m := b.miner(e.UID)
	m.node = e.Node
	m.up += u.Bytes
	if w, ok := protocol.KeyWindow(u.Key); ok && strings.HasPrefix(u.Key, "gradient-") {
		b.window(w).uploads[e.UID] = u.Bytes
	}
}

func (b *books) recordPublished(e telemetry.Event, p telemetry.Published) {
	w := b.window(e.Window)
	if w.closed { // a standby's report of the same Aggregate
		return
	}
	w.closed = true
	w.AggregateHash, w.AggregateBytes = p.Hash, p.Bytes
	w.Gathered, w.Skipped = slices.Clone(p.Included), maps.Clone(p.Skipped)
	w.Seconds = Measure(max(0, e.Time.Sub(b.mark).Seconds()))
	b.mark = e.Time
	var miners []string
	for _, m := range b.miners {
		miners = append(miners, m.node)
	}
	w.Utilisation, w.MinerUtilisation = b.usage.close(e.Time, miners)
}

func (b *books) recordApplied(e telemetry.Event, a telemetry.Applied) {
	if a.Provisional {
		return
	}
	w := b.window(e.Window)
	w.StateHash[e.Node] = a.State
	w.LearningRate = Measure(a.LearningRate)
	if !w.applied && !w.closed {
		w.AggregateHash, w.AggregateBytes = a.Aggregate, a.AggregateBytes
		w.Gathered, w.Skipped = slices.Clone(a.Included), maps.Clone(a.Skipped)
	}
	w.applied = true
}

func (b *books) recordScored(e telemetry.Event, s telemetry.Scored) {
	v := b.validators[e.Node]
	if v == nil {
		v = &validatorBook{scores: map[protocol.UID]Standing{}, history: map[protocol.UID][]scoredLine{}}
		b.validators[e.Node] = v
	}
	v.uid, v.window = e.UID, e.Window
	for i := range s.Miners {
		l := &s.Miners[i]
		b.miner(l.UID).hotkey = l.Hotkey.String()
		v.remember(e.Window, *l)
		losses := l.Losses
		if losses == nil {
			losses = v.scores[l.UID].Losses
		}
		v.scores[l.UID] = Standing{Record: l.After, Ordinal: l.After.Ordinal(), Weight: l.Weight, Losses: losses, Notes: l.Notes()}
	}
}
