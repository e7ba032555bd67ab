package cometbft

import (
	"slices"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"templar/protocol"
)

// congress is authorities of one chain, each with an application of its own, in the order of
// their index.
type congress struct {
	apps  []*app
	votes []abci.ExtendedVoteInfo // on the block at height
}

func newCongress(t *testing.T, n int, height int64) congress {
	t.Helper()
	doc := &types.GenesisDoc{ChainID: "chaintest", ConsensusParams: types.DefaultConsensusParams()}
	doc.ConsensusParams.ABCI.VoteExtensionsEnableHeight = 1
	keys := map[string]ed25519.PrivKey{}
	for i := range n {
		key := ed25519.GenPrivKeyFromSecret([]byte{byte(i)})
		keys[string(key.PubKey().Address())] = key
		doc.Validators = append(doc.Validators, types.GenesisValidator{Address: key.PubKey().Address(), PubKey: key.PubKey(), Power: 1})
	}
	var c congress
	for _, v := range newVerifier(doc).authorities.Validators {
		a := begun(t)
		a.lottery = newLottery(doc, keys[string(v.Address)])
		a.now = func() time.Time { return time.Unix(1_900_000_000, 0) }
		e, err := a.ExtendVote(t.Context(), &abci.RequestExtendVote{Height: height})
		if err != nil {
			t.Fatal(err)
		}
		c.apps = append(c.apps, a)
		c.votes = append(c.votes, abci.ExtendedVoteInfo{
			Validator: abci.Validator{Address: v.Address, Power: 1}, VoteExtension: e.VoteExtension, BlockIdFlag: cmtproto.BlockIDFlagCommit,
		})
	}
	return c
}

// without returns the votes without those of some authorities.
func (c congress) without(missing ...int) []abci.ExtendedVoteInfo {
	votes := append([]abci.ExtendedVoteInfo(nil), c.votes...)
	for _, i := range missing {
		votes[i].BlockIdFlag, votes[i].VoteExtension = cmtproto.BlockIDFlagAbsent, nil
	}
	return votes
}

func included(votes []abci.ExtendedVoteInfo) (out []abci.VoteInfo) {
	for _, v := range votes {
		out = append(out, abci.VoteInfo{Validator: v.Validator, BlockIdFlag: v.BlockIdFlag})
	}
	return out
}

