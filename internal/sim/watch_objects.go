package sim

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"templar/internal/attest"
	"templar/internal/checkpoint"
	"templar/internal/harness"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// upload names a gradient.
type upload struct {
	window int
	uid    protocol.UID
}

// stored is what a bucket held of it.
type stored struct {
	raw     []byte // sealed
	at      time.Time
	content protocol.Hash
	key     []byte // nil until it is revealed
	quiet   bool   // nothing was wrong with the miner or its bucket
}

// stored takes an object that has just been stored in a public bucket.
func (w *watch) stored(n *Node, bucket, key string, raw []byte) {
	window, ok := protocol.KeyWindow(key)
	if !ok || !w.net.started {
		return
	}
	switch {
	case strings.HasPrefix(key, objects["aggregate"]) && bucket == harness.AggregatorBucket:
		k, _ := protocol.ParseKey(key)
		w.publishes(n, k, raw)
	case strings.HasPrefix(key, objects["gradient"]) && bucket == n.Name:
		w.uploaded(n, window, raw)
	case strings.HasPrefix(key, objects["key"]) && bucket == n.Name:
		w.revealed(n, window, raw)
	case strings.HasPrefix(key, objects["closing"]) && bucket == harness.AggregatorBucket:
		w.closes(n, window, raw)
	case strings.HasPrefix(key, objects["sample"]) && bucket == n.Name:
		w.sampled(n, window, raw)
	case strings.HasPrefix(key, objects["checkpoint"]) && strings.HasSuffix(key, "/manifest.json"):
		w.checkpointed(n, bucket, window, raw)
	case strings.HasPrefix(key, objects["peers"]):
		var l wire.PeerList
		if _, err := wire.Open(wire.DomainPeers, raw, &l); err == nil {
			w.lists = append(w.lists, l)
			w.net.trace.add(n, "selects %v from window %d on", l.Peers, w.net.index(l.EffectiveFrom))
		}
	}
}

// publishes takes the next link of a chain of Aggregates.
func (w *watch) publishes(n *Node, key protocol.Key, raw []byte) {
	run, i := w.net.run, w.net.index(key.Window)
	a, hash, verdict := run.Aggregate(raw, key.Window, key.Term)
	if !verdict.OK() {
		w.broken(i, OneAggregate, n, "publishes an Aggregate that is %v", verdict)
		return
	}
	if w.links[hash] != nil {
		w.net.trace.add(n, "puts back %d", i) // the store had forgotten it
		return
	}
	topic := w.net.lied(n, key)
	for _, l := range w.links {
		if l.window == i && l.Term == a.Term && topic == "" && l.topic == "" {
			w.broken(i, OneAggregate, n, "publishes %s, published was %s", hash.Short(), l.hash.Short())
		}
	}
	if i < 0 || i > len(w.published) {
		w.broken(i, Unbroken, n, "publishes the window before window %d", len(w.published))
		return
	}
	var before *vertex
	var previous protocol.Hash
	if i > 0 {
		if before = w.links[a.Previous]; before == nil && topic != "history" || before != nil && before.window != i-1 {
			w.broken(i, Unbroken, n, "names %s as the Aggregate before, which is none of window %d", a.Previous.Short(), i-1)
			return
		}
		previous = w.published[i-1].hash
	}
	if a.Previous != previous && topic != "history" && !before.doubtful() && !w.published[i-1].doubtful() {
		w.broken(i, Unbroken, n, "names %s as the Aggregate before, which is %s", a.Previous.Short(), previous.Short())
	}
	if !run.Method.AcceptsRate(uint64(i), a.LearningRate) && topic != "rate" {
		w.broken(i, Unbroken, n, "has learning rate %v", a.LearningRate)
	}
	if !w.stated(i, a.Closing) && topic != "closing" {
		w.broken(i, Sealed, n, "names a closing statement that is not the window's")
	}
	l := w.enter(i, before, a, hash, topic)
	if i == len(w.published) || a.Term > w.published[i].Term {
		w.stand(l)
	}
	if topic == "" {
		w.judge(n, i, a)
	} else {
		w.net.betray(l)
	}
	w.forget(i)
}

