package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"templar/protocol"
)

// Sample is a node's sync sample of a window: the hash of its parameters after the
// window's Aggregate was applied, some of their values, and the Aggregate's hash. The state
// hash shows whether two nodes hold the same parameters, the values how far apart they are.
type Sample struct {
	Run        protocol.Hash
	Window     protocol.Window
	UID        protocol.UID
	Hotkey     protocol.Hotkey
	GlobalStep uint64
	// Issue is that of the Aggregate which was applied. DecodeSample does not verify its signature:
	// only who needs it as evidence does (Issue.Verify).
	Issue  Issue
	State  protocol.Hash // of all parameters
	Values []float32     // the parameters at SamplePositions
}

const sampleFixed = uidSize + 8 + termSize + 32 + 32 + 64 + 32 + 4

// MaxSampleSize is the size of a sample of so many values.
func MaxSampleSize(values int) int64 {
	return int64(headerSize+trailerSize+sampleFixed) + 4*int64(values)
}

// EncodeSample returns m as its object's bytes, signed by s, whose hotkey must be m's.
func EncodeSample(m *Sample, s protocol.Signer) ([]byte, error) {
	if s.Hotkey() != m.Hotkey {
		return nil, fmt.Errorf("encode sample: hotkey %v, but the signer is %v", m.Hotkey, s.Hotkey())
	}
	if m.Issue.Window != m.Window {
		return nil, fmt.Errorf("encode sample of window %d: the Aggregate is of window %d", m.Window, m.Issue.Window)
	}
	b := newMessage(Header{KindSample, m.Run, m.Window, m.Hotkey}, MaxSampleSize(len(m.Values)))
	b = binary.LittleEndian.AppendUint16(b, uint16(m.UID))
	b = binary.LittleEndian.AppendUint64(b, m.GlobalStep)
	b = binary.LittleEndian.AppendUint64(b, uint64(m.Issue.Term))
	b = append(append(append(b, m.Issue.Aggregator[:]...), m.Issue.Content[:]...), m.Issue.Signature[:]...)
	b = append(b, m.State[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.Values)))
	for _, v := range m.Values {
		if !finite(v) {
			return nil, fmt.Errorf("encode sample: a value is %v", v)
		}
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return seal(b, KindSample, s)
}

// DecodeSample reads another node's sample, which must hold just so many values.
func DecodeSample(b []byte, want Expect, values int) (*Sample, protocol.Verdict) {
	_, body, v := open(b, KindSample, want.accepts)
	if !v.OK() {
		return nil, v
	}
	return readSample(&reader{b: body}, want, values)
}

// readSample reads the body of a message whose envelope is in order.
func readSample(r *reader, want Expect, values int) (*Sample, protocol.Verdict) {
	if v := want.readUID(r); !v.OK() {
		return nil, v
	}
	m := &Sample{Run: want.Run, Window: want.Window, UID: want.UID, Hotkey: want.Hotkey}
	m.GlobalStep, m.Issue, m.State = r.uint64(), r.issue(m.Window), r.hash()
	n := r.uint32()
	if r.short || uint64(len(r.b)) != 4*uint64(n) {
		return nil, protocol.VerdictMalformed
	}
	if uint64(n) != uint64(values) {
		return nil, protocol.VerdictBadShape
	}
	m.Values = make([]float32, n)
	for i := range m.Values {
		m.Values[i] = math.Float32frombits(r.uint32())
		if !finite(m.Values[i]) {
			return nil, protocol.VerdictNonFinite
		}
	}
	return m, protocol.VerdictOK
}

// SamplePositions draws n distinct positions among params parameters, in the order
// in which a sample holds them (spec/wire, "Sample positions"). They differ for every
// hotkey and are unknown before the seed, a block hash, so a copy of another node's sample
// proves nothing. When n > params there are only params positions.
func SamplePositions(seed protocol.Hash, hotkey protocol.Hotkey, n, params int) []int {
	var words [4]uint64
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(hotkey[8*i:])
	}
	drawn := protocol.NewDraw("sync sample", seed, words[:]...).Distinct(uint64(max(params, 0)), n)
	positions := make([]int, len(drawn))
	for i, p := range drawn {
		positions[i] = int(p)
	}
	return positions
}
