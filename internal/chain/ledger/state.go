package ledger

import (
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/ledger/yuma"
	"templar/protocol"
)

// The state's keys, integers big-endian so that keys sort by number:
//
//	genesis        the Genesis, JSON
//	clock          block 8 | time in ns 8 | block of the last epoch 8
//	params         the Params as they stand, JSON
//	account/<hotkey>      nonce 8 | block of the last transaction 8
//	commitment/<hotkey>   block 8 | data
//	hotkey/<hotkey>       uid 2
//	neuron/<uid>          neuronSize bytes
//	weights/<uid>         (uid 2, value 2)*
//	bonds/<uid>           (uid 2, value 2)*
//	retired/<block 8>     hotkeys that lost their slot in the block
//	vote/<hotkey>         Params that an authority voted for, JSON
//	sealed/<uid>          (block 8 | hash of weights 32)*, which are to be revealed
//	work                  seed of the proof of work of registrations, and the one before
const (
	keyGenesis    = "genesis"
	keyClock      = "clock"
	keyAccount    = "account/"
	keyCommitment = "commitment/"
	keyHotkey     = "hotkey/"
	keyNeuron     = "neuron/"
	keyWeights    = "weights/"
	keyBonds      = "bonds/"
	keyParams     = "params"
	keyRetired    = "retired/"
	keyVote       = "vote/"
	keySealed     = "sealed/"
	keyWork       = "work"
)

// state is the records, the keys that the block at hand has touched, and the hashes of
// those records that did not change since the last tree.
type state struct {
	records map[string][]byte
	touched map[string]struct{}
	leaves  map[string]protocol.Hash
}

func newState(records map[string][]byte) state {
	return state{records: records, touched: map[string]struct{}{}, leaves: map[string]protocol.Hash{}}
}

// put takes v over; records are replaced, never changed in place.
func (s *state) put(key string, v []byte) {
	s.records[key] = v
	s.touched[key] = struct{}{}
	delete(s.leaves, key)
}

func (s *state) del(key string) {
	if _, ok := s.records[key]; ok {
		delete(s.records, key)
		s.touched[key] = struct{}{}
		delete(s.leaves, key)
	}
}

// sorted walks the records in ascending order of key.
func (s *state) sorted() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, k := range slices.Sorted(maps.Keys(s.records)) {
			if !yield(k, s.records[k]) {
				return
			}
		}
	}
}

// account is what is kept of a hotkey that signs.
type account struct{ nonce, last uint64 }

func (s *state) account(h protocol.Hotkey) (a account) {
	if b, ok := s.records[accountKey(h)]; ok {
		a.nonce, a.last = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	}
	return a
}

func (s *state) putAccount(h protocol.Hotkey, a account) {
	b := binary.BigEndian.AppendUint64(nil, a.nonce)
	s.put(accountKey(h), binary.BigEndian.AppendUint64(b, a.last))
}

func accountKey(h protocol.Hotkey) string    { return keyAccount + string(h[:]) }
func commitmentKey(h protocol.Hotkey) string { return keyCommitment + string(h[:]) }
func hotkeyKey(h protocol.Hotkey) string     { return keyHotkey + string(h[:]) }
func voteKey(h protocol.Hotkey) string       { return keyVote + string(h[:]) }

func retiredKey(block uint64) string {
	return keyRetired + string(binary.BigEndian.AppendUint64(nil, block))
}

func uidKey(prefix string, uid protocol.UID) string {
	return prefix + string(binary.BigEndian.AppendUint16(nil, uint16(uid)))
}

// clockRecord is where the chain stands.
type clockRecord struct {
	block     uint64
	time      time.Time
	lastEpoch uint64
}

const clockSize = 3 * 8

func (s *state) clock() clockRecord {
	b := s.records[keyClock]
	return clockRecord{
		block:     binary.BigEndian.Uint64(b),
		time:      time.Unix(0, int64(binary.BigEndian.Uint64(b[8:]))).UTC(),
		lastEpoch: binary.BigEndian.Uint64(b[16:]),
	}
}

func (s *state) putClock(c clockRecord) {
	b := binary.BigEndian.AppendUint64(nil, c.block)
	b = binary.BigEndian.AppendUint64(b, uint64(c.time.UnixNano()))
	s.put(keyClock, binary.BigEndian.AppendUint64(b, c.lastEpoch))
}

// neuron is a registered slot with what the port does not show.
type neuron struct {
	chain.Neuron
	Emission uint64 // of the last epoch
}

const neuronSize = 32 + 4*8 + 2*2 + 1 + 32

func (n *neuron) encode() []byte {
	b := append(make([]byte, 0, neuronSize), n.Hotkey[:]...)
	for _, v := range []uint64{n.Stake, n.LastUpdate, n.Registered, n.Emission} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	b = binary.BigEndian.AppendUint16(b, n.Incentive)
	b = binary.BigEndian.AppendUint16(b, n.Dividends)
	permit := byte(0)
	if n.Permit {
		permit = 1
	}
	return append(append(b, permit), n.Coldkey[:]...)
}

