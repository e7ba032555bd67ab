package timelock

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The signature of quicknet's round 1000, as drand published it.
const round1000 = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"

func signature(t testing.TB) []byte {
	s, err := hex.DecodeString(round1000)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What is encrypted to a round of the real beacon opens with the beacon's signature of
// that round, and of no other.
func TestRoundTrip(t *testing.T) {
	s := signature(t)
	if err := Quicknet().Verify(1000, s); err != nil {
		t.Error(err)
	}
	if err := Quicknet().Verify(1001, s); err == nil {
		t.Error("a signature of another round is taken")
	}
	for _, size := range []int{0, 1, 15, 16, 17, 4096} {
		plain := bytes.Repeat([]byte{7}, size)
		c, err := Quicknet().Encrypt(1000, plain)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decrypt(s, c)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %x, %v", size, got, err)
		}
		other, err := Quicknet().Encrypt(1001, plain)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decrypt(s, other); err == nil {
			t.Errorf("%d bytes of another round opened", size)
		}
	}
}

// A change of any byte is noticed.
func TestChangesAreNoticed(t *testing.T) {
	c, err := Quicknet().Encrypt(1000, []byte("weights"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(c); i += 7 {
		changed := bytes.Clone(c)
		changed[i] ^= 1
		if _, err := Decrypt(signature(t), changed); err == nil {
			t.Errorf("byte %d", i)
		}
	}
}

func TestBeaconOfATestChain(t *testing.T) {
	s := NewSigner([]byte("test"))
	b := Beacon{PublicKey: s.PublicKey(), Period: 3}
	c, err := b.Encrypt(5, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := s.Sign(5)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Decrypt(sig, c); err != nil || string(got) != "x" || b.Verify(5, sig) != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzDecrypt(f *testing.F) {
	c, err := Quicknet().Encrypt(1000, []byte("weights"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c)
	f.Add(c[:len(c)-1])
	f.Add(c[:sizeU])
	s := signature(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := parse(b); err == nil && len(b) < 400 {
			_, _ = Decrypt(s, b)
		}
	})
}
