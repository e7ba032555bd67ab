package runtime

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"templar/internal/chain/bittensor/scale"
	"templar/protocol"
)

const kit = "../../../../testkit/vectors/subtensor"

func raw(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(kit, "metadata", name+".scale.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func metadata(t testing.TB, name string) *Metadata {
	t.Helper()
	m, err := Decode(raw(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The vectors are run by internal/cli/vectors. Here is what they do not have.

// V14 and V15 of one runtime say the same.
func TestVersionsAgree(t *testing.T) {
	a, b := metadata(t, "461-v14"), metadata(t, "461-v15")
	c := Context{Spec: 461, Transaction: 1, Nonce: 5, Era: NewEra(64, 1000)}
	args := map[string]any{"netuid": uint16(3), "dests": []uint16{1, 2}, "weights": []uint16{65535, 7}, "version_key": uint64(9)}
	var first []byte
	for _, m := range []*Metadata{a, b} {
		call, err := m.NewCall("SubtensorModule", "set_weights", args)
		if err != nil {
			t.Fatal(err)
		}
		x, err := m.Extrinsic(call, c, protocol.Hotkey{1}, protocol.Signature{2})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = x
		} else if string(first) != string(x) {
			t.Errorf("%x, %x", first, x)
		}
	}
	wrapped := scale.AppendVec(nil, raw(t, "461-v15"))
	for _, w := range [][]byte{wrapped, append([]byte{1}, wrapped...)} {
		if m, err := Decode(w); err != nil || m.Version != 15 {
			t.Errorf("wrapped: %v", err)
		}
	}
}

// What the metadata does not explain is refused by name.
func TestUnknownThingsAreNamed(t *testing.T) {
	m := metadata(t, "461-v14")
	args := map[string]any{"netuid": 3, "hotkey": protocol.Hotkey{}}
	for name, c := range map[string]struct {
		call func() error
		want string
	}{
		"call":   {func() error { _, err := m.NewCall("SubtensorModule", "no_such", nil); return err }, "no_such"},
		"pallet": {func() error { _, err := m.Item("NoSuch", "X"); return err }, "NoSuch"},
		"item":   {func() error { _, err := m.Item("SubtensorModule", "NoSuch"); return err }, "NoSuch"},
		"missing argument": {func() error {
			_, err := m.NewCall("SubtensorModule", "burned_register", map[string]any{"netuid": 3, "key": 1})
			return err
		}, "hotkey"},
		"more arguments": {func() error { _, err := m.NewCall("SubtensorModule", "register_limit", args); return err }, "3 arguments"},
		"wrong type": {func() error {
			_, err := m.NewCall("SubtensorModule", "burned_register", map[string]any{"netuid": "x", "hotkey": protocol.Hotkey{}})
			return err
		}, "netuid"},
		"too large": {func() error {
			_, err := m.NewCall("SubtensorModule", "burned_register", map[string]any{"netuid": 70000, "hotkey": protocol.Hotkey{}})
			return err
		}, "70000"},
	} {
		if err := c.call(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
	changed := *m
	changed.Extensions = append([]Extension{{Name: "CheckTheMoon", extra: m.sign, implicit: m.sign}}, m.Extensions...)
	if _, err := changed.Payload(nil, Context{}); err == nil || !strings.Contains(err.Error(), "CheckTheMoon") {
		t.Errorf("an unknown extension: %v", err)
	}
	changed.txv = 5
	if _, err := changed.Extrinsic(nil, Context{}, protocol.Hotkey{}, protocol.Signature{}); err == nil {
		t.Error("an extrinsic of version 5 was built by the rules of 4")
	}
	if _, err := m.Item("SubtensorModule", "NoSuch"); !errors.Is(err, ErrAbsent) {
		t.Errorf("%v is not ErrAbsent", err)
	}
}

// Types that name themselves, or grow without bound, end in an error.
func TestHostileTypes(t *testing.T) {
	self := &Metadata{types: []Type{{kind: kindTuple, tuple: []uint32{0, 0}}}}
	if _, err := self.decode(0, nil); err == nil {
		t.Error("a type that is made of itself")
	}
	if _, err := self.append(nil, 0, []any{[]any{}, []any{}}, 0); err == nil {
		t.Error("a type that is made of itself")
	}
	if _, err := self.empty(0, 0, map[uint32]bool{}); err == nil {
		t.Error("a type that is made of itself")
	}
	wide := &Metadata{types: []Type{{kind: kindArray, elem: 1, length: 1 << 31}, {kind: kindTuple}}}
	if _, err := wide.decode(0, nil); err == nil {
		t.Error("two billion nothings")
	}
	if _, err := wide.decode(7, nil); err == nil {
		t.Error("a type that is not there")
	}
	compact := &Metadata{types: []Type{{kind: kindCompact, elem: 1}, {kind: kindComposite, fields: []field{{ty: 1}}}}}
	if _, err := compact.decode(0, []byte{4}); err == nil {
		t.Error("a compact of itself")
	}
}

// Each of sixty types holds the next one twice, and the last nothing.
func TestTypesOfNothing(t *testing.T) {
	m := &Metadata{types: make([]Type, 61)}
	for i := range 60 {
		m.types[i] = Type{kind: kindTuple, tuple: []uint32{uint32(i) + 1, uint32(i) + 1}}
	}
	m.types[60].kind = kindTuple
	if empty, err := m.empty(0, 0, map[uint32]bool{}); !empty || err != nil {
		t.Errorf("%v, %v", empty, err)
	}
}

// Metadata of kilobytes must not take gigabytes, here or when it is used.
func TestLongListsAreRefused(t *testing.T) {
	vec := func(n int, item string) string {
		return string(scale.AppendCompact(nil, uint64(n))) + strings.Repeat(item, n)
	}
	one := func(definition string) string { return vec(1, "\x00\x00\x00"+definition+"\x00") }
	const none = "\x04\x00\x00\x00\x04\x00\x00" // one type, the empty tuple
	field := "\x00\x00\x00\x00"
	for name, c := range map[string]struct{ body, want string }{
		"fields":   {one("\x00" + vec(5000, field)), "a list of 5000"},
		"variants": {one("\x01" + vec(300, "\x00"+vec(0, "")+"\x00\x00")), "a list of 300"},
		"a tuple":  {one("\x04" + vec(5000, "\x00")), "a list of 5000"},
		"pallets":  {none + vec(300, strings.Repeat("\x00", 20)), "a list of 300"},
		"the name of an API": {
			vec(0, "") + vec(0, "") + "\x04\x00\x00\x00\x00" + vec(0, "") + "\x00" +
				vec(1, string(scale.AppendVec(nil, make([]byte, 1<<20)))+vec(100, "\x00\x00\x00\x00")+"\x00"), "a name of",
		},
	} {
		if _, err := Decode([]byte("meta\x0f" + c.body)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestHeaderRefuses(t *testing.T) {
	for _, text := range []string{`{}`, `{"number":"8"}`, `{"number":"0x100000000","parentHash":"0x00"}`, `{"number":"0x1","parentHash":"0x11"}`, `[]`} {
		var h Header
		if err := json.Unmarshal([]byte(text), &h); err == nil {
			t.Errorf("%s was read as %+v", text, h)
		}
	}
}

// smallest is metadata of version 15 with one of everything.
func smallest() []byte {
	types := "\x0c" +
		"\x00\x00\x00\x05\x03\x00" + // 0: u8
		"\x04\x00\x00\x01\x04\x04E\x04\x01\x04f\x00\x00\x00\x00\x00\x00" + // 1: an enum of one, with a field
		"\x08\x00\x00\x00\x04\x01\x04g\x00\x00\x00\x00" // 2: a struct of a u8
	item := "\x04I\x00\x01\x04\x05\x00\x08\x04\x00\x00"
	constant := "\x04C\x00\x04\x07\x00"
	pallet := "\x04P\x01\x04P\x04" + item + "\x01\x04\x01\x04\x04" + constant + "\x01\x04\x00\x00"
	extrinsic := "\x04\x00\x04\x00\x00\x04\x04X\x00\x00"
	api := "\x04A\x04\x04m\x04\x04a\x00\x00\x00\x00"
	return []byte("meta\x0f" + types + "\x04" + pallet + extrinsic + "\x00" + "\x04" + api)
}

func FuzzMetadata(f *testing.F) {
	f.Add(raw(f, "218-v14")[:4096])
	f.Add([]byte("meta\x0e\x00\x00"))
	small := smallest()
	if _, err := Decode(small); err != nil {
		f.Fatal(err)
	}
	f.Add(small)
	f.Fuzz(func(_ *testing.T, b []byte) {
		if len(b) > 8<<10 {
			return
		}
		m, err := Decode(b)
		if err != nil {
			return
		}
		if it, err := m.Item("P", "I"); err == nil {
			_, _ = m.Key(it, uint8(3))
			_, _ = m.DecodeValue(it, b[:min(len(b), 9)])
		}
		_, _ = m.Constant("P", "C")
		_, _ = m.DecodeAnswer("A_m", []byte{1})
		_, _ = m.EncodeArguments("A_m", uint8(1))
		_, _ = m.Payload([]byte{1}, Context{})
		_, _, _ = m.ErrorName(0, 0)
	})
}

// One flipped byte in metadata, and every use of it: an error at most.
func FuzzUseOfMetadata(f *testing.F) {
	whole := raw(f, "218-v14")
	events := []byte{0x0c, 0, 0, 0, 0, 0, 0, 0, 0xc2, 0x94, 0x5c, 0x3f, 0x55, 0x17, 2, 0}
	f.Add(uint32(100), byte(1), events)
	f.Fuzz(func(_ *testing.T, at uint32, x byte, b []byte) {
		changed := append([]byte{}, whole...)
		changed[int(at)%len(changed)] ^= x
		m, err := Decode(changed)
		if err != nil {
			return
		}
		_, _ = m.DecodeEvents(b)
		_, _ = m.DecodeExtrinsic(b)
		_, _ = m.NewCall("SubtensorModule", "burned_register", map[string]any{"netuid": 3, "hotkey": protocol.Hotkey{}})
		if it, err := m.Item("System", "Account"); err == nil {
			_, _ = m.Key(it, protocol.Hotkey{})
			_, _ = m.DecodeValue(it, b)
			_, _ = m.SplitKey(it, b)
		}
	})
}

func FuzzExtrinsic(f *testing.F) {
	m := metadata(f, "461-v15")
	call, err := m.NewCall("SubtensorModule", "set_weights", map[string]any{"netuid": 3, "dests": []uint16{1}, "weights": []uint16{2}, "version_key": 0})
	if err != nil {
		f.Fatal(err)
	}
	x, err := m.Extrinsic(call, Context{Era: NewEra(64, 9)}, protocol.Hotkey{1}, protocol.Signature{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(x)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := m.DecodeExtrinsic(b)
		if err != nil || d.Signer.IsZero() || d.Tip != 0 || d.Mode != 0 {
			return
		}
		again, err := m.Extrinsic(d.Call, d.Context, d.Signer, d.Signature)
		if err != nil || string(again) != string(b) {
			t.Errorf("%x was read and written as %x, %v", b, again, err)
		}
	})
}

func FuzzEvents(f *testing.F) {
	m := metadata(f, "461-v15")
	f.Add([]byte{0})
	f.Fuzz(func(_ *testing.T, b []byte) {
		if events, err := m.DecodeEvents(b); err == nil {
			for i := range 4 {
				_ = m.Outcome(events, i)
			}
		}
	})
}
