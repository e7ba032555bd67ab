package scale

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/big"
	"testing"
)

// The table of the specification's examples and the borders of each mode.
func TestCompact(t *testing.T) {
	for want, text := range map[uint64]string{
		0: "00", 1: "04", 42: "a8", 63: "fc", 64: "0101", 69: "1501", 16383: "fdff", 16384: "02000100",
		65535: "feff0300", 1<<30 - 1: "feffffff", 1 << 30: "0300000040", 1<<32 - 1: "03ffffffff",
		1 << 32: "070000000001", 100_000_000_000_000: "0b00407a10f35a", 1<<64 - 1: "13ffffffffffffffff",
	} {
		if got := AppendCompact(nil, want); hex.EncodeToString(got) != text {
			t.Errorf("%d: %x, want %s", want, got, text)
		}
		b, _ := hex.DecodeString(text)
		r := NewReader(b)
		if got := r.Compact(); got != want || r.End() != nil {
			t.Errorf("%s: %d, %v, want %d", text, got, r.Err(), want)
		}
	}
}

func TestCompactRefuses(t *testing.T) {
	for text, want := range map[string]error{
		"": ErrShort, "01": ErrShort, "02": ErrShort, "03": ErrShort, "0100": ErrCompact, "fd00": ErrCompact, "02000000": ErrCompact,
		"0300000000": ErrCompact, "03ffffff3f": ErrCompact, "17ffffffffffffffff01": ErrCompact, "13ffffffffffffff00": ErrCompact,
	} {
		b, _ := hex.DecodeString(text)
		r := NewReader(b)
		if v := r.Compact(); !errors.Is(r.Err(), want) || v != 0 && want == ErrShort {
			t.Errorf("%s: %d, %v, want %v", text, v, r.Err(), want)
		}
	}
}

// A count that the input cannot hold allocates nothing.
func TestCountIsBounded(t *testing.T) {
	r := NewReader(append(AppendCompact(nil, 1<<60), 1, 2, 3))
	if n := r.Count(1); n != 0 || !errors.Is(r.Err(), ErrTooMany) {
		t.Errorf("%d, %v", n, r.Err())
	}
	if r.U64() != 0 || r.Vec() != nil || r.Len() != 0 {
		t.Error("reads after an error")
	}
}

func FuzzCompact(f *testing.F) {
	f.Add([]byte{0x13, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(b)
		v := r.CompactBig()
		if r.Err() != nil {
			return
		}
		if got := AppendCompactBig(nil, v); !bytes.Equal(got, b[:len(b)-r.Len()]) {
			t.Errorf("%x was read as %v, which is %x", b, v, got)
		}
	})
}

func TestCompactBig(t *testing.T) {
	v := new(big.Int).Lsh(big.NewInt(1), 127)
	r := NewReader(AppendCompactBig(nil, v))
	if got := r.CompactBig(); got.Cmp(v) != 0 || r.End() != nil {
		t.Errorf("%v, %v", got, r.Err())
	}
}
