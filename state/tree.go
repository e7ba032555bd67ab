package state

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"iter"
	"math"
	"unsafe"

	"templar/protocol"
)

// TileSize is the number of parameters under one leaf of the state hash; a tensor's last tile
// may be shorter.
const TileSize = 1 << 16

// Tree is the hash tree under a state hash: a leaf for each tile of each tensor, so that two
// states can be compared and a difference located (spec/state, "State hash").
type Tree struct {
	layout protocol.Layout
	leaves []protocol.Hash
}

// Tile is a range of one tensor's values.
type Tile struct {
	Tensor string
	Index  int // within the tensor
	From   int // values of the tensor: [From, To)
	To     int
}

// Hash is the state hash: it identifies the parameters, to the bit, under this tensor table. It
// panics when params does not have the size of the layout.
func (s *Space) Hash(params []float32) protocol.Hash { return s.Tree(params).Root() }

// Tree hashes every tile of params. It panics when params does not have the size of the layout.
func (s *Space) Tree(params []float32) Tree {
	if len(params) != s.Size() {
		panic(fmt.Sprintf("state: %d parameters, want %d", len(params), s.Size()))
	}
	t := Tree{layout: s.layout}
	var tiles []placedTile
	for tile := range t.tiles() {
		tiles = append(tiles, tile)
	}
	t.leaves = make([]protocol.Hash, len(tiles))
	s.pool.Share(len(tiles), func(items iter.Seq[int]) {
		l := newLeafHasher()
		for i := range items {
			tile := &tiles[i]
			t.leaves[i] = l.sum(params[tile.offset+tile.From : tile.offset+tile.To])
		}
	})
	return t
}

// leafHasher hashes tiles: a zero byte, and the values as they stand on the wire.
type leafHasher struct {
	digest hash.Hash
	buf    []byte
}

func newLeafHasher() *leafHasher { return &leafHasher{digest: sha256.New()} }

func (l *leafHasher) sum(values []float32) (leaf protocol.Hash) {
	l.digest.Reset()
	l.digest.Write([]byte{0})
	if lowestFirst() {
		l.digest.Write(memory(values))
	} else {
		l.digest.Write(l.encode(values))
	}
	l.digest.Sum(leaf[:0])
	return leaf
}

// lowestFirst reports whether this machine is little-endian, as the wire is. Then no copy is
// needed.
func lowestFirst() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

// memory is the bytes that hold values.
func memory(values []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values))
}

// encode is what memory returns on a machine that has the lowest byte first.
func (l *leafHasher) encode(values []float32) []byte {
	l.buf = l.buf[:0]
	for _, v := range values {
		l.buf = binary.LittleEndian.AppendUint32(l.buf, math.Float32bits(v))
	}
	return l.buf
}

// Root is the state hash.
func (t Tree) Root() protocol.Hash {
	b := AppendTable([]byte("\x01templar state\x00"), t.layout)
	for i := range t.leaves {
		b = append(b, t.leaves[i][:]...)
	}
	return sha256.Sum256(b)
}

// Diff returns the tiles in which two states of the same tensor table differ.
func (t Tree) Diff(o Tree) []Tile {
	var diff []Tile
	i := 0
	for tile := range t.tiles() {
		if i >= len(o.leaves) || t.leaves[i] != o.leaves[i] {
			diff = append(diff, tile.Tile)
		}
		i++
	}
	return diff
}

type placedTile struct {
	Tile
	offset int // of the tensor
}

func (t Tree) tiles() func(yield func(placedTile) bool) {
	return func(yield func(placedTile) bool) {
		for _, tensor := range t.layout {
			for i, size := 0, tensor.Size(); i*TileSize < size; i++ {
				tile := Tile{Tensor: tensor.Name, Index: i, From: i * TileSize, To: min((i+1)*TileSize, size)}
				if !yield(placedTile{tile, tensor.Offset}) {
					return
				}
			}
		}
	}
}
