package sim

import (
	"maps"
	"strings"

	"templar/internal/checkpoint"
	"templar/internal/score"
	"templar/internal/telemetry"
	"templar/protocol"
)

// books is what a validator last wrote of the miners.
type books struct {
	next        protocol.Window
	evaluations map[protocol.Hotkey]uint64
}

// wrote takes a file that a node has written to its own disk.
func (w *watch) wrote(n *Node, key string, raw []byte) {
	switch {
	case !w.net.started:
	case n.Role == telemetry.Miner && strings.HasSuffix(key, "/manifest.json"):
		w.saved(n, raw)
	case n.Role == telemetry.Validator && key == "scores.json":
		w.closed(n, raw)
	}
}

// saved checks the state that a miner goes on from after a restart.
func (w *watch) saved(n *Node, raw []byte) {
	var m checkpoint.Manifest
	if err := payload(raw, &m); err != nil {
		w.broken(w.net.window, Private, n, "saves a manifest that cannot be read: %v", err)
		return
	}
	w.holds(Private, n, m.Next, m.StateHash, "what it saves")
	count := uint64(0) // a method's counts never fall
	for _, t := range m.Private {
		count += t.Scalar
	}
	if count < w.counts[n] {
		w.broken(w.net.index(m.Next), Private, n, "saves a count of %d after %d: it forgot its private state", count, w.counts[n])
	}
	w.counts[n] = count
}

// closed checks a validator's book against the one before.
func (w *watch) closed(n *Node, raw []byte) {
	b, err := score.DecodeBook(raw)
	if err != nil {
		w.broken(w.net.window, Scores, n, "writes scores that cannot be read: %v", err)
		return
	}
	last, now := w.books[n], books{b.Next, make(map[protocol.Hotkey]uint64, len(b.Records))}
	for _, r := range b.Records {
		now.evaluations[r.Hotkey] = r.Evaluations
	}
	switch {
	case b.Next < last.next:
		w.broken(w.net.index(b.Next), Scores, n, "goes back to before window %d from before window %d", w.net.index(b.Next), w.net.index(last.next))
	case b.Next == last.next && !maps.Equal(now.evaluations, last.evaluations):
		w.broken(w.net.index(b.Next)-1, Scores, n, "closes the window again")
	}
	for hotkey, count := range last.evaluations {
		if now.evaluations[hotkey] < count {
			w.broken(w.net.index(b.Next)-1, Scores, n, "forgets %d evaluations of %s", count-now.evaluations[hotkey], hotkey)
			break
		}
	}
	w.books[n] = now
}
