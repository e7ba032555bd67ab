package bench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"templar/codec"
	"templar/protocol"
)

// TestMemory measures what an aggregate of 15 peers takes for a tenth of the 1b
// preset's parameters: as many layers, widths and vocabulary about a third.
//
//	CODEC_MEMORY=1 go test -run Memory -v ./codec/bench
func TestMemory(t *testing.T) {
	if os.Getenv("CODEC_MEMORY") == "" {
		t.Skip("set CODEC_MEMORY=1: takes a minute and a gigabyte")
	}
	full := protocol.Default().Model
	tenth := full
	tenth.HiddenSize, tenth.IntermediateSize, tenth.VocabSize = 640, 2560, 10240
	layout := tenth.Layout()
	c, err := codec.New(layout, codec.Spec{TargetChunk: 64, TopK: 32})
	if err != nil {
		t.Fatal(err)
	}
	c = c.Parallel(2, goroutines)
	gs := compressed(t, c)
	body := 0
	for _, g := range gs {
		body += len(g.Bytes())
	}
	before := heap()
	begin := time.Now()
	u := c.Aggregate(gs)
	took := time.Since(begin)
	after := heap()
	fmt.Printf("%d parameters (1b has %d), %d peers, 2 goroutines, %v\n", layout.Size(), full.Layout().Size(), len(gs), took)
	fmt.Printf("payloads %.1f MB, aggregate %.1f MB, all that aggregating allocated %.2f MB, garbage or not\n",
		mb(uint64(body)), mb(uint64(len(u.Bytes()))), mb(after-before))
	if working := after - before - uint64(len(u.Bytes())); working > 4<<20 {
		t.Errorf("working memory of %.1f MB: want one that does not grow with the model", mb(working))
	}
}

// compressed are 15 gradients of noise, the memory of which is given back.
func compressed(t *testing.T, c *codec.Codec) (gs []*codec.Gradient) {
	m := make([]float32, c.Layout().Size())
	r := rand.New(rand.NewPCG(1, 1))
	for i := range m {
		m[i] = float32(r.NormFloat64())
	}
	for range peers {
		m[r.IntN(len(m))]++
		g, err := c.Compress(m)
		if err != nil {
			t.Fatal(err)
		}
		gs = append(gs, g)
	}
	return gs
}

// heap is all memory ever allocated.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func mb(n uint64) float64 { return float64(n) / 1e6 }
