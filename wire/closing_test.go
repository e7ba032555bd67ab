package wire

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"templar/protocol"
)

func testClosing(t testing.TB, s protocol.Signer) (*Closing, []byte) {
	t.Helper()
	c := &Closing{
		Run: protocol.Hash{1, 2}, Window: 77, Aggregator: s.Hotkey(), UploadFrom: time.Unix(1700000000, 5).UTC(),
		Listed: []Included{{3, newSigner(3).Hotkey(), protocol.Hash{3}}, {300, newSigner(4).Hotkey(), protocol.Hash{4}}},
	}
	b, err := EncodeClosing(c, s)
	if err != nil {
		t.Fatal(err)
	}
	return c, b
}

func TestClosingRoundTrip(t *testing.T) {
	s := newSigner(1)
	c, b := testClosing(t, s)
	got, hash, v := DecodeClosing(b, c.Run, c.Window, func(h protocol.Hotkey) bool { return h == s.Hotkey() })
	if !v.OK() || !reflect.DeepEqual(got, c) || hash != ClosingHash(b) {
		t.Errorf("decoded %+v, %v, want %+v", got, v, c)
	}
	if size, bound := int64(len(b)), MaxClosingSize(len(c.Listed)); size != bound {
		t.Errorf("%d bytes, the bound is %d", size, bound)
	}
	again, err := EncodeClosing(c, s)
	if err != nil || ClosingHash(again) != hash {
		t.Error("the same statement signed again is another")
	}
	for _, p := range c.Listed {
		if content, listed := c.Of(p.UID, p.Hotkey); !listed || content != p.Content || !c.Lists(p) {
			t.Errorf("uid %d: %v, %v", p.UID, content, listed)
		}
	}
	if _, listed := c.Of(3, newSigner(4).Hotkey()); listed {
		t.Error("another hotkey's gradient is listed")
	}
	if _, listed := c.Of(4, newSigner(3).Hotkey()); listed {
		t.Error("another uid's gradient is listed")
	}
}

func TestEncodeClosingRefuses(t *testing.T) {
	s := newSigner(1)
	c, _ := testClosing(t, s)
	if _, err := EncodeClosing(c, newSigner(2)); err == nil {
		t.Error("another signer: no error")
	}
	slices.Reverse(c.Listed)
	if _, err := EncodeClosing(c, s); err == nil {
		t.Error("uids that do not ascend: no error")
	}
}

func closingCases(t testing.TB) map[string]verdictCase {
	t.Helper()
	s := newSigner(1)
	_, good := testClosing(t, s)
	inner := body(good)
	cases := envelopeCases(good)
	maps.Copy(cases, map[string]verdictCase{
		"signed by another":      {resealed(t, newSigner(2), good, inner), protocol.VerdictBadSignature},
		"empty body":             {resealed(t, s, good, nil), protocol.VerdictMalformed},
		"cut in a miner":         {resealed(t, s, good, inner[:len(inner)-1]), protocol.VerdictMalformed},
		"trailing bytes":         {resealed(t, s, good, append(slices.Clone(inner), 0)), protocol.VerdictMalformed},
		"more miners than bytes": {resealed(t, s, good, edited(inner, 8, 0xff, 0xff)), protocol.VerdictMalformed},
		"uids do not ascend":     {resealed(t, s, good, edited(inner, closingFixed, 0xff, 0xff)), protocol.VerdictMalformed},
		"a uid twice":            {resealed(t, s, good, edited(inner, closingFixed+includedSize, 3, 0)), protocol.VerdictMalformed},
	})
	return cases
}

func TestClosingVerdicts(t *testing.T) {
	s := newSigner(1)
	c, _ := testClosing(t, s)
	checkVerdicts(t, closingCases(t), func(b []byte) protocol.Verdict { return readClosingOf(b, c.Run, c.Window, s.Hotkey()) })
}

func FuzzDecodeClosing(f *testing.F) {
	s := newSigner(1)
	c, good := testClosing(f, s)
	fuzzMessages(f, good, func(t *testing.T, b []byte) protocol.Verdict {
		return readClosingOf(b, c.Run, c.Window, s.Hotkey())
	}, func(t *testing.T, b []byte) protocol.Verdict {
		got := &Closing{Run: c.Run, Window: c.Window, Aggregator: s.Hotkey()}
		v := got.read(&reader{b: b})
		if v.OK() && !bytes.Equal(got.message()[headerSize:], b) {
			t.Fatalf("encodes to %x from %x", got.message()[headerSize:], b)
		}
		return v
	})
}

func testRevealed(t testing.TB, s protocol.Signer) (*Key, Expect, []byte) {
	t.Helper()
	k := &Key{Run: protocol.Hash{1, 2}, Window: 77, UID: 300, Hotkey: s.Hotkey(), Closing: protocol.Hash{7}, Key: testKey}
	b, err := EncodeKey(k, s)
	if err != nil {
		t.Fatal(err)
	}
	return k, Expect{k.Run, k.Window, k.UID, k.Hotkey}, b
}

func TestKeyRoundTrip(t *testing.T) {
	s := newSigner(1)
	k, want, b := testRevealed(t, s)
	got, v := DecodeKey(b, want)
	if !v.OK() || *got != *k || len(b) != KeySize {
		t.Errorf("decoded %+v, %v, want %+v", got, v, k)
	}
	if _, err := EncodeKey(k, newSigner(2)); err == nil {
		t.Error("another signer: no error")
	}
}

func keyCases(t testing.TB) map[string]verdictCase {
	t.Helper()
	s := newSigner(1)
	_, _, good := testRevealed(t, s)
	inner := body(good)
	cases := envelopeCases(good)
	maps.Copy(cases, map[string]verdictCase{
		"another uid":       {resealed(t, s, good, edited(inner, 0, 9)), protocol.VerdictWrongContext},
		"signed by another": {resealed(t, newSigner(2), good, inner), protocol.VerdictBadSignature},
		"empty body":        {resealed(t, s, good, nil), protocol.VerdictMalformed},
		"cut in the key":    {resealed(t, s, good, inner[:len(inner)-1]), protocol.VerdictMalformed},
	})
	return cases
}

func TestKeyVerdicts(t *testing.T) {
	_, want, _ := testRevealed(t, newSigner(1))
	checkVerdicts(t, keyCases(t), func(b []byte) protocol.Verdict { return readKeyOf(b, want) })
}

func FuzzDecodeKey(f *testing.F) {
	_, want, good := testRevealed(f, newSigner(1))
	fuzzMessages(f, good, func(t *testing.T, b []byte) protocol.Verdict { return readKeyOf(b, want) },
		func(t *testing.T, b []byte) protocol.Verdict {
			_, v := readKey(&reader{b: b}, want)
			return v
		})
}
