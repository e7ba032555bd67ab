package collect

import (
	"maps"
	"slices"

	"templar/protocol"
)

// summarize makes a Summary of the books; what only Meta knows is left empty.
// It lists the windows from one on.
func (b *books) summarize(from protocol.Window) Summary {
	r := Summary{
		Version: Version, Parameters: b.parameters, StartWindow: b.start,
		UnigramEntropy: Unknown(), InitialLoss: b.initialLoss(), FinalLoss: Unknown(), Seconds: Unknown(),
		Windows: []Window{}, Miners: []Miner{}, ScoredBy: b.reference(), Checkpoint: b.checkpoint,
	}
	for _, w := range slices.Sorted(maps.Keys(b.windows)) {
		if book := b.windows[w]; book.applied && w >= from {
			r.Windows = append(r.Windows, b.finishWindow(book))
			r.FinalLoss = r.Windows[len(r.Windows)-1].HeldOutLoss.Or(r.FinalLoss)
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(b.miners)) {
		m := b.finishMiner(uid, r.ScoredBy)
		r.Miners = append(r.Miners, m)
		r.Tokens += m.Tokens
	}
	if !b.first.IsZero() {
		r.Seconds = Measure(b.last.Sub(b.first).Seconds())
	}
	r.TokensPerSecond = Rate(r.Tokens, float64(r.Seconds))
	r.Cores = b.usage.cores
	r.Utilisation, r.EngineSeconds = b.usage.total()
	return r
}

// initialLoss is what was measured of theta_0: the newest held-out loss of a window
// before the start window.
func (b *books) initialLoss() Measure {
	loss := Unknown()
	if b.started {
		for _, w := range slices.Sorted(maps.Keys(b.heldOut)) {
			if w < b.start {
				loss = b.heldOut[w]
			}
		}
	}
	return loss
}

func (b *books) heldOutAt(w protocol.Window) Measure {
	if loss, ok := b.heldOut[w]; ok {
		return loss
	}
	return Unknown()
}

func (b *books) finishWindow(book *windowBook) Window {
	w := book.Window
	w.HeldOutLoss, w.Tasks = b.heldOutAt(w.Window), b.tasks[w.Window]
	w.StateHash, w.TrainingLoss = maps.Clone(w.StateHash), maps.Clone(w.TrainingLoss)
	w.MinerUtilisation = overlay(w.MinerUtilisation, nil)
	w.Gathered = slices.Sorted(slices.Values(w.Gathered))
	if w.Gathered == nil {
		w.Gathered = []protocol.UID{}
	}
	skipped := w.Skipped
	w.Skipped = make(map[protocol.UID]protocol.Verdict, len(skipped))
	maps.Copy(w.Skipped, skipped)
	for _, uid := range w.Gathered {
		w.GradientBytes += book.uploads[uid]
	}
	return w
}

func (b *books) finishMiner(uid protocol.UID, reference string) Miner {
	book := b.miners[uid]
	m := Miner{
		UID: uid, Node: book.node, Hotkey: book.hotkey, OwnLoss: book.loss,
		Tokens: book.tokens, TrainingSeconds: book.training.Seconds(), BytesUp: book.up, Validators: map[string]Standing{},
	}
	m.TokensPerSecond = Rate(m.Tokens, m.TrainingSeconds)
	m.Utilisation, m.EngineSeconds = b.usage.of(m.Node)
	for name, v := range b.validators {
		s, ok := v.scores[uid]
		if !ok {
			continue
		}
		s.Notes = slices.Clone(s.Notes)
		m.Validators[name] = s
		if name == reference {
			m.Standing = &s
		}
	}
	return m
}

// reference names the validator whose scores are shown: the one with the lowest uid
// of those that keep up. One that fell behind holds old scores.
func (b *books) reference() string {
	const maxBehind = 2
	var newest protocol.Window
	for _, v := range b.validators {
		newest = max(newest, v.window)
	}
	name := ""
	for _, n := range slices.Sorted(maps.Keys(b.validators)) {
		v := b.validators[n]
		if v.window+maxBehind >= newest && (name == "" || v.uid < b.validators[name].uid) {
			name = n
		}
	}
	return name
}
