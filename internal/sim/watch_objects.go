package sim

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
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
		w.publishes(n, window, raw)
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

// publishes takes the next link of the chain of Aggregates.
func (w *watch) publishes(n *Node, window protocol.Window, raw []byte) {
	run, i := w.net.run, w.net.index(window)
	a, hash, verdict := run.Aggregate(raw, window, 0)
	if !verdict.OK() {
		w.broken(i, OneAggregate, n, "publishes an Aggregate that is %v", verdict)
		return
	}
	if i >= 0 && i < len(w.published) {
		if w.published[i].hash != hash {
			w.broken(i, OneAggregate, n, "publishes %s, published was %s", hash.Short(), w.published[i].hash.Short())
		} else { // which the store had forgotten
			w.net.trace.add(n, "puts back %d", i)
		}
		return
	}
	if i != len(w.published) {
		w.broken(i, Unbroken, n, "publishes the window before window %d", len(w.published))
		return
	}
	var previous protocol.Hash
	if i > 0 {
		previous = w.published[i-1].hash
	}
	topic := w.net.faults.falsifies(n, i)
	if a.Previous != previous && topic != "history" {
		w.broken(i, Unbroken, n, "names %s as the Aggregate before, which is %s", a.Previous.Short(), previous.Short())
	}
	if !run.Method.AcceptsRate(uint64(i), a.LearningRate) && topic != "rate" {
		w.broken(i, Unbroken, n, "has learning rate %v", a.LearningRate)
	}
	if c := w.closings[i]; (c == nil || wire.ClosingHash(c) != a.Closing) && topic != "closing" {
		w.broken(i, Sealed, n, "names a closing statement that is not the window's")
	}
	w.append(a, hash)
	if topic == "" {
		w.judge(n, i, a)
	}
	w.forget(i)
}

func (w *watch) append(a *run.Aggregate, hash protocol.Hash) {
	run := w.net.run
	params := slices.Clone(w.params[len(w.params)-1])
	run.Method.Apply(params, a.Update, a.LearningRate)
	w.published = append(w.published, published{a, hash})
	w.params = append(w.params, params)
	w.states = append(w.states, run.Space.Hash(params))
}

// remembered is for how many windows the watch keeps parameters and gradients: longer than
// any node lags behind while it samples.
const remembered = 64

func (w *watch) forget(i int) {
	if old := i - remembered; old >= 0 {
		w.params[old] = nil
		for _, n := range w.net.nodes {
			delete(w.uploads, upload{old, n.UID})
		}
		delete(w.closings, old)
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
	if w.closings[i] == nil || wire.ClosingHash(w.closings[i]) != k.Closing {
		w.broken(i, Sealed, n, "reveals its key before the window is closed, or against another statement")
	}
	at := upload{i, n.UID}
	if u, known := w.uploads[at]; known {
		u.key = bytes.Clone(k.Key[:])
		w.uploads[at] = u
	}
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
	if !w.quiet(n) {
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

// sampled compares a sync sample with the parameters after its window. Its signature is
// for the validators to check: here only the state hash and the values count.
func (w *watch) sampled(n *Node, window protocol.Window, raw []byte) {
	i := w.net.index(window)
	if i < 0 || i+1 >= len(w.params) || w.params[i+1] == nil {
		if i+1 >= len(w.params) {
			w.broken(i, Samples, n, "samples a window without an Aggregate")
		}
		return
	}
	end, err := w.net.blocks.chain.Block(w.net.ctx, w.net.run.Params.FirstBlock(window+1))
	if err != nil {
		return
	}
	want := attest.Samples{Run: w.net.run}.Of(w.params[i+1], end, n.signer.Hotkey())
	at := len(raw) - sampleTrailer - 4*len(want)
	if state := at - 4 - len(protocol.Hash{}); state >= 0 { // before the number of values
		w.holds(Samples, n, window+1, protocol.Hash(raw[state:at-4]), "its sync sample")
	}
	if w.net.replaced[end.Number] || at < 0 {
		return
	}
	values := raw[at:]
	for k, v := range want {
		if binary.LittleEndian.Uint32(values[4*k:]) != math.Float32bits(v) {
			w.broken(i, Samples, n, "value %d of the sync sample is %v, want %v", k, math.Float32frombits(binary.LittleEndian.Uint32(values[4*k:])), v)
			return
		}
	}
}

// sampleTrailer is what follows the values of a sample: digest and signature.
const sampleTrailer = 32 + 64

// checkpointed checks a checkpoint whose manifest has just been stored.
func (w *watch) checkpointed(n *Node, bucket string, next protocol.Window, raw []byte) {
	var m checkpoint.Manifest
	if err := payload(raw, &m); err != nil {
		w.broken(w.net.index(next), Checkpoints, n, "stores a manifest that cannot be read: %v", err)
		return
	}
	w.holds(Checkpoints, n, m.Next, m.StateHash, "its checkpoint")
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
