package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"time"

	"golang.org/x/crypto/scrypt"

	"templar/protocol"
)

// With Params.RegistrationWork, a hotkey that registers itself proves that it spent time on a
// processor: about 2^RegistrationWork evaluations of scrypt. The work belongs to one hotkey
// and to a seed that changes every workPeriod blocks, so that it can be neither shared nor
// done far ahead.

const (
	workPeriod = 64 // blocks that a seed is the newest; it counts for twice as many
	// One evaluation takes 128 KiB of memory and, on one core, about 0.4 ms: a block's
	// registrations and a mempool's can be checked, which larger parameters would not allow.
	workN, workR, workP = 1024, 1, 1
	maxWork             = 40
)

// Work is what a registration must prove at the moment.
type Work struct {
	Bits uint8         `json:"bits"` // leading zero bits; 0: none is asked for
	Seed protocol.Hash `json:"seed"`
}

// Solves reports whether a nonce proves the work for a hotkey.
func (w Work) Solves(d Domain, h protocol.Hotkey, nonce uint64) bool {
	m := append([]byte("templar registration\x00"), byte(len(d.ChainID)))
	m = append(m, d.ChainID...)
	m = binary.LittleEndian.AppendUint16(m, d.NetUID)
	m = binary.LittleEndian.AppendUint64(append(m, h[:]...), nonce)
	out, err := scrypt.Key(m, w.Seed[:], workN, workR, workP, 8)
	return err == nil && bits.LeadingZeros64(binary.BigEndian.Uint64(out)) >= int(w.Bits)
}

// Work returns what a registration must prove.
func (l *Ledger) Work() Work {
	w := Work{Bits: l.params.RegistrationWork}
	if b := l.state.records[keyWork]; len(b) == 2*len(w.Seed) {
		w.Seed = protocol.Hash(b[:len(w.Seed)])
	}
	return w
}

// worked checks a registration's nonce against the newest seed and the one before.
func (l *Ledger) worked(h protocol.Hotkey, nonce uint64) *Refusal {
	w := l.Work()
	if w.Bits == 0 {
		return nil
	}
	if w.Solves(l.genesis.Domain(), h, nonce) {
		return nil
	}
	if b := l.state.records[keyWork]; len(b) == 2*len(w.Seed) {
		w.Seed = protocol.Hash(b[len(w.Seed):])
		if w.Solves(l.genesis.Domain(), h, nonce) {
			return nil
		}
	}
	return refuse(CodeRule, "a registration asks for a proof of work of %d bits on this chain, and this one has none that is valid now", w.Bits)
}

// renewWork changes the seed at the end of a block, when its time has come. The time of the
// block, in nanoseconds, is not known before.
func (l *Ledger) renewWork(block uint64, at time.Time) {
	old := l.state.records[keyWork]
	if l.params.RegistrationWork == 0 {
		if old != nil {
			l.state.del(keyWork)
		}
		return
	}
	if old != nil && block%workPeriod != 0 {
		return
	}
	if old == nil {
		hash, err := l.genesis.Hash()
		if err != nil { // the genesis was encoded before
			return
		}
		old = append(hash[:], hash[:]...)
	}
	last := old[:len(protocol.Hash{})]
	m := append([]byte("templar work\x00"), last...)
	m = binary.BigEndian.AppendUint64(m, block)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(m, uint64(at.UnixNano())))
	l.state.put(keyWork, append(sum[:], last...))
}