// enter enters a published Aggregate.
func (w *watch) enter(i int, before *vertex, a *run.Aggregate, hash protocol.Hash, topic string) *vertex {
	run, params := w.net.run, w.params[0]
	if i > 0 {
		params = w.params[i]
		if before != nil {
			params = before.params
		}
	}
	params = slices.Clone(params)
	run.Method.Apply(params, a.Update, a.LearningRate)
	l := &vertex{Aggregate: a, hash: hash, window: i, before: before, params: params, state: run.Space.Hash(params), topic: topic, at: w.net.window}
	w.links[hash] = l
	return l
}

// adopt makes the chain of l the one that counts, and what follows it.
func (w *watch) adopt(l *vertex) {
	var chain []*vertex
	for ; l != nil && (l.window >= len(w.published) || w.published[l.window] != l); l = l.before {
		chain = append(chain, l)
	}
	for _, l := range slices.Backward(chain) {
		w.stand(l)
	}
	for next := chain[0]; next != nil; {
		var after *vertex
		for _, l := range w.links {
			if l.before == next && (after == nil || l.Term > after.Term) {
				after = l
			}
		}
		if next = after; next != nil {
			w.stand(next)
		}
	}
}

// stand makes l the Aggregate of its window, and forgets those after it.
func (w *watch) stand(l *vertex) {
	w.published = append(w.published[:l.window:l.window], l)
	w.params = append(w.params[:l.window+1:l.window+1], l.params)
	w.states = append(w.states[:l.window+1:l.window+1], l.state)
}

// remembered is for how many windows the watch keeps parameters and gradients: longer than
// any node lags behind while it samples.
const remembered = 64

func (w *watch) forget(i int) {
	if old := i - remembered; old >= 0 {
		w.params[old] = nil
		for hash, l := range w.links {
			if l.window < old {
				delete(w.links, hash)
				l.params, l.before = nil, nil
			}
		}
		for _, n := range w.net.nodes {
			delete(w.uploads, upload{old, n.UID})
		}
		delete(w.closings, old)
		delete(w.net.restated, old)
	}
}

// uploaded takes a gradient. When a miner stores a second one for a window, the first may
// have been gathered already: then either counts.
func (w *watch) uploaded(n *Node, window protocol.Window, raw []byte) {
	key := upload{w.net.index(window), n.UID}
	if _, twice := w.uploads[key]; twice {
		w.uploads[key] = stored{} // which of them was gathered is unknown
		return
	}
	w.uploads[key] = stored{
		raw: raw, at: w.net.s.time().Truncate(time.Millisecond), content: wire.GradientHash(raw),
		quiet: w.quiet(n),
	}
}

// closes takes a closing statement: there is one of each window, before its Aggregate.
func (w *watch) closes(n *Node, window protocol.Window, raw []byte) {
	i := w.net.index(window)
	c, hash, verdict := w.net.run.Closing(raw, window)
	switch before := w.closings[i]; {
	case !verdict.OK():
		w.broken(i, Sealed, n, "publishes a closing statement that is %v", verdict)
	case before != nil && wire.ClosingHash(before) != hash:
		w.broken(i, Sealed, n, "publishes a second closing statement")
	case before == nil:
		w.closings[i] = raw
		w.complete(n, i, c)
	}
}

// complete looks for uploads that were stored in time and that a closing statement after the deadline does not list.
func (w *watch) complete(n *Node, i int, c *wire.Closing) {
	bounds := w.net.run.Params.UploadBounds(c.UploadFrom)
	for _, miner := range w.net.nodes {
		u := w.uploads[upload{i, miner.UID}]
		if _, listed := c.Of(miner.UID, miner.signer.Hotkey()); listed || u.raw == nil || !u.quiet || !w.quiet(n) || !w.quiet(miner) {
			continue
		}
		if bounds.Check(u.at).OK() && w.net.s.time().After(bounds.Max) {
			w.broken(i, Counted, n, "closes the window without uid %d, which stored its gradient in time", miner.UID)
		}
	}
}

