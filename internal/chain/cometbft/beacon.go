package cometbft

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"templar/protocol"
)

// The randomness of a block is made by all authorities that voted for it. With its vote each
// sends the proof of a verifiable random function (ECVRF, RFC 9381) of the block's number: its
// key gives one value, which no other party can foresee. The next block carries the proofs of the
// votes in it, in its stamp, and the randomness is the hash of their values.
//
// An authority cannot choose its value, only withhold it with its vote. What is left to the
// proposer of the next block is which votes it includes: of n authorities any that leave more
// than two thirds, which are 5 sets of 4, and 29 of 7. A block's hash, in contrast, can be
// drawn again as often as its maker's processor allows. More than two thirds of the authorities
// together can foresee everything.
//
// The signatures of the votes would not do: an authority can choose the time in its vote to the
// nanosecond, and so among as many signatures.

// lottery is what an authority needs for its part, and all nodes to check the parts of others.
type lottery struct {
	chainID     string
	authorities *types.ValidatorSet
	key         voi.PrivateKey // nil: this node is no authority
}

// newLottery returns nil on a chain whose genesis has no vote extensions.
func newLottery(doc *types.GenesisDoc, key ed25519.PrivKey) *lottery {
	if doc.ConsensusParams == nil || doc.ConsensusParams.ABCI.VoteExtensionsEnableHeight != 1 {
		return nil
	}
	return &lottery{doc.ChainID, newVerifier(doc).authorities, voi.PrivateKey(key)}
}

// input is what the authorities evaluate for the block of a height.
func (l *lottery) input(height int64) []byte {
	m := append([]byte("templar beacon\x00"), byte(len(l.chainID)))
	m = append(m, l.chainID...)
	return binary.BigEndian.AppendUint64(m, uint64(height))
}

// check verifies the proof of the authority with an index.
func (l *lottery) check(index int, height int64, proof []byte) error {
	_, a := l.authorities.GetByIndex(int32(index))
	if a == nil {
		return fmt.Errorf("there is no authority %d", index)
	}
	key, ok := a.PubKey.(ed25519.PubKey)
	if !ok {
		return fmt.Errorf("authority %d has a key of type %s", index, a.PubKey.Type())
	}
	if ok, _ := ecvrf.Verify(voi.PublicKey(key), proof, l.input(height)); !ok {
		return fmt.Errorf("the proof of authority %d for block %d is not valid", index, height)
	}
	return nil
}

// ExtendVote makes this authority's part of the randomness of a block that it votes for.
func (a *app) ExtendVote(_ context.Context, r *abci.RequestExtendVote) (*abci.ResponseExtendVote, error) {
	if a.lottery == nil || a.lottery.key == nil {
		return nil, errors.New("a vote with randomness was asked of a node without an authority's key")
	}
	return &abci.ResponseExtendVote{VoteExtension: ecvrf.Prove(a.lottery.key, a.lottery.input(r.Height))}, nil
}

// VerifyVoteExtension refuses votes whose part is not the one that the authority's key gives.
func (a *app) VerifyVoteExtension(_ context.Context, r *abci.RequestVerifyVoteExtension) (*abci.ResponseVerifyVoteExtension, error) {
	out := &abci.ResponseVerifyVoteExtension{Status: abci.ResponseVerifyVoteExtension_REJECT}
	if a.lottery == nil {
		return out, nil
	}
	index, _ := a.lottery.authorities.GetByAddress(r.ValidatorAddress)
	if err := a.lottery.check(int(index), r.Height, r.VoteExtension); err != nil {
		a.log.Warn("refused a vote", "height", r.Height, "authority", fmt.Sprintf("%X", r.ValidatorAddress), "err", err)
		return out, nil
	}
	out.Status = abci.ResponseVerifyVoteExtension_ACCEPT
	return out, nil
}

// part is one authority's.
type part struct {
	index uint16
	proof [ecvrf.ProofSize]byte
}

