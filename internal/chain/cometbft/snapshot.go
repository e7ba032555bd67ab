package cometbft

import (
	"bytes"
	"context"
	"crypto/sha256"

	abci "github.com/cometbft/cometbft/abci/types"

	"templar/internal/chain/ledger"
)

const (
	snapshotFormat = 1
	snapshotChunk  = 1 << 20
	keptSnapshots  = 2
	maxSnapshot    = 256 << 20
)

// snapshot is the whole state after a block, for nodes that join later than the oldest
// block that is kept. It lives in memory: a restarted node makes the next one in time.
type snapshot struct {
	height int64
	body   []byte
}

func (s *snapshot) chunks() uint32 { return uint32((len(s.body) + snapshotChunk - 1) / snapshotChunk) }

// restoring is a snapshot on its way in.
type restoring struct {
	height int64
	root   []byte // from a verified header
	hash   []byte
	chunks uint32
	body   []byte
}

// keepSnapshot needs the lock.
func (a *app) keepSnapshot() {
	if a.snapshotEvery == 0 || a.mu.height%a.snapshotEvery != 0 {
		return
	}
	a.mu.snapshots = append(a.mu.snapshots, snapshot{a.mu.height, a.mu.ledger.Snapshot()})
	if extra := len(a.mu.snapshots) - keptSnapshots; extra > 0 {
		a.mu.snapshots = append([]snapshot(nil), a.mu.snapshots[extra:]...)
	}
}

// ListSnapshots names the snapshots that peers may have.
func (a *app) ListSnapshots(context.Context, *abci.RequestListSnapshots) (*abci.ResponseListSnapshots, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := &abci.ResponseListSnapshots{}
	for _, s := range a.mu.snapshots {
		sum := sha256.Sum256(s.body)
		out.Snapshots = append(out.Snapshots, &abci.Snapshot{
			Height: uint64(s.height), Format: snapshotFormat, Chunks: s.chunks(), Hash: sum[:],
		})
	}
	return out, nil
}

// LoadSnapshotChunk returns a part of a snapshot; nothing if it is gone.
func (a *app) LoadSnapshotChunk(_ context.Context, r *abci.RequestLoadSnapshotChunk) (*abci.ResponseLoadSnapshotChunk, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.mu.snapshots {
		if uint64(s.height) == r.Height && r.Format == snapshotFormat && r.Chunk < s.chunks() {
			from := int(r.Chunk) * snapshotChunk
			return &abci.ResponseLoadSnapshotChunk{Chunk: s.body[from:min(from+snapshotChunk, len(s.body))]}, nil
		}
	}
	return &abci.ResponseLoadSnapshotChunk{}, nil
}

// OfferSnapshot accepts a snapshot of our format; its contents are checked at the end.
func (a *app) OfferSnapshot(_ context.Context, r *abci.RequestOfferSnapshot) (*abci.ResponseOfferSnapshot, error) {
	s := r.Snapshot
	if s == nil || s.Format != snapshotFormat || s.Chunks == 0 || s.Chunks > maxSnapshot/snapshotChunk {
		return &abci.ResponseOfferSnapshot{Result: abci.ResponseOfferSnapshot_REJECT}, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.restoring = &restoring{height: int64(s.Height), root: r.AppHash, hash: s.Hash, chunks: s.Chunks}
	return &abci.ResponseOfferSnapshot{Result: abci.ResponseOfferSnapshot_ACCEPT}, nil
}

// ApplySnapshotChunk takes the chunks in order; with the last one the state must have
// the root that stands in a verified header.
func (a *app) ApplySnapshotChunk(_ context.Context, r *abci.RequestApplySnapshotChunk) (*abci.ResponseApplySnapshotChunk, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	in := a.mu.restoring
	if in == nil || len(r.Chunk) > snapshotChunk {
		return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_REJECT_SNAPSHOT}, nil
	}
	in.body = append(in.body, r.Chunk...)
	if r.Index+1 < in.chunks {
		return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_ACCEPT}, nil
	}
	a.mu.restoring = nil
	sum := sha256.Sum256(in.body)
	l, err := ledger.DecodeSnapshot(in.body)
	if err != nil || !bytes.Equal(sum[:], in.hash) {
		return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_REJECT_SNAPSHOT}, nil
	}
	tree := l.Tree()
	root := tree.Root()
	if block, _ := l.Block(); int64(block) != in.height || !bytes.Equal(root[:], in.root) {
		return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_REJECT_SNAPSHOT}, nil
	}
	a.mu.ledger, a.mu.height = l, in.height
	a.keepTree(tree)
	if err := a.persist(); err != nil {
		return nil, err
	}
	a.publish()
	return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_ACCEPT}, nil
}