// revealed takes a key, which no node may publish before the window is closed, and a miner without trouble
// publishes in time.
func (w *watch) revealed(n *Node, window protocol.Window, raw []byte) {
	i := w.net.index(window)
	k, verdict := wire.DecodeKey(raw, wire.Expect{Run: w.net.run.Hash, Window: window, UID: n.UID, Hotkey: n.signer.Hotkey()})
	if !verdict.OK() {
		w.broken(i, Sealed, n, "publishes a key that is %v", verdict)
		return
	}
	if !w.stated(i, k.Closing) {
		w.broken(i, Sealed, n, "reveals its key before the window is closed, or against another statement")
	}
	at := upload{i, n.UID}
	if u, known := w.uploads[at]; known {
		u.key = bytes.Clone(k.Key[:])
		w.uploads[at] = u
	}
}

// stated reports whether a content hash is that of the window's closing statement, or of the second one that a byzantine
// aggregator has signed.
func (w *watch) stated(i int, hash protocol.Hash) bool {
	c, second := w.closings[i], w.net.restated[i]
	return c != nil && wire.ClosingHash(c) == hash || second != nil && wire.ClosingHash(second) == hash
}

// quiet reports whether a node has met with no trouble in this window and the one before.
func (w *watch) quiet(n *Node) bool {
	return w.net.window-n.clean > 1
}

// judge holds an Aggregate against what its peers have stored.
func (w *watch) judge(n *Node, i int, a *run.Aggregate) {
	bounds := w.net.run.Params.UploadBounds(a.UploadFrom)
	var named [][]byte
	var wants []wire.Expect
	for _, in := range a.Included {
		u, known := w.uploads[upload{i, in.UID}]
		switch {
		case known && u.raw == nil: // stored twice
			return
		case !known || u.content != in.Content:
			w.broken(i, Members, n, "names a gradient that uid %d never stored", in.UID)
		case u.key == nil:
			w.broken(i, Members, n, "names a gradient of uid %d, whose key was never revealed", in.UID)
		case !bounds.Check(u.at).OK():
			w.broken(i, Members, n, "names a gradient that uid %d stored %v", in.UID, bounds.Check(u.at))
		case !w.selected(in.UID, a.Window):
			w.broken(i, Members, n, "names a gradient of uid %d, which was not selected", in.UID)
		}
		named = append(named, slices.Concat(u.raw, u.key))
		wants = append(wants, wire.Expect{Run: a.Run, Window: a.Window, UID: in.UID, Hotkey: in.Hotkey})
	}
	if end, err := w.net.blocks.chain.Block(w.net.ctx, w.net.run.Params.FirstBlock(a.Window+1)); err == nil && !end.Time.Equal(a.UploadFrom) {
		w.broken(i, Members, n, "counts uploads from %v, the window ended at %v", a.UploadFrom, end.Time)
	}
	w.counted(n, i, a, bounds)
	w.kept(n, i-1)
	w.auditor.add(i, a.Update, named, wants)
}

// kept looks for the gradients of a window in the archive, when the next window's Aggregate is published.
func (w *watch) kept(n *Node, i int) {
	if i < 0 || !w.quiet(n) {
		return
	}
	for _, in := range w.published[i].Included {
		if u := w.uploads[upload{i, in.UID}]; u.content == in.Content && !w.archived(w.published[i].Window, in) {
			w.broken(i, Members, n, "names a gradient of uid %d, and keeps no copy of it", in.UID)
		}
	}
}

// archived reports whether the aggregator bucket holds a copy of a gradient that counts. One
// that it has just forgotten comes back with the Aggregates that it forgot with it.
func (w *watch) archived(window protocol.Window, in wire.Included) bool {
	if w.net.faults.forgets(harness.AggregatorBucket) {
		return true
	}
	b, err := w.net.store.Dial(location(harness.AggregatorBucket, false))
	if err == nil {
		_, err = b.Head(w.net.ctx, protocol.ArchiveKey(window, in.UID))
	}
	return err == nil
}

