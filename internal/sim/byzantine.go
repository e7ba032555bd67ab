package sim

import (
	"bytes"
	"context"
	"io"
	"strings"

	"templar/internal/run"
	"templar/internal/store"
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
	net := b.node.net
	forged := false
	if w, ok := protocol.KeyWindow(key); ok && strings.HasPrefix(key, objects["aggregate"]) {
		if topic := net.faults.falsifies(b.node, net.index(w)); topic != "" {
			raw, forged = b.node.forge(key, raw, w, topic), true
		}
	}
	info, err := b.Bucket.Put(ctx, key, bytes.NewReader(raw), int64(len(raw)), o)
	if forged && err == nil { // so that the role reads what it has published, and goes on from it
		err = store.ErrExists
	}
	return info, err
}

// forge returns the falsified Aggregate of a key: the same bytes at each call.
func (n *Node) forge(key string, raw []byte, w protocol.Window, topic string) []byte {
	if n.forged[key] == nil {
		n.forged[key] = n.falsify(raw, w, func(a *run.Aggregate) { n.net.falsify(a, topic) })
	}
	return n.forged[key]
}

// falsify changes an Aggregate that the node signed, and signs it anew.
func (n *Node) falsify(raw []byte, w protocol.Window, change func(*run.Aggregate)) []byte {
	run := n.net.run
	a, _, verdict := run.Aggregate(bytes.Clone(raw), w, 0)
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
