package runtime

import (
	"bytes"
	"errors"
	"fmt"

	"templar/internal/chain/bittensor/scale"
)

// MaxMetadata bounds metadata, in bytes. Runtime 461's takes 390 kB.
const MaxMetadata = 16 << 20

// Bounds on what metadata lists. A decoder makes room for the fields of a type each time it meets
// the type, and looks a variant up among all, so that long lists would cost much more than their bytes.
const (
	maxName     = 1 << 10 // bytes
	maxFields   = 1 << 10 // of a struct, a variant or a tuple
	maxVariants = 1 << 8  // their indices are bytes, and so are those of pallets
	maxPallets  = 1 << 8
)

// ErrAbsent is wrapped when the runtime has no such pallet, item, call or API.
var ErrAbsent = errors.New("this runtime does not have it")

// ErrMetadata is wrapped by faults of metadata.
var ErrMetadata = errors.New("metadata")

// Metadata describes one version of a runtime. It does not change.
type Metadata struct {
	Version    uint8 // of the format: 14 or 15
	Extensions []Extension
	Hash       [32]byte // of the encoded metadata

	types   []Type
	pallets []Pallet
	byName  map[string]*Pallet
	apis    map[string]API
	address uint32 // types of an extrinsic's signer and signature
	sign    uint32
	txv     uint8
}

// Extension is one of the parts of a signed extrinsic beside the call.
type Extension struct {
	Name     string
	extra    uint32 // type of what is sent
	implicit uint32 // type of what is only signed
}

// Pallet is one module of the runtime.
type Pallet struct {
	Name      string
	Index     uint8
	prefix    string
	items     map[string]*Item
	constants map[string]Constant
	calls     *uint32
	events    *uint32
	errors    *uint32
}

// Constant is a value that the runtime was compiled with.
type Constant struct {
	ty    uint32
	value []byte
}

// API is a method of a runtime API, for state_call.
type API struct {
	Inputs []uint32
	Output uint32
}

// kind of a type's definition.
type kind uint8

const (
	kindComposite kind = iota
	kindVariant
	kindSequence
	kindArray
	kindTuple
	kindPrimitive
	kindCompact
	kindBits
)

// primitive types, in the metadata's order.
const (
	primBool = iota
	primChar
	primStr
	primU8
	primU16
	primU32
	primU64
	primU128
	primU256
	primI8
	primI16
	primI32
	primI64
	primI128
	primI256
)

// Type is an entry of the type registry.
type Type struct {
	path     []string
	params   []param
	kind     kind
	fields   []field       // composite
	variants []variantType // variant
	elem     uint32        // sequence, array, compact
	length   uint32        // array
	tuple    []uint32
	prim     uint8
}

type param struct {
	name string
	ty   *uint32
}

type field struct {
	name string // empty in tuple structs
	ty   uint32
}

type variantType struct {
	name   string
	index  uint8
	fields []field
}

// Decode reads metadata as state_getMetadata or Metadata_metadata_at_version give it,
// the latter with or without the option and the length around it.
func Decode(b []byte) (*Metadata, error) {
	if len(b) > MaxMetadata {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrMetadata, len(b), MaxMetadata)
	}
	b = unwrap(b)
	r := scale.NewReader(b)
	if string(r.Bytes(4)) != "meta" {
		return nil, fmt.Errorf("%w: it does not begin with \"meta\"", ErrMetadata)
	}
	m := &Metadata{Version: r.U8(), byName: map[string]*Pallet{}, apis: map[string]API{}, Hash: Blake2_256(b)}
	if m.Version != 14 && m.Version != 15 {
		return nil, fmt.Errorf("%w: version %d is not known: this build reads 14 and 15", ErrMetadata, m.Version)
	}
	readTypes(r, m)
	for range count(r, 8, maxPallets) {
		m.pallets = append(m.pallets, readPallet(r, m.Version))
	}
	readExtrinsic(r, m)
	compact32(r) // the type of the runtime
	if m.Version == 15 {
		readAPIs(r, m)
		r.Bytes(r.Len()) // outer enums and custom values: not used
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMetadata, err)
	}
	for i := range m.pallets {
		m.byName[m.pallets[i].Name] = &m.pallets[i]
	}
	if m.Version == 14 {
		return m, m.extrinsicFromType()
	}
	return m, nil
}

// unwrap takes the option and the length away that state_call puts around metadata.
func unwrap(b []byte) []byte {
	if bytes.HasPrefix(b, []byte("meta")) {
		return b
	}
	for _, optional := range []bool{true, false} {
		r := scale.NewReader(b)
		if optional && !r.Option() {
			continue
		}
		if inner := r.Vec(); r.End() == nil && bytes.HasPrefix(inner, []byte("meta")) {
			return inner
		}
	}
	return b
}

