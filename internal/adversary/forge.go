package adversary

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"templar/internal/chain"
	"templar/internal/run"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

func notANumber(_ context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	return c.unpackable(g, float32(math.NaN()))
}

func infinite(_ context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	return c.unpackable(g, float32(math.Inf(1)))
}

// unpackable sends one coefficient whose scale no honest encoder would write.
func (c *cheater) unpackable(g *run.Gradient, scale float32) (_ []byte, err error) {
	const coefficient = 127 // the largest code of 8 bits times a scale of one
	var chunks []method.Chunk
	c.Run.Method.Chunks(g.Payload, func(method.Chunk) { chunks = append(chunks, method.Chunk{}) })
	chunks[0] = method.Chunk{Index: []uint16{0}, Value: []float32{coefficient}}
	p, err := c.Run.Method.Pack(chunks)
	if err != nil {
		return nil, err
	}
	carry(g, p)
	g.Body = bytes.Clone(g.Body)
	at := bytes.Index(g.Body, float32Bytes(1))
	copy(g.Body[max(at, 0):], float32Bytes(scale))
	return c.sign(g)
}

func float32Bytes(v float32) []byte {
	return binary.LittleEndian.AppendUint32(nil, math.Float32bits(v))
}

// impostor names another miner in the header.
func impostor(ctx context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	if err := c.Directory.Refresh(ctx); err != nil {
		return nil, err
	}
	victims := c.others()
	if len(victims) == 0 {
		return nil, nil
	}
	return c.forged(g, func(message []byte) { copy(message[hotkeyAt:], victims[0].Hotkey[:]) })
}

// hotkeyAt is where a header names the hotkey (spec/wire, "Envelope").
const hotkeyAt = 48

// junk has a gradient's size and none of its form.
func junk(_ context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	b, err := c.sign(g)
	d := c.draw(g.Window)
	for i := range b {
		b[i] = byte(d.Uint64())
	}
	return b, err
}

// identity signs as the all-zero hotkey, the identity of the group, for which the identity and a
// zero are a valid signature of any message where the identity is not refused.
type identity struct{}

func (identity) Hotkey() protocol.Hotkey { return protocol.Hotkey{} }

func (identity) Sign([]byte) (sig protocol.Signature, err error) {
	sig[len(sig)-1] = 0x80 // marks the signature's kind
	return sig, nil
}

// zeroKey registers and commits with the all-zero hotkey, where the chain lets it, and names it in its
// uploads.
func zeroKey(ctx context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	if !c.tried {
		c.tried = true
		// The chain's refusal is what is expected.
		_, _ = c.Chain.Register(ctx, identity{}, chain.Registration{})
		_, _ = c.Chain.Commit(ctx, identity{}, make([]byte, 128))
	}
	b, err := c.forged(g, func(message []byte) { copy(message[hotkeyAt:], make([]byte, len(protocol.Hotkey{}))) })
	if err != nil {
		return nil, err
	}
	sig, err := identity{}.Sign(nil)
	copy(b[wire.GradientHeaderSize-len(sig):], sig[:])
	return b, err
}

// forged returns g's sealed object with a changed header under a valid signature of the cheater's (spec/wire,
// "Gradient").
func (c *cheater) forged(g *run.Gradient, change func(header []byte)) ([]byte, error) {
	b, err := c.sign(g)
	if err != nil {
		return nil, err
	}
	header := b[:wire.GradientHeaderSize-sha256.Size-len(protocol.Signature{})]
	change(header)
	digest := sha256.Sum256(header)
	sig, err := c.Signer.Sign(append(fmt.Appendf(nil, "templar/v%d/gradient\x00", protocol.Version), digest[:]...))
	if err != nil {
		return nil, err
	}
	copy(b[len(header):], append(digest[:], sig[:]...))
	return b, nil
}

func wrongSignature(_ context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	b, err := c.sign(g)
	if err != nil {
		return nil, err
	}
	b[wire.GradientHeaderSize-len(protocol.Signature{})] ^= 1
	return b, nil
}

func truncated(_ context.Context, c *cheater, g *run.Gradient) (_ []byte, err error) {
	b, err := c.sign(g)
	return b[:len(b)/2], err
}

func oversized(_ context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	b, err := c.sign(g)
	if err != nil {
		return nil, err
	}
	most := c.Run.MaxGradient()
	return append(b, make([]byte, most+1-int64(len(b)))...), nil
}
