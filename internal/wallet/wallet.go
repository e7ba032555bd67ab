// Package wallet holds hotkeys in Bittensor's folder layout: the key file of hotkey h
// of wallet w is <path>/<w>/hotkeys/<h>, plain JSON with mode 0600. A node signs with
// its hotkey only; coldkeys, which hold funds, are never read.
//
// A Wallet shows its address and nothing else: no method, format verb or log line
// reveals the secret.
package wallet

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/oasisprotocol/curve25519-voi/primitives/sr25519"

	"templar/internal/userfile"
	"templar/protocol"
)

// DefaultPath is where Bittensor's own tools keep wallets.
const DefaultPath = "~/.bittensor/wallets"

// ErrExists is wrapped when Create finds a key file in its way.
var ErrExists = errors.New("key file exists already")

// Wallet is an sr25519 hotkey with its secret half. It is safe for concurrent use.
type Wallet struct {
	hotkey protocol.Hotkey
	pair   *sr25519.KeyPair
}

var _ protocol.Signer = (*Wallet)(nil)

// FromSeed expands a 32-byte mini-secret as Substrate does (Ed25519 expansion).
func FromSeed(seed [32]byte) (*Wallet, error) {
	mini, err := sr25519.NewMiniSecretKeyFromBytes(seed[:])
	if err != nil {
		return nil, fmt.Errorf("expand seed: %w", err)
	}
	pair := mini.ExpandEd25519().KeyPair()
	public, err := pair.PublicKey().MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("expand seed: %w", err)
	}
	return &Wallet{hotkey: protocol.Hotkey(public), pair: pair}, nil
}

// fromPair takes a key whose mini-secret is not known.
func fromPair(secret *sr25519.SecretKey) (*Wallet, error) {
	pair := secret.KeyPair()
	public, err := pair.PublicKey().MarshalBinary()
	if err != nil {
		return nil, err
	}
	h := protocol.Hotkey(public)
	if err := h.Validate(); err != nil { // a secret of zero
		return nil, err
	}
	return &Wallet{hotkey: h, pair: pair}, nil
}

// Hotkey returns the public key.
func (w *Wallet) Hotkey() protocol.Hotkey { return w.hotkey }

// Sign signs under Substrate's context; protocol.Hotkey.Verify checks it.
func (w *Wallet) Sign(message []byte) (protocol.Signature, error) {
	context := sr25519.NewSigningContext([]byte("substrate"))
	s, err := w.pair.Sign(rand.Reader, context.NewTranscriptBytes(message))
	if err != nil {
		return protocol.Signature{}, fmt.Errorf("sign: %w", err)
	}
	b, err := s.MarshalBinary()
	if err != nil {
		return protocol.Signature{}, fmt.Errorf("sign: %w", err)
	}
	return protocol.Signature(b), nil
}

// String returns the SS58 address.
func (w *Wallet) String() string { return w.hotkey.String() }

// Format writes the address for every verb, so that %#v cannot print the secret.
func (w *Wallet) Format(f fmt.State, _ rune) { fmt.Fprint(f, w.hotkey.String()) }

// LogValue is the address.
func (w *Wallet) LogValue() slog.Value { return slog.StringValue(w.String()) }

// Create draws a new hotkey and writes its key file, with the mnemonic. It never
// overwrites: a key file in the way gives ErrExists.
func Create(path, name, hotkey string) (*Wallet, error) {
	phrase, err := newMnemonic()
	if err != nil {
		return nil, fmt.Errorf("create wallet: %w", err)
	}
	return Import(path, name, hotkey, phrase)
}

// Import writes the key file of the hotkey of a mnemonic. It never overwrites.
func Import(path, name, hotkey, phrase string) (*Wallet, error) {
	file, err := keyFile(path, name, hotkey)
	if err != nil {
		return nil, err
	}
	seed, err := SeedFromMnemonic(phrase)
	if err != nil {
		return nil, fmt.Errorf("create wallet %s/%s: %w", name, hotkey, err)
	}
	w, err := FromSeed(seed)
	if err != nil {
		return nil, err
	}
	if err := writeKey(file, w.hotkey, seed, Normal(phrase)); err != nil {
		return nil, fmt.Errorf("create wallet %s/%s: %w", name, hotkey, err)
	}
	return w, nil
}

// Mnemonic returns the secret phrase of a key file, for its owner's eyes.
func Mnemonic(path, name, hotkey string) (string, error) {
	if _, err := Load(path, name, hotkey); err != nil {
		return "", err
	}
	file, err := keyFile(path, name, hotkey)
	if err != nil {
		return "", err
	}
	k, err := readKeyJSON(file)
	if err != nil {
		return "", fmt.Errorf("load wallet %s/%s: %w", name, hotkey, err)
	}
	if k.SecretPhrase == nil || *k.SecretPhrase == "" {
		return "", fmt.Errorf("load wallet %s/%s: the key file has no mnemonic", name, hotkey)
	}
	return Normal(*k.SecretPhrase), nil
}

// Load reads a hotkey. It refuses files that others may read, encrypted files, keys of another
// kind than sr25519, and files whose address is not that of their secret.
func Load(path, name, hotkey string) (*Wallet, error) {
	file, err := keyFile(path, name, hotkey)
	if err != nil {
		return nil, err
	}
	w, err := readKey(file)
	if err != nil {
		return nil, fmt.Errorf("load wallet %s/%s: %w", name, hotkey, err)
	}
	return w, nil
}

// keyFile returns the path of a key file.
func keyFile(path, name, hotkey string) (string, error) {
	if err := errors.Join(checkName(name), checkName(hotkey)); err != nil {
		return "", err
	}
	root, err := userfile.Expand(path)
	return filepath.Join(root, name, "hotkeys", hotkey), err
}

// checkName demands a single path element, so that a name from a config file cannot
// lead out of the wallet folder.
func checkName(s string) error {
	if !filepath.IsLocal(s) || s == "." || strings.ContainsAny(s, `/\`) {
		return fmt.Errorf("wallet: %q is not a name", s)
	}
	return nil
}
