package runtime

import (
	"errors"
	"fmt"
	"math/bits"

	"templar/internal/chain/bittensor/scale"
	"templar/protocol"
)

// Call is an encoded call of the runtime.
type Call []byte

// call finds a call's variant.
func (m *Metadata) call(pallet, name string) (*Pallet, *variantType, error) {
	p, err := m.pallet(pallet)
	if err != nil {
		return nil, nil, err
	}
	if p.calls != nil {
		t, err := m.typ(*p.calls)
		if err != nil {
			return nil, nil, err
		}
		for i := range t.variants {
			if t.variants[i].name == name {
				return p, &t.variants[i], nil
			}
		}
	}
	return nil, nil, fmt.Errorf("call %s.%s: %w", pallet, name, ErrAbsent)
}

// NewCall encodes a call. The arguments must be the runtime's, by name: one that is
// missing, and one that the runtime does not take, are errors.
func (m *Metadata) NewCall(pallet, name string, args map[string]any) (Call, error) {
	p, v, err := m.call(pallet, name)
	if err != nil {
		return nil, err
	}
	if len(args) != len(v.fields) {
		return nil, fmt.Errorf("call %s.%s takes %d arguments, not %d", pallet, name, len(v.fields), len(args))
	}
	b := []byte{p.Index, v.index}
	for _, f := range v.fields {
		x, ok := args[f.name]
		if !ok {
			return nil, fmt.Errorf("call %s.%s wants an argument %s, which this build does not know", pallet, name, f.name)
		}
		if b, err = m.append(b, f.ty, x, 0); err != nil {
			return nil, fmt.Errorf("call %s.%s: argument %s: %w", pallet, name, f.name, err)
		}
	}
	return b, nil
}

// DecodedCall is a call that was read back.
type DecodedCall struct {
	Pallet, Name string
	Args         Struct
}

// DecodeCall reads a call.
func (m *Metadata) DecodeCall(b Call) (c DecodedCall, err error) {
	r := scale.NewReader(b)
	c, err = m.readCall(r)
	return c, errors.Join(err, r.End())
}

func (m *Metadata) readCall(r *scale.Reader) (c DecodedCall, err error) {
	pallet, index := r.U8(), r.U8()
	for i := range m.pallets {
		p := &m.pallets[i]
		if p.Index != pallet || p.calls == nil || r.Err() != nil {
			continue
		}
		t, err := m.typ(*p.calls)
		if err != nil {
			return c, err
		}
		for _, v := range t.variants {
			if v.index != index {
				continue
			}
			c = DecodedCall{Pallet: p.Name, Name: v.name, Args: Struct{}}
			d := decoder{m: m, r: r}
			for _, f := range v.fields {
				c.Args[f.name] = d.value(f.ty, 0)
			}
			return c, r.Err()
		}
	}
	r.Fail(fmt.Errorf("call %d of pallet %d: %w", index, pallet, ErrAbsent))
	return c, r.Err()
}

// Era is an extrinsic's time of validity in blocks, from Birth on; the zero Era is for ever.
type Era struct {
	Period uint64 // a power of two from 4 to 65536
	Phase  uint64 // birth block modulo period
}

// NewEra makes an era of at least period blocks that begins with block current.
func NewEra(period, current uint64) Era {
	p := uint64(4)
	for p < period && p < 1<<16 {
		p <<= 1
	}
	quantum := max(p>>12, 1)
	return Era{p, current % p / quantum * quantum}
}

// Birth is the first block of the era that current is in.
func (e Era) Birth(current uint64) uint64 {
	if e.Period == 0 {
		return 0
	}
	return (max(current, e.Phase)-e.Phase)/e.Period*e.Period + e.Phase
}

// Append encodes the era in one byte, if it is for ever, or two.
func (e Era) Append(b []byte) []byte {
	if e.Period == 0 {
		return append(b, 0)
	}
	v := uint16(min(max(bits.TrailingZeros64(e.Period)-1, 1), 15)) | uint16(e.Phase/max(e.Period>>12, 1))<<4
	return append(b, byte(v), byte(v>>8))
}

// ReadEra is the inverse of Append.
func ReadEra(r *scale.Reader) Era {
	first := r.U8()
	if first == 0 {
		return Era{}
	}
	v := uint64(first) | uint64(r.U8())<<8
	e := Era{Period: 2 << (v & 15)}
	e.Phase = v >> 4 * max(e.Period>>12, 1)
	if e.Period < 4 || e.Phase >= e.Period {
		r.Fail(errors.New("era: not one that can be"))
	}
	return e
}

// Context is what a signature depends on beside the call.
type Context struct {
	Spec, Transaction uint32 // versions
	Genesis           [32]byte
	Nonce             uint64
	Era               Era
	Birth             [32]byte // hash of the era's first block; the genesis when for ever
}

// extra appends what an extension sends and what it only signs.
func (m *Metadata) extra(e Extension, c *Context, sent, implied []byte) ([]byte, []byte, error) {
	switch e.Name {
	case "CheckMortality", "CheckEra":
		return c.Era.Append(sent), append(implied, c.Birth[:]...), nil
	case "CheckNonce":
		return scale.AppendCompact(sent, c.Nonce), implied, nil
	case "ChargeTransactionPayment":
		return scale.AppendCompact(sent, 0), implied, nil // no tip
	case "CheckMetadataHash":
		return append(sent, 0), append(implied, 0), nil // disabled
	case "CheckSpecVersion":
		return sent, appendU32(implied, c.Spec), nil
	case "CheckTxVersion":
		return sent, appendU32(implied, c.Transaction), nil
	case "CheckGenesis":
		return sent, append(implied, c.Genesis[:]...), nil
	}
	for _, ty := range []uint32{e.extra, e.implicit} {
		if empty, err := m.empty(ty, 0, map[uint32]bool{}); err != nil {
			return nil, nil, err
		} else if !empty {
			return nil, nil, fmt.Errorf("the runtime wants an extension %s to be signed, which this build does not know: update templar", e.Name)
		}
	}
	return sent, implied, nil
}

