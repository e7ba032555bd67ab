package sim

import (
	"encoding/binary"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/primitives/sr25519"

	"templar/protocol"
)

// signer signs as a wallet does, but without randomness of its own, so that a message has
// one signature and a run repeats to the last bit. Its nonce comes from the secret and the
// message alone.
type signer struct {
	hotkey protocol.Hotkey
	pair   *sr25519.KeyPair
}

var _ protocol.Signer = (*signer)(nil)

// newSigner returns the n-th hotkey of a fixed list.
func newSigner(n int) (*signer, error) {
	mini, err := sr25519.NewMiniSecretKeyFromBytes(binary.LittleEndian.AppendUint64(make([]byte, 24), uint64(n)))
	if err != nil {
		return nil, fmt.Errorf("hotkey %d: %w", n, err)
	}
	pair := mini.ExpandEd25519().KeyPair()
	public, err := pair.PublicKey().MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("hotkey %d: %w", n, err)
	}
	return &signer{hotkey: protocol.Hotkey(public), pair: pair}, nil
}

func (s *signer) Hotkey() protocol.Hotkey { return s.hotkey }

func (s *signer) Sign(message []byte) (protocol.Signature, error) {
	context := sr25519.NewSigningContext([]byte("substrate"))
	sig, err := s.pair.Sign(zeros{}, context.NewTranscriptBytes(message))
	if err != nil {
		return protocol.Signature{}, fmt.Errorf("sign: %w", err)
	}
	b, err := sig.MarshalBinary()
	if err != nil {
		return protocol.Signature{}, fmt.Errorf("sign: %w", err)
	}
	return protocol.Signature(b), nil
}

// zeros is a source of no randomness.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
