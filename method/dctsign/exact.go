package dctsign

import (
	"templar/codec"
	"templar/internal/workers"
	"templar/method"
	"templar/protocol"
)

// Exact is the method with values in full precision and with access to its means. It is compared
// with test vectors of other implementations. Runs do not use it.
type Exact struct {
	*method.Method
	codec *codec.Codec
}

// NewExact returns the Exact of a tensor table.
func NewExact(layout protocol.Layout, p Params) (Exact, error) {
	m, c, err := of(layout, p, codec.SchemeF32, workers.Pool{})
	return Exact{m, c}, err
}

// Decode writes the inverse DCT of a payload to dst, which has a value for each parameter.
func (e Exact) Decode(p method.Payload, dst []float32) { e.codec.Decode(p.(*codec.Gradient), dst) }

// Mean writes the decoded mean of payloads, whose signs are their update, to dst; zero where no
// payload has a coefficient.
func (e Exact) Mean(payloads []method.Payload, dst []float32) {
	e.codec.Mean(gradients(payloads), dst)
}

// Count is the number of chunks.
func (e Exact) Count() int { return e.codec.Chunks() }

// Side returns the side of the chunks along a dimension: its largest divisor that is not above
// target.
func Side(dimension, target int) int { return codec.Side(dimension, target) }
