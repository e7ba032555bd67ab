package wire

import (
	"bytes"
	"reflect"
	"testing"

	"templar/protocol"
)

func testParts(size int64) *Parts {
	return &Parts{Size: size, Of: []Included{
		{3, protocol.Hotkey{3}, protocol.Hash{1}}, {1, protocol.Hotkey{1}, protocol.Hash{2}}, {300, protocol.Hotkey{9}, protocol.Hash{4}},
	}}
}

func TestPartsRoundTrip(t *testing.T) {
	p := testParts(1000)
	b := EncodeParts(p)
	got, v := DecodeParts(b)
	if !v.OK() || !reflect.DeepEqual(got, p) || int64(len(b)) != MaxPartsSize(3) {
		t.Errorf("%+v, %v; %d bytes", got, v, len(b))
	}
}

// Parts cover an object without a gap, in order, and none is empty.
func TestPartsCover(t *testing.T) {
	for size := int64(9); size < 40; size++ {
		p, end := testParts(size), int64(0)
		for i := range p.Of {
			offset, n := p.At(i)
			if offset != end || n < 1 {
				t.Errorf("%d bytes: part %d is %d bytes at %d, want %d", size, i, n, offset, end)
			}
			end = offset + n
		}
		if end != size {
			t.Errorf("the parts of %d bytes end at %d", size, end)
		}
	}
}

func FuzzParts(f *testing.F) {
	for _, size := range []int64{0, 8, 9, 1 << 30, -1, 1<<63 - 1} {
		f.Add(EncodeParts(testParts(size)))
	}
	twice := testParts(1000)
	twice.Of[2].Hotkey = twice.Of[0].Hotkey
	f.Add(EncodeParts(twice))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, v := DecodeParts(b)
		if !v.OK() {
			return
		}
		if !bytes.Equal(EncodeParts(p), b) {
			t.Error("there is another form")
		}
		sum := int64(0)
		seen := map[protocol.Hotkey]bool{}
		for i, of := range p.Of {
			_, n := p.At(i)
			if sum += n; n < 1 || seen[of.Hotkey] {
				t.Errorf("part %d has %d bytes, and its relay another one: %v", i, n, seen[of.Hotkey])
			}
			seen[of.Hotkey] = true
		}
		if sum != p.Size {
			t.Errorf("%d bytes of %d", sum, p.Size)
		}
	})
}
