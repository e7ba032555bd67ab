package model

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	"templar/protocol"
)

// Init draws theta_0: norms are one, everything else is normal with the model's
// InitStd. The same seed gives the same parameters.
func Init(m protocol.Model, seed uint64) []float32 {
	key := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("templar theta_0\x00"), seed))
	rng := rand.New(rand.NewChaCha8(key))
	layout := m.Layout()
	params := make([]float32, layout.Size())
	for _, t := range layout {
		p := params[t.Offset:][:t.Size()]
		for i := range p {
			p[i] = 1
			if len(t.Shape) > 1 {
				p[i] = float32(rng.NormFloat64() * m.InitStd)
			}
		}
	}
	return params
}
