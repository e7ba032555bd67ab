package protocol

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/primitives/sr25519"
)

// Substrate's well-known development key //Alice.
const (
	aliceAddress = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
	aliceKey     = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
)

func TestHotkeyAddress(t *testing.T) {
	h, err := ParseHotkey(aliceAddress)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(h[:]); got != aliceKey {
		t.Errorf("key is %s, want %s", got, aliceKey)
	}
	if h.String() != aliceAddress {
		t.Errorf("address is %v, want %s", h, aliceAddress)
	}
}

func TestParseHotkeyRefuses(t *testing.T) {
	for name, address := range map[string]string{
		"nothing":        "",
		"not base58":     strings.Replace(aliceAddress, "G", "0", 1),
		"checksum":       strings.Replace(aliceAddress, "G", "H", 1),
		"short":          aliceAddress[:40],
		"long":           strings.Repeat("5", 10_000),
		"another prefix": "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5", // //Alice on Polkadot
	} {
		if h, err := ParseHotkey(address); err == nil {
			t.Errorf("%s: read as %v", name, h)
		}
	}
}

func TestVerify(t *testing.T) {
	pair, err := sr25519.GenerateKeyPair(nil)
	if err != nil {
		t.Fatal(err)
	}
	var h Hotkey
	public, _ := pair.PublicKey().MarshalBinary()
	copy(h[:], public)
	message := []byte("message")
	signed, err := pair.Sign(nil, signingContext.NewTranscriptBytes(message))
	if err != nil {
		t.Fatal(err)
	}
	var sig Signature
	raw, _ := signed.MarshalBinary()
	copy(sig[:], raw)
	if !h.Verify(message, sig) {
		t.Error("refuses a good signature")
	}
	other := sig
	other[5] ^= 1
	for name, bad := range map[string]bool{
		"another message":   h.Verify([]byte("massage"), sig),
		"another signature": h.Verify(message, other),
		"another hotkey":    Hotkey{1}.Verify(message, sig),
		"zero signature":    h.Verify(message, Signature{}),
	} {
		if bad {
			t.Errorf("accepts %s", name)
		}
	}
}

// The identity of the group verifies a signature that was made without a secret: R = s*B holds for
// every message. Neither it nor bytes that are no point are accepted.
func TestIdentityIsNoHotkey(t *testing.T) {
	var forged Signature
	forged[63] = 1 << 7 // schnorrkel's mark; R and s are zero: 0 = 0*B - k*0
	if (Hotkey{}).Verify([]byte("any message"), forged) {
		t.Error("the identity has signed a message")
	}
	notCanonical := Hotkey{0xec, 31: 0x7f}
	for i := 1; i < 31; i++ {
		notCanonical[i] = 0xff
	}
	for name, h := range map[string]Hotkey{
		"identity": {}, "negative": {1}, "no point": {2, 31: 0x10}, "beyond the field": notCanonical,
	} {
		if h.Validate() == nil {
			t.Errorf("%s: %v is accepted as a hotkey", name, h)
		}
	}
	if _, err := ParseHotkey(Hotkey{}.String()); err == nil {
		t.Error("the address of the identity is read")
	}
	alice, err := ParseHotkey(aliceAddress)
	if err != nil || alice.Validate() != nil {
		t.Error(err, alice.Validate())
	}
}

func TestTextRoundTrips(t *testing.T) {
	var sig, sig2 Signature
	sig[3] = 9
	text, _ := sig.MarshalText()
	if err := sig2.UnmarshalText(text); err != nil || sig2 != sig {
		t.Errorf("signature %v comes back as %v, %v", sig, sig2, err)
	}
	var hash, hash2 Hash
	hash[3] = 9
	text, _ = hash.MarshalText()
	if err := hash2.UnmarshalText(text); err != nil || hash2 != hash {
		t.Errorf("hash %v comes back as %v, %v", hash, hash2, err)
	}
	for _, bad := range []string{"", "00", strings.Repeat("x", 64), strings.Repeat("0", 63), strings.Repeat("0", 65)} {
		if hash2.UnmarshalText([]byte(bad)) == nil || sig2.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q is read", bad)
		}
	}
}