// empty reports whether a type takes no bytes. Types that are known to take none are looked into
// once: each could hold the next one twice.
func (m *Metadata) empty(ty uint32, depth int, known map[uint32]bool) (bool, error) {
	if known[ty] {
		return true, nil
	}
	t, err := m.typ(ty)
	if err != nil {
		return false, err
	}
	if depth > maxDepth {
		return false, errDepth
	}
	inner := t.tuple
	switch t.kind {
	case kindComposite:
		for _, f := range t.fields {
			inner = append(inner, f.ty)
		}
	case kindTuple:
	case kindArray:
		if t.length == 0 {
			return true, nil
		}
		inner = []uint32{t.elem}
	default:
		return false, nil
	}
	for _, e := range inner {
		if ok, err := m.empty(e, depth+1, known); !ok || err != nil {
			return false, err
		}
	}
	known[ty] = true
	return true, nil
}

// extras encodes all extensions in order.
func (m *Metadata) extras(c *Context) (sent, implied []byte, err error) {
	for _, e := range m.Extensions {
		if sent, implied, err = m.extra(e, c, sent, implied); err != nil {
			return nil, nil, err
		}
	}
	return sent, implied, nil
}

// Payload returns what is signed for a call: its bytes, or their hash when they are more
// than 256.
func (m *Metadata) Payload(call Call, c Context) ([]byte, error) {
	sent, implied, err := m.extras(&c)
	if err != nil {
		return nil, err
	}
	b := append(append(append([]byte{}, call...), sent...), implied...)
	if len(b) > 256 {
		h := Blake2_256(b)
		return h[:], nil
	}
	return b, nil
}

// Extrinsic puts a call and its signature together, in version 4 of the format.
func (m *Metadata) Extrinsic(call Call, c Context, signer protocol.Hotkey, sig protocol.Signature) ([]byte, error) {
	if m.txv != 4 {
		return nil, fmt.Errorf("extrinsics of version %d are not known: this build makes version 4", m.txv)
	}
	sent, _, err := m.extras(&c)
	if err != nil {
		return nil, err
	}
	b, err := m.append([]byte{0x84}, m.address, signer, 0)
	if err != nil {
		return nil, fmt.Errorf("extrinsic: signer: %w", err)
	}
	if b, err = m.append(b, m.sign, Variant{Name: "Sr25519", Value: sig}, 0); err != nil {
		return nil, fmt.Errorf("extrinsic: signature: %w", err)
	}
	return scale.AppendVec(nil, append(append(b, sent...), call...)), nil
}

// Sign builds the extrinsic of a call.
func (m *Metadata) Sign(call Call, c Context, s protocol.Signer) ([]byte, error) {
	payload, err := m.Payload(call, c)
	if err != nil {
		return nil, err
	}
	sig, err := s.Sign(payload)
	if err != nil {
		return nil, err
	}
	return m.Extrinsic(call, c, s.Hotkey(), sig)
}

// Signed is an extrinsic that was read back. Unsigned ones have a zero signer.
type Signed struct {
	Signer    protocol.Hotkey
	Signature protocol.Signature
	Context   Context // nonce and era
	Tip       uint64
	Mode      uint8 // of CheckMetadataHash
	Call      Call
	Decoded   DecodedCall
}

// DecodeExtrinsic reads an extrinsic of version 4, signed with sr25519 or not at all.
func (m *Metadata) DecodeExtrinsic(b []byte) (x Signed, err error) {
	outer := scale.NewReader(b)
	r := scale.NewReader(outer.Vec())
	if err := outer.End(); err != nil {
		return x, err
	}
	version := r.U8()
	switch version {
	case 4, 5: // bare
	case 0x84:
		m.readSignature(r, &x)
	default:
		return x, fmt.Errorf("extrinsic of version %#x is not known", version)
	}
	rest := r.Bytes(r.Len())
	if err := r.Err(); err != nil {
		return x, err
	}
	x.Call = rest
	x.Decoded, err = m.DecodeCall(rest)
	return x, err
}

func (m *Metadata) readSignature(r *scale.Reader, x *Signed) {
	d := decoder{m: m, r: r}
	switch who := d.value(m.address, 0).(type) {
	case protocol.Hotkey:
		x.Signer = who
	case Variant:
		x.Signer, _ = who.Value.(protocol.Hotkey)
	}
	sig, _ := d.value(m.sign, 0).(Variant)
	raw, _ := sig.Value.([]byte)
	if sig.Name != "Sr25519" || len(raw) != len(x.Signature) || x.Signer == (protocol.Hotkey{}) {
		r.Fail(errors.New("extrinsic: not signed with sr25519 by an account"))
		return
	}
	copy(x.Signature[:], raw)
	for _, e := range m.Extensions {
		switch e.Name {
		case "CheckMortality", "CheckEra":
			x.Context.Era = ReadEra(r)
		case "CheckNonce":
			x.Context.Nonce = r.Compact()
		case "ChargeTransactionPayment":
			x.Tip = r.Compact()
		case "CheckMetadataHash":
			x.Mode = r.U8()
		default:
			d.value(e.extra, 0)
		}
	}
}