// parts collects those of the votes on the last block.
func (l *lottery) parts(votes []abci.ExtendedVoteInfo) (all []part) {
	for _, v := range votes {
		index, _ := l.authorities.GetByAddress(v.Validator.Address)
		if v.BlockIdFlag != cmtproto.BlockIDFlagCommit || index < 0 || len(v.VoteExtension) != ecvrf.ProofSize {
			continue
		}
		all = append(all, part{uint16(index), [ecvrf.ProofSize]byte(v.VoteExtension)})
	}
	return all
}

// checkParts demands a valid part for each vote on the last block that the block at height has,
// and no other.
func (l *lottery) checkParts(height int64, votes []abci.VoteInfo, all []part) error {
	for _, v := range votes {
		if v.BlockIdFlag != cmtproto.BlockIDFlagCommit {
			continue
		}
		index, _ := l.authorities.GetByAddress(v.Validator.Address)
		if len(all) == 0 || int32(all[0].index) != index {
			return fmt.Errorf("the randomness of block %d lacks the part of authority %d, or is not in order", height-1, index)
		}
		if err := l.check(int(index), height-1, all[0].proof[:]); err != nil {
			return err
		}
		all = all[1:]
	}
	if len(all) > 0 {
		return fmt.Errorf("the randomness of block %d has a part of authority %d, whose vote is not there", height-1, all[0].index)
	}
	return nil
}

// randomness is made of the parts in the block after the one at height.
func randomness(height int64, all []part) (protocol.Hash, error) {
	m := binary.BigEndian.AppendUint64([]byte("templar randomness\x00"), uint64(height))
	for _, p := range all {
		value, err := ecvrf.ProofToHash(p.proof[:])
		if err != nil {
			return protocol.Hash{}, fmt.Errorf("randomness of block %d: part of authority %d: %w", height, p.index, err)
		}
		m = append(binary.BigEndian.AppendUint16(m, p.index), value...)
	}
	return sha256.Sum256(m), nil
}

// Randomness returns what the authorities that voted for a block made together; it is in the
// next block, and waited for. A chain whose genesis has no vote extensions has the hash of the
// block instead.
func (c *Client) Randomness(ctx context.Context, block uint64) (protocol.Hash, error) {
	if block == 0 {
		return c.genesis.Hash, ctx.Err()
	}
	if _, err := c.Wait(ctx, block+1); err != nil {
		return protocol.Hash{}, fmt.Errorf("randomness of block %d: %w", block, err)
	}
	next, err := c.signed(ctx, methodBlock, map[string]any{"height": int64(block) + 1})
	if err != nil {
		return protocol.Hash{}, fmt.Errorf("randomness of block %d: %w", block, err)
	}
	var s stamp
	if next.Stamp != nil {
		s, _ = readStamp(next.Stamp.Data)
	}
	if len(s.parts) == 0 {
		if len(next.Header.LastBlockID.Hash) != len(protocol.Hash{}) {
			return protocol.Hash{}, fmt.Errorf("randomness of block %d: the server sent header %d without a parent", block, block+1)
		}
		return protocol.Hash(next.Header.LastBlockID.Hash), nil
	}
	return randomness(int64(block), s.parts)
}

// appendParts and cutParts are their form in a stamp.
func appendParts(b []byte, all []part) []byte {
	for _, p := range all {
		b = append(binary.BigEndian.AppendUint16(b, p.index), p.proof[:]...)
	}
	return b
}

const partSize = 2 + ecvrf.ProofSize

// readParts refuses what is not in ascending order of index, so that the parts have one form.
func readParts(b []byte) (all []part, ok bool) {
	for len(b) >= partSize {
		p := part{binary.BigEndian.Uint16(b), [ecvrf.ProofSize]byte(b[2:partSize])}
		if n := len(all); n > 0 && bytes.Compare(b[:2], binary.BigEndian.AppendUint16(nil, all[n-1].index)) <= 0 {
			return nil, false
		}
		all, b = append(all, p), b[partSize:]
	}
	return all, len(b) == 0
}
