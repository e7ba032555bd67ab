package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"templar/internal/chain"
	"templar/protocol"
)

// A transaction, integers little-endian:
//
//	version 1 | kind 1 | hotkey 32 | nonce 8 | expiry 8 | body | signature 64
//
//	register  (1)  hotkey 32, zeros for the signer's | coldkey 32, zeros for none | work 8, if not 0
//	stake     (2)  hotkey 32 | amount 8
//	commit    (3)  data, 0 to 512 bytes
//	weights   (4)  version key 8 | (uid 2, value 2), uids strictly ascending
//	unstake   (5)  hotkey 32 | amount 8
//	vote      (6)  parameters, JSON, at most 8 KiB
//	commit weights (7)  hash 32
//	reveal weights (8)  salt 32 | version key 8 | (uid 2, value 2), uids strictly ascending
//
// Lengths follow from the transaction's own, so that each call has one encoding. The
// signature covers a domain (below), then all before the signature.
const (
	txVersion    = 1
	txHeader     = 1 + 1 + 32 + 8 + 8
	txSignature  = 64
	registerBody = 32 + 32
	workBody     = 8
	saltSize     = 32
	stakeBody    = 32 + 8
	weightsFixed = 8
	weightSize   = 4

	// MaxTxSize bounds every valid transaction, in bytes.
	MaxTxSize = txHeader + saltSize + weightsFixed + weightSize*maxNeurons + txSignature
	// MaxLifetime is how many blocks ahead an expiry may be.
	MaxLifetime = 256
)

const (
	kindRegister = 1 + iota
	kindStake
	kindCommit
	kindWeights
	kindUnstake
	kindVote
	kindCommitWeights
	kindRevealWeights
)

// Domain ties signatures to one subnet of one chain.
type Domain struct {
	ChainID string
	NetUID  uint16
}

// Domain returns what signatures for this chain cover.
func (g *Genesis) Domain() Domain { return Domain{g.ChainID, g.NetUID} }

func (d Domain) message(unsigned []byte) []byte {
	m := append([]byte("templar transaction\x00"), byte(len(d.ChainID)))
	m = append(m, d.ChainID...)
	m = binary.LittleEndian.AppendUint16(m, d.NetUID)
	return append(m, unsigned...)
}

// Tx is a decoded transaction.
type Tx struct {
	Hotkey    protocol.Hotkey
	Nonce     uint64 // equal to the hotkey's count of applied transactions
	Expiry    uint64 // last block that may include it
	Call      Call
	Signature protocol.Signature

	unsigned []byte
}

// NewTx encodes and signs a call. Weights are put in ascending order of uid.
func NewTx(s protocol.Signer, d Domain, nonce, expiry uint64, c Call) ([]byte, error) {
	kind, body, err := encodeCall(c)
	if err != nil {
		return nil, fmt.Errorf("transaction: %w", err)
	}
	hotkey := s.Hotkey()
	b := append([]byte{txVersion, kind}, hotkey[:]...)
	b = binary.LittleEndian.AppendUint64(b, nonce)
	b = binary.LittleEndian.AppendUint64(b, expiry)
	b = append(b, body...)
	sig, err := s.Sign(d.message(b))
	if err != nil {
		return nil, fmt.Errorf("transaction: %w", err)
	}
	return append(b, sig[:]...), nil
}

func encodeCall(c Call) (kind byte, body []byte, err error) {
	switch c := c.(type) {
	case Register:
		body := append(c.Hotkey[:], c.Coldkey[:]...)
		if c.Work != 0 {
			body = binary.LittleEndian.AppendUint64(body, c.Work)
		}
		return kindRegister, body, nil
	case Stake:
		return kindStake, binary.LittleEndian.AppendUint64(c.Hotkey[:], c.Amount), nil
	case Unstake:
		return kindUnstake, binary.LittleEndian.AppendUint64(c.Hotkey[:], c.Amount), nil
	case Vote:
		return kindVote, c.Params, nil
	case Commit:
		return kindCommit, c.Data, nil
	case SetWeights:
		body, err = encodeWeights(c)
		return kindWeights, body, err
	case CommitWeights:
		return kindCommitWeights, c.Hash[:], nil
	case RevealWeights:
		body, err = encodeWeights(SetWeights(c.Weights))
		return kindRevealWeights, append(c.Salt[:], body...), err
	}
	return 0, nil, fmt.Errorf("unknown call %T", c)
}

func encodeWeights(c SetWeights) ([]byte, error) {
	ws := slices.Clone(c.Entries)
	slices.SortFunc(ws, func(a, b chain.Weight) int { return int(a.UID) - int(b.UID) })
	b := binary.LittleEndian.AppendUint64(nil, c.VersionKey)
	for i, w := range ws {
		if i > 0 && w.UID == ws[i-1].UID {
			return nil, fmt.Errorf("two weights for uid %d", w.UID)
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(w.UID))
		b = binary.LittleEndian.AppendUint16(b, w.Value)
	}
	return b, nil
}