// counted looks for peers that did all right and were left out.
func (w *watch) counted(n *Node, i int, a *run.Aggregate, bounds protocol.Bounds) {
	if !w.quiet(n) || w.net.restated[i] != nil {
		return
	}
	left := slices.Clone(a.Skipped)
	if len(a.Included) == 0 && len(a.Skipped) == 0 {
		for _, node := range w.net.nodes { // before the first list all are selected
			if node.Role == telemetry.Miner {
				left = append(left, wire.Skipped{UID: node.UID, Verdict: protocol.VerdictNone})
			}
		}
	}
	for _, s := range left {
		u := w.uploads[upload{i, s.UID}]
		if u.raw != nil && u.quiet && bounds.Check(u.at).OK() && w.quiet(w.net.byUID(s.UID)) {
			w.broken(i, Counted, n, "skips uid %d as %v, which stored its gradient in time", s.UID, s.Verdict)
		}
	}
}

// selected reports whether a list of some validator that is in force has the peer, or there
// is none. Who cannot read the lists goes by the first candidates.
func (w *watch) selected(uid protocol.UID, window protocol.Window) bool {
	if int(uid) < w.net.config.Validators+w.net.run.Params.MaxTopKPeers {
		return true
	}
	return slices.ContainsFunc(w.lists, func(l wire.PeerList) bool {
		return l.EffectiveFrom <= window && slices.Contains(l.Peers, uid)
	})
}

// sampled compares a sync sample with the parameters after the Aggregate that it names. Its signature is
// for the validators to check: here only the state hash and the values count.
func (w *watch) sampled(n *Node, window protocol.Window, raw []byte) {
	i := w.net.index(window)
	values := min(w.net.run.Params.SampleValues, w.net.run.Space.Size())
	m, verdict := wire.DecodeSample(raw, wire.Expect{Run: w.net.run.Hash, Window: window, UID: n.UID, Hotkey: n.signer.Hotkey()}, values)
	if !verdict.OK() {
		w.broken(i, Samples, n, "its sync sample is %v", verdict)
		return
	}
	l := w.links[m.Issue.Content]
	switch {
	case l == nil && i < len(w.published)-remembered:
		return
	case l == nil || l.window != i:
		w.broken(i, Samples, n, "samples a window without an Aggregate")
		return
	case l.state != m.State:
		w.broken(i, Samples, n, "its sync sample has state %s, the chain of Aggregates gives %s", m.State.Short(), l.state.Short())
		return
	}
	end, err := w.net.blocks.chain.Block(w.net.ctx, w.net.run.Params.FirstBlock(window+1))
	if err != nil || l.params == nil || w.net.replaced[end.Number] {
		return
	}
	for k, v := range (attest.Samples{Run: w.net.run}).Of(l.params, end, n.signer.Hotkey()) {
		if m.Values[k] != v {
			w.broken(i, Samples, n, "value %d of the sync sample is %v, want %v", k, m.Values[k], v)
			return
		}
	}
}

// checkpointed checks a checkpoint whose manifest has just been stored.
func (w *watch) checkpointed(n *Node, bucket string, next protocol.Window, raw []byte) {
	var m checkpoint.Manifest
	if err := payload(raw, &m); err != nil {
		w.broken(w.net.index(next), Checkpoints, n, "stores a manifest that cannot be read: %v", err)
		return
	}
	if l := w.links[m.Previous]; l != nil && l.state != m.StateHash {
		w.broken(w.net.index(next), Checkpoints, n, "its checkpoint has state %s, the chain of Aggregates gives %s", m.StateHash.Short(), l.state.Short())
	} else if l == nil {
		w.holds(Checkpoints, n, m.Next, m.StateHash, "its checkpoint")
	}
	b, err := w.net.store.Dial(location(bucket, false))
	for _, f := range m.Files {
		if err == nil {
			info, missing := b.Head(w.net.ctx, protocol.CheckpointPrefix(next)+f.Name)
			if missing != nil || info.Size != f.Size {
				w.broken(w.net.index(next), Checkpoints, n, "stores a manifest that names %s, which is not there", f.Name)
			}
		}
	}
}

// payload reads a sealed document without a check of its signer.
func payload(raw []byte, into any) error {
	var doc struct {
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return err
	}
	return json.Unmarshal(doc.Payload, into)
}

func (n *Network) byUID(uid protocol.UID) *Node { return n.nodes[min(int(uid), len(n.nodes)-1)] }
