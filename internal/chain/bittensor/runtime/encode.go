package runtime

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"

	"templar/internal/chain/bittensor/scale"
	"templar/protocol"
)

// append encodes v as a value of a type. It takes what decode gives, Go's integers of
// any size, slices of them, arrays of bytes, and the forms that people write in JSON: an
// SS58 address for an account, "0x" and hexadecimal digits for bytes, {"Name": value}
// or "Name" for a variant.
func (m *Metadata) append(b []byte, ty uint32, v any, depth int) ([]byte, error) {
	t, err := m.typ(ty)
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, errDepth
	}
	switch t.kind {
	case kindComposite:
		if t.account() {
			h, err := account(v)
			return append(b, h[:]...), err
		}
		return m.appendFields(b, t.fields, v, depth)
	case kindVariant:
		return m.appendVariant(b, t, v, depth)
	case kindSequence:
		return m.appendList(b, t.elem, v, -1, depth)
	case kindArray:
		return m.appendList(b, t.elem, v, int(t.length), depth)
	case kindTuple:
		return m.appendTuple(b, t.tuple, v, depth)
	case kindPrimitive:
		return appendPrimitive(b, t.prim, v)
	case kindCompact:
		return m.appendCompact(b, t.elem, v)
	}
	return nil, fmt.Errorf("a value of type %d (%v) cannot be encoded", ty, t.path)
}

func account(v any) (h protocol.Hotkey, err error) {
	switch v := v.(type) {
	case protocol.Hotkey:
		return v, nil
	case [32]byte:
		return v, nil
	case string:
		return protocol.ParseHotkey(v)
	}
	if raw, err := rawBytes(v); err == nil && len(raw) == 32 {
		return protocol.Hotkey(raw), nil
	}
	return h, fmt.Errorf("%T is not an account", v)
}

