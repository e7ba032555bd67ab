package protocol

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/mr-tron/base58"
	"github.com/oasisprotocol/curve25519-voi/primitives/sr25519"
	"golang.org/x/crypto/blake2b"
)

// Hotkey is an sr25519 public key: a node's identity on the chain and on the wire.
// Its text form is an SS58 address with the generic Substrate prefix 42.
type Hotkey [32]byte

// Signature is an sr25519 signature under the context "substrate". It is randomised:
// signing a message twice gives two signatures, so a signature identifies nothing.
type Signature [64]byte

// Signer holds a hotkey's secret half.
type Signer interface {
	Hotkey() Hotkey
	Sign(message []byte) (Signature, error)
}

const ss58Prefix = 42

var signingContext = sr25519.NewSigningContext([]byte("substrate"))

// Validate reports why h cannot be a hotkey: it is no canonical encoding of a Ristretto point, or it
// is the identity, which is the only point of low order. Its encoding is all zeros. A signature by
// the identity can be made for any message without a secret.
func (h Hotkey) Validate() error {
	if h.IsZero() {
		return errIdentity
	}
	if _, err := sr25519.NewPublicKeyFromBytes(h[:]); err != nil {
		return errors.New("hotkey: not the encoding of a point of the group")
	}
	return nil
}

var errIdentity = errors.New("hotkey: it is zero, the identity of the group, which has no secret")

// Verify reports whether sig is h's signature of message. It is false for every hotkey that Validate
// refuses.
func (h Hotkey) Verify(message []byte, sig Signature) bool {
	if h.IsZero() {
		return false
	}
	key, err := sr25519.NewPublicKeyFromBytes(h[:])
	if err != nil {
		return false
	}
	s, err := sr25519.NewSignatureFromBytes(sig[:])
	if err != nil {
		return false
	}
	return key.Verify(signingContext.NewTranscriptBytes(message), s)
}

// String returns the SS58 address.
func (h Hotkey) String() string {
	body := append([]byte{ss58Prefix}, h[:]...)
	sum := ss58Checksum(body)
	return base58.Encode(append(body, sum[:2]...))
}

// IsZero reports whether no key was set.
func (h Hotkey) IsZero() bool { return h == Hotkey{} }

// MarshalText writes the SS58 address.
func (h Hotkey) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads an SS58 address.
func (h *Hotkey) UnmarshalText(b []byte) (err error) {
	*h, err = ParseHotkey(string(b))
	return err
}

// ParseHotkey reads an SS58 address of prefix 42. It refuses that of the zero key. Other keys are not
// decoded, since an address may also be a coldkey's of another kind; Verify decodes them.
func ParseHotkey(address string) (Hotkey, error) {
	const length = 1 + len(Hotkey{}) + 2
	if len(address) > 64 {
		return Hotkey{}, fmt.Errorf("hotkey: %d characters is too long for an SS58 address", len(address))
	}
	raw, err := base58.Decode(address)
	if err != nil {
		return Hotkey{}, fmt.Errorf("hotkey %q: not base58", address)
	}
	if len(raw) != length {
		return Hotkey{}, fmt.Errorf("hotkey %q: %d bytes, want %d", address, len(raw), length)
	}
	if raw[0] != ss58Prefix {
		return Hotkey{}, fmt.Errorf("hotkey %q: SS58 prefix %d, want %d", address, raw[0], ss58Prefix)
	}
	sum := ss58Checksum(raw[:length-2])
	if raw[length-2] != sum[0] || raw[length-1] != sum[1] {
		return Hotkey{}, fmt.Errorf("hotkey %q: checksum does not match", address)
	}
	h := Hotkey(raw[1 : length-2])
	if h.IsZero() {
		return Hotkey{}, errIdentity
	}
	return h, nil
}

func ss58Checksum(body []byte) [64]byte {
	return blake2b.Sum512(append([]byte("SS58PRE"), body...))
}

// String returns the signature in hexadecimal.
func (s Signature) String() string { return hex.EncodeToString(s[:]) }

// MarshalText writes the signature in hexadecimal.
func (s Signature) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads 128 hexadecimal digits.
func (s *Signature) UnmarshalText(b []byte) error {
	if hex.DecodedLen(len(b)) != len(s) {
		return errors.New("signature: want 128 hexadecimal digits")
	}
	_, err := hex.Decode(s[:], b)
	return err
}
