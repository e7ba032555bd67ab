package state

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"testing"

	"templar/protocol"
)

// layoutOf names tensors a, b, c ... of the given shapes.
func layoutOf(shapes ...[]int) (l protocol.Layout) {
	for i, s := range shapes {
		l = append(l, protocol.Tensor{Name: string(rune('a' + i)), Shape: s, Offset: l.Size()})
	}
	return l
}

func space(t *testing.T, l protocol.Layout) *Space {
	t.Helper()
	s, err := New(l)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStateHashIsTheSpecification(t *testing.T) {
	c := space(t, layoutOf([]int{2, 2}, []int{1}))
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
	if got := c.Hash([]float32{1, 2, 3, 4, 5}); got != sha256.Sum256(root) {
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
	c := space(t, layoutOf([]int{10}, []int{3, TileSize}))
	p := make([]float32, c.Size())
	before := c.Tree(p)
	at := 10 + 2*TileSize
	p[at] = float32(math.Copysign(0, -1)) // the two zeros are different bits
	after := c.Tree(p)
	want := []Tile{{Tensor: "b", Index: 2, From: 2 * TileSize, To: 3 * TileSize}}
	if got := after.Diff(before); !slices.Equal(got, want) {
		t.Errorf("states differ in %v, want %v", got, want)
	}
	if before.Root() == after.Root() {
		t.Error("the root does not see the difference")
	}
	p[at] = 0
	if again := c.Tree(p); again.Root() != before.Root() || again.Diff(before) != nil {
		t.Error("equal states differ")
	}
}

func TestStateHashSeesTheTable(t *testing.T) {
	p := make([]float32, 4)
	square := space(t, layoutOf([]int{2, 2}))
	line := space(t, layoutOf([]int{4}))
	if square.Hash(p) == line.Hash(p) {
		t.Error("two tensor tables share a state hash")
	}
}

func TestSameHashForEveryNumberOfWorkers(t *testing.T) {
	s := space(t, layoutOf([]int{300, 700}, []int{9}, []int{2, TileSize}))
	p := make([]float32, s.Size())
	for i := range p {
		p[i] = float32(i%977) * 0x1p-9
	}
	want := s.Hash(p)
	for _, workers := range []int{1, 2, 7} {
		got := s.Parallel(workers, func(n int, f func(int)) {
			var g sync.WaitGroup
			for i := range n {
				g.Go(func() { f(i) })
			}
			g.Wait()
		}).Hash(p)
		if got != want {
			t.Errorf("%d workers: %v, want %v", workers, got, want)
		}
	}
}

func TestPlaceNamesTensorAndValue(t *testing.T) {
	s := space(t, layoutOf([]int{2, 3}, []int{4}))
	for i, want := range map[int]string{0: "a at 0", 5: "a at 5", 6: "b at 0", 9: "b at 3", 10: "no tensor", -1: "no tensor"} {
		if got := s.Place(i); got != want {
			t.Errorf("parameter %d is %s, want %s", i, got, want)
		}
	}
}

func TestNewChecksTheTable(t *testing.T) {
	for name, l := range map[string]protocol.Layout{
		"no name":          {{Shape: []int{1}}},
		"no dimension":     {{Name: "a"}},
		"three dimensions": {{Name: "a", Shape: []int{1, 1, 1}}},
		"an empty tensor":  {{Name: "a", Shape: []int{2, 0}}},
		"a negative size":  {{Name: "a", Shape: []int{-1}}},
		"too many values":  {{Name: "a", Shape: []int{math.MaxInt / 16, 16}}},
		"a gap":            {{Name: "a", Shape: []int{2}}, {Name: "b", Shape: []int{2}, Offset: 3}},
	} {
		if _, err := New(l); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestHashRefusesOtherSizes(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a state of another size has a hash")
		}
	}()
	space(t, layoutOf([]int{4})).Hash(make([]float32, 5))
}
