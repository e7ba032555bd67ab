package rules

import (
	"fmt"

	"templar/internal/chain/bittensor/scale"
	"templar/protocol"
)

// Neuron is an entry of NeuronInfoRuntimeApi_get_neurons_lite.
type Neuron struct {
	Hotkey, Coldkey protocol.Hotkey
	UID, NetUID     uint16
	Active          bool
	Axon            Axon
	Stake           uint64 // sum over all stakers
	Staked          []Staked
	Rank            uint64
	Emission        uint64
	Incentive       uint64
	Consensus       uint64
	Trust           uint64
	ValidatorTrust  uint64
	Dividends       uint64
	LastUpdate      uint64
	Permit          bool
	PruningScore    uint64
}

// Staked is one account's stake behind a neuron.
type Staked struct {
	Account protocol.Hotkey
	Amount  uint64
}

// Axon is where a neuron says that it listens. Templar does not use it.
type Axon struct {
	Block        uint64
	Version      uint32
	IP           [16]byte // little endian
	Port         uint16
	IPType       uint8
	Protocol     uint8
	Placeholder1 uint8
	Placeholder2 uint8
	PromBlock    uint64
	PromVersion  uint32
	PromIP       [16]byte
	PromPort     uint16
	PromIPType   uint8
}

// leastNeuron is the size of the smallest entry, to bound a list's length.
const leastNeuron = 32 + 32 + 2 + 1 + 34 + 31 + 1 + 8 + 1 + 1

// DecodeNeurons reads the answer of get_neurons_lite in the layout that runtimes have
// had since the call exists. Runtimes up to 218 wrap it in a Vec<u8>.
func DecodeNeurons(b []byte) ([]Neuron, error) {
	list, plain := decodeNeurons(b)
	if plain == nil {
		return list, nil
	}
	r := scale.NewReader(b)
	inner := r.Vec()
	if r.End() != nil {
		return nil, fmt.Errorf("neurons: %w", plain)
	}
	list, err := decodeNeurons(inner)
	if err != nil {
		return nil, fmt.Errorf("neurons: %w", err)
	}
	return list, nil
}

func decodeNeurons(b []byte) ([]Neuron, error) {
	r := scale.NewReader(b)
	n := r.Count(leastNeuron)
	list := make([]Neuron, 0, n)
	for range n {
		list = append(list, readNeuron(r))
	}
	return list, r.End()
}

// readU16 reads a compact number that must fit 16 bits.
func readU16(r *scale.Reader) uint64 {
	v := r.Compact()
	if v > 1<<16-1 {
		r.Fail(scale.ErrCompact)
	}
	return v
}

func readNeuron(r *scale.Reader) (n Neuron) {
	n.Hotkey, n.Coldkey = r.Array32(), r.Array32()
	n.UID, n.NetUID = uint16(readU16(r)), uint16(readU16(r))
	n.Active = r.Bool()
	a := &n.Axon
	a.Block, a.Version = r.U64(), r.U32()
	copy(a.IP[:], r.Bytes(16))
	a.Port, a.IPType, a.Protocol, a.Placeholder1, a.Placeholder2 = r.U16(), r.U8(), r.U8(), r.U8(), r.U8()
	a.PromBlock, a.PromVersion = r.U64(), r.U32()
	copy(a.PromIP[:], r.Bytes(16))
	a.PromPort, a.PromIPType = r.U16(), r.U8()
	for range r.Count(33) {
		s := Staked{r.Array32(), r.Compact()}
		if n.Stake+s.Amount < n.Stake {
			r.Fail(scale.ErrCompact)
		}
		n.Stake += s.Amount
		n.Staked = append(n.Staked, s)
	}
	n.Rank, n.Emission, n.Incentive = readU16(r), r.Compact(), readU16(r)
	n.Consensus, n.Trust, n.ValidatorTrust, n.Dividends = readU16(r), readU16(r), readU16(r), readU16(r)
	n.LastUpdate, n.Permit, n.PruningScore = r.Compact(), r.Bool(), readU16(r)
	return n
}
