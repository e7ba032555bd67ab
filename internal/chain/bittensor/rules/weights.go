package rules

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"templar/internal/chain/bittensor/runtime"
	"templar/internal/chain/bittensor/scale"
	"templar/protocol"
)

// Weights are a validator's weights in the chain's form.
type Weights struct {
	UIDs       []uint16 `json:"uids"`
	Values     []uint16 `json:"values"`
	VersionKey uint64   `json:"version_key"`
}

// Weigh drops zeros, sorts by uid, and scales so that the largest is 65535.
func Weigh(list map[protocol.UID]uint16, versionKey uint64) Weights {
	w := Weights{UIDs: []uint16{}, Values: []uint16{}, VersionKey: versionKey}
	largest := uint64(0)
	for uid, v := range list {
		if v > 0 {
			w.UIDs, largest = append(w.UIDs, uint16(uid)), max(largest, uint64(v))
		}
	}
	slices.SortFunc(w.UIDs, cmp.Compare)
	for _, uid := range w.UIDs {
		v := uint64(list[protocol.UID(uid)])
		w.Values = append(w.Values, uint16(max((v*65535+largest/2)/largest, 1)))
	}
	return w
}

// Terms are what the chain requires of weights and of their validator at one block.
type Terms struct {
	Block         uint64
	N             uint64 // neurons
	UID           uint16
	Registered    bool
	Permit        bool
	LastUpdate    uint64
	RateLimit     uint64 // blocks between weights
	MinWeights    uint64
	MaxWeight     uint64 // largest share, of 65535
	VersionKey    uint64
	Stake         uint64
	StakeRequired uint64
}

// Check says why the chain would refuse the weights, or nothing. The order and the words
// are those of its own checks.
func (t *Terms) Check(w Weights) string {
	selfOnly := len(w.UIDs) == 1 && w.UIDs[0] == t.UID
	switch {
	case !t.Registered:
		return "hotkey is not registered on this subnet"
	case t.Stake < t.StakeRequired:
		return fmt.Sprintf("not enough stake to set weights: %d of %d", t.Stake, t.StakeRequired)
	case w.VersionKey < t.VersionKey:
		return fmt.Sprintf("version key %d is older than the subnet's %d: update templar", w.VersionKey, t.VersionKey)
	case t.Wait() > 0:
		return fmt.Sprintf("rate limit: weights were set in block %d, again from block %d on, in %d blocks", t.LastUpdate, t.Block+t.Wait(), t.Wait())
	case !t.Permit && !selfOnly:
		return "no validator permit: the chain gives it by stake, at the end of an epoch"
	}
	return t.checkValues(w, selfOnly)
}

func (t *Terms) checkValues(w Weights, selfOnly bool) string {
	sum, largest := uint64(0), uint64(0)
	for i, uid := range w.UIDs {
		if uint64(uid) >= t.N {
			return fmt.Sprintf("uid %d is not registered: the subnet has %d", uid, t.N)
		}
		sum, largest = sum+uint64(w.Values[i]), max(largest, uint64(w.Values[i]))
	}
	if selfOnly {
		return ""
	}
	if least := min(t.MinWeights, t.N); uint64(len(w.UIDs)) < least {
		return fmt.Sprintf("%d weights, the subnet wants at least %d", len(w.UIDs), least)
	}
	if t.MaxWeight < 65535 && sum > 0 && largest*65535 > t.MaxWeight*sum {
		return fmt.Sprintf("the largest weight is %.4f of all, the subnet allows %.4f", float64(largest)/float64(sum), float64(t.MaxWeight)/65535)
	}
	return ""
}

// Wait is how many blocks are left until the rate limit allows weights again.
func (t *Terms) Wait() uint64 {
	if next := t.LastUpdate + t.RateLimit; t.LastUpdate > 0 && t.RateLimit > 0 && t.Block+1 < next {
		return next - t.Block - 1
	}
	return 0
}

// CommitHash is what commit_weights takes: a hash that the reveal must match.
func CommitHash(hotkey protocol.Hotkey, index uint16, w Weights, salt []uint16) [32]byte {
	b := binary.LittleEndian.AppendUint16(append([]byte{}, hotkey[:]...), index)
	b = scale.AppendU16s(scale.AppendU16s(scale.AppendU16s(b, w.UIDs), w.Values), salt)
	return runtime.Blake2_256(binary.LittleEndian.AppendUint64(b, w.VersionKey))
}

// Payload is what a timelocked commit encrypts.
func Payload(hotkey protocol.Hotkey, w Weights) []byte {
	b := scale.AppendU16s(scale.AppendU16s(scale.AppendVec(nil, hotkey[:]), w.UIDs), w.Values)
	return binary.LittleEndian.AppendUint64(b, w.VersionKey)
}

// DecodePayload is its inverse, for nodes of tests.
func DecodePayload(b []byte) (hotkey protocol.Hotkey, w Weights, err error) {
	r := scale.NewReader(b)
	key := r.Vec()
	if len(key) != len(hotkey) {
		r.Fail(fmt.Errorf("a hotkey of %d bytes", len(key)))
	}
	copy(hotkey[:], key)
	for range r.Count(2) {
		w.UIDs = append(w.UIDs, r.U16())
	}
	for range r.Count(2) {
		w.Values = append(w.Values, r.U16())
	}
	w.VersionKey = r.U64()
	return hotkey, w, r.End()
}
