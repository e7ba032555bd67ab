package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"templar/protocol"
)

// Included names a gradient that an Aggregate is computed from.
type Included struct {
	UID     protocol.UID    `json:"uid"`
	Hotkey  protocol.Hotkey `json:"hotkey"`
	Content protocol.Hash   `json:"content_hash"` // GradientHash
}

// Skipped names a selected peer whose gradient could not be used.
type Skipped struct {
	UID     protocol.UID     `json:"uid"`
	Verdict protocol.Verdict `json:"verdict"`
}

// Aggregate is the update of a window and the list of what it was computed from.
type Aggregate struct {
	Run           protocol.Hash
	Window        protocol.Window
	Term          protocol.Term
	Start         protocol.Window // start_window
	Origin        protocol.Hash   // of the announcement (StartWindow.Hash) with which the chain begins
	UploadFrom    time.Time       // T, the first block of the next window
	Delta         time.Duration   // D: uploads counted until T + D
	LearningRate  float32
	Previous      protocol.Hash // content hash of the Aggregate before; zero at Start
	Closing       protocol.Hash // content hash of the window's closing statement
	Included      []Included    // ascending uid
	Skipped       []Skipped     // ascending uid
	GatherTime    time.Duration
	AggregateTime time.Duration
	Aggregator    protocol.Hotkey
	Body          []byte // the method's update; nil exactly when nothing is included
}

// Sizes within the body of an Aggregate.
const (
	includedSize   = uidSize + 32 + 32
	skippedSize    = uidSize + 1
	aggregateFixed = termSize + 8 + 32 + 8 + 8 + 4 + 32 + 32 + 8 + 8 + 2 + 2
)

// MaxAggregateSize bounds an Aggregate of up to so many selected peers.
func MaxAggregateSize(f Format, peers int) int64 {
	return int64(headerSize+trailerSize+aggregateFixed+f.size()) + int64(peers)*(includedSize+skippedSize) + f.MaxUpdate
}

// EncodeAggregate returns a as its object's bytes, signed by s, whose hotkey must be
// a's. It refuses an Aggregate that DecodeAggregate would.
func EncodeAggregate(a *Aggregate, f Format, s protocol.Signer) ([]byte, error) {
	if s.Hotkey() != a.Aggregator {
		return nil, fmt.Errorf("encode aggregate: hotkey %v, but the signer is %v", a.Aggregator, s.Hotkey())
	}
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("encode aggregate of window %d: %w", a.Window, err)
	}
	if err := f.check(a.Body, f.MaxUpdate); err != nil {
		return nil, fmt.Errorf("encode aggregate of window %d: %w", a.Window, err)
	}
	return seal(a.message(f), KindAggregate, s)
}

// message returns what is signed of a.
func (a *Aggregate) message(f Format) []byte {
	size := aggregateFixed + len(a.Included)*includedSize + len(a.Skipped)*skippedSize + f.size() + len(a.Body)
	b := newMessage(Header{KindAggregate, a.Run, a.Window, a.Aggregator}, int64(size))
	b = binary.LittleEndian.AppendUint64(b, uint64(a.Term))
	b = binary.LittleEndian.AppendUint64(b, uint64(a.Start))
	b = append(b, a.Origin[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(a.UploadFrom.UnixNano()))
	b = binary.LittleEndian.AppendUint64(b, uint64(a.Delta))
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(a.LearningRate))
	b = append(append(b, a.Previous[:]...), a.Closing[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(a.GatherTime))
	b = binary.LittleEndian.AppendUint64(b, uint64(a.AggregateTime))
	b = a.appendPeers(b)
	return append(f.append(b), a.Body...)
}

func (a *Aggregate) appendPeers(b []byte) []byte {
	b = appendIncluded(b, a.Included)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(a.Skipped)))
	for _, p := range a.Skipped {
		b = binary.LittleEndian.AppendUint16(b, uint16(p.UID))
		b = append(b, byte(p.Verdict))
	}
	return b
}

func appendIncluded(b []byte, all []Included) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(all)))
	for i := range all {
		p := &all[i]
		b = binary.LittleEndian.AppendUint16(b, uint16(p.UID))
		b = append(append(b, p.Hotkey[:]...), p.Content[:]...)
	}
	return b
}

// AggregateHash returns the content hash of an encoded Aggregate: of the signed bytes
// without digest and signature, because sr25519 signatures are randomised. It is the
// zero hash for bytes too short to be one.
func AggregateHash(b []byte) protocol.Hash {
	if len(b) < trailerSize {
		return protocol.Hash{}
	}
	return sha256.Sum256(b[:len(b)-trailerSize])
}

// DecodeAggregate reads the Aggregate of window w and term t, which may must allow its hotkey
// to sign, and its content hash. The Aggregate keeps b; its Body is for the run's method
// to read. The caller checks the learning rate, the origin and the link to the previous Aggregate.
func DecodeAggregate(b []byte, f Format, run protocol.Hash, w protocol.Window, t protocol.Term, may func(protocol.Hotkey, protocol.Term) bool) (*Aggregate, protocol.Hash, protocol.Verdict) {
	h, body, v := open(b, KindAggregate, func(h Header) bool {
		return h.Run == run && h.Window == w && termOf(b[:len(b)-trailerSize]) == t && may(h.Hotkey, t)
	})
	if !v.OK() {
		return nil, protocol.Hash{}, v
	}
	a := &Aggregate{Run: run, Window: w, Aggregator: h.Hotkey}
	if v := a.read(&reader{b: body}, f); !v.OK() {
		return nil, protocol.Hash{}, v
	}
	return a, protocol.Hash(b[len(b)-trailerSize:][:digestSize]), protocol.VerdictOK
}