func compact32(r *scale.Reader) uint32 {
	v := r.Compact()
	if v > 1<<32-1 {
		r.Fail(scale.ErrCompact)
	}
	return uint32(v)
}

// count is a reader's Count with a bound.
func count(r *scale.Reader, size, most int) int {
	n := r.Count(size)
	if n > most {
		r.Fail(fmt.Errorf("a list of %d, at most %d", n, most))
		return 0
	}
	return n
}

// shortName reads a name that is joined to others.
func shortName(r *scale.Reader) string {
	s := r.Vec()
	if len(s) > maxName {
		r.Fail(fmt.Errorf("a name of %d bytes, at most %d", len(s), maxName))
		return ""
	}
	return string(s)
}

func option32(r *scale.Reader) *uint32 {
	if !r.Option() {
		return nil
	}
	v := compact32(r)
	return &v
}

func names(r *scale.Reader) []string {
	n := r.Count(1)
	list := make([]string, 0, min(n, 64))
	for range n {
		list = append(list, r.String())
	}
	return list
}

// skipStrings passes documentation by.
func skipStrings(r *scale.Reader) {
	for range r.Count(1) {
		r.Vec()
	}
}

func readTypes(r *scale.Reader, m *Metadata) {
	n := r.Count(5)
	m.types = make([]Type, 0, min(n, 1<<14))
	for i := range n {
		if id := compact32(r); id != uint32(i) {
			r.Fail(fmt.Errorf("type %d stands where type %d belongs", id, i))
			return
		}
		m.types = append(m.types, readType(r))
	}
}

func readType(r *scale.Reader) (t Type) {
	t.path = names(r)
	for range r.Count(2) {
		t.params = append(t.params, param{r.String(), option32(r)})
	}
	t.kind = kind(r.U8())
	switch t.kind {
	case kindComposite:
		t.fields = readFields(r)
	case kindVariant:
		for range count(r, 4, maxVariants) {
			v := variantType{name: r.String(), fields: readFields(r), index: r.U8()}
			skipStrings(r)
			t.variants = append(t.variants, v)
		}
	case kindSequence, kindCompact:
		t.elem = compact32(r)
	case kindArray:
		t.length, t.elem = r.U32(), compact32(r)
	case kindTuple:
		for range count(r, 1, maxFields) {
			t.tuple = append(t.tuple, compact32(r))
		}
	case kindPrimitive:
		if t.prim = r.U8(); t.prim > primI256 {
			r.Fail(fmt.Errorf("primitive type %d is not known", t.prim))
		}
	case kindBits:
		compact32(r) // store
		compact32(r) // order
	default:
		r.Fail(fmt.Errorf("type definition %d is not known", t.kind))
	}
	skipStrings(r)
	return t
}

func readFields(r *scale.Reader) (list []field) {
	for range count(r, 4, maxFields) {
		f := field{}
		if r.Option() {
			f.name = r.String()
		}
		f.ty = compact32(r)
		if r.Option() {
			r.Vec() // the type's name in the source
		}
		skipStrings(r)
		list = append(list, f)
	}
	return list
}

func readPallet(r *scale.Reader, version uint8) Pallet {
	p := Pallet{Name: r.String(), items: map[string]*Item{}, constants: map[string]Constant{}}
	if r.Option() {
		p.prefix = r.String()
		for range r.Count(4) {
			it := readItem(r, p.prefix)
			it.Pallet = p.Name
			p.items[it.Name] = it
		}
	}
	p.calls, p.events = option32(r), option32(r)
	for range r.Count(4) {
		name, ty, value := r.String(), compact32(r), r.Vec()
		p.constants[name] = Constant{ty, value}
		skipStrings(r)
	}
	p.errors = option32(r)
	p.Index = r.U8()
	if version >= 15 {
		skipStrings(r)
	}
	return p
}

func readItem(r *scale.Reader, prefix string) *Item {
	it := &Item{Name: r.String(), prefix: prefix}
	switch r.U8() {
	case 0:
		it.Optional = true
	case 1:
	default:
		r.Fail(errors.New("storage modifier is not known"))
	}
	switch r.U8() {
	case 0:
		it.value = compact32(r)
	case 1:
		for range r.Count(1) {
			h := Hasher(r.U8())
			if h > Identity {
				r.Fail(fmt.Errorf("hasher %d is not known", h))
			}
			it.Hashers = append(it.Hashers, h)
		}
		it.key, it.value = compact32(r), compact32(r)
	default:
		r.Fail(errors.New("storage form is not known"))
	}
	it.Fallback = r.Vec()
	skipStrings(r)
	return it
}

