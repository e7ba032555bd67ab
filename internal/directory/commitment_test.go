package directory_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"templar/internal/chain"
	"templar/internal/chain/chaintest"
	"templar/internal/directory"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
)

func commitment() directory.Commitment {
	return directory.Commitment{Role: telemetry.Validator, Location: store.Location{
		Endpoint: "https://store.test:9000", Region: "auto", Bucket: "validator-0", AccessKey: "read", Secret: "secret",
	}}
}

func TestCommitmentRoundTrip(t *testing.T) {
	for _, secret := range []int{0, 6, 70, 74, 200} { // 74 makes 128 bytes, as long as Bittensor's form
		want := commitment()
		want.Location.Secret = store.Secret(strings.Repeat("s", secret))
		b, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if secret == 74 && len(b) != 128 {
			t.Fatalf("%d bytes: change the test to make 128", len(b))
		}
		if got, err := directory.DecodeCommitment(b); err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
}

func TestCommitmentEncodeRefuses(t *testing.T) {
	long := commitment()
	long.Location.Bucket = strings.Repeat("b", 1<<16+3) // its length does not fit the field
	for name, c := range map[string]directory.Commitment{"no role": {Location: commitment().Location}, "too long": long} {
		if b, err := c.Encode(); err == nil {
			t.Errorf("%s: %d bytes", name, len(b))
		}
	}
}

func TestCommitmentOfBittensor(t *testing.T) {
	account, access, secret := strings.Repeat("aB", 16), strings.Repeat("c3", 16), strings.Repeat("D4", 32)
	got, err := directory.DecodeCommitment([]byte(account + access + secret))
	want := directory.Commitment{Location: store.Location{
		Endpoint: "https://" + strings.ToLower(account) + ".r2.cloudflarestorage.com",
		Bucket:   account, AccessKey: access, Secret: store.Secret(secret),
	}}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	want.Location.Region, want.Role = "auto", telemetry.Miner
	if b, ok := want.EncodeR2(); !ok || string(b) != account+access+secret {
		t.Errorf("%q, %v", b, ok)
	}
	for name, change := range map[string]func(l *store.Location){
		"another store": func(l *store.Location) { l.Endpoint = "https://s3.example" }, "another bucket": func(l *store.Location) { l.Bucket = strings.Repeat("b", 32) },
		"a longer secret": func(l *store.Location) { l.Secret += "x" }, "a secret of other characters": func(l *store.Location) { l.Secret = "-" + l.Secret[1:] },
	} {
		other := want
		change(&other.Location)
		if b, ok := other.EncodeR2(); ok {
			t.Errorf("%s: %q", name, b)
		}
	}
}

// shortChain takes commitments of 128 bytes, as older runtimes of Bittensor do.
type shortChain struct {
	chain.Chain
	data []byte
}

func (*shortChain) Commitments(context.Context) ([]chain.Commitment, error) { return nil, nil }

func (c *shortChain) Commit(_ context.Context, _ protocol.Signer, data []byte) (chain.Receipt, error) {
	if len(data) > 128 {
		return chain.Receipt{Status: chain.StatusFailed, Reason: "at most 128 bytes"}, nil
	}
	c.data = data
	return chain.Receipt{Status: chain.StatusIncluded, Block: 1, EffectiveAt: 1}, nil
}

// Where our form does not fit, a bucket on R2 is committed in the original's.
func TestCommitOnAShortChain(t *testing.T) {
	r2, err := directory.DecodeCommitment([]byte(strings.Repeat("ab", 16) + strings.Repeat("c3", 16) + strings.Repeat("D4", 32)))
	if err != nil {
		t.Fatal(err)
	}
	r2.Role = telemetry.Miner
	c := &shortChain{}
	if err := directory.Commit(t.Context(), c, chaintest.Key(t, 1), r2); err != nil || len(c.data) != 128 {
		t.Errorf("%q, %v", c.data, err)
	}
	r2.Location.Endpoint = "https://" + strings.Repeat("a-long-name.", 6) + "example"
	if err := directory.Commit(t.Context(), c, chaintest.Key(t, 1), r2); err == nil || !strings.Contains(err.Error(), "128 bytes") {
		t.Error(err)
	}
}

func TestCommitmentDecodeRefuses(t *testing.T) {
	good, err := commitment().Encode()
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "one byte": good[:1], "cut short": good[:len(good)-1], "no fields": good[:2],
		"left over": append(bytes.Clone(good), 0), "version": change(0, 2), "role": change(1, 9),
		"length": change(3, 0xff), "too long": append(bytes.Clone(good), make([]byte, directory.MaxCommitment)...),
		"a host": []byte("evil.test/" + strings.Repeat("a", 118)), "128 zeros": make([]byte, 128),
	} {
		if c, err := directory.DecodeCommitment(b); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// What decodes is a commitment that encodes to the same bytes, or Bittensor's form.
func FuzzDecodeCommitment(f *testing.F) {
	good, err := commitment().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(strings.Repeat("a", 128)))
	f.Add([]byte{1, 1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := directory.DecodeCommitment(b)
		if err != nil || c.Role == "" {
			return
		}
		if again, err := c.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x, %v; want %x", again, err, b)
		}
	})
}
