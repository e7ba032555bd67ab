package wallet

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/oasisprotocol/curve25519-voi/primitives/sr25519"

	"templar/internal/strictjson"
	"templar/internal/userfile"
	"templar/protocol"
)

// keyJSON is Bittensor's plain key file. Optional fields may be null or absent.
type keyJSON struct {
	AccountID    string  `json:"accountId"`
	PublicKey    string  `json:"publicKey"`
	SecretPhrase *string `json:"secretPhrase"`
	SecretSeed   *string `json:"secretSeed"`
	SS58Address  string  `json:"ss58Address"`

	// Of other programs' files; never written.
	PrivateKey *string `json:"privateKey,omitempty"`
	CryptoType any     `json:"cryptoType,omitempty"` // 0 is ed25519, 1 sr25519, 2 ecdsa
	Encoded    string  `json:"encoded,omitempty"`
}

const maxKeyFile = 16 << 10

func writeKey(file string, hotkey protocol.Hotkey, seed [32]byte, phrase string) (err error) {
	public, secret := "0x"+hex.EncodeToString(hotkey[:]), "0x"+hex.EncodeToString(seed[:])
	b, err := json.Marshal(keyJSON{AccountID: public, PublicKey: public, SecretPhrase: &phrase, SecretSeed: &secret, SS58Address: hotkey.String()})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, file)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil { // half a key file would block the next attempt
		err = errors.Join(err, os.Remove(file))
	}
	return err
}

// readKey reads the key of a file, and makes sure that it is the one of which the file has the
// address: SDKs write seeds, phrases and expanded keys, of several kinds of key.
func readKey(file string) (*Wallet, error) {
	k, err := readKeyJSON(file)
	if err != nil {
		return nil, err
	}
	w, err := k.wallet()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return w, nil
}

func (k *keyJSON) wallet() (*Wallet, error) {
	if err := k.kind(); err != nil {
		return nil, err
	}
	seed, phrase, private := value(k.SecretSeed), value(k.SecretPhrase), value(k.PrivateKey)
	switch {
	case seed != "":
		return k.fromSeed(seed, phrase)
	case phrase != "":
		s, err := SeedFromMnemonic(phrase)
		if err != nil {
			return nil, err
		}
		return k.fromSeed(hex.EncodeToString(s[:]), phrase)
	case private != "":
		return k.fromPrivate(private)
	}
	return nil, errors.New("the file has no secretSeed, no secretPhrase and no privateKey: regenerate the hotkey from its mnemonic")
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return userfile.Trim(*s)
}

// kind refuses files of other keys than sr25519, which say so in one of two ways.
func (k *keyJSON) kind() error {
	if k.Encoded != "" {
		return errors.New("it is an encrypted export of a browser's wallet: regenerate the hotkey from its mnemonic, without a password")
	}
	switch k.CryptoType {
	case nil, float64(1), "1", "sr25519":
		return nil
	case float64(0), "0", "ed25519":
		return errEd25519
	}
	return errors.New("it is not an sr25519 key, and a node signs with no other: make a new hotkey")
}

var errEd25519 = errors.New("it is an ed25519 key, and a node signs with sr25519 only: make a new hotkey")

// public is the key that the file claims to be, if it does.
func (k *keyJSON) public() (h protocol.Hotkey, ok bool) {
	if h, err := protocol.ParseHotkey(k.SS58Address); err == nil {
		return h, true
	}
	for _, text := range []string{k.PublicKey, k.AccountID} {
		if b, err := hex.DecodeString(strings.TrimPrefix(text, "0x")); err == nil && len(b) == len(h) {
			return protocol.Hotkey(b), true
		}
	}
	return h, false
}

// expect makes sure that w is what the file claims.
func (k *keyJSON) expect(w *Wallet, err error) (*Wallet, error) {
	if err != nil {
		return nil, err
	}
	if claimed, ok := k.public(); ok && claimed != w.hotkey {
		return nil, fmt.Errorf("the secret belongs to %s, but the file says %s", w, claimed)
	}
	return w, nil
}

func (k *keyJSON) fromSeed(text, phrase string) (*Wallet, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil || len(raw) != 32 {
		return nil, errors.New("secretSeed is not 64 hexadecimal digits")
	}
	if claimed, ok := k.public(); ok && bytes.Equal(ed25519.NewKeyFromSeed(raw)[32:], claimed[:]) {
		return nil, errEd25519
	}
	// Other programs read the phrase first: with two keys in a file, which one it is would
	// depend on who reads it.
	if other, err := SeedFromMnemonic(phrase); phrase != "" && err == nil && other != [32]byte(raw) {
		return nil, errors.New("its secretPhrase and its secretSeed are of different keys: regenerate the hotkey from its mnemonic")
	}
	return k.expect(FromSeed([32]byte(raw)))
}

// fromPrivate reads an expanded key, which is all that there is of one that was derived by a
// path: a scalar and a nonce seed of 32 bytes each. The scalar stands there as it is, or times
// eight, as in expanded Ed25519 keys; the public key tells which.
func (k *keyJSON) fromPrivate(text string) (*Wallet, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	claimed, ok := k.public()
	switch {
	case err != nil || len(raw) != 64 && len(raw) != 32:
		return nil, errors.New("privateKey is not 128 hexadecimal digits")
	case !ok:
		return nil, errors.New("the file has a privateKey, and no ss58Address or publicKey to hold it against: regenerate the hotkey from its mnemonic")
	case bytes.Equal(ed25519.NewKeyFromSeed(raw[:32])[32:], claimed[:]):
		return nil, errEd25519
	case len(raw) == 32:
		return k.expect(FromSeed([32]byte(raw)))
	}
	for _, read := range []func([]byte) (*sr25519.SecretKey, error){sr25519.NewSecretKeyFromBytes, sr25519.NewSecretKeyFromEd25519Bytes} {
		secret, err := read(raw)
		if err != nil {
			continue
		}
		if w, err := fromPair(secret); err == nil && w.hotkey == claimed {
			return w, nil
		}
	}
	return nil, fmt.Errorf("its privateKey is not the sr25519 key of %s", claimed)
}

func readKeyJSON(file string) (k keyJSON, err error) {
	b, exposed, err := readPrivate(file)
	if err != nil {
		return k, err
	}
	if bytes.HasPrefix(b, []byte("$NACL")) || bytes.HasPrefix(b, []byte("$ANSIBLE_VAULT")) || bytes.HasPrefix(b, []byte("gAAAAA")) {
		return k, fmt.Errorf("%s is encrypted: a node needs an unencrypted hotkey, and never a coldkey (regenerate the hotkey without a password)", file)
	}
	if b, err = userfile.JSON(b); err != nil {
		return k, fmt.Errorf("%s %w", file, err)
	}
	if exposed != nil {
		return k, exposed
	}
	if err := strictjson.Unmarshal(b, &k); err != nil {
		// The decoder's own message may quote the file, and so the secret.
		return k, fmt.Errorf("%s is not a JSON key file", file)
	}
	return k, nil
}

// readPrivate reads a small file that only its owner may read; exposed says that others may. That
// is the lesser fault of a file that is no key at all.
func readPrivate(file string) (b []byte, exposed, err error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w (check the wallet path, name and hotkey)", err)
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat() // of the open file: the path may be swapped meanwhile
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is not a regular file", file)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		exposed = fmt.Errorf("%s has mode %04o, so others can read the key: run chmod 600 %s", file, mode, file)
	}
	b, err = io.ReadAll(io.LimitReader(f, maxKeyFile))
	return b, exposed, err
}