func readExtrinsic(r *scale.Reader, m *Metadata) {
	if m.Version == 14 {
		m.address = compact32(r) // the extrinsic's type: see extrinsicFromType
		m.txv = r.U8()
	} else {
		m.txv, m.address = r.U8(), compact32(r)
		compact32(r) // the call's type
		m.sign = compact32(r)
		compact32(r) // the extra's type
	}
	for range r.Count(3) {
		m.Extensions = append(m.Extensions, Extension{r.String(), compact32(r), compact32(r)})
	}
}

// extrinsicFromType finds the types of signer and signature, which V14 has only as the
// parameters of the extrinsic's type.
func (m *Metadata) extrinsicFromType() error {
	t, err := m.typ(m.address)
	if err != nil {
		return err
	}
	found := 0
	for _, p := range t.params {
		switch {
		case p.ty == nil:
		case p.name == "Address":
			m.address = *p.ty
			found++
		case p.name == "Signature":
			m.sign = *p.ty
			found++
		}
	}
	if found != 2 {
		return fmt.Errorf("%w: the extrinsic does not say how it is signed", ErrMetadata)
	}
	return nil
}

func readAPIs(r *scale.Reader, m *Metadata) {
	for range r.Count(3) {
		name := shortName(r)
		for range r.Count(4) {
			method := shortName(r)
			var a API
			for range r.Count(2) {
				r.Vec()
				a.Inputs = append(a.Inputs, compact32(r))
			}
			a.Output = compact32(r)
			skipStrings(r)
			m.apis[name+"_"+method] = a
		}
		skipStrings(r)
	}
}

func (m *Metadata) typ(id uint32) (*Type, error) {
	if uint64(id) >= uint64(len(m.types)) {
		return nil, fmt.Errorf("%w: type %d does not exist", ErrMetadata, id)
	}
	return &m.types[id], nil
}

func (m *Metadata) pallet(name string) (*Pallet, error) {
	p, ok := m.byName[name]
	if !ok {
		return nil, fmt.Errorf("pallet %s: %w", name, ErrAbsent)
	}
	return p, nil
}

// Has reports whether the runtime has a call.
func (m *Metadata) Has(pallet, call string) bool {
	_, _, err := m.call(pallet, call)
	return err == nil
}

// Args returns the names of a call's arguments, in order.
func (m *Metadata) Args(pallet, call string) ([]string, error) {
	_, v, err := m.call(pallet, call)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(v.fields))
	for i, f := range v.fields {
		names[i] = f.name
	}
	return names, nil
}

// Constant decodes a constant of a pallet.
func (m *Metadata) Constant(pallet, name string) (any, error) {
	p, err := m.pallet(pallet)
	if err != nil {
		return nil, err
	}
	c, ok := p.constants[name]
	if !ok {
		return nil, fmt.Errorf("constant %s.%s: %w", pallet, name, ErrAbsent)
	}
	return m.decode(c.ty, c.value)
}

// API returns a method of a runtime API, like NeuronInfoRuntimeApi_get_neurons_lite.
// Metadata V14 has none.
func (m *Metadata) API(name string) (API, error) {
	a, ok := m.apis[name]
	if !ok {
		return a, fmt.Errorf("runtime API %s: %w", name, ErrAbsent)
	}
	return a, nil
}

// DecodeAnswer decodes what state_call returned for a method.
func (m *Metadata) DecodeAnswer(name string, b []byte) (any, error) {
	a, err := m.API(name)
	if err != nil {
		return nil, err
	}
	v, err := m.decode(a.Output, b)
	if err != nil {
		return nil, fmt.Errorf("answer of %s: %w", name, err)
	}
	return v, nil
}

// EncodeArguments encodes the arguments of a method for state_call.
func (m *Metadata) EncodeArguments(name string, args ...any) (b []byte, err error) {
	a, err := m.API(name)
	if err != nil {
		return nil, err
	}
	if len(args) != len(a.Inputs) {
		return nil, fmt.Errorf("%s: %d arguments, want %d", name, len(args), len(a.Inputs))
	}
	for i, v := range args {
		if b, err = m.append(b, a.Inputs[i], v, 0); err != nil {
			return nil, fmt.Errorf("%s: argument %d: %w", name, i, err)
		}
	}
	return b, nil
}

// ErrorName names a module's error, or ok is false.
func (m *Metadata) ErrorName(pallet, index uint8) (palletName, name string, ok bool) {
	for i := range m.pallets {
		p := &m.pallets[i]
		if p.Index != pallet || p.errors == nil {
			continue
		}
		t, err := m.typ(*p.errors)
		if err != nil {
			return p.Name, "", false
		}
		for _, v := range t.variants {
			if v.index == index {
				return p.Name, v.name, true
			}
		}
		return p.Name, "", false
	}
	return "", "", false
}