func decodeNeuron(uid protocol.UID, b []byte) (n neuron) {
	u64 := func(i int) uint64 { return binary.BigEndian.Uint64(b[32+8*i:]) }
	n.UID, n.Hotkey = uid, protocol.Hotkey(b[:32])
	n.Stake, n.LastUpdate, n.Registered, n.Emission = u64(0), u64(1), u64(2), u64(3)
	n.Incentive, n.Dividends = binary.BigEndian.Uint16(b[64:]), binary.BigEndian.Uint16(b[66:])
	n.Permit, n.Coldkey = b[68] == 1, protocol.Hotkey(b[69:])
	return n
}

func (s *state) neuron(uid protocol.UID) (n neuron, ok bool) {
	b, ok := s.records[uidKey(keyNeuron, uid)]
	if ok {
		n = decodeNeuron(uid, b)
	}
	return n, ok
}

func (s *state) putNeuron(n neuron) { s.put(uidKey(keyNeuron, n.UID), n.encode()) }

func (s *state) neuronOf(h protocol.Hotkey) (n neuron, ok bool) {
	b, ok := s.records[hotkeyKey(h)]
	if !ok {
		return n, false
	}
	return s.neuron(protocol.UID(binary.BigEndian.Uint16(b)))
}

// neurons returns all slots; uids have no gaps.
func (s *state) neurons() (all []neuron) {
	for {
		n, ok := s.neuron(protocol.UID(len(all)))
		if !ok {
			return all
		}
		all = append(all, n)
	}
}

func (s *state) row(prefix string, uid protocol.UID) (row []yuma.Entry) {
	b := s.records[uidKey(prefix, uid)]
	for ; len(b) >= 4; b = b[4:] {
		row = append(row, yuma.Entry{UID: binary.BigEndian.Uint16(b), Value: binary.BigEndian.Uint16(b[2:])})
	}
	return row
}

func (s *state) putRow(prefix string, uid protocol.UID, row []yuma.Entry) {
	if len(row) == 0 {
		s.del(uidKey(prefix, uid))
		return
	}
	var b []byte
	for _, e := range row {
		b = binary.BigEndian.AppendUint16(b, e.UID)
		b = binary.BigEndian.AppendUint16(b, e.Value)
	}
	s.put(uidKey(prefix, uid), b)
}

// checkRecord refuses records that the accessors above could not read: a snapshot
// may come from a stranger.
func checkRecord(key string, v []byte) error {
	hotkey, uid := len(protocol.Hotkey{}), 2
	for _, kind := range []struct {
		prefix           string
		suffix, min, max int
		step             int // lengths are a multiple of it
	}{
		{keyGenesis, 0, 1, 16 << 20, 1},
		{keyClock, 0, clockSize, clockSize, 1},
		{keyParams, 0, 1, maxParamsSize, 1},
		{keyAccount, hotkey, 16, 16, 1},
		{keyCommitment, hotkey, 8, 8 + maxCommitmentSize, 1},
		{keyHotkey, hotkey, uid, uid, 1},
		{keyNeuron, uid, neuronSize, neuronSize, 1},
		{keyWeights, uid, 4, 4 * maxNeurons, 4},
		{keyBonds, uid, 4, 4 * maxNeurons, 4},
		{keyRetired, 8, hotkey, hotkey * maxNeurons, hotkey},
		{keyVote, hotkey, 1, maxParamsSize, 1},
		{keySealed, uid, sealedSize, sealedSize * maxSealed, sealedSize},
		{keyWork, 0, 2 * hotkey, 2 * hotkey, 1},
	} {
		if len(key) != len(kind.prefix)+kind.suffix || !strings.HasPrefix(key, kind.prefix) {
			continue
		}
		if len(v) < kind.min || len(v) > kind.max || len(v)%kind.step != 0 {
			return fmt.Errorf("record %q has %d bytes", key, len(v))
		}
		return nil
	}
	return fmt.Errorf("unknown record %q", key)
}

func (s *state) metagraph(block uint64) chain.Metagraph {
	m := chain.Metagraph{Block: block, Neurons: []chain.Neuron{}}
	for _, n := range s.neurons() {
		m.Neurons = append(m.Neurons, n.Neuron)
	}
	return m
}

func (s *state) commitments() []chain.Commitment {
	all := []chain.Commitment{}
	for _, n := range s.neurons() {
		if b, ok := s.records[commitmentKey(n.Hotkey)]; ok {
			all = append(all, chain.Commitment{Hotkey: n.Hotkey, Block: binary.BigEndian.Uint64(b), Data: slices.Clone(b[8:])})
		}
	}
	return all
}
