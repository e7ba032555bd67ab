package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"templar/protocol"
)

// GradientKey is the key that a gradient is sealed with, for AES-256-GCM. It is drawn for one gradient and
// revealed when the window's closing statement lists that gradient.
type GradientKey [32]byte

// NewGradientKey draws a key.
func NewGradientKey(random io.Reader) (k GradientKey, err error) {
	if _, err = io.ReadFull(random, k[:]); err != nil {
		err = fmt.Errorf("gradient key: %w", err)
	}
	return k, err
}

// String hides the key: it is secret until the window is closed.
func (GradientKey) String() string { return "***" }

// Hash is what a gradient's header commits to.
func (k GradientKey) Hash() protocol.Hash { return sha256.Sum256(k[:]) }

// The parts of a sealed gradient (spec/wire, "Gradient"): the envelope's header and
// these fields are associated data; length and hash of the ciphertext follow, then digest and signature.
const (
	associatedSize = headerSize + uidSize + 32
	// GradientHeaderSize is the size of the signed header at the beginning of a sealed gradient.
	GradientHeaderSize = associatedSize + 8 + 32 + trailerSize
	tagSize            = 16
)

// GradientHeader is the signed header of a sealed gradient.
type GradientHeader struct {
	Expect
	Key        protocol.Hash // of the key
	Size       int64         // of the ciphertext in bytes
	Ciphertext protocol.Hash
	Content    protocol.Hash // of the gradient: the digest of this header without the signature, which is randomised
}

// GradientHash is the content hash of a sealed or opened gradient: the digest of its header, which commits to
// ciphertext and key. It is the zero hash for bytes too short to be one.
func GradientHash(b []byte) protocol.Hash {
	if len(b) < GradientHeaderSize {
		return protocol.Hash{}
	}
	return sha256.Sum256(b[:GradientHeaderSize-trailerSize])
}

// SplitGradient divides an opened gradient into the sealed gradient and its key. ok is false when b is too short.
func SplitGradient(b []byte) (sealed []byte, key GradientKey, ok bool) {
	if len(b) < GradientHeaderSize+tagSize+len(key) {
		return nil, key, false
	}
	end := len(b) - len(key)
	return b[:end:end], GradientKey(b[end:]), true
}

// JoinGradient returns a sealed gradient and its key as an opened gradient.
func JoinGradient(sealed []byte, key GradientKey) []byte {
	b := make([]byte, 0, len(sealed)+len(key))
	return append(append(b, sealed...), key[:]...)
}

// sealGradient seals what stands in b behind the room for the header, in place, and appends the key.
func sealGradient(b []byte, of Expect, key GradientKey, s protocol.Signer) ([]byte, error) {
	head := newMessage(Header{KindGradient, of.Run, of.Window, of.Hotkey}, int64(GradientHeaderSize))
	head = binary.LittleEndian.AppendUint16(head, uint16(of.UID))
	hash := key.Hash()
	head = append(head, hash[:]...)
	plain := b[GradientHeaderSize:]
	b = aead(key).Seal(b[:GradientHeaderSize], nonce[:], plain, head) // in place
	ciphertext := b[GradientHeaderSize:]
	head = binary.LittleEndian.AppendUint64(head, uint64(len(ciphertext)))
	sum := sha256.Sum256(ciphertext)
	head, err := seal(append(head, sum[:]...), KindGradient, s)
	if err != nil {
		return nil, err
	}
	copy(b, head)
	return append(b, key[:]...), nil
}

// nonce is constant: a key seals one message.
var nonce [12]byte

func aead(key GradientKey) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has a valid length
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

// DecodeGradientHeader reads the header at the beginning of a sealed gradient: the first GradientHeaderSize bytes of
// b. size is that of the whole object.
func DecodeGradientHeader(b []byte, size int64, want Expect) (h GradientHeader, v protocol.Verdict) {
	if len(b) < GradientHeaderSize {
		return h, protocol.VerdictMalformed
	}
	b = b[:GradientHeaderSize]
	_, body, v := open(b, KindGradient, want.accepts)
	if !v.OK() {
		return h, v
	}
	r := &reader{b: body}
	if v := want.readUID(r); !v.OK() {
		return h, v
	}
	h = GradientHeader{Expect: want, Key: r.hash(), Size: int64(r.uint64()), Ciphertext: r.hash(), Content: GradientHash(b)}
	if h.Size < int64(tagSize) || h.Size != size-int64(GradientHeaderSize) {
		return h, protocol.VerdictMalformed
	}
	return h, protocol.VerdictOK
}

// DecodeSealed checks a sealed gradient as far as it can be without the key: header and hash of the ciphertext.
func DecodeSealed(b []byte, want Expect) (h GradientHeader, v protocol.Verdict) {
	if h, v = DecodeGradientHeader(b, int64(len(b)), want); !v.OK() {
		return h, v
	}
	if sha256.Sum256(b[GradientHeaderSize:]) != h.Ciphertext {
		return h, protocol.VerdictMalformed
	}
	return h, protocol.VerdictOK
}

// OpenGradient reads a sealed gradient with its key. It is withheld where the key is another.
func OpenGradient(sealed []byte, key GradientKey, f Format, want Expect) (*Gradient, protocol.Verdict) {
	h, v := DecodeSealed(sealed, want)
	if !v.OK() {
		return nil, v
	}
	plain, v := unseal(sealed, key, h)
	if !v.OK() {
		return nil, v
	}
	return readGradient(&reader{b: plain}, f, want)
}

// unseal returns the plaintext of a gradient whose header is h.
func unseal(sealed []byte, key GradientKey, h GradientHeader) ([]byte, protocol.Verdict) {
	if key.Hash() != h.Key {
		return nil, protocol.VerdictWithheld
	}
	plain, err := aead(key).Open(nil, nonce[:], sealed[GradientHeaderSize:], sealed[:associatedSize:associatedSize])
	if err != nil {
		return nil, protocol.VerdictMalformed // its miner sealed it wrongly: hash and key are those that it signed
	}
	return plain, protocol.VerdictOK
}
