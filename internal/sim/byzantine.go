package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"time"

	"templar/internal/attest"
	"templar/internal/checkpoint"
	"templar/internal/harness"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

// byzantine is the aggregator bucket of an aggregator whose script makes it falsify
// Aggregates: they are properly signed, and wrong.
type byzantine struct {
	store.Bucket
	node *Node
}

func (b byzantine) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	raw, err := readBody(body, size)
	if err != nil {
		return store.Info{}, err
	}
	topic := ""
	k, ok := protocol.ParseKey(key)
	if ok && k.Kind == protocol.KindAggregate {
		topic = b.node.net.lies(b.node, k)
		if topic != "" {
			raw = b.node.forge(key, raw, k, topic)
		}
	}
	info, err := b.Bucket.Put(ctx, key, bytes.NewReader(raw), int64(len(raw)), o)
	if err == nil && topic == "conflict" {
		b.node.equivocate(key, raw)
	}
	if err == nil && ok && k.Kind == protocol.KindClosing && b.node.net.faults.falsifies(b.node, b.node.net.index(k.Window)) == "statements" {
		b.node.restate(key, raw, k.Window)
	}
	if topic != "" && err == nil { // so that the role reads what it has published, and goes on from it
		err = store.ErrExists
	}
	return info, err
}

// lying is the bucket of a miner whose script makes it relay other bytes than those of the Aggregate.
type lying struct {
	store.Bucket
	node *Node
}

func (b lying) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	k, ok := protocol.ParseKey(key)
	if !ok || k.Kind != protocol.KindPart || b.node.net.faults.falsifies(b.node, b.node.net.index(k.Window)) != relayedParts {
		return b.Bucket.Put(ctx, key, body, size, o)
	}
	raw, err := readBody(body, size)
	if err != nil {
		return store.Info{}, err
	}
	raw[len(raw)/2] ^= 1
	return b.Bucket.Put(ctx, key, bytes.NewReader(raw), size, o)
}

// equivocate replaces an Aggregate that the node has published by another one, after a while.
func (n *Node) equivocate(key string, raw []byte) {
	k, _ := protocol.ParseKey(key)
	other := n.falsify(raw, k, func(a *run.Aggregate) { a.GatherTime++ })
	n.replace(key, other, 2*n.net.run.Params.WindowTime(), func() {
		n.net.trace.add(n, "replaces the Aggregate of window %d", n.net.index(k.Window))
		n.net.watch.publishes(n, k, other)
	})
}

// replace puts another object in the place of one in the aggregator bucket, within a time.
func (n *Node) replace(key string, other []byte, within time.Duration, done func()) {
	after := time.Duration(n.rand.Int64N(int64(within/tick))) * tick
	n.net.s.after(after, func() {
		b, err := n.net.store.Dial(location(harness.AggregatorBucket, true))
		if err == nil {
			err = store.PutBytes(n.net.ctx, b, key, other, store.PutOptions{})
		}
		if err != nil {
			n.net.fail(err)
			return
		}
		done()
	})
}

// restate signs a second closing statement of a window, which leaves a miner out: it replaces the first after a while,
// or every second miner is shown it instead.
func (n *Node) restate(key string, raw []byte, w protocol.Window) {
	i := n.net.index(w)
	c, _, verdict := n.net.run.Closing(raw, w)
	if !verdict.OK() || len(c.Listed) == 0 || n.net.restated[i] != nil {
		return
	}
	c.Listed = c.Listed[1:]
	other, err := wire.EncodeClosing(c, n.signer)
	if err != nil {
		n.net.fail(err)
		return
	}
	n.net.restated[i] = other
	if n.rand.IntN(2) == 0 {
		n.net.trace.add(n, "shows every second miner another closing statement of window %d", i)
		n.net.shown[key] = other
		return
	}
	n.replace(key, other, n.net.run.Params.WindowTime(), func() { n.net.trace.add(n, "replaces the closing statement of window %d", i) })
}

// shown is the aggregator bucket as a miner sees it that is shown other closing statements than the others.
type shown struct {
	store.Bucket
	net *Network
}

func (b shown) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	body, info, err := b.Bucket.Get(ctx, key, limit)
	other := b.net.shown[key]
	if err != nil || other == nil {
		return body, info, err
	}
	info.Size = int64(len(other))
	return io.NopCloser(bytes.NewReader(other)), info, body.Close()
}

// lies returns what the script makes a node falsify about an Aggregate; "" for nothing. It lies once about
// a window.
func (net *Network) lies(n *Node, k protocol.Key) string {
	topic := net.faults.falsifies(n, net.index(k.Window))
	if term, done := n.lied[k.Window]; done && term != k.Term {
		return ""
	}
	if topic != "" {
		n.lied[k.Window] = k.Term
	}
	return topic
}

// lied is what lies has returned.
func (net *Network) lied(n *Node, k protocol.Key) string {
	if term, done := n.lied[k.Window]; !done || term != k.Term {
		return ""
	}
	return net.faults.falsifies(n, net.index(k.Window))
}

