package rules

import (
	"errors"
	"fmt"

	"templar/internal/chain/bittensor/scale"
)

// Lengths of a commitment's field.
const (
	MaxRaw    = 128 // of Raw, which every runtime has
	MaxBigRaw = 512 // of BigRaw, which runtimes from 273 on have
)

// maxFields bounds a stored commitment. Runtimes allow 1 to 3.
const maxFields = 64

// tags of a field: see the metadata's enum Data, whose numbers have not changed since
// commitments exist. The value is read by them and not by the metadata's types, because
// one neuron's bad bytes must be that neuron's fault only.
const (
	tagNone      = 0
	tagRaw       = 1 // + length
	tagHash      = 130
	tagHashLast  = 133
	tagTimelock  = 134
	tagResetBond = 135
	tagBigRaw    = 136
)

// hashNames are the variants that hold a hash of something kept elsewhere.
var hashNames = [...]string{"BlakeTwo256", "Sha256", "Keccak256", "ShaThree256"}

// Field is one field of a commitment.
type Field struct {
	Name  string // variant: None, Raw12, BigRaw, Sha256, TimelockEncrypted, ...
	Data  []byte
	Round uint64 // of TimelockEncrypted: the drand round that opens it
}

// Plain reports whether the field's bytes are what was committed.
func (f Field) Plain() bool { return f.Name == "BigRaw" || len(f.Name) > 3 && f.Name[:3] == "Raw" }

// Commitment is the value of Commitments.CommitmentOf.
type Commitment struct {
	Deposit uint64
	Block   uint64
	Fields  []Field
}

// Data returns the bytes of the first plain field.
func (c *Commitment) Data() ([]byte, bool) {
	for _, f := range c.Fields {
		if f.Plain() {
			return f.Data, true
		}
	}
	return nil, false
}

// DecodeCommitment reads a stored commitment.
func DecodeCommitment(b []byte) (c Commitment, err error) {
	r := scale.NewReader(b)
	c.Deposit, c.Block = r.U64(), uint64(r.U32())
	n := r.Count(1)
	if n > maxFields {
		r.Fail(fmt.Errorf("%d fields, at most %d", n, maxFields))
	}
	for range n {
		if r.Err() != nil {
			break
		}
		c.Fields = append(c.Fields, readField(r))
	}
	if err := r.End(); err != nil {
		return Commitment{}, fmt.Errorf("commitment: %w", err)
	}
	return c, nil
}

func readField(r *scale.Reader) Field {
	switch tag := r.U8(); {
	case r.Err() != nil:
		return Field{}
	case tag == tagNone:
		return Field{Name: "None"}
	case tag <= tagRaw+MaxRaw:
		return Field{Name: fmt.Sprintf("Raw%d", tag-tagRaw), Data: clone(r.Bytes(int(tag - tagRaw)))}
	case tag <= tagHashLast:
		return Field{Name: hashNames[tag-tagHash], Data: clone(r.Bytes(32))}
	case tag == tagTimelock:
		return Field{Name: "TimelockEncrypted", Data: clone(r.Vec()), Round: r.U64()}
	case tag == tagResetBond:
		return Field{Name: "ResetBondsFlag"}
	case tag == tagBigRaw:
		data := r.Vec()
		if len(data) > MaxBigRaw {
			r.Fail(fmt.Errorf("BigRaw of %d bytes, at most %d", len(data), MaxBigRaw))
		}
		return Field{Name: "BigRaw", Data: clone(data)}
	default:
		r.Fail(fmt.Errorf("variant %d is not known", tag))
		return Field{}
	}
}

func clone(b []byte) []byte { return append([]byte{}, b...) }

// ErrTooLong is wrapped when data does not fit a commitment's field.
var ErrTooLong = errors.New("too long for a commitment")

// FieldName names the variant for data of a length: Raw while it fits, else BigRaw.
func FieldName(length int) (string, error) {
	switch {
	case length <= MaxRaw:
		return fmt.Sprintf("Raw%d", length), nil
	case length <= MaxBigRaw:
		return "BigRaw", nil
	}
	return "", fmt.Errorf("%d bytes are %w, which takes %d", length, ErrTooLong, MaxBigRaw)
}
