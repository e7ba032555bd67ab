package testnet

import (
	"encoding/hex"

	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/versioned"
	"templar/protocol"
	"templar/wire"
)

// GradientKey returns the key with which a miner seals its gradient of w: revealed, or from its own disk, where it stands
// before the window is closed.
func (n *Network) GradientKey(node string, w protocol.Window) (key wire.GradientKey) {
	n.t.Helper()
	x := n.Node(node)
	if raw, _, err := store.ReadAll(n.ctx, n.Bucket(node), protocol.RevealKey(w, x.UID), -1); err == nil {
		k, verdict := wire.DecodeKey(raw, wire.Expect{Run: n.Run.Hash, Window: w, UID: x.UID, Hotkey: x.Signer.Hotkey()})
		if !verdict.OK() {
			n.t.Errorf("key of %s in window %d: %v", node, w, verdict)
			return key
		}
		return k.Key
	}
	var all []struct {
		Window protocol.Window `json:"window"`
		Key    string          `json:"key"`
	}
	n.must(store.LoadFile(n.ctx, n.Node(node).Local, versioned.File{Name: "keys.json", Version: 1}, -1, &all))
	for _, k := range all {
		if k.Window == w {
			b, err := hex.DecodeString(k.Key)
			n.must(err)
			copy(key[:], b)
		}
	}
	return key
}

// Gradient opens a miner's gradient of w.
func (n *Network) Gradient(node string, w protocol.Window) *run.Gradient {
	n.t.Helper()
	x := n.Node(node)
	sealed, _, err := store.ReadAll(n.ctx, n.Bucket(node), protocol.GradientKey(w, x.UID), -1)
	n.must(err)
	g, verdict := n.Run.Open(sealed, n.GradientKey(node, w), wire.Expect{Run: n.Run.Hash, Window: w, UID: x.UID, Hotkey: x.Signer.Hotkey()})
	if !verdict.OK() {
		n.t.Errorf("gradient of %s in window %d: %v", node, w, verdict)
		return nil
	}
	return g
}

// Seal returns a gradient as its miner uploads it.
func (n *Network) Seal(node string, g *wire.Gradient, key wire.GradientKey) []byte {
	n.t.Helper()
	opened, err := wire.EncodeGradient(g, n.Run.Format(), key, n.Node(node).Signer)
	n.must(err)
	sealed, _, _ := wire.SplitGradient(opened)
	return sealed
}

// Reveal stores a miner's key of a gradient of w, past all faults and without a closing statement.
func (n *Network) Reveal(node string, w protocol.Window, key wire.GradientKey) {
	n.t.Helper()
	x := n.Node(node)
	b, err := wire.EncodeKey(&wire.Key{Run: n.Run.Hash, Window: w, UID: x.UID, Hotkey: x.Signer.Hotkey(), Key: key}, x.Signer)
	n.must(err)
	n.Upload(node, protocol.RevealKey(w, x.UID), b)
}
