// Package bench measures the codec beside the published algorithm in PyTorch: see
// README.md. It holds nothing but this server of single measurements.
package bench

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"templar/codec"
	"templar/protocol"
)

const (
	rows, cols = 2048, 8192
	peers      = 15
)

// TestServe answers each line of standard input with the nanoseconds that the named
// stage took once. It is compare.py that asks, so that both sides take turns.
func TestServe(t *testing.T) {
	dir := os.Getenv("CODEC_BENCH_DIR")
	if dir == "" {
		t.Skip("run by compare.py")
	}
	s := newServer(t, dir)
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		stage, scheme, _ := strings.Cut(in.Text(), " ")
		fmt.Println(s.measure(t, stage, scheme))
	}
}

type server struct {
	dir      string
	momentum []float32
	codecs   map[string]*codec.Codec
	sent     map[string][]*codec.Gradient
	sparse   *codec.Sparse
	shares   []*codec.SparseGradient
	from, to []byte
}

func newServer(t *testing.T, dir string) *server {
	b, err := os.ReadFile(dir + "/momentum.f32")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{dir: dir, codecs: map[string]*codec.Codec{}, sent: map[string][]*codec.Gradient{}}
	for ; len(b) > 0; b = b[4:] {
		s.momentum = append(s.momentum, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	layout := protocol.Layout{{Name: "weight", Shape: []int{rows, cols}}}
	for scheme := codec.SchemeF32; scheme <= codec.SchemeI8; scheme++ {
		c, err := codec.New(layout, codec.Spec{TargetChunk: 64, TopK: 32, Scheme: scheme})
		if err != nil {
			t.Fatal(err)
		}
		s.codecs[scheme.String()] = c.Parallel(2, goroutines)
	}
	sparse, err := codec.NewSparse(layout, codec.SparseSpec{TargetChunk: 64, TopK: 64, Levels: codec.Levels2, Update: codec.Levels4, MaxPeers: peers})
	if err != nil {
		t.Fatal(err)
	}
	s.sparse = sparse.Parallel(2, goroutines)
	s.from, s.to = make([]byte, 4*rows*cols), make([]byte, 4*rows*cols)
	for i := range s.from { // pages that are not written are all the same one
		s.from[i] = byte(i)
	}
	return s
}

func goroutines(n int, f func(int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func (s *server) measure(t *testing.T, stage, scheme string) int64 {
	if rest, ok := strings.CutPrefix(stage, "sparse-"); ok {
		return s.measureSparse(t, rest)
	}
	c := s.codecs[scheme]
	var gs []*codec.Gradient
	if stage == "aggregate" || stage == "write" {
		gs = s.gradients(t, scheme)
	}
	begin := time.Now()
	switch stage {
	case "encode":
		s.compress(t, c, s.momentum)
	case "aggregate":
		c.Aggregate(gs)
	case "copy": // two threads, half each: as many bytes again are read as written
		goroutines(2, func(i int) {
			half := len(s.to) / 2
			copy(s.to[i*half:][:half], s.from[i*half:])
		})
	case "write": // the update and what it was made from, for compare.py to check
		s.write(t, "signs", c.Aggregate(gs).Bytes()[c.Chunks()/8:])
		var index, value []byte
		for _, g := range gs {
			c.Each(g, func(ch codec.Chunk) {
				for i, v := range ch.Value {
					index = binary.LittleEndian.AppendUint16(index, ch.Index[i])
					value = binary.LittleEndian.AppendUint32(value, math.Float32bits(v))
				}
			})
		}
		s.write(t, "index", index)
		s.write(t, "value", value)
	default:
		t.Fatalf("no stage %q", stage)
	}
	return time.Since(begin).Nanoseconds()
}

// measureSparse is measure for the codec without a transform.
func (s *server) measureSparse(t *testing.T, stage string) int64 {
	compress := func(m []float32) *codec.SparseGradient {
		g, err := s.sparse.Compress(m)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	for p := len(s.shares); p < peers && stage != "encode"; p++ {
		s.shares = append(s.shares, compress(s.moved(p)))
	}
	begin := time.Now()
	switch stage {
	case "encode":
		compress(s.momentum)
	case "aggregate":
		s.sparse.Mean(s.shares)
	case "write": // what was sent, for compare.py to check and to aggregate
		var index, value []byte
		for _, g := range s.shares {
			s.sparse.Each(g, func(ch codec.Chunk) {
				for i, v := range ch.Value {
					index = binary.LittleEndian.AppendUint16(index, ch.Index[i])
					value = binary.LittleEndian.AppendUint32(value, math.Float32bits(v))
				}
			})
		}
		s.write(t, "index", index)
		s.write(t, "value", value)
		mean := make([]float32, rows*cols)
		s.sparse.Apply(mean, s.sparse.Mean(s.shares), -1)
		var flat []byte
		for _, v := range mean {
			flat = binary.LittleEndian.AppendUint32(flat, math.Float32bits(v))
		}
		s.write(t, "mean", flat)
	default:
		t.Fatalf("no stage sparse-%q", stage)
	}
	return time.Since(begin).Nanoseconds()
}

// moved is the momentum, moved down by a few rows for each peer.
func (s *server) moved(peer int) []float32 {
	cut := len(s.momentum) - 7*peer*cols
	return append(append([]float32(nil), s.momentum[cut:]...), s.momentum[:cut]...)
}

func (s *server) write(t *testing.T, name string, b []byte) {
	if err := os.WriteFile(s.dir+"/"+name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s *server) compress(t *testing.T, c *codec.Codec, m []float32) *codec.Gradient {
	g, err := c.Compress(m)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// gradients are those of the peers: the momentum moved down by a few rows each.
func (s *server) gradients(t *testing.T, scheme string) []*codec.Gradient {
	for p := len(s.sent[scheme]); p < peers; p++ {
		s.sent[scheme] = append(s.sent[scheme], s.compress(t, s.codecs[scheme], s.moved(p)))
	}
	return s.sent[scheme]
}
