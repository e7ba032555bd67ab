package cometbft

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"templar/internal/chain/ledger"
	"templar/protocol"
)

// view is the chain after a durable block, for readers. It does not change: no reader takes a
// lock that a block needs, however many there are.
type view struct {
	height   int64
	time     time.Time
	state    *ledger.Ledger // a copy of its own
	versions []version      // the states that can be proved, ascending
	outcomes map[int64]map[txHash]ledger.Result
	next     chan struct{} // closed when the next view is there
}

// version is the state after a block, for proofs.
type version struct {
	height int64
	tree   *ledger.Tree
}

// keptVersions is how many past states can be proved: a reader has that many blocks
// between seeing a header and asking.
const keptVersions = 8

// publish needs the lock. It shows readers the state as it stands.
func (a *app) publish() {
	old := a.view.Load()
	v := &view{height: a.mu.height, versions: a.mu.trees, state: a.mu.ledger.Copy(), outcomes: map[int64]map[txHash]ledger.Result{}, next: make(chan struct{})}
	_, v.time = v.state.Block()
	for height := a.mu.height; height > a.mu.height-keptOutcomes; height-- {
		if all, ok := a.mu.outcomes[height]; ok {
			v.outcomes[height] = all
		}
	}
	a.view.Store(v)
	if old != nil {
		close(old.next)
	}
}

// errNotBegun is the answer before the genesis.
var errNotBegun = errors.New("the chain has not begun")

// answer answers an ABCI query.
func (v *view) answer(r *abci.RequestQuery) ([]byte, error) {
	if v.state == nil {
		return nil, errNotBegun
	}
	switch r.Path {
	case queryGenesis:
		g := v.state.Genesis()
		return g.Encode()
	case queryParams:
		p := v.state.Params()
		return p.Encode()
	case queryVotes:
		return json.Marshal(v.state.Votes())
	case queryWork:
		return json.Marshal(v.state.Work())
	case queryProof:
		return v.prove(string(r.Data), r.Height)
	case queryMetagraph:
		return json.Marshal(v.state.Metagraph())
	case queryCommitments:
		return json.Marshal(v.state.Commitments())
	case queryNonce:
		if len(r.Data) != len(protocol.Hotkey{}) {
			return nil, errors.New("the data of a nonce query is a hotkey of 32 bytes")
		}
		return binary.BigEndian.AppendUint64(nil, v.state.Nonce(protocol.Hotkey(r.Data))), nil
	}
	return nil, fmt.Errorf("unknown path %.40q", r.Path)
}

// prove answers for the prefixes that clients need: others would let a caller choose the size of
// the answer, up to the whole state, without end.
func (v *view) prove(prefix string, height int64) ([]byte, error) {
	if !slices.Contains(ledger.Prefixes(), prefix) {
		return nil, fmt.Errorf("no proofs of the prefix %.40q", prefix)
	}
	for _, version := range v.versions {
		if version.height == height {
			return version.tree.Prove(prefix), nil
		}
	}
	return nil, fmt.Errorf("the state after block %d is not kept", height)
}

// respond is answer as CometBFT returns it.
func (v *view) respond(r *abci.RequestQuery) abci.ResponseQuery {
	value, err := v.answer(r)
	if err != nil {
		return abci.ResponseQuery{Code: codeQuery, Log: err.Error()}
	}
	return abci.ResponseQuery{Value: value, Height: v.height}
}
