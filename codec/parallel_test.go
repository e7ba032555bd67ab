package codec

import (
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"templar/protocol"
)

// goroutines is an Each that runs all calls at once.
func goroutines(n int, f func(int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// large has many pieces, some of several tensors, and rows that begin within a byte.
func large() protocol.Layout {
	return layoutOf([]int{576, 512}, []int{12}, []int{20}, []int{384, 64}, []int{512, 640}, []int{512, 512}, []int{43, 26}, []int{7, 13}, []int{96, 100})
}

// everything is what a codec makes of fixed momenta, gradients read in a given order.
func everything(t *testing.T, c *Codec, order []int) (hashes []protocol.Hash) {
	t.Helper()
	gs := make([]*Gradient, len(order))
	for _, uid := range order {
		made := compress(t, c, noise(uint64(uid), c.parameters()))
		g, v := c.ReadGradient(made.Bytes())
		if !v.OK() {
			t.Fatal(v)
		}
		gs[uid] = g
	}
	u := c.Aggregate(gs)
	params := noise(99, c.parameters())
	c.Apply(params, u, 4e-4, 0.1)
	c.Subtract(params, gs[1])
	decoded := make([]float32, len(params))
	c.Decode(gs[0], decoded)
	return []protocol.Hash{sha256.Sum256(gs[0].Bytes()), sha256.Sum256(u.Bytes()), stateHash(c, params), stateHash(c, decoded)}
}

// What the tensors of large must give, whatever computes it.
var goldenLarge = []string{
	"b93ee67fc1b0cb64e1de115e8b2b2586077f83815819a1a4cd94b89e8e3e217c",
	"571cbf0f16cb09471a8a21d62d66b3c610f0b75acb412ad5ae665352f36f71f6",
	"b688f5dc049aa4184691368eb0656388fcc21f0307018a5a823134cafdc6ad65",
	"b805d4639197a54a74decf2a41819639696a89557689e9da69cb84165b51f8a9",
}

func TestSameBitsForAnyNumberOfWorkersAndOrder(t *testing.T) {
	c := newCodec(t, large(), Spec{TargetChunk: 64, TopK: 32})
	if len(c.pieces) < 4 {
		t.Fatalf("%d pieces: nothing to share", len(c.pieces))
	}
	want := everything(t, c, []int{0, 1, 2})
	for i, h := range want {
		if h.String() != goldenLarge[i] {
			t.Errorf("gradient, update, state, decoded: %v, want %v", want, goldenLarge)
			break
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for _, workers := range []int{1, 2, 5} {
		if got := everything(t, c.Parallel(workers, goroutines), r.Perm(3)); !slices.Equal(got, want) {
			t.Fatalf("%d workers: %v, want %v", workers, got, want)
		}
	}
}

// Rows of chunks that end within a byte of the update do not keep workers from sharing.
func TestSameBitsWhenPiecesMeetWithinAByte(t *testing.T) {
	c := newCodec(t, layoutOf([]int{128, 128}, []int{3}, []int{1024, 128}), Spec{TargetChunk: 16, TopK: 8})
	if !c.meet || len(c.pieces) < 3 {
		t.Fatalf("%d pieces, meet: %v", len(c.pieces), c.meet)
	}
	want := everything(t, c, []int{0, 1})
	for _, workers := range []int{1, 2, 5} {
		if got := everything(t, c.Parallel(workers, goroutines), []int{1, 0}); !slices.Equal(got, want) {
			t.Fatalf("%d workers: %v, want %v", workers, got, want)
		}
	}
}

func TestPiecesShareBytesWithNeighbours(t *testing.T) {
	for _, l := range []protocol.Layout{small(), large(), layoutOf([]int{1}), layoutOf([]int{640, 64}, []int{3}, []int{640, 64})} {
		c := newCodec(t, l, Spec{TargetChunk: 64, TopK: 1})
		chunk, writer := 0, make([]int, bitBytes(c.parameters()))
		for p, piece := range c.pieces {
			if piece.first != chunk {
				t.Fatalf("piece %d is %+v: want one that begins at chunk %d", p, piece, chunk)
			}
			meet := c.meet && p > 0
			if chunk%8 != 0 && !meet {
				t.Fatalf("piece %d begins within a byte of flags", p)
			}
			for range c.chunksOf(piece) {
				chunk++
			}
			for row := range c.rowsOf(piece) {
				for b := row.at / 8; b <= (row.at+row.n-1)/8; b++ {
					if w := writer[b]; w != 0 && w != p+1 && !(meet && w == p) {
						t.Fatalf("pieces %d and %d share byte %d", w-1, p, b)
					}
					writer[b] = p + 1
				}
			}
		}
		if chunk != c.Chunks() {
			t.Fatalf("pieces hold %d chunks of %d", chunk, c.Chunks())
		}
	}
}
