package wire

import (
	"encoding/binary"
	"fmt"

	"templar/protocol"
)

// Key is what a miner publishes when a closing statement lists its gradient: the key, and the statement that it
// was revealed against.
type Key struct {
	Run     protocol.Hash
	Window  protocol.Window
	UID     protocol.UID
	Hotkey  protocol.Hotkey
	Closing protocol.Hash // content hash of the closing statement
	Key     GradientKey
}

// KeySize is the size of a key object.
const KeySize = headerSize + uidSize + 32 + len(GradientKey{}) + trailerSize

// EncodeKey returns k as its object's bytes, signed by s, whose hotkey must be k's.
func EncodeKey(k *Key, s protocol.Signer) ([]byte, error) {
	if s.Hotkey() != k.Hotkey {
		return nil, fmt.Errorf("encode key: hotkey %v, but the signer is %v", k.Hotkey, s.Hotkey())
	}
	b := newMessage(Header{KindKey, k.Run, k.Window, k.Hotkey}, int64(KeySize))
	b = binary.LittleEndian.AppendUint16(b, uint16(k.UID))
	b = append(append(b, k.Closing[:]...), k.Key[:]...)
	return seal(b, KindKey, s)
}

// DecodeKey reads another node's key. Whether it is the gradient's, OpenGradient finds.
func DecodeKey(b []byte, want Expect) (*Key, protocol.Verdict) {
	_, body, v := open(b, KindKey, want.accepts)
	if !v.OK() {
		return nil, v
	}
	return readKey(&reader{b: body}, want)
}

func readKey(r *reader, want Expect) (*Key, protocol.Verdict) {
	if v := want.readUID(r); !v.OK() {
		return nil, v
	}
	k, v := readKeyFields(r)
	k.Run, k.Window, k.UID, k.Hotkey = want.Run, want.Window, want.UID, want.Hotkey
	if !v.OK() {
		return nil, v
	}
	return &k, v
}

// readKeyFields reads what follows the uid.
func readKeyFields(r *reader) (k Key, v protocol.Verdict) {
	k.Closing, k.Key = r.hash(), GradientKey(r.hash())
	if r.short || len(r.b) > 0 {
		return k, protocol.VerdictMalformed
	}
	return k, protocol.VerdictOK
}
