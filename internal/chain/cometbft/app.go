package cometbft

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	abci "github.com/cometbft/cometbft/abci/types"

	"templar/internal/chain/ledger"
	"templar/protocol"
)

// Codes of CheckTx and of queries beside the ledger's.
const (
	codeBusy  ledger.Code = 100 // another transaction of the hotkey waits for the next block
	codeQuery uint32      = 101
)

// Paths of ABCI queries. Answers are JSON but for the nonce, 8 bytes big-endian.
const (
	queryGenesis     = "/genesis"
	queryMetagraph   = "/metagraph"
	queryCommitments = "/commitments"
	queryParams      = "/params"
	queryVotes       = "/votes"
	queryWork        = "/work"
	queryNonce       = "/nonce" // data: the hotkey
	queryProof       = "/proof" // data: the prefix; of the state after the height
)

// pruneEvery is how many blocks go by between prunings.
const pruneEvery = 25

// app is the ledger as an ABCI application. The state lives in memory; each block's
// changed records go to db in one atomic, synced batch, so that a killed node finds
// the state after some block and CometBFT replays the rest.
type app struct {
	abci.BaseApplication
	db            dbm.DB
	retain        int64 // blocks kept
	snapshotEvery int64 // blocks; 0 is never
	now           func() time.Time
	gate          *gate    // nil: no other nodes
	lottery       *lottery // nil: the chain's votes carry no randomness
	log           *slog.Logger

	view atomic.Pointer[view] // what readers see; never nil

	mu struct { // blocks and the mempool
		sync.Mutex
		ledger    *ledger.Ledger                     // nil before InitChain
		height    int64                              // of the newest block in db
		trees     []version                          // of the newest states, ascending
		outcomes  map[int64]map[txHash]ledger.Result // of the newest blocks
		pending   map[protocol.Hotkey]struct{}       // hotkeys with a transaction in the mempool
		newcomers int                                // registrations among these
		snapshots []snapshot                         // ascending
		restoring *restoring
	}
}

func newApp(db dbm.DB, c Config) (*app, error) {
	a := &app{db: db, retain: int64(c.RetainBlocks), snapshotEvery: int64(c.SnapshotEvery), now: time.Now, log: c.Logger}
	a.mu.pending = map[protocol.Hotkey]struct{}{}
	a.view.Store(&view{next: make(chan struct{})})
	a.mu.outcomes = map[int64]map[txHash]ledger.Result{}
	records, err := readRecords(db)
	if err != nil || len(records) == 0 {
		return a, err
	}
	a.mu.ledger, err = ledger.Restore(records)
	if err != nil {
		return nil, fmt.Errorf("application state: %w", err)
	}
	block, _ := a.mu.ledger.Block()
	a.mu.height = int64(block)
	a.keepTree(a.mu.ledger.Tree())
	a.publish()
	return a, nil
}

// keepTree needs the lock. It keeps the tree of the state after the block at hand, and
// forgets the oldest.
func (a *app) keepTree(t *ledger.Tree) {
	block, _ := a.mu.ledger.Block()
	a.mu.trees = append(a.mu.trees, version{int64(block), t})
	if extra := len(a.mu.trees) - keptVersions; extra > 0 {
		a.mu.trees = append([]version(nil), a.mu.trees[extra:]...)
	}
}

func readRecords(db dbm.DB) (map[string][]byte, error) {
	records := map[string][]byte{}
	it, err := db.Iterator(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("application state: %w", err)
	}
	defer it.Close()
	for ; it.Valid(); it.Next() {
		records[string(it.Key())] = append([]byte(nil), it.Value()...)
	}
	return records, it.Error()
}

// persist needs the lock.
func (a *app) persist() error {
	batch := a.db.NewBatch()
	defer batch.Close()
	for k, v := range a.mu.ledger.Changes() {
		var err error
		if v == nil {
			err = batch.Delete([]byte(k))
		} else {
			err = batch.Set([]byte(k), v)
		}
		if err != nil {
			return fmt.Errorf("application state: %w", err)
		}
	}
	if err := batch.WriteSync(); err != nil {
		return fmt.Errorf("application state: %w", err)
	}
	return nil
}

// Info reports to CometBFT the block from which to replay.
func (a *app) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &abci.ResponseInfo{Data: "templar", AppVersion: protocol.Version, LastBlockHeight: a.mu.height}
	if a.mu.height > 0 {
		root := a.mu.ledger.Root()
		r.LastBlockAppHash = root[:]
	}
	return r, nil
}

