package wallet

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"templar/protocol"
)

const (
	// Substrate's development phrase, and the address of its root key.
	devPhrase    = "bottom drive obey lake curtain smoke basket hold race lonely fit walk"
	devAddress   = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV"
	devSeed      = "fac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e"
	aliceSeed    = "e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a"
	alicePublic  = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
	aliceAddress = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
)

func alice(t *testing.T) *Wallet {
	t.Helper()
	raw, err := hex.DecodeString(aliceSeed)
	if err != nil {
		t.Fatal(err)
	}
	w, err := FromSeed([32]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestFromSeedKnownAnswer(t *testing.T) {
	w := alice(t)
	if got := hex.EncodeToString(w.hotkey[:]); got != alicePublic {
		t.Errorf("public key %s, want Substrate's //Alice %s", got, alicePublic)
	}
	if w.String() != aliceAddress {
		t.Errorf("address %s, want %s", w, aliceAddress)
	}
	back, err := protocol.ParseHotkey(aliceAddress)
	if err != nil || back != w.Hotkey() {
		t.Errorf("SS58 round trip: %v, %v", back, err)
	}
}

func TestSignVerify(t *testing.T) {
	w, message := alice(t), []byte("gradient of window 7")
	sig, err := w.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	if sig == again {
		t.Error("two signatures are equal: the nonce is not randomised")
	}
	for _, s := range []protocol.Signature{sig, again} {
		if !w.Hotkey().Verify(message, s) {
			t.Error("own signature refused")
		}
	}
	if w.Hotkey().Verify([]byte("gradient of window 8"), sig) {
		t.Error("signature of another message accepted")
	}
	for i := range sig {
		bad := sig
		bad[i] ^= 1
		if w.Hotkey().Verify(message, bad) {
			t.Errorf("accepted with byte %d changed", i)
		}
	}
	other, err := FromSeed([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	if other.Hotkey().Verify(message, sig) {
		t.Error("accepted for another hotkey")
	}
}

// A signature that another implementation made must verify here: this one stands in
// the tests of Substrate's sp-core and was made by schnorrkel compiled to WebAssembly.
func TestVerifyForeignSignature(t *testing.T) {
	public, _ := hex.DecodeString("46ebddef8cd9bb167dc30878d7113b7e168e6f0646beffd77d69d39bad76b47a")
	sig, _ := hex.DecodeString("4e172314444b8f820bb54c22e95076f220ed25373e5c178234aa6c211d29271244b947e3ff3418ff6b45fd1df1140c8cbff69fc58ee6dc96df70936a2bb74b82")
	message := []byte("this is a message")
	if !protocol.Hotkey(public).Verify(message, protocol.Signature(sig)) {
		t.Error("foreign signature refused")
	}
}

func TestCreateLoad(t *testing.T) {
	path := t.TempDir()
	w, err := Create(path, "miner", "default")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(path, "miner", "hotkeys", "default")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file mode %v, %v", info.Mode(), err)
	}
	back, err := Load(path, "miner", "default")
	if err != nil || back.Hotkey() != w.Hotkey() {
		t.Fatalf("loaded %v, %v, want %v", back, err, w)
	}
	before, _ := os.ReadFile(file)
	if _, err := Create(path, "miner", "default"); !errors.Is(err, ErrExists) {
		t.Errorf("second Create: %v, want ErrExists", err)
	}
	if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
		t.Error("second Create changed the key file")
	}
}

func TestLoadRefuses(t *testing.T) {
	good := fmt.Sprintf(`{"accountId":"0x%s","publicKey":"0x%s","secretPhrase":null,"secretSeed":"0x%s","ss58Address":"%s"}`,
		alicePublic, alicePublic, aliceSeed, aliceAddress)
	for name, c := range map[string]struct {
		body string
		mode os.FileMode
		want string // "" means it loads
	}{
		"good":            {good, 0o600, ""},
		"read-only":       {good, 0o400, ""},
		"group readable":  {good, 0o640, "chmod 600"},
		"world readable":  {good, 0o604, "chmod 600"},
		"encrypted":       {"$NACL" + good, 0o600, "encrypted"},
		"vault":           {"$ANSIBLE_VAULT;1.1" + good, 0o600, "encrypted"},
		"not json":        {aliceSeed, 0o600, "not a JSON key file"},
		"no seed":         {`{"ss58Address":"` + aliceAddress + `"}`, 0o600, "no secretSeed, no secretPhrase"},
		"mnemonic":        {`{"secretPhrase":"` + devPhrase + `","ss58Address":"` + devAddress + `"}`, 0o600, ""},
		"bad mnemonic":    {`{"secretPhrase":"bottom drive"}`, 0o600, "12 to 24 words"},
		"short seed":      {`{"secretSeed":"0x1234"}`, 0o600, "64 hexadecimal"},
		"foreign address": {strings.Replace(good, aliceAddress, "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty", 1), 0o600, "belongs to"},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			file := filepath.Join(path, "w", "hotkeys", "h")
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(c.body), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path, "w", "h")
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one about %q", err, c.want)
			}
			if strings.Contains(err.Error(), aliceSeed) {
				t.Error("the error shows the seed")
			}
		})
	}
}

func TestNamesStayInside(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "../x", `a\b`} {
		if _, err := Load(t.TempDir(), name, "h"); err == nil || !strings.Contains(err.Error(), "not a name") {
			t.Errorf("wallet name %q: %v", name, err)
		}
		if _, err := Load(t.TempDir(), "w", name); err == nil || !strings.Contains(err.Error(), "not a name") {
			t.Errorf("hotkey name %q: %v", name, err)
		}
	}
}

func TestNeverPrintsTheSecret(t *testing.T) {
	w := alice(t)
	secret, err := w.pair.SecretKey().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "wallet", w)
	for _, s := range []string{fmt.Sprint(w), fmt.Sprintf("%v %+v %#v %s %q %x", w, w, w, w, w, w), log.String()} {
		if strings.Contains(s, hex.EncodeToString(secret[:8])) || strings.Contains(s, "pair") || !strings.Contains(s, aliceAddress) {
			t.Errorf("printed %q", s)
		}
	}
}

func TestMnemonic(t *testing.T) {
	seed, err := SeedFromMnemonic("  " + strings.ToUpper(devPhrase) + "\n")
	if err != nil || hex.EncodeToString(seed[:]) != devSeed {
		t.Errorf("%x, %v, want Substrate's %s", seed, err, devSeed)
	}
	for name, phrase := range map[string]string{
		"empty":    "",
		"short":    "bottom drive obey",
		"checksum": strings.Replace(devPhrase, "walk", "lake", 1),
		"unknown":  strings.Replace(devPhrase, "walk", "wolk", 1),
	} {
		if _, err := SeedFromMnemonic(phrase); err == nil || (phrase != "" && strings.Contains(err.Error(), "bottom")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	path := t.TempDir()
	w, err := Create(path, "w", "h")
	if err != nil {
		t.Fatal(err)
	}
	phrase, err := Mnemonic(path, "w", "h")
	if err != nil || len(strings.Fields(phrase)) != 12 {
		t.Fatalf("%d words, %v", len(strings.Fields(phrase)), err)
	}
	if again, err := Import(path, "w", "copy", phrase); err != nil || again.Hotkey() != w.Hotkey() {
		t.Errorf("imported %v, %v, want %v", again, err, w)
	}
}

func TestList(t *testing.T) {
	path := t.TempDir()
	w, err := Create(path, "b", "miner")
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"b/hotkeys/broken": "x", "a/coldkeypub.txt": `{"ss58Address":"` + aliceAddress + `"}`, "a/coldkey": "$NACL",
	} {
		file := filepath.Join(path, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := List(path)
	if err != nil || len(all) != 2 || len(all[1].Hotkeys) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	if all[0].Name != "a" || all[0].Coldkey.String() != aliceAddress || len(all[0].Hotkeys) != 0 {
		t.Errorf("%+v", all[0])
	}
	if h := all[1].Hotkeys; !strings.Contains(h[0].Fault, "not a JSON key file") || h[1].Hotkey != w.Hotkey() {
		t.Errorf("%+v", h)
	}
}
