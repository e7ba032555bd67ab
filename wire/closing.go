package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"templar/protocol"
)

// Closing is an aggregator's closing statement of a window: the gradients that it held when it closed the
// window, of all registered miners. What it does not list counts for nothing in the window.
type Closing struct {
	Run        protocol.Hash
	Window     protocol.Window
	Aggregator protocol.Hotkey
	UploadFrom time.Time  // T
	Listed     []Included // ascending uid
}

const closingFixed = 8 + 2

// MaxClosingSize bounds a statement that lists up to so many miners.
func MaxClosingSize(miners int) int64 {
	return int64(headerSize+trailerSize+closingFixed) + int64(miners)*includedSize
}

// EncodeClosing returns c as its object's bytes, signed by s, whose hotkey must be c's.
func EncodeClosing(c *Closing, s protocol.Signer) ([]byte, error) {
	if s.Hotkey() != c.Aggregator {
		return nil, fmt.Errorf("encode closing statement: hotkey %v, but the signer is %v", c.Aggregator, s.Hotkey())
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("encode closing statement of window %d: %w", c.Window, err)
	}
	return seal(c.message(), KindClosing, s)
}

func (c *Closing) message() []byte {
	b := newMessage(Header{KindClosing, c.Run, c.Window, c.Aggregator}, int64(closingFixed+len(c.Listed)*includedSize))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.UploadFrom.UnixNano()))
	return appendIncluded(b, c.Listed)
}

// ClosingHash returns the content hash of an encoded statement, as AggregateHash does of an Aggregate.
func ClosingHash(b []byte) protocol.Hash { return AggregateHash(b) }

// DecodeClosing reads the closing statement of window w, which may must allow its hotkey to sign, and its content hash.
func DecodeClosing(b []byte, run protocol.Hash, w protocol.Window, may func(protocol.Hotkey) bool) (*Closing, protocol.Hash, protocol.Verdict) {
	h, body, v := open(b, KindClosing, func(h Header) bool { return h.Run == run && h.Window == w && may(h.Hotkey) })
	if !v.OK() {
		return nil, protocol.Hash{}, v
	}
	c := &Closing{Run: run, Window: w, Aggregator: h.Hotkey}
	if v := c.read(&reader{b: body}); !v.OK() {
		return nil, protocol.Hash{}, v
	}
	return c, ClosingHash(b), protocol.VerdictOK
}

func (c *Closing) read(r *reader) protocol.Verdict {
	c.UploadFrom = time.Unix(0, int64(r.uint64())).UTC()
	c.Listed = r.included()
	if r.short || len(r.b) > 0 || c.check() != nil {
		return protocol.VerdictMalformed
	}
	return protocol.VerdictOK
}

func (c *Closing) check() error {
	if len(c.Listed) > math.MaxUint16 {
		return errors.New("too many miners")
	}
	for i, p := range c.Listed {
		if i > 0 && p.UID <= c.Listed[i-1].UID {
			return errors.New("listed uids do not ascend")
		}
	}
	return nil
}

// Of returns the content hash that the statement lists for a miner.
func (c *Closing) Of(uid protocol.UID, hotkey protocol.Hotkey) (content protocol.Hash, listed bool) {
	i, found := slices.BinarySearchFunc(c.Listed, uid, func(in Included, uid protocol.UID) int { return int(in.UID) - int(uid) })
	if !found || c.Listed[i].Hotkey != hotkey {
		return protocol.Hash{}, false
	}
	return c.Listed[i].Content, true
}

// Lists reports whether the statement lists just this gradient.
func (c *Closing) Lists(in Included) bool {
	content, listed := c.Of(in.UID, in.Hotkey)
	return listed && content == in.Content
}
