package wallet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"templar/protocol"
)

var update = flag.Bool("update", false, "sign testkit/wallet/templar.json anew")

const testkit = "../../testkit/wallet"

// hexBytes are 0x and hexadecimal digits.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(strings.TrimPrefix(string(b), "0x"))
	return err
}

func (h hexBytes) MarshalText() ([]byte, error) { return []byte("0x" + hex.EncodeToString(h)), nil }

func readJSON(t *testing.T, name string, v any) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testkit, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(name, err)
	}
	return b
}

type polkadot struct {
	Keys []struct {
		Phrase, Address                  string
		Seed, Public, Message, Signature hexBytes
	}
	Addresses []struct {
		Public  hexBytes
		Address string
	}
	Foreign []string
}

// What @polkadot/util-crypto derives, encodes and signs is what we derive and accept.
func TestPolkadotVectors(t *testing.T) {
	var v polkadot
	readJSON(t, "polkadot.json", &v)
	if len(v.Keys) < 5 || len(v.Addresses) < 32 || len(v.Foreign) < 5 {
		t.Fatalf("only %d keys, %d addresses, %d foreign ones", len(v.Keys), len(v.Addresses), len(v.Foreign))
	}
	for _, k := range v.Keys {
		seed, err := SeedFromMnemonic(k.Phrase)
		if err != nil || !bytes.Equal(seed[:], k.Seed) {
			t.Errorf("seed of %q: %x, %v", k.Phrase, seed, err)
			continue
		}
		w, err := FromSeed(seed)
		if err != nil || !bytes.Equal(w.hotkey[:], k.Public) || w.String() != k.Address {
			t.Errorf("key of %q: %v, %v", k.Phrase, w, err)
		}
		if !w.Hotkey().Verify(k.Message, protocol.Signature(k.Signature)) {
			t.Errorf("signature by %q refused", k.Phrase)
		}
		if w.Hotkey().Verify(append(k.Message, 0), protocol.Signature(k.Signature)) {
			t.Errorf("signature by %q accepted for another message", k.Phrase)
		}
	}
	for _, a := range v.Addresses {
		h, err := protocol.ParseHotkey(a.Address)
		if err != nil || !bytes.Equal(h[:], a.Public) || h.String() != a.Address {
			t.Errorf("%s: %v, %v", a.Address, h, err)
		}
	}
	for _, a := range v.Foreign {
		if h, err := protocol.ParseHotkey(a); err == nil {
			t.Errorf("%s of another network was read as %v", a, h)
		}
	}
}

type signed struct {
	Phrase    string   `json:"phrase"`
	Address   string   `json:"address"`
	Message   hexBytes `json:"message"`
	Signature hexBytes `json:"signature"`
}

// What we sign is what @polkadot/util-crypto accepted.
func TestPolkadotAccepts(t *testing.T) {
	if *update {
		signAnew(t)
	}
	var ours []signed
	raw := readJSON(t, "templar.json", &ours)
	var checked struct {
		SHA256  string
		Results []struct{ Address, Signature, Altered bool }
	}
	readJSON(t, "checked.json", &checked)
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != checked.SHA256 || len(checked.Results) != len(ours) || len(ours) < 5 {
		t.Fatal("checked.json is of another templar.json: see the README there")
	}
	for i, r := range checked.Results {
		if !r.Address || !r.Signature || r.Altered {
			t.Errorf("%s: %+v", ours[i].Address, r)
		}
	}
}

func signAnew(t *testing.T) {
	var v polkadot
	readJSON(t, "polkadot.json", &v)
	var out []signed
	for _, k := range v.Keys {
		seed, err := SeedFromMnemonic(k.Phrase)
		if err != nil {
			t.Fatal(err)
		}
		w, err := FromSeed(seed)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := w.Sign(k.Message)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, signed{k.Phrase, w.String(), k.Message, sig[:]})
	}
	b, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(testkit, "templar.json"), append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
