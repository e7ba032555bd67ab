package wallet

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"templar/protocol"
)

// keyJSON is Bittensor's plain key file. Optional fields may be null or absent.
type keyJSON struct {
	AccountID    string  `json:"accountId"`
	PublicKey    string  `json:"publicKey"`
	SecretPhrase *string `json:"secretPhrase"`
	SecretSeed   *string `json:"secretSeed"`
	SS58Address  string  `json:"ss58Address"`
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

func readKey(file string) (seed [32]byte, address string, err error) {
	k, err := readKeyJSON(file)
	if err != nil {
		return seed, "", err
	}
	if k.SecretSeed == nil || *k.SecretSeed == "" {
		if k.SecretPhrase == nil || *k.SecretPhrase == "" {
			return seed, "", fmt.Errorf("%s has no secretSeed and no secretPhrase: regenerate the hotkey from its mnemonic", file)
		}
		if seed, err = SeedFromMnemonic(*k.SecretPhrase); err != nil {
			return seed, "", fmt.Errorf("%s: %w", file, err)
		}
		return seed, k.SS58Address, nil
	}
	raw, err := hex.DecodeString(strings.TrimPrefix(*k.SecretSeed, "0x"))
	if err != nil || len(raw) != len(seed) {
		return seed, "", fmt.Errorf("%s: secretSeed is not 64 hexadecimal digits", file)
	}
	return [32]byte(raw), k.SS58Address, nil
}

func readKeyJSON(file string) (k keyJSON, err error) {
	b, err := readPrivate(file)
	if err != nil {
		return k, err
	}
	if bytes.HasPrefix(b, []byte("$NACL")) || bytes.HasPrefix(b, []byte("$ANSIBLE_VAULT")) {
		return k, fmt.Errorf("%s is encrypted: a node needs an unencrypted hotkey, and never a coldkey (regenerate the hotkey without a password)", file)
	}
	if err := json.Unmarshal(b, &k); err != nil {
		// The decoder's own message may quote the file, and so the secret.
		return k, fmt.Errorf("%s is not a JSON key file", file)
	}
	return k, nil
}

// readPrivate reads a small file that only its owner may read.
func readPrivate(file string) ([]byte, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w (check the wallet path, name and hotkey)", err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat() // of the open file: the path may be swapped meanwhile
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", file)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o, so others can read the key: run chmod 600 %s", file, mode, file)
	}
	return io.ReadAll(io.LimitReader(f, maxKeyFile))
}
