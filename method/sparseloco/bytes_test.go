package sparseloco_test

import (
	"os"
	"strconv"
	"testing"

	"templar/codec"
	"templar/method"
	"templar/protocol"
)

// bytesVar is a number of miners, of which TestBytes states the bytes in place of three.
const bytesVar = "SPARSELOCO_MINERS"

// A full chunk of real pseudo-gradients takes at most 79 bytes with 64 values of two bits. Its positions alone would take 58.9 if they were uniform,
// and its codes 16: 74.9 together, without magnitudes. Of real ones, many are next to each other.
func TestBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for seconds")
	}
	miners := 3
	if n, err := strconv.Atoi(os.Getenv(bytesVar)); err == nil {
		miners = n
	}
	p := params(t)
	p.MaxTopKPeers = max(p.MaxTopKPeers, miners)
	n := newNetwork(t, p, miners)
	for step := range uint64(4) {
		payloads, _, _ := n.window(t, step)
		sent, least, most := 0, 1e9, 0.0
		for _, p := range payloads {
			size := fullChunk(t, n.m, p)
			least, most, sent = min(least, size), max(most, size), sent+len(p.Bytes())
		}
		update := len(n.m.Reduce(payloads).Bytes())
		t.Logf("window %d: %.1f to %.1f bytes a full chunk; %d payloads %d bytes, their update %d", step, least, most, miners, sent, update)
		if most > 79 {
			t.Errorf("window %d: %.1f bytes a full chunk", step, most)
		}
	}
}

// fullChunk is the mean size of a payload's chunks of 64 values, coded by themselves.
func fullChunk(t *testing.T, m *method.Method, p method.Payload) float64 {
	t.Helper()
	var full []codec.Chunk
	m.Chunks(p, func(c method.Chunk) {
		if len(c.Index) == 64 {
			full = append(full, codec.Chunk{Index: c.Index, Value: c.Value})
		}
	})
	spec := codec.SparseSpec{TargetChunk: 64, TopK: 64, Levels: codec.Levels2, Update: codec.Levels4, MaxPeers: 1}
	c, err := codec.NewSparse(protocol.Layout{{Name: "full", Shape: []int{64 * len(full), 64}}}, spec)
	if err != nil {
		t.Fatal(err)
	}
	g, err := c.Pack(full)
	if err != nil {
		t.Fatal(err)
	}
	return float64(len(g.Bytes())) / float64(len(full))
}
