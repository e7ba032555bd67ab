package codec

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

func TestStateHashIsTheSpecification(t *testing.T) {
	c := newCodec(t, layoutOf([]int{2, 2}, []int{1}), Spec{TargetChunk: 2, TopK: 1})
	leaf := func(values ...float32) []byte {
		b := []byte{0}
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		h := sha256.Sum256(b)
		return h[:]
	}
	root := []byte("\x01templar state\x00" +
		"\x02\x00\x00\x00" +
		"\x01\x00\x00\x00a\x02\x02\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00" +
		"\x01\x00\x00\x00b\x01\x01\x00\x00\x00\x00\x00\x00\x00")
	root = slices.Concat(root, leaf(1, 2, 3, 4), leaf(5))
	if got := c.StateHash([]float32{1, 2, 3, 4, 5}); got != sha256.Sum256(root) {
		t.Errorf("state hash is %v", got)
	}
}

// On other machines values are encoded before they are hashed.
func TestLeavesDoNotDependOnByteOrder(t *testing.T) {
	if !lowestFirst() {
		t.Skip("this machine encodes: TestStateHashIsTheSpecification is about it")
	}
	values := []float32{1, -2.5, float32(math.Inf(1)), 1e-45}
	if got := newLeafHasher().encode(values); !slices.Equal(got, memory(values)) {
		t.Errorf("encoded as % x, in memory % x", got, memory(values))
	}
}

func TestStateDiffNamesTensorAndTile(t *testing.T) {
	c := newCodec(t, layoutOf([]int{10}, []int{3, tileValues}), Spec{TargetChunk: 8, TopK: 1})
	p := make([]float32, c.parameters())
	before := c.StateTree(p)
	at := 10 + 2*tileValues
	p[at] = float32(math.Copysign(0, -1)) // the two zeros are different bits
	after := c.StateTree(p)
	want := []Tile{{Tensor: "b", Index: 2, From: 2 * tileValues, To: 3 * tileValues}}
	if got := after.Diff(before); !slices.Equal(got, want) {
		t.Errorf("states differ in %v, want %v", got, want)
	}
	if before.Root() == after.Root() {
		t.Error("the root does not see the difference")
	}
	p[at] = 0
	if again := c.StateTree(p); again.Root() != before.Root() || again.Diff(before) != nil {
		t.Error("equal states differ")
	}
}

func TestStateHashSeesTheTable(t *testing.T) {
	p := make([]float32, 4)
	square := newCodec(t, layoutOf([]int{2, 2}), Spec{TargetChunk: 2, TopK: 1})
	line := newCodec(t, layoutOf([]int{4}), Spec{TargetChunk: 2, TopK: 1})
	if square.StateHash(p) == line.StateHash(p) {
		t.Error("two tensor tables share a state hash")
	}
}
