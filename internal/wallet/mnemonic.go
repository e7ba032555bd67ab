package wallet

import (
	"crypto/pbkdf2"
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"

	"github.com/tyler-smith/go-bip39"
	"golang.org/x/text/unicode/norm"

	"templar/internal/userfile"
)

// newMnemonic draws twelve words.
func newMnemonic() (string, error) {
	entropy, err := bip39.NewEntropy(128)
	if err != nil {
		return "", err
	}
	return bip39.NewMnemonic(entropy)
}

// Normal is the normal form of a phrase, in which other programs read it: NFKD, small letters,
// one space between words.
func Normal(phrase string) string {
	return strings.ToLower(strings.Join(strings.Fields(norm.NFKD.String(userfile.Trim(phrase))), " "))
}

// SeedFromMnemonic returns the mini-secret of a phrase of 12 to 24 English words of
// BIP-39, as Substrate derives it: from the phrase's entropy, not, as Bitcoin's wallets
// do, from its text.
func SeedFromMnemonic(phrase string) (seed [32]byte, err error) {
	// Errors of the library quote words, and so the secret.
	entropy, err := bip39.EntropyFromMnemonic(Normal(phrase))
	if err != nil {
		return seed, errors.New("the mnemonic is not 12 to 24 words of the English list with a right checksum: is a word missing or misspelt?")
	}
	long, err := pbkdf2.Key(sha512.New, string(entropy), []byte("mnemonic"), 2048, 64)
	if err != nil {
		return seed, fmt.Errorf("mnemonic: %w", err)
	}
	return [32]byte(long[:32]), nil
}
