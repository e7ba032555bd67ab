// Package timelock encrypts to a future round of a drand beacon (identity-based
// encryption over BLS12-381: Gailly, Melissaris and Romailler, "tlock", 2023, in the
// layout that Subtensor reads), and decrypts once the round's signature is out. Weights
// that are committed in this way are revealed by the chain.
//
// A ciphertext is u (96 bytes, a point of G2), v and w (32 bytes each), the body, and
// the text "AES_GCM_", all but u behind their length as a little-endian u64. The body
// holds the AES-256-GCM ciphertext with its tag, and the 12-byte nonce, likewise.
package timelock

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"

	bls "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"templar/internal/chain/bittensor/scale"
)

// Beacon is a drand network: its public key, and when its rounds come.
type Beacon struct {
	PublicKey [96]byte // compressed point of G2
	Genesis   uint64   // Unix time of round 1, in seconds
	Period    uint64   // seconds between rounds
}

// Quicknet is the beacon that Subtensor's own chains listen to.
func Quicknet() Beacon {
	const key = "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
	b := Beacon{Genesis: 1692803367, Period: 3}
	if n, err := hex.Decode(b.PublicKey[:], []byte(key)); n != len(b.PublicKey) || err != nil {
		panic("timelock: the constant above is not a key")
	}
	return b
}

// RoundAt returns the first round at or after a Unix time in seconds.
func (b Beacon) RoundAt(unix uint64) uint64 {
	if unix <= b.Genesis {
		return 1
	}
	return (unix-b.Genesis+b.Period-1)/b.Period + 1
}

const (
	domain  = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
	suite   = "AES_GCM_"
	sizeU   = bls.SizeOfG2AffineCompressed
	sizeKey = 32
	tag     = 16
	nonce   = 12
)

// ErrCiphertext is wrapped when what is to be decrypted is not a ciphertext, or not of
// the round whose signature is given.
var ErrCiphertext = errors.New("timelock: not a ciphertext of this round")

// MaxSize bounds a ciphertext.
const MaxSize = 1 << 20

// identity maps a round to its point.
func identity(round uint64) (bls.G1Affine, error) {
	message := sha256.Sum256(binary.BigEndian.AppendUint64(nil, round))
	return bls.HashToG1(message[:], []byte(domain))
}

// exponent is r of the encryption, which the receiver recomputes.
func exponent(sigma, key []byte) *big.Int {
	h := sha256.New()
	h.Write(sigma)
	h.Write(key)
	v := new(big.Int).SetBytes(h.Sum(nil))
	return v.Mod(v, fr.Modulus())
}

// digest hashes an element of GT, in arkworks' compressed form: twelve field elements of
// 48 bytes, little endian.
func digest(e *bls.GT) [32]byte {
	b := make([]byte, 0, 12*fp.Bytes)
	for _, c := range [...]*fp.Element{
		&e.C0.B0.A0, &e.C0.B0.A1, &e.C0.B1.A0, &e.C0.B1.A1, &e.C0.B2.A0, &e.C0.B2.A1,
		&e.C1.B0.A0, &e.C1.B0.A1, &e.C1.B1.A0, &e.C1.B1.A1, &e.C1.B2.A0, &e.C1.B2.A1,
	} {
		raw := c.Bytes()
		slices.Reverse(raw[:])
		b = append(b, raw[:]...)
	}
	return sha256.Sum256(b)
}

func xor(a, b [32]byte) (c [32]byte) {
	for i := range c {
		c[i] = a[i] ^ b[i]
	}
	return c
}

// Encrypt encrypts plaintext to a round. It draws from crypto/rand.
func (b Beacon) Encrypt(round uint64, plaintext []byte) ([]byte, error) {
	var random [2*sizeKey + nonce]byte
	if _, err := io.ReadFull(rand.Reader, random[:]); err != nil {
		return nil, fmt.Errorf("timelock: %w", err)
	}
	return b.encrypt(round, plaintext, random)
}

func (b Beacon) encrypt(round uint64, plaintext []byte, random [2*sizeKey + nonce]byte) ([]byte, error) {
	sigma, key := [32]byte(random[:sizeKey]), [32]byte(random[sizeKey:2*sizeKey])
	var public bls.G2Affine
	if n, err := public.SetBytes(b.PublicKey[:]); err != nil || n != len(b.PublicKey) {
		return nil, fmt.Errorf("timelock: the beacon's public key is not a point: %w", err)
	}
	q, err := identity(round)
	if err != nil {
		return nil, fmt.Errorf("timelock: %w", err)
	}
	shared, err := bls.Pair([]bls.G1Affine{q}, []bls.G2Affine{public})
	if err != nil {
		return nil, fmt.Errorf("timelock: %w", err)
	}
	r := exponent(sigma[:], key[:])
	var u bls.G2Affine
	u.ScalarMultiplicationBase(r)
	var masked bls.GT
	masked.Exp(shared, r)

	gcm, err := aead(key)
	if err != nil {
		return nil, err
	}
	sealed := gcm.Seal(nil, random[2*sizeKey:], plaintext, nil)
	v, w := xor(sigma, digest(&masked)), xor(key, sha256.Sum256(sigma[:]))
	raw := u.Bytes()
	out := append([]byte{}, raw[:]...)
	body := appendVec(appendVec(nil, sealed), random[2*sizeKey:])
	return appendVec(appendVec(appendVec(appendVec(out, v[:]), w[:]), body), []byte(suite)), nil
}

