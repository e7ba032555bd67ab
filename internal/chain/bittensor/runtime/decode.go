package runtime

import (
	"errors"
	"fmt"
	"math/big"

	"templar/internal/chain/bittensor/scale"
	"templar/protocol"
)

// What a decoded value is in Go:
//
//	bool                          bool
//	unsigned up to 64 bits        uint64, also when compact
//	wider and signed integers     *big.Int
//	char, str                     uint64, string
//	AccountId32                   protocol.Hotkey
//	bytes (sequence or array)     []byte
//	sequence, array, tuple        []any
//	struct                        Struct; of one field without a name: that field
//	Option                        nil, or the value
//	enum                          Variant
//	bit sequence                  []byte

// Struct is a struct's fields by name.
type Struct map[string]any

// Variant is a value of an enum.
type Variant struct {
	Name  string
	Index uint8
	Value any // nil without fields; one field without a name: that; several: []any or Struct
}

const (
	maxDepth  = 64      // of types in types: metadata could name itself
	maxValues = 1 << 21 // in one value
)

// errors of decoding by types.
var (
	errDepth  = errors.New("types are nested too deep")
	errValues = errors.New("too many values")
)

// decode reads all of b as a value of a type.
func (m *Metadata) decode(ty uint32, b []byte) (any, error) {
	d := decoder{m: m, r: scale.NewReader(b)}
	v := d.value(ty, 0)
	if err := d.r.End(); err != nil {
		return nil, err
	}
	return v, nil
}

type decoder struct {
	m      *Metadata
	r      *scale.Reader
	values int
}

func (d *decoder) value(ty uint32, depth int) any {
	if d.values++; d.values > maxValues {
		d.r.Fail(errValues)
	}
	t, err := d.m.typ(ty)
	if err == nil && depth > maxDepth {
		err = errDepth
	}
	if err != nil {
		d.r.Fail(err)
	}
	if d.r.Err() != nil {
		return nil
	}
	switch t.kind {
	case kindComposite:
		if t.account() {
			return protocol.Hotkey(d.r.Array32())
		}
		return d.fields(t.fields, depth)
	case kindVariant:
		return d.variant(t, depth)
	case kindSequence:
		return d.list(t.elem, d.r.Count(1), depth) // an element of no bytes counts as one
	case kindArray:
		return d.list(t.elem, int(t.length), depth)
	case kindTuple:
		list := make([]any, 0, len(t.tuple))
		for _, e := range t.tuple {
			list = append(list, d.value(e, depth+1))
		}
		return list
	case kindPrimitive:
		return d.primitive(t.prim)
	case kindCompact:
		return d.compact(t.elem, depth)
	}
	return d.bits()
}

// account reports whether a type is an account's id.
func (t *Type) account() bool {
	return len(t.path) > 0 && t.path[len(t.path)-1] == "AccountId32"
}

// optional reports whether a type is Rust's Option.
func (t *Type) optional() bool {
	return len(t.path) == 1 && t.path[0] == "Option" && len(t.variants) == 2
}

func (m *Metadata) isByte(ty uint32) bool {
	t, err := m.typ(ty)
	return err == nil && t.kind == kindPrimitive && t.prim == primU8
}

// fields of a struct or a variant.
func (d *decoder) fields(fields []field, depth int) any {
	if len(fields) == 1 && fields[0].name == "" {
		return d.value(fields[0].ty, depth+1)
	}
	if len(fields) > 0 && fields[0].name == "" {
		list := make([]any, 0, len(fields))
		for _, f := range fields {
			list = append(list, d.value(f.ty, depth+1))
		}
		return list
	}
	s := make(Struct, len(fields))
	for _, f := range fields {
		s[f.name] = d.value(f.ty, depth+1)
	}
	return s
}

func (d *decoder) variant(t *Type, depth int) any {
	index := d.r.U8()
	if d.r.Err() != nil {
		return nil
	}
	for i := range t.variants {
		v := &t.variants[i]
		if v.index != index {
			continue
		}
		var inner any
		if len(v.fields) > 0 {
			inner = d.fields(v.fields, depth)
		}
		if t.optional() {
			return inner
		}
		return Variant{v.name, index, inner}
	}
	d.r.Fail(fmt.Errorf("variant %d of %v is not known", index, t.path))
	return nil
}

func (d *decoder) list(elem uint32, n, depth int) any {
	if d.m.isByte(elem) {
		return append([]byte{}, d.r.Bytes(n)...)
	}
	list := make([]any, 0, min(n, d.r.Len(), 4096))
	for range n {
		if d.r.Err() != nil {
			return nil
		}
		list = append(list, d.value(elem, depth+1))
	}
	return list
}

// width in bytes of the unsigned and signed integers.
var width = [...]int{primU8: 1, primU16: 2, primU32: 4, primU64: 8, primU128: 16, primU256: 32, primI8: 1, primI16: 2, primI32: 4, primI64: 8, primI128: 16, primI256: 32}

func (d *decoder) primitive(prim uint8) any {
	switch prim {
	case primBool:
		return d.r.Bool()
	case primStr:
		return d.r.String()
	case primChar:
		return uint64(d.r.U32())
	case primU8:
		return uint64(d.r.U8())
	case primU16:
		return uint64(d.r.U16())
	case primU32:
		return uint64(d.r.U32())
	case primU64:
		return d.r.U64()
	}
	n := width[prim]
	raw := d.r.Bytes(n)
	v := new(big.Int)
	for i := len(raw) - 1; i >= 0; i-- {
		v.Or(v.Lsh(v, 8), big.NewInt(int64(raw[i])))
	}
	if prim >= primI8 && v.Bit(8*n-1) == 1 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*n)))
	}
	return v
}

// compact reads a compact integer, or a struct around one.
func (d *decoder) compact(ty uint32, depth int) any {
	bits, err := d.m.compactWidth(ty, depth)
	if err != nil {
		d.r.Fail(err)
		return nil
	}
	if bits <= 64 {
		v := d.r.Compact()
		if bits < 64 && v>>bits != 0 {
			d.r.Fail(scale.ErrCompact)
		}
		return v
	}
	v := d.r.CompactBig()
	if v.BitLen() > bits {
		d.r.Fail(scale.ErrCompact)
	}
	return v
}

// compactWidth returns the bits of the integer under a compact type, 0 for nothing.
func (m *Metadata) compactWidth(ty uint32, depth int) (int, error) {
	t, err := m.typ(ty)
	switch {
	case err != nil:
		return 0, err
	case depth > maxDepth:
		return 0, errDepth
	case t.kind == kindPrimitive && t.prim >= primU8 && t.prim <= primU128:
		return 8 * width[t.prim], nil
	case t.kind == kindComposite && len(t.fields) == 1:
		return m.compactWidth(t.fields[0].ty, depth+1)
	}
	return 0, fmt.Errorf("%w: type %d is not an integer, and compact", ErrMetadata, ty)
}

func (d *decoder) bits() any {
	n := d.r.Compact()
	if n > 8*uint64(d.r.Len()) {
		d.r.Fail(scale.ErrTooMany)
		return nil
	}
	return append([]byte{}, d.r.Bytes(int((n+7)/8))...)
}