// InitChain makes the state after block 0.
func (a *app) InitChain(_ context.Context, r *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	g, err := ledger.DecodeGenesis(r.AppStateBytes)
	if err != nil {
		return nil, err
	}
	if g.ChainID != r.ChainId {
		return nil, fmt.Errorf("the ledger's genesis is of chain %q, CometBFT's of %q", g.ChainID, r.ChainId)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.ledger, err = ledger.New(g); err != nil {
		return nil, err
	}
	tree := a.mu.ledger.Tree()
	a.keepTree(tree)
	a.publish()
	root := tree.Root()
	return &abci.ResponseInitChain{AppHash: root[:]}, a.persist()
}

// CheckTx admits what the next block could include: one transaction a hotkey, and no
// more registrations than a block takes. Without fees, that is what bounds the mempool,
// and a flooder's share of it. The signature is checked without the lock.
func (a *app) CheckTx(_ context.Context, r *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	tx, err := ledger.DecodeTx(r.Tx)
	if err != nil {
		return &abci.ResponseCheckTx{Code: uint32(ledger.CodeMalformed), Log: err.Error()}, nil
	}
	domain, refusal := a.admit(&tx, false)
	if refusal == nil && !tx.Verify(domain) {
		refusal = domain.WrongSignature(tx.Hotkey)
	}
	if refusal == nil { // a block, or another transaction, may have come meanwhile
		_, refusal = a.admit(&tx, true)
	}
	if refusal != nil {
		return &abci.ResponseCheckTx{Code: uint32(refusal.Code), Log: refusal.Reason}, nil
	}
	return &abci.ResponseCheckTx{GasWanted: 1}, nil
}

// admit judges all but the signature, and notes an admitted transaction.
func (a *app) admit(tx *ledger.Tx, note bool) (ledger.Domain, *ledger.Refusal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, busy := a.mu.pending[tx.Hotkey]; busy {
		return ledger.Domain{}, &ledger.Refusal{Code: codeBusy, Reason: "another transaction of the hotkey waits for the next block"}
	}
	_, register := tx.Call.(ledger.Register)
	if register && a.mu.newcomers >= a.mu.ledger.Params().MaxRegistrations {
		return ledger.Domain{}, &ledger.Refusal{Code: ledger.CodeBusy, Reason: "the next block has all its registrations"}
	}
	if refusal := a.mu.ledger.Admissible(tx); refusal != nil {
		return ledger.Domain{}, refusal
	}
	if note {
		a.mu.pending[tx.Hotkey] = struct{}{}
		if register {
			a.mu.newcomers++
		}
	}
	g := a.mu.ledger.Genesis()
	return g.Domain(), nil
}

// FinalizeBlock applies a decided block.
func (a *app) FinalizeBlock(_ context.Context, r *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := &abci.ResponseFinalizeBlock{}
	at, txs := r.Time, r.Txs
	if len(txs) > 0 {
		if _, ok := readStamp(txs[0]); ok {
			at, txs = blockTime(at, txs[0]), txs[1:]
			out.TxResults = append(out.TxResults, &abci.ExecTxResult{})
		}
	}
	results, err := a.mu.ledger.Apply(uint64(r.Height), at, txs)
	if err != nil {
		return nil, err
	}
	for _, res := range results {
		out.TxResults = append(out.TxResults, &abci.ExecTxResult{Code: uint32(res.Code), Log: res.Reason})
	}
	a.keepOutcomes(r.Height, txs, results)
	tree := a.mu.ledger.Tree()
	a.keepTree(tree)
	root := tree.Root()
	out.AppHash = root[:]
	return out, nil
}

// Commit makes the block durable and wakes the waiting callers.
func (a *app) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.persist(); err != nil {
		return nil, err
	}
	a.mu.height++
	a.keepSnapshot()
	clear(a.mu.pending) // what stays in the mempool is checked again now
	a.mu.newcomers = 0
	a.publish()
	out := &abci.ResponseCommit{}
	if a.mu.height%pruneEvery == 0 {
		out.RetainHeight = max(a.mu.height-a.retain, 0)
	}
	return out, nil
}

// Query answers about the newest durable state.
func (a *app) Query(_ context.Context, r *abci.RequestQuery) (*abci.ResponseQuery, error) {
	if a.gate != nil {
		if answer, ok := a.gate.query(r.Path); ok {
			return answer, nil
		}
	}
	answer := a.view.Load().respond(r)
	return &answer, nil
}