func aead(key [32]byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func appendVec(b, v []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(v))), v...)
}

// parts of a ciphertext.
type parts struct {
	u             bls.G2Affine
	v, w          [32]byte
	sealed, nonce []byte
}

// take cuts a vector off.
func take(b []byte) (v, rest []byte, ok bool) {
	if len(b) < 8 {
		return nil, nil, false
	}
	n := binary.LittleEndian.Uint64(b)
	if n > uint64(len(b)-8) {
		return nil, nil, false
	}
	return b[8 : 8+n], b[8+n:], true
}

func parse(b []byte) (p parts, err error) {
	bad := func(what string) (parts, error) { return parts{}, fmt.Errorf("%w: %s", ErrCiphertext, what) }
	if len(b) > MaxSize || len(b) < sizeU {
		return bad("its length")
	}
	if _, err := p.u.SetBytes(b[:sizeU]); err != nil || p.u.IsInfinity() {
		return bad("u is not a point of the group")
	}
	v, rest, ok1 := take(b[sizeU:])
	w, rest, ok2 := take(rest)
	body, rest, ok3 := take(rest)
	name, rest, ok4 := take(rest)
	if !ok1 || !ok2 || !ok3 || !ok4 || len(rest) != 0 || len(v) != sizeKey || len(w) != sizeKey || string(name) != suite {
		return bad("its parts")
	}
	sealed, inner, ok5 := take(body)
	n, inner, ok6 := take(inner)
	if !ok5 || !ok6 || len(inner) != 0 || len(n) != nonce || len(sealed) < tag {
		return bad("its body")
	}
	p.v, p.w, p.sealed, p.nonce = [32]byte(v), [32]byte(w), sealed, n
	return p, nil
}

// Decrypt opens a ciphertext with the beacon's signature of its round, a compressed
// point of G1.
func Decrypt(signature, ciphertext []byte) ([]byte, error) {
	p, err := parse(ciphertext)
	if err != nil {
		return nil, err
	}
	var s bls.G1Affine
	if n, err := s.SetBytes(signature); err != nil || n != len(signature) || s.IsInfinity() {
		return nil, errors.New("timelock: the signature is not a point of the group")
	}
	shared, err := bls.Pair([]bls.G1Affine{s}, []bls.G2Affine{p.u})
	if err != nil {
		return nil, fmt.Errorf("timelock: %w", err)
	}
	sigma := xor(p.v, digest(&shared))
	key := xor(p.w, sha256.Sum256(sigma[:]))
	var u bls.G2Affine
	if u.ScalarMultiplicationBase(exponent(sigma[:], key[:])); !u.Equal(&p.u) {
		return nil, fmt.Errorf("%w: it was not made as it says", ErrCiphertext)
	}
	gcm, err := aead(key)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, p.nonce, p.sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: the body was changed", ErrCiphertext)
	}
	return plain, nil
}

// Unwrap takes the ciphertext, and the round that it is for, out of the envelope in which
// tools hand it to people: a compact length before it, the round as u64 behind it.
func Unwrap(envelope []byte) (ciphertext []byte, round uint64, err error) {
	r := scale.NewReader(envelope)
	ciphertext, round = r.Vec(), r.U64()
	if err := r.End(); err != nil {
		return nil, 0, fmt.Errorf("%w: not an envelope: %w", ErrCiphertext, err)
	}
	return ciphertext, round, nil
}

// Verify checks the beacon's signature of a round.
func (b Beacon) Verify(round uint64, signature []byte) error {
	var public bls.G2Affine
	var s bls.G1Affine
	if _, err := public.SetBytes(b.PublicKey[:]); err != nil {
		return fmt.Errorf("timelock: the beacon's public key is not a point: %w", err)
	}
	if n, err := s.SetBytes(signature); err != nil || n != len(signature) {
		return errors.New("timelock: the signature is not a point of the group")
	}
	q, err := identity(round)
	if err != nil {
		return fmt.Errorf("timelock: %w", err)
	}
	q.Neg(&q)
	_, _, _, g2 := bls.Generators()
	ok, err := bls.PairingCheck([]bls.G1Affine{s, q}, []bls.G2Affine{g2, public})
	if err == nil && !ok {
		err = errors.New("timelock: the signature is not of this round")
	}
	return err
}

// Signer is a beacon's secret, for test chains that have a beacon of their own.
type Signer struct{ secret fr.Element }

// NewSigner makes a secret from a seed.
func NewSigner(seed []byte) *Signer {
	s := &Signer{}
	sum := sha256.Sum256(seed)
	s.secret.SetBytes(sum[:])
	return s
}

// PublicKey is a compressed point of G2.
func (s *Signer) PublicKey() [96]byte {
	var p bls.G2Affine
	p.ScalarMultiplicationBase(s.secret.BigInt(new(big.Int)))
	return p.Bytes()
}

// Sign signs a round: a compressed point of G1.
func (s *Signer) Sign(round uint64) ([]byte, error) {
	q, err := identity(round)
	if err != nil {
		return nil, err
	}
	q.ScalarMultiplication(&q, s.secret.BigInt(new(big.Int)))
	raw := q.Bytes()
	return raw[:], nil
}