// forge returns the falsified Aggregate of a key: the same bytes at each call.
func (n *Node) forge(key string, raw []byte, k protocol.Key, topic string) []byte {
	if n.forged[key] == nil {
		n.forged[key] = n.falsify(raw, k, func(a *run.Aggregate) { n.net.falsify(a, topic) })
	}
	return n.forged[key]
}

// falsify changes an Aggregate that the node signed, and signs it anew.
func (n *Node) falsify(raw []byte, k protocol.Key, change func(*run.Aggregate)) []byte {
	run := n.net.run
	a, _, verdict := run.Aggregate(bytes.Clone(raw), k.Window, k.Term)
	if !verdict.OK() {
		return raw
	}
	change(a)
	changed, err := wire.EncodeAggregate(&a.Aggregate, run.Format(), n.signer)
	if err != nil {
		return raw
	}
	return changed
}

// falsify makes one part of an Aggregate wrong.
func (n *Network) falsify(a *run.Aggregate, topic string) {
	switch topic {
	case "sum":
		a.Set(flipped(n.run.Method, a.Update))
	case "rate":
		a.LearningRate *= 2
	case "members":
		if len(a.Included) > 0 {
			a.Included[0].Content[0] ^= 1
		}
	case "closing":
		a.Closing[0] ^= 1
	case "history":
		a.Previous[0] ^= 1
	}
}

// flipped changes the first bit of an update that gives another one.
func flipped(r method.Reducer, u method.Update) method.Update {
	if u == nil {
		return nil
	}
	for i := range 8 * len(u.Bytes()) {
		b := bytes.Clone(u.Bytes())
		b[i/8] ^= 1 << (i % 8)
		if changed, verdict := r.ReadUpdate(b); verdict.OK() {
			return changed
		}
	}
	return u
}

// betray lets the byzantine validators sign the state after a false Aggregate as soon as there is one.
func (net *Network) betray(l *vertex) {
	end, err := net.blocks.chain.Block(net.ctx, net.run.Params.FirstBlock(l.Window+1))
	if err != nil {
		return
	}
	for _, v := range net.traitors() {
		m := &wire.Sample{
			Run: net.run.Hash, Window: l.Window, UID: v.UID, Hotkey: v.signer.Hotkey(), GlobalStep: uint64(l.window) + 1, Issue: l.Issue,
			State: l.state, Values: attest.Samples{Run: net.run}.Of(l.params, end, v.signer.Hotkey()),
		}
		b, err := wire.EncodeSample(m, v.signer)
		if err == nil {
			err = v.plant(protocol.SampleKey(l.Window, v.UID), b)
		}
		if err != nil {
			net.fail(err)
		}
	}
}

// traitors are the validators that lie in this window.
func (net *Network) traitors() (out []*Node) {
	for _, n := range net.nodes {
		if n.Role == telemetry.Validator && net.faults.falsifies(n, net.window) != "" {
			out = append(out, n)
		}
	}
	return out
}

// plant stores an object in the node's own bucket, past its role.
func (n *Node) plant(key string, body []byte) error {
	b, err := n.net.store.Dial(location(n.Name, true))
	if err != nil {
		return err
	}
	return store.PutBytes(n.net.ctx, b, key, body, store.PutOptions{})
}

// slander lets the byzantine validators charge the newest true Aggregate, rewrite the start of the run, and
// publish a checkpoint of their own making, in every window.
func (net *Network) slander() error {
	if net.watch == nil || len(net.watch.published) == 0 {
		return nil
	}
	l := net.watch.published[len(net.watch.published)-1]
	for _, v := range net.traitors() {
		charge := wire.Charge{Term: l.Term, Window: l.Window, Reason: wire.ReasonUpdate, Accused: l.Aggregator, Content: l.hash}
		charges, err := wire.Seal(wire.DomainCharges, wire.Charges{Run: net.run.Hash, Charges: []wire.Charge{charge}}, v.signer)
		if err != nil {
			return err
		}
		start, err := wire.Seal(wire.DomainStartWindow, wire.StartWindow{Run: net.run.Hash, StartWindow: l.Window + 3, StateHash: protocol.Hash{1}}, v.signer)
		if err != nil {
			return err
		}
		if err := errors.Join(v.plant(protocol.ChargesKey(), charges), v.plant(protocol.StartWindowKey(), start), v.forgeCheckpoint(l)); err != nil {
			return err
		}
	}
	return nil
}

// forgeCheckpoint stores a checkpoint of other parameters, two windows ahead of what is published.
func (n *Node) forgeCheckpoint(l *vertex) error {
	b, err := n.net.store.Dial(location(n.Name, true))
	if err != nil {
		return err
	}
	params := slices.Clone(l.params)
	for i := range params {
		params[i] = -params[i]
	}
	s := checkpoint.Saver{Run: n.net.run, Schedule: schedule.Schedule{Params: n.net.run.Params, Blocks: n.net.blocks.chain}, Signer: n.signer, Log: slog.New(slog.DiscardHandler)}
	_, _, err = s.Save(n.net.ctx, b, checkpoint.State{Start: n.net.start, Next: l.Window + 1, Previous: l.hash, Term: l.Term, Params: params})
	return err
}