// PeekAggregate reads what is before the method's part of an Aggregate from the beginning of its bytes, without its digest and
// signature, which are at their end. ok is false when b is too short, or not of the run, window and term.
func PeekAggregate(b []byte, run protocol.Hash, w protocol.Window, t protocol.Term) (a *Aggregate, ok bool) {
	h, ok := PeekHeader(b)
	if !ok || h.Kind != KindAggregate || h.Run != run || h.Window != w {
		return nil, false
	}
	a = &Aggregate{Run: run, Window: w, Aggregator: h.Hotkey}
	if v := a.readFields(&reader{b: b[headerSize:]}); !v.OK() || a.Term != t || a.Window < a.Start || a.checkPeers() != nil {
		return nil, false
	}
	return a, true
}

func (a *Aggregate) read(r *reader, f Format) (v protocol.Verdict) {
	if v = a.readFields(r); !v.OK() {
		return v
	}
	body, v := f.read(r, f.MaxUpdate)
	if !v.OK() {
		return v
	}
	return a.take(body)
}

// take sets the body, and checks the Aggregate.
func (a *Aggregate) take(body []byte) protocol.Verdict {
	if len(a.Included) > 0 || len(body) > 0 {
		a.Body = body
	}
	if a.check() != nil {
		return protocol.VerdictMalformed
	}
	return protocol.VerdictOK
}

// readFields reads everything before the method's part.
func (a *Aggregate) readFields(r *reader) protocol.Verdict {
	a.Term = protocol.Term(r.uint64())
	a.Start, a.Origin = protocol.Window(r.uint64()), r.hash()
	a.UploadFrom = time.Unix(0, int64(r.uint64())).UTC()
	a.Delta = time.Duration(r.uint64())
	a.LearningRate = math.Float32frombits(r.uint32())
	a.Previous, a.Closing = r.hash(), r.hash()
	a.GatherTime, a.AggregateTime = time.Duration(r.uint64()), time.Duration(r.uint64())
	a.readPeers(r)
	switch {
	case r.short:
		return protocol.VerdictMalformed
	case !finite(a.LearningRate):
		return protocol.VerdictNonFinite
	}
	return protocol.VerdictOK
}

func (a *Aggregate) readPeers(r *reader) {
	a.Included = r.included()
	a.Skipped = make([]Skipped, r.count(skippedSize))
	for i := range a.Skipped {
		a.Skipped[i] = Skipped{protocol.UID(r.uint16()), protocol.Verdict(r.uint8())}
	}
}

func (r *reader) included() []Included {
	all := make([]Included, r.count(includedSize))
	for i := range all {
		p := &all[i]
		p.UID, p.Hotkey, p.Content = protocol.UID(r.uint16()), protocol.Hotkey(r.hash()), r.hash()
	}
	return all
}

// check applies the rules of spec/wire, "Aggregate", that encoder and decoder share.
func (a *Aggregate) check() error {
	switch {
	case a.Window < a.Start:
		return fmt.Errorf("window %d is before start window %d", a.Window, a.Start)
	case a.Delta < 0 || a.GatherTime < 0 || a.AggregateTime < 0:
		return errors.New("a duration is negative")
	case !finite(a.LearningRate) || a.LearningRate < 0:
		return fmt.Errorf("learning rate is %v", a.LearningRate)
	case len(a.Included) > math.MaxUint16 || len(a.Skipped) > math.MaxUint16:
		return errors.New("too many peers")
	case (a.Body == nil) != (len(a.Included) == 0):
		return errors.New("an Aggregate has an update exactly when gradients are included")
	}
	return a.checkPeers()
}

func (a *Aggregate) checkPeers() error {
	seen := map[protocol.UID]bool{}
	for i, p := range a.Included {
		if i > 0 && p.UID <= a.Included[i-1].UID {
			return errors.New("included uids do not ascend")
		}
		seen[p.UID] = true
	}
	for i, p := range a.Skipped {
		if i > 0 && p.UID <= a.Skipped[i-1].UID {
			return errors.New("skipped uids do not ascend")
		}
		if seen[p.UID] {
			return fmt.Errorf("uid %d is both included and skipped", p.UID)
		}
		if !blames(p.Verdict) {
			return fmt.Errorf("uid %d is skipped with verdict %v", p.UID, p.Verdict)
		}
	}
	return nil
}

// blames reports whether v is one of this version's words for a gradient that was
// not used.
func blames(v protocol.Verdict) bool {
	var known protocol.Verdict
	return v != protocol.VerdictNone && !v.OK() && known.UnmarshalText([]byte(v.String())) == nil
}

func finite(v float32) bool { return math.Float32bits(v)>>23&255 != 255 }