// propose returns the stamp that an authority makes from votes.
func (c congress) propose(t *testing.T, by int, height int64, votes []abci.ExtendedVoteInfo) []byte {
	t.Helper()
	r, err := c.apps[by].PrepareProposal(t.Context(), &abci.RequestPrepareProposal{
		Height: height, MaxTxBytes: 10_000, LocalLastCommit: abci.ExtendedCommitInfo{Votes: votes},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Txs[0]
}

func (c congress) accepts(t *testing.T, height int64, first []byte, votes []abci.ExtendedVoteInfo) bool {
	t.Helper()
	r, err := c.apps[0].ProcessProposal(t.Context(), &abci.RequestProcessProposal{
		Height: height, Txs: [][]byte{first}, ProposedLastCommit: abci.CommitInfo{Votes: included(votes)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Status == abci.ResponseProcessProposal_ACCEPT
}

func randomnessOf(t *testing.T, height int64, first []byte) protocol.Hash {
	t.Helper()
	s, ok := readStamp(first)
	if !ok || len(s.parts) == 0 {
		t.Fatal("no randomness")
	}
	h, err := randomness(height, s.parts)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Whatever a block's maker chooses, its time or its transactions, the draw stays the same: only
// the set of votes counts, of which four authorities have five.
func TestMakerCannotGrindTheDraw(t *testing.T) {
	const height = 7
	c := newCongress(t, 4, height)
	drawn := map[protocol.Hash]bool{}
	for maker := range c.apps {
		for ns := range int64(50) {
			c.apps[maker].now = func() time.Time { return time.Unix(1_900_000_000, ns) }
			first := c.propose(t, maker, height+1, c.votes)
			if ns == 0 && !c.accepts(t, height+1, first, c.votes) {
				t.Fatal("an honest block was refused")
			}
			drawn[randomnessOf(t, height, first)] = true
		}
	}
	if len(drawn) != 1 {
		t.Errorf("makers that choose the time draw %d values", len(drawn))
	}
	for left := range c.votes {
		votes := c.without(left)
		first := c.propose(t, 0, height+1, votes)
		if !c.accepts(t, height+1, first, votes) {
			t.Errorf("a block without the vote of authority %d was refused", left)
		}
		drawn[randomnessOf(t, height, first)] = true
	}
	if len(drawn) != 5 {
		t.Errorf("%d values for five sets of votes", len(drawn))
	}
}

// The draw is made of what the keys of the authorities give, which others cannot foresee.
func TestRandomnessIsOfTheKeys(t *testing.T) {
	const height = 7
	c := newCongress(t, 4, height)
	s, _ := readStamp(c.propose(t, 0, height+1, c.votes))
	for i := range s.parts {
		other := slices.Clone(s.parts)
		other[i].proof = s.parts[(i+1)%4].proof
		h, err := randomness(height, other)
		if err != nil {
			t.Fatal(err)
		}
		if h == randomnessOf(t, height, c.propose(t, 0, height+1, c.votes)) {
			t.Errorf("another value of authority %d draws the same", i)
		}
	}
}

// A maker cannot leave parts out that are in the votes, add or change some, or take them of
// another block. An authority cannot vote with another part than its own.
func TestPartsAreTheVotes(t *testing.T) {
	const height = 7
	c, other := newCongress(t, 4, height), newCongress(t, 4, height+1)
	s, _ := readStamp(c.propose(t, 0, height+1, c.votes))
	o, _ := readStamp(c.propose(t, 0, height+1, other.votes))
	changed := append([]part(nil), s.parts...)
	changed[1].proof[40] ^= 1
	renamed := append([]part(nil), s.parts...)
	renamed[1].proof = s.parts[2].proof
	for name, parts := range map[string][]part{
		"none":          nil,
		"one left out":  s.parts[1:],
		"last left out": s.parts[:3],
		"twice":         {s.parts[0], s.parts[0], s.parts[2], s.parts[3]},
		"out of order":  {s.parts[1], s.parts[0], s.parts[2], s.parts[3]},
		"changed":       changed,
		"another's":     renamed,
		"older block":   o.parts,
		"unknown index": append(append([]part(nil), s.parts...), part{index: 9, proof: s.parts[0].proof}),
	} {
		if c.accepts(t, height+1, newStamp(s.time, parts...), c.votes) {
			t.Errorf("%s: accepted", name)
		}
	}
	if c.accepts(t, height+1, newStamp(s.time, s.parts...), c.without(2)) {
		t.Error("accepted with a part whose vote is not there")
	}
	for i, v := range c.votes {
		for j := range c.votes {
			r, err := c.apps[0].VerifyVoteExtension(t.Context(), &abci.RequestVerifyVoteExtension{
				ValidatorAddress: c.votes[j].Validator.Address, Height: height, VoteExtension: v.VoteExtension,
			})
			if err != nil || (r.Status == abci.ResponseVerifyVoteExtension_ACCEPT) != (i == j) {
				t.Errorf("the part of authority %d in the vote of %d: %v, %v", i, j, r.Status, err)
			}
		}
	}
	for name, r := range map[string]*abci.RequestVerifyVoteExtension{
		"stranger":      {ValidatorAddress: []byte("stranger stranger 20"), Height: height, VoteExtension: c.votes[0].VoteExtension},
		"empty":         {ValidatorAddress: c.votes[0].Validator.Address, Height: height},
		"other height":  {ValidatorAddress: c.votes[0].Validator.Address, Height: height + 1, VoteExtension: c.votes[0].VoteExtension},
		"longer by one": {ValidatorAddress: c.votes[0].Validator.Address, Height: height, VoteExtension: append(c.votes[0].VoteExtension[:80:80], 0)},
	} {
		if out, err := c.apps[0].VerifyVoteExtension(t.Context(), r); err != nil || out.Status == abci.ResponseVerifyVoteExtension_ACCEPT {
			t.Errorf("%s: %v, %v", name, out.Status, err)
		}
	}
}

// FuzzStamp: a stamp has one form.
func FuzzStamp(f *testing.F) {
	f.Add(newStamp(time.Unix(1, 2)))
	f.Add(newStamp(time.Unix(1, 2), part{index: 1}, part{index: 3}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := readStamp(b)
		if !ok {
			return
		}
		if again := newStamp(s.time, s.parts...); string(again) != string(b) {
			t.Fatalf("%x reads as %+v, which is %x", b, s, again)
		}
		_, _ = randomness(1, s.parts)
	})
}
