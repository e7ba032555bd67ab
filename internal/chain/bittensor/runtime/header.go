package runtime

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"templar/internal/chain/bittensor/scale"
	"templar/protocol"
)

// Header is a block's header.
type Header struct {
	Parent         protocol.Hash
	Number         uint64
	StateRoot      protocol.Hash
	ExtrinsicsRoot protocol.Hash
	Logs           [][]byte
}

// MaxHeader bounds a header's digest, in bytes.
const MaxHeader = 1 << 16

// Hash is the hash by which the chain names the block.
func (h *Header) Hash() protocol.Hash {
	b := append([]byte{}, h.Parent[:]...)
	b = scale.AppendCompact(b, h.Number)
	b = append(append(b, h.StateRoot[:]...), h.ExtrinsicsRoot[:]...)
	b = scale.AppendCompact(b, uint64(len(h.Logs)))
	for _, l := range h.Logs {
		b = append(b, l...)
	}
	return Blake2_256(b)
}

type headerJSON struct {
	ParentHash     string `json:"parentHash"`
	Number         string `json:"number"`
	StateRoot      string `json:"stateRoot"`
	ExtrinsicsRoot string `json:"extrinsicsRoot"`
	Digest         struct {
		Logs []string `json:"logs"`
	} `json:"digest"`
}

// UnmarshalJSON reads the form of JSON-RPC, with numbers padded or not.
func (h *Header) UnmarshalJSON(b []byte) (err error) {
	var j headerJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	digits, ok := strings.CutPrefix(j.Number, "0x")
	n, err := strconv.ParseUint(digits, 16, 32)
	if !ok || err != nil {
		return fmt.Errorf("header: %.20q is not a block's number", j.Number)
	}
	*h = Header{Number: n}
	for text, to := range map[*string]*protocol.Hash{&j.ParentHash: &h.Parent, &j.StateRoot: &h.StateRoot, &j.ExtrinsicsRoot: &h.ExtrinsicsRoot} {
		if *to, err = ParseHash(*text); err != nil {
			return fmt.Errorf("header: %w", err)
		}
	}
	size := 0
	for _, l := range j.Digest.Logs {
		raw, err := ParseHex(l)
		if size += len(raw); err != nil || size > MaxHeader {
			return fmt.Errorf("header: bad digest: %w", err)
		}
		h.Logs = append(h.Logs, raw)
	}
	return nil
}

// MarshalJSON writes a node's form.
func (h Header) MarshalJSON() ([]byte, error) {
	j := headerJSON{ParentHash: Hex(h.Parent[:]), Number: "0x" + strconv.FormatUint(h.Number, 16), StateRoot: Hex(h.StateRoot[:]), ExtrinsicsRoot: Hex(h.ExtrinsicsRoot[:])}
	j.Digest.Logs = []string{}
	for _, l := range h.Logs {
		j.Digest.Logs = append(j.Digest.Logs, Hex(l))
	}
	return json.Marshal(j)
}

// Hex writes bytes as JSON-RPC does.
func Hex(b []byte) string { return "0x" + hex.EncodeToString(b) }

// ParseHex reads 0x and hexadecimal digits.
func ParseHex(s string) ([]byte, error) {
	digits, ok := strings.CutPrefix(s, "0x")
	b, err := hex.DecodeString(digits)
	if !ok || err != nil {
		return nil, fmt.Errorf("%.20q is not 0x and hexadecimal digits", s)
	}
	return b, nil
}

// ParseHash reads 32 bytes in hexadecimal.
func ParseHash(s string) (h protocol.Hash, err error) {
	b, err := ParseHex(s)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("%.80q is not a hash", s)
	}
	return protocol.Hash(b), nil
}
