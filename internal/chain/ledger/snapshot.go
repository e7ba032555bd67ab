package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"templar/protocol"
)

// A snapshot is the records in ascending order of key, integers big-endian:
//
//	"templar ledger 1\n" | (key length 2 | key | value length 4 | value)*
const snapshotMagic = "templar ledger 1\n"

// Snapshot encodes the whole state.
func (l *Ledger) Snapshot() []byte {
	b := []byte(snapshotMagic)
	for k, v := range l.state.sorted() {
		b = binary.BigEndian.AppendUint16(b, uint16(len(k)))
		b = append(b, k...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
		b = append(b, v...)
	}
	return b
}

// DecodeSnapshot restores the ledger that a snapshot was taken of. The caller compares
// Root with one that it trusts: a snapshot alone proves nothing.
func DecodeSnapshot(b []byte) (*Ledger, error) {
	rest, ok := bytes.CutPrefix(b, []byte(snapshotMagic))
	if !ok {
		return nil, errors.New("snapshot: not a ledger snapshot of this version")
	}
	records, last := map[string][]byte{}, ""
	for len(rest) > 0 {
		var key, value []byte
		if key, rest, ok = cut(rest, 2); !ok {
			return nil, errors.New("snapshot: ends within a key")
		}
		if value, rest, ok = cut(rest, 4); !ok {
			return nil, errors.New("snapshot: ends within a value")
		}
		if string(key) <= last {
			return nil, errors.New("snapshot: keys do not ascend")
		}
		last = string(key)
		records[last] = bytes.Clone(value)
	}
	return Restore(records)
}

// cut takes a value off b that a length of size bytes precedes.
func cut(b []byte, size int) (v, rest []byte, ok bool) {
	if len(b) < size {
		return nil, nil, false
	}
	var n uint64
	for _, c := range b[:size] {
		n = n<<8 | uint64(c)
	}
	b = b[size:]
	if uint64(len(b)) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// Restore returns the ledger of records that a driver kept (see Changes). It takes
// the map over.
func Restore(records map[string][]byte) (*Ledger, error) {
	l := &Ledger{state: newState(records)}
	for k, v := range records {
		if err := checkRecord(k, v); err != nil {
			return nil, fmt.Errorf("restore: %w", err)
		}
	}
	g, err := DecodeGenesis(records[keyGenesis])
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	l.genesis = g
	if l.params, err = DecodeParams(records[keyParams]); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if records[keyClock] == nil {
		return nil, errors.New("restore: no clock record")
	}
	return l, l.checkReferences()
}

// checkReferences refuses records that point nowhere.
func (l *Ledger) checkReferences() error {
	n := l.count()
	if n > l.params.MaxNeurons {
		return fmt.Errorf("restore: %d neurons are over %d", n, l.params.MaxNeurons)
	}
	var hotkeys, neurons int
	for k, v := range l.state.records {
		switch {
		case strings.HasPrefix(k, keyNeuron):
			neurons++
		case strings.HasPrefix(k, keyHotkey):
			hotkeys++
			owner, ok := l.state.neuron(protocol.UID(binary.BigEndian.Uint16(v)))
			if !ok || hotkeyKey(owner.Hotkey) != k {
				return fmt.Errorf("restore: record %q names another's slot", k)
			}
		case strings.HasPrefix(k, keySealed):
			if int(binary.BigEndian.Uint16([]byte(k[len(k)-2:]))) >= n {
				return fmt.Errorf("restore: commit %q is of an unknown uid", k)
			}
		case strings.HasPrefix(k, keyWeights), strings.HasPrefix(k, keyBonds):
			if !rowInOrder(v, n) || int(binary.BigEndian.Uint16([]byte(k[len(k)-2:]))) >= n {
				return fmt.Errorf("restore: row %q names an unknown uid", k)
			}
		}
	}
	if neurons != n || hotkeys != n {
		return fmt.Errorf("restore: %d neurons and %d hotkeys for %d slots", neurons, hotkeys, n)
	}
	return nil
}

func rowInOrder(v []byte, n int) bool {
	last := -1
	for ; len(v) >= 4; v = v[4:] {
		uid := int(binary.BigEndian.Uint16(v))
		if uid <= last || uid >= n {
			return false
		}
		last = uid
	}
	return true
}