func (m *Metadata) appendFields(b []byte, fields []field, v any, depth int) (_ []byte, err error) {
	if len(fields) == 1 && fields[0].name == "" {
		got, err := m.append(slices.Clip(b), fields[0].ty, v, depth+1)
		if list, ok := v.([]any); err != nil && ok && len(list) == 1 { // the field in brackets, as JSON of the Python SDK has it
			if inner, ok := list[0].([]any); ok {
				return m.append(b, fields[0].ty, inner, depth+1)
			}
		}
		return got, err
	}
	if len(fields) > 0 && fields[0].name == "" {
		types := make([]uint32, len(fields))
		for i, f := range fields {
			types[i] = f.ty
		}
		return m.appendTuple(b, types, v, depth)
	}
	s, ok := asStruct(v)
	if !ok {
		return nil, fmt.Errorf("%T is not a struct", v)
	}
	for _, f := range fields {
		inner, ok := s[f.name]
		if !ok {
			return nil, fmt.Errorf("field %s: missing", f.name)
		}
		if b, err = m.append(b, f.ty, inner, depth+1); err != nil {
			return nil, fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	if len(s) != len(fields) {
		return nil, fmt.Errorf("%d fields, want %d", len(s), len(fields))
	}
	return b, nil
}

func asStruct(v any) (Struct, bool) {
	switch v := v.(type) {
	case Struct:
		return v, true
	case map[string]any:
		return v, true
	case nil:
		return nil, true
	}
	return nil, false
}

func (m *Metadata) appendVariant(b []byte, t *Type, v any, depth int) ([]byte, error) {
	if t.optional() {
		if v == nil {
			return append(b, 0), nil
		}
		return m.appendFields(append(b, 1), t.variants[1].fields, v, depth)
	}
	name, inner := "", any(nil)
	switch v := v.(type) {
	case Variant:
		name, inner = v.Name, v.Value
	case string:
		name = v
	case map[string]any:
		for k, x := range v {
			name, inner = k, x
		}
		if len(v) != 1 {
			return nil, fmt.Errorf("%d names of a variant, want one", len(v))
		}
	default: // an account stands for MultiAddress::Id
		name, inner = "Id", v
	}
	for _, candidate := range []string{name, "Id"} {
		for i := range t.variants {
			if t.variants[i].name != candidate {
				continue
			}
			if candidate != name {
				inner = v
			}
			b = append(b, t.variants[i].index)
			if len(t.variants[i].fields) == 0 {
				return b, nil
			}
			return m.appendFields(b, t.variants[i].fields, inner, depth)
		}
	}
	return nil, fmt.Errorf("%v has no variant %q: %w", t.path, name, ErrAbsent)
}

func (m *Metadata) appendTuple(b []byte, types []uint32, v any, depth int) (_ []byte, err error) {
	list, err := asList(v)
	if err != nil || len(list) != len(types) {
		return nil, fmt.Errorf("%T is not a tuple of %d", v, len(types))
	}
	for i, ty := range types {
		if b, err = m.append(b, ty, list[i], depth+1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (m *Metadata) appendList(b []byte, elem uint32, v any, length, depth int) ([]byte, error) {
	if m.isByte(elem) {
		raw, err := rawBytes(v)
		if err != nil {
			return nil, err
		}
		if length < 0 {
			return scale.AppendVec(b, raw), nil
		}
		if len(raw) != length {
			return nil, fmt.Errorf("%d bytes, want %d", len(raw), length)
		}
		return append(b, raw...), nil
	}
	list, err := asList(v)
	if err != nil {
		return nil, err
	}
	if length < 0 {
		b = scale.AppendCompact(b, uint64(len(list)))
	} else if len(list) != length {
		return nil, fmt.Errorf("%d elements, want %d", len(list), length)
	}
	for i, x := range list {
		if b, err = m.append(b, elem, x, depth+1); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return b, nil
}

// rawBytes takes bytes, arrays of bytes, and hexadecimal text.
func rawBytes(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case string:
		digits, ok := strings.CutPrefix(v, "0x")
		raw, err := hex.DecodeString(digits)
		if !ok || err != nil {
			return nil, fmt.Errorf("%.20q is not 0x and hexadecimal digits", v)
		}
		return raw, nil
	}
	if x := reflect.ValueOf(v); x.IsValid() && x.Kind() == reflect.Array && x.Type().Elem().Kind() == reflect.Uint8 {
		raw := make([]byte, x.Len())
		reflect.Copy(reflect.ValueOf(raw), x)
		return raw, nil
	}
	return nil, fmt.Errorf("%T is not bytes", v)
}

func asList(v any) ([]any, error) {
	if list, ok := v.([]any); ok {
		return list, nil
	}
	x := reflect.ValueOf(v)
	if !x.IsValid() || x.Kind() != reflect.Slice && x.Kind() != reflect.Array {
		return nil, fmt.Errorf("%T is not a list", v)
	}
	list := make([]any, x.Len())
	for i := range list {
		list[i] = x.Index(i).Interface()
	}
	return list, nil
}

func appendPrimitive(b []byte, prim uint8, v any) ([]byte, error) {
	switch prim {
	case primBool:
		x, ok := v.(bool)
		if !ok {
			return nil, fmt.Errorf("%T is not a bool", v)
		}
		if x {
			return append(b, 1), nil
		}
		return append(b, 0), nil
	case primStr:
		x, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("%T is not text", v)
		}
		return scale.AppendVec(b, []byte(x)), nil
	case primChar:
		prim = primU32
	}
	x, err := integer(v)
	if err != nil {
		return nil, err
	}
	n := width[prim]
	if prim >= primI8 {
		if x.BitLen() >= 8*n {
			return nil, fmt.Errorf("%v does not fit %d bytes", x, n)
		}
		if x.Sign() < 0 {
			x = new(big.Int).Add(x, new(big.Int).Lsh(big.NewInt(1), uint(8*n)))
		}
	}
	if x.Sign() < 0 || x.BitLen() > 8*n {
		return nil, fmt.Errorf("%v does not fit %d bytes", x, n)
	}
	raw := x.FillBytes(make([]byte, n))
	slices.Reverse(raw)
	return append(b, raw...), nil
}

func (m *Metadata) appendCompact(b []byte, ty uint32, v any) ([]byte, error) {
	bits, err := m.compactWidth(ty, 0)
	if err != nil {
		return nil, err
	}
	x, err := integer(v)
	if err != nil {
		return nil, err
	}
	if x.Sign() < 0 || x.BitLen() > bits {
		return nil, fmt.Errorf("%v does not fit %d bits", x, bits)
	}
	return scale.AppendCompactBig(b, x), nil
}

func integer(v any) (*big.Int, error) {
	switch v := v.(type) {
	case *big.Int:
		return v, nil
	case json.Number:
		if x, ok := new(big.Int).SetString(v.String(), 10); ok {
			return x, nil
		}
	}
	switch x := reflect.ValueOf(v); {
	case !x.IsValid():
	case x.CanUint():
		return new(big.Int).SetUint64(x.Uint()), nil
	case x.CanInt():
		return big.NewInt(x.Int()), nil
	}
	return nil, fmt.Errorf("%v (%T) is not an integer", v, v)
}

// U64 is a decoded value as a number, if it is one that fits.
func U64(v any) (uint64, error) {
	x, err := integer(v)
	if err != nil {
		return 0, err
	}
	if !x.IsUint64() {
		return 0, fmt.Errorf("%v does not fit 64 bits", x)
	}
	return x.Uint64(), nil
}

// appendU32 and appendU64 are little endian.
func appendU32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }
