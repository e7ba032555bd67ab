package wallet

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Substrate's //Alice as other programs write her expanded key: the scalar as it is, and times
// eight, each with the nonce seed behind it.
const (
	aliceScalar  = "33a6f3093f158a7109f679410bef1a0c54168145e0cecb4df006c1c2fffb1f09925a225d97aa00682d6a59b95b18780c10d7032336e88f3442b42361f4a66011"
	aliceEd25519 = "98319d4ff8a9508c4bb0cf0b5a78d760a0b2082c02775e6e82370816fedfff48925a225d97aa00682d6a59b95b18780c10d7032336e88f3442b42361f4a66011"
)

// loadBody loads a key file with that content.
func loadBody(t *testing.T, body string) (*Wallet, error) {
	t.Helper()
	path := t.TempDir()
	file := filepath.Join(path, "w", "hotkeys", "h")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, "w", "h")
}

// TestForeignKeyFiles: files as other programs write them, and as editors leave them behind.
func TestForeignKeyFiles(t *testing.T) {
	edSeed, _ := hex.DecodeString(aliceSeed)
	devBytes, _ := hex.DecodeString(devSeed)
	devEd25519 := hex.EncodeToString(ed25519.NewKeyFromSeed(devBytes)[32:])
	edPublic := hex.EncodeToString(ed25519.NewKeyFromSeed(edSeed)[32:])
	for name, c := range map[string]struct {
		body string
		want string // in the error; "" is Alice
	}{
		"expanded key":             {`{"privateKey":"0x` + aliceScalar + `","ss58Address":"` + aliceAddress + `","secretSeed":null,"secretPhrase":null}`, ""},
		"expanded key, public key": {`{"privateKey":"` + aliceScalar + `","publicKey":"0x` + alicePublic + `"}`, ""},
		"expanded key, Ed25519":    {`{"privateKey":"0x` + aliceEd25519 + `","accountId":"0x` + alicePublic + `"}`, ""},
		"of somebody else":         {`{"privateKey":"0x` + aliceScalar + `","ss58Address":"` + devAddress + `"}`, "not the sr25519 key of " + devAddress},
		"nothing to hold against":  {`{"privateKey":"0x` + aliceScalar + `"}`, "no ss58Address or publicKey"},
		"short expanded key":       {`{"privateKey":"0x1234","ss58Address":"` + aliceAddress + `"}`, "128 hexadecimal"},
		"byte order mark":          {"\ufeff" + `{"secretSeed":"0x` + aliceSeed + `","ss58Address":"` + aliceAddress + `"}`, ""},
		"newline in the seed":      {`{"secretSeed":"0x` + aliceSeed + `\n","ss58Address":"` + aliceAddress + `"}`, ""},
		"key of another case":      {`{"secretSeed":"0x` + aliceSeed + `","SecretSeed":"0x00","SS58ADDRESS":"` + devAddress + `"}`, ""},
		"only another case":        {`{"SecretSeed":"0x` + aliceSeed + `"}`, "no secretSeed"},
		"seed twice":               {`{"secretSeed":"0x` + aliceSeed + `","secretSeed":"0x` + aliceSeed + `"}`, "not a JSON key file"},
		"crypto type 1":            {`{"cryptoType":1,"secretSeed":"0x` + aliceSeed + `"}`, ""},
		"crypto type 0":            {`{"cryptoType":0,"secretSeed":"0x` + aliceSeed + `"}`, "ed25519"},
		"crypto type 2":            {`{"cryptoType":2,"secretSeed":"0x` + aliceSeed + `"}`, "not an sr25519 key"},
		"an Ed25519 seed":          {`{"secretSeed":"0x` + aliceSeed + `","publicKey":"0x` + edPublic + `"}`, "ed25519"},
		"phrase of an Ed25519 key": {`{"secretPhrase":"` + devPhrase + `","publicKey":"0x` + devEd25519 + `"}`, "ed25519"},
		"an Ed25519 key":           {`{"privateKey":"0x` + aliceSeed + edPublic + `","publicKey":"0x` + edPublic + `"}`, "ed25519"},
		"phrase of another key":    {`{"secretPhrase":"` + devPhrase + `","secretSeed":"0x` + aliceSeed + `","ss58Address":"` + aliceAddress + `"}`, "different keys"},
		"browser export":           {`{"encoded":"AAAA","encoding":{"content":["pkcs8","sr25519"],"type":["scrypt"],"version":"3"},"address":"` + aliceAddress + `"}`, "browser"},
		"LFS pointer":              {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git lfs pull"},
		"UTF-16":                   {"\xff\xfe{\x00", "UTF-16"},
		"empty":                    {"", "empty"},
		"encrypted, old form":      {"gAAAAABg", "encrypted"},
	} {
		w, err := loadBody(t, c.body)
		switch {
		case c.want == "" && (err != nil || w.String() != aliceAddress):
			t.Errorf("%s: %v, %v", name, w, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want one about %q", name, err, c.want)
		case err != nil && (strings.Contains(err.Error(), aliceSeed) || strings.Contains(err.Error(), aliceScalar[:64])):
			t.Errorf("%s: the error shows the secret", name)
		}
		if err != nil || c.want != "" {
			continue
		}
		if sig, err := w.Sign([]byte("m")); err != nil || !w.Hotkey().Verify([]byte("m"), sig) {
			t.Errorf("%s: does not sign: %v", name, err)
		}
	}
}

// TestMnemonicIsKeptInItsNormalForm: other programs refuse a file whose phrase is not.
func TestMnemonicIsKeptInItsNormalForm(t *testing.T) {
	words := strings.Fields(devPhrase)
	for i, typed := range []string{
		strings.ToUpper(devPhrase), "\ufeff" + devPhrase + "\r\n", strings.Join(words, "\n"), strings.Join(words, " \t "),
		strings.Join(words, "\u00a0"), strings.Join(words, "\u3000"), "\uff42" + devPhrase[1:], // a wide b
	} {
		path, name := t.TempDir(), fmt.Sprint(i)
		w, err := Import(path, "w", name, typed)
		if err != nil || w.String() != devAddress {
			t.Errorf("%q: %v, %v", typed, w, err)
			continue
		}
		b, err := os.ReadFile(filepath.Join(path, "w", "hotkeys", name))
		if err != nil || !strings.Contains(string(b), `"`+devPhrase+`"`) {
			t.Errorf("%q: the file has %s, %v", typed, b, err)
		}
	}
	// A file that an earlier version wrote.
	path := t.TempDir()
	if _, err := Import(path, "w", "h", devPhrase); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(path, "w", "hotkeys", "h")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), "bottom", "Bottom ", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if phrase, err := Mnemonic(path, "w", "h"); err != nil || phrase != devPhrase {
		t.Errorf("shown: %q, %v", phrase, err)
	}
}
