package wallet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"templar/internal/strictjson"
	"templar/internal/userfile"
	"templar/protocol"
)

// Entry is a wallet as its folder shows it. No secret is in it.
type Entry struct {
	Name    string          `json:"name"`
	Coldkey protocol.Hotkey `json:"coldkey,omitzero"` // zero when the folder does not tell
	Hotkeys []HotkeyEntry   `json:"hotkeys"`
}

// HotkeyEntry is a key file of a wallet.
type HotkeyEntry struct {
	Name   string          `json:"name"`
	Hotkey protocol.Hotkey `json:"hotkey,omitzero"`
	Fault  string          `json:"fault,omitempty"` // why it cannot be used
}

// List returns the wallets of a folder, in order of name.
func List(path string) ([]Entry, error) {
	root, err := userfile.Expand(path)
	if err != nil {
		return nil, err
	}
	folders, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("list wallets: %w", err)
	}
	all := []Entry{}
	for _, f := range folders {
		if !f.IsDir() {
			continue
		}
		e := Entry{Name: f.Name(), Hotkeys: []HotkeyEntry{}}
		e.Coldkey, _ = Coldkey(path, e.Name)
		keys, err := os.ReadDir(filepath.Join(root, e.Name, "hotkeys"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list wallets: %w", err)
		}
		for _, k := range keys {
			h := HotkeyEntry{Name: k.Name()}
			if w, err := Load(path, e.Name, k.Name()); err != nil {
				h.Fault = err.Error()
			} else {
				h.Hotkey = w.Hotkey()
			}
			e.Hotkeys = append(e.Hotkeys, h)
		}
		all = append(all, e)
	}
	return all, nil
}

// Coldkey reads the public half of a wallet's coldkey, <path>/<name>/coldkeypub.txt.
// The secret half, which holds funds, is never read.
func Coldkey(path, name string) (protocol.Hotkey, error) {
	root, err := userfile.Expand(path)
	if err != nil {
		return protocol.Hotkey{}, err
	}
	if err := checkName(name); err != nil {
		return protocol.Hotkey{}, err
	}
	b, err := os.ReadFile(filepath.Join(root, name, "coldkeypub.txt"))
	if err != nil {
		return protocol.Hotkey{}, fmt.Errorf("coldkey of wallet %s: %w", name, err)
	}
	if b, err = userfile.JSON(b); err != nil {
		return protocol.Hotkey{}, fmt.Errorf("coldkey of wallet %s: coldkeypub.txt %w", name, err)
	}
	var k keyJSON
	if err := strictjson.Unmarshal(b, &k); err != nil {
		return protocol.Hotkey{}, fmt.Errorf("coldkey of wallet %s: coldkeypub.txt is not a JSON key file", name)
	}
	h, err := protocol.ParseHotkey(k.SS58Address)
	if err != nil {
		return protocol.Hotkey{}, fmt.Errorf("coldkey of wallet %s: %w", name, err)
	}
	return h, nil
}