// DecodeTx reads a transaction. It does not verify the signature.
func DecodeTx(b []byte) (Tx, error) {
	if len(b) < txHeader+txSignature || len(b) > MaxTxSize {
		return Tx{}, fmt.Errorf("transaction of %d bytes: %d to %d", len(b), txHeader+txSignature, MaxTxSize)
	}
	if b[0] != txVersion {
		return Tx{}, fmt.Errorf("transaction version %d, want %d", b[0], txVersion)
	}
	end := len(b) - txSignature
	call, err := decodeCall(b[1], b[txHeader:end])
	if err != nil {
		return Tx{}, fmt.Errorf("transaction: %w", err)
	}
	return Tx{
		Hotkey:    protocol.Hotkey(b[2:34]),
		Nonce:     binary.LittleEndian.Uint64(b[34:]),
		Expiry:    binary.LittleEndian.Uint64(b[42:]),
		Call:      call,
		Signature: protocol.Signature(b[end:]),
		unsigned:  slices.Clone(b[:end]),
	}, nil
}

func decodeCall(kind byte, body []byte) (Call, error) {
	switch kind {
	case kindRegister:
		return decodeRegister(body)
	case kindStake, kindUnstake:
		return decodeStake(kind, body)
	case kindVote:
		if len(body) > maxParamsSize {
			return nil, fmt.Errorf("parameters of %d bytes, at most %d", len(body), maxParamsSize)
		}
		return Vote{Params: slices.Clone(body)}, nil
	case kindCommit:
		if len(body) > maxCommitmentSize {
			return nil, fmt.Errorf("commitment of %d bytes, at most %d", len(body), maxCommitmentSize)
		}
		return Commit{Data: slices.Clone(body)}, nil
	case kindWeights:
		return decodeWeights(body)
	case kindCommitWeights:
		if len(body) != len(protocol.Hash{}) {
			return nil, fmt.Errorf("commit of weights of %d bytes, want %d", len(body), len(protocol.Hash{}))
		}
		return CommitWeights{protocol.Hash(body)}, nil
	case kindRevealWeights:
		return decodeReveal(body)
	}
	return nil, fmt.Errorf("unknown kind %d", kind)
}

// decodeRegister: a nonce of 0 has no bytes, so that each call has one encoding.
func decodeRegister(body []byte) (Call, error) {
	var work uint64
	if len(body) == registerBody+workBody {
		if work = binary.LittleEndian.Uint64(body[registerBody:]); work == 0 {
			return nil, errors.New("register body with a work of 0")
		}
		body = body[:registerBody]
	}
	if len(body) != registerBody {
		return nil, fmt.Errorf("register body of %d bytes, want %d or %d", len(body), registerBody, registerBody+workBody)
	}
	return Register{Hotkey: protocol.Hotkey(body[:32]), Coldkey: protocol.Hotkey(body[32:]), Work: work}, nil
}

func decodeReveal(body []byte) (Call, error) {
	if len(body) < saltSize {
		return nil, fmt.Errorf("reveal of weights of %d bytes", len(body))
	}
	c, err := decodeWeights(body[saltSize:])
	if err != nil {
		return nil, err
	}
	return RevealWeights{Salt: [saltSize]byte(body[:saltSize]), Weights: chain.Weights(c)}, nil
}

func decodeStake(kind byte, body []byte) (Call, error) {
	if len(body) != stakeBody {
		return nil, fmt.Errorf("stake body of %d bytes, want %d", len(body), stakeBody)
	}
	hotkey, amount := protocol.Hotkey(body[:32]), binary.LittleEndian.Uint64(body[32:])
	if kind == kindUnstake {
		return Unstake{Hotkey: hotkey, Amount: amount}, nil
	}
	return Stake{Hotkey: hotkey, Amount: amount}, nil
}

func decodeWeights(body []byte) (SetWeights, error) {
	if len(body) < weightsFixed || (len(body)-weightsFixed)%weightSize != 0 {
		return SetWeights{}, fmt.Errorf("weights body of %d bytes", len(body))
	}
	c := SetWeights{VersionKey: binary.LittleEndian.Uint64(body)}
	body = body[weightsFixed:]
	c.Entries = make([]chain.Weight, 0, len(body)/weightSize)
	for ; len(body) > 0; body = body[weightSize:] {
		w := chain.Weight{UID: protocol.UID(binary.LittleEndian.Uint16(body)), Value: binary.LittleEndian.Uint16(body[2:])}
		if n := len(c.Entries); n > 0 && c.Entries[n-1].UID >= w.UID {
			return SetWeights{}, fmt.Errorf("weights not in ascending order at uid %d", w.UID)
		}
		c.Entries = append(c.Entries, w)
	}
	return c, nil
}

// Verify reports whether the signature is the hotkey's, for this chain.
func (t *Tx) Verify(d Domain) bool { return t.Hotkey.Verify(d.message(t.unsigned), t.Signature) }
