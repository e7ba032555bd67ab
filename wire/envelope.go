package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"templar/protocol"
)

// Kind says what a message is.
type Kind uint8

// The kinds of binary message.
const (
	KindGradient  Kind = 1
	KindAggregate Kind = 2
	KindSample    Kind = 3
	KindClosing   Kind = 4
	KindKey       Kind = 5
)

func (k Kind) String() string {
	switch k {
	case KindGradient:
		return "gradient"
	case KindAggregate:
		return "aggregate"
	case KindSample:
		return "sample"
	case KindClosing:
		return "closing"
	case KindKey:
		return "key"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// The envelope (spec/wire, "Envelope"): header, body, digest, signature.
const (
	magic       = "TPLR"
	headerSize  = 80
	digestSize  = sha256.Size
	trailerSize = digestSize + len(protocol.Signature{})
	uidSize     = 2
)

// Header is what every binary message begins with.
type Header struct {
	Kind   Kind
	Run    protocol.Hash // of the run parameters
	Window protocol.Window
	Hotkey protocol.Hotkey // the signer
}

// Peek reads the header of a message of this protocol version and checks that the
// message is undamaged: of a gradient its header. It does not verify the signature: it is for tools that show what
// a file holds.
func Peek(b []byte) (Header, protocol.Verdict) {
	if h, ok := PeekHeader(b); ok && h.Kind == KindGradient && len(b) > GradientHeaderSize {
		b = b[:GradientHeaderSize]
	}
	if v := intact(b); !v.OK() {
		return Header{}, v
	}
	h, _ := PeekHeader(b)
	return h, protocol.VerdictOK
}

// PeekHeader reads the header of a message of this protocol version from the message's
// beginning. It verifies neither digest nor signature.
func PeekHeader(b []byte) (h Header, ok bool) {
	if len(b) < headerSize || string(b[:4]) != magic || binary.LittleEndian.Uint16(b[4:]) != protocol.Version {
		return Header{}, false
	}
	r := reader{b: b[6:headerSize]}
	h = Header{Kind: Kind(r.uint16()), Run: r.hash(), Window: protocol.Window(r.uint64())}
	h.Hotkey = protocol.Hotkey(r.hash())
	return h, true
}

// intact checks magic, version and digest.
func intact(b []byte) protocol.Verdict {
	if len(b) < headerSize+trailerSize || string(b[:4]) != magic {
		return protocol.VerdictMalformed
	}
	if binary.LittleEndian.Uint16(b[4:]) != protocol.Version {
		return protocol.VerdictWrongVersion
	}
	digest := len(b) - trailerSize
	if sha256.Sum256(b[:digest]) != [digestSize]byte(b[digest:digest+digestSize]) {
		return protocol.VerdictMalformed
	}
	return protocol.VerdictOK
}

// newMessage begins a message whose body will take about size bytes.
func newMessage(h Header, size int64) []byte {
	b := make([]byte, 0, headerSize+size+int64(trailerSize))
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint16(b, protocol.Version)
	b = binary.LittleEndian.AppendUint16(b, uint16(h.Kind))
	b = append(b, h.Run[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Window))
	return append(b, h.Hotkey[:]...)
}

// seal appends digest and signature.
func seal(b []byte, kind Kind, s protocol.Signer) ([]byte, error) {
	digest := sha256.Sum256(b)
	sig, err := s.Sign(signedMessage(kind, b, digest))
	if err != nil {
		return nil, fmt.Errorf("sign %v: %w", kind, err)
	}
	return append(append(b, digest[:]...), sig[:]...), nil
}

// signedMessage is what the signature of b, a message without its trailer, covers: the digest under a tag, so that a
// signature made for one use of a hotkey is invalid for any other. What aggregators sign covers its
// run, window and term as well: two such signatures prove an equivocation without the objects.
func signedMessage(kind Kind, b []byte, digest [digestSize]byte) []byte {
	if kind == KindAggregate || kind == KindClosing {
		h, _ := PeekHeader(b)
		return Issue{Window: h.Window, Term: termOf(b), Content: digest}.message(h.Run, kind)
	}
	return append(fmt.Appendf(nil, "templar/v%d/%v\x00", protocol.Version, kind), digest[:]...)
}

// open checks everything about a message but its body, which it returns. accept says
// whether a header is the one that was asked for; it is called before the signature,
// the most expensive check, is verified.
func open(b []byte, kind Kind, accept func(Header) bool) (h Header, body []byte, v protocol.Verdict) {
	h, v = Peek(b)
	if !v.OK() {
		return h, nil, v
	}
	if h.Kind != kind {
		return h, nil, protocol.VerdictMalformed
	}
	if !accept(h) {
		return h, nil, protocol.VerdictWrongContext
	}
	end := len(b) - trailerSize
	digest, sig := [digestSize]byte(b[end:]), protocol.Signature(b[end+digestSize:])
	if !h.Hotkey.Verify(signedMessage(kind, b[:end], digest), sig) {
		return h, nil, protocol.VerdictBadSignature
	}
	return h, b[headerSize:end:end], protocol.VerdictOK
}

// Expect is the context in which an object was found: what its key and the chain say
// that it must be.
type Expect struct {
	Run    protocol.Hash
	Window protocol.Window
	UID    protocol.UID
	Hotkey protocol.Hotkey
}

func (e Expect) accepts(h Header) bool {
	return h.Run == e.Run && h.Window == e.Window && h.Hotkey == e.Hotkey
}

// readUID reads what the body of a message begins with that one uid sends.
func (e Expect) readUID(r *reader) protocol.Verdict {
	switch uid := protocol.UID(r.uint16()); {
	case r.short:
		return protocol.VerdictMalformed
	case uid != e.UID:
		return protocol.VerdictWrongContext
	}
	return protocol.VerdictOK
}

// ContentHash identifies an object's bytes, signature and all. Gradients, Aggregates and closing statements have
// content hashes of their own, since a signature is randomised.
func ContentHash(b []byte) protocol.Hash { return sha256.Sum256(b) }
