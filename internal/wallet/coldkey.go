package wallet

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"

	"templar/internal/userfile"
)

// ErrEncrypted is wrapped when a coldkey is encrypted. It is never opened.
var ErrEncrypted = errors.New("the coldkey is encrypted, and templar asks for no passwords of coldkeys")

// LoadColdkey reads the secret half of a coldkey, <path>/<name>/coldkey, for a person who
// registers a hotkey. No node calls it. An encrypted coldkey gives ErrEncrypted, one that
// is kept elsewhere fs.ErrNotExist.
func LoadColdkey(path, name string) (*Wallet, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	root, err := userfile.Expand(path)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(root, name, "coldkey")
	b, _, err := readPrivate(file)
	if err != nil {
		return nil, fmt.Errorf("coldkey of wallet %s: %w", name, err)
	}
	for _, sign := range []string{"$NACL", "$ANSIBLE_VAULT", "gAAAAA"} {
		if bytes.HasPrefix(b, []byte(sign)) {
			return nil, fmt.Errorf("wallet %s: %w", name, ErrEncrypted)
		}
	}
	w, err := readKey(file)
	if err != nil {
		return nil, fmt.Errorf("coldkey of wallet %s: %w", name, err)
	}
	return w, nil
}
