// Package run is what all objects of a run have in common: its parameters, the hash that
// names them, and the codec that they describe.
package run

import (
	"runtime"

	"templar/codec"
	"templar/internal/clock"
	"templar/protocol"
)

// Run is what all objects of a run have in common.
type Run struct {
	Params *protocol.Params
	Hash   protocol.Hash
	Codec  *codec.Codec
}

// New checks the run parameters and prepares their codec.
func New(p protocol.Params) (Run, error) {
	if err := p.Validate(); err != nil {
		return Run{}, err
	}
	c, err := codec.New(p.Model.Layout(), codec.Spec{TargetChunk: p.TargetChunk, TopK: p.TopK, Scheme: codec.DefaultScheme})
	if err != nil {
		return Run{}, err
	}
	return Run{Params: &p, Hash: p.Hash(), Codec: c.Parallel(runtime.GOMAXPROCS(0), atOnce)}, nil
}

// atOnce shares the codec's work among goroutines: pure computing, so that no clock
// but the machine's needs to know.
func atOnce(n int, f func(i int)) { clock.Wall{}.Each(n, n, f) }
