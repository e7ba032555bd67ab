package cometbft

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"
	blockversion "github.com/cometbft/cometbft/version"

	"templar/internal/chain/ledger"
	"templar/internal/chain/ledger/ledgertest"
	"templar/protocol"
)

// begun is an application after block 0.
func begun(t testing.TB) *app {
	t.Helper()
	g, _ := ledgertest.Genesis(t)
	g.Time = time.Unix(1_800_000_000, 0).UTC()
	a, err := newApp(dbm.NewMemDB(), Config{Logger: slog.New(slog.DiscardHandler), SnapshotEvery: 1})
	if err != nil {
		t.Fatal(err)
	}
	state, err := g.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.InitChain(t.Context(), &abci.RequestInitChain{ChainId: g.ChainID, AppStateBytes: state}); err != nil {
		t.Fatal(err)
	}
	return a
}

// FuzzQuery: nothing that a client or a peer sends panics or changes the state.
func FuzzQuery(f *testing.F) {
	for _, path := range []string{queryGenesis, queryMetagraph, queryCommitments, queryParams, queryVotes, queryNonce, queryProof, "/none"} {
		f.Add(path, []byte(ledger.PrefixNeurons), int64(0))
	}
	a := begun(f)
	root := a.mu.ledger.Root()
	f.Fuzz(func(t *testing.T, path string, data []byte, height int64) {
		if _, err := a.Query(t.Context(), &abci.RequestQuery{Path: path, Data: data, Height: height}); err != nil {
			t.Fatal(err)
		}
		if r, err := a.CheckTx(t.Context(), &abci.RequestCheckTx{Tx: data}); err != nil || r.Code == 0 {
			t.Fatal("garbage was admitted", err)
		}
		if _, err := a.ProcessProposal(t.Context(), &abci.RequestProcessProposal{Height: height, Txs: [][]byte{data}}); err != nil {
			t.Fatal(err)
		}
		_, _ = a.view.Load().outcome(height, data)
		s := &abci.Snapshot{Height: uint64(height), Format: 1, Chunks: 1, Hash: data}
		if _, err := a.OfferSnapshot(t.Context(), &abci.RequestOfferSnapshot{Snapshot: s, AppHash: data}); err != nil {
			t.Fatal(err)
		}
		if r, err := a.ApplySnapshotChunk(t.Context(), &abci.RequestApplySnapshotChunk{Chunk: data}); err != nil || r.Result == abci.ResponseApplySnapshotChunk_ACCEPT {
			t.Fatal("a made-up snapshot was accepted", err)
		}
		if a.mu.ledger.Root() != root {
			t.Fatal("the state changed")
		}
	})
}

// signBlock makes a block that the only authority has signed.
func signBlock(tb testing.TB, v *verifier, key ed25519.PrivKey) *signedBlock {
	tb.Helper()
	txs := types.Txs{types.Tx(newStamp(time.Unix(1, 2)))}
	h := &types.Header{
		Version: cmtversion.Consensus{Block: blockversion.BlockProtocol}, ChainID: v.chainID, Height: 1, Time: time.Unix(1_900_000_000, 0).UTC(),
		ValidatorsHash: v.authorities.Hash(), NextValidatorsHash: v.authorities.Hash(), ConsensusHash: make([]byte, 32), AppHash: make([]byte, 32),
		LastResultsHash: make([]byte, 32), EvidenceHash: make([]byte, 32), LastCommitHash: make([]byte, 32), DataHash: txs.Hash(), ProposerAddress: key.PubKey().Address(),
	}
	commit := &types.Commit{
		Height: 1, BlockID: types.BlockID{Hash: h.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: make([]byte, 32)}},
		Signatures: []types.CommitSig{{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: key.PubKey().Address(), Timestamp: h.Time}},
	}
	signature, err := key.Sign(commit.VoteSignBytes(v.chainID, 0))
	if err != nil {
		tb.Fatal(err)
	}
	commit.Signatures[0].Signature = signature
	stamp := txs.Proof(0)
	return &signedBlock{Header: &types.SignedHeader{Header: h, Commit: commit}, Stamp: &stamp}
}

// FuzzSignedBlock: nothing that a server says panics, or is believed without the
// authorities' signatures.
func FuzzSignedBlock(f *testing.F) {
	f.Add([]byte(`{"header":{"header":{"chain_id":"chaintest","height":"1"},"commit":{"height":"1"}},"stamp":{}}`))
	f.Add([]byte(`{"header":{"header":{"chain_id":"chaintest","height":"2","time":"2026-01-01T00:00:00Z"}}}`))
	f.Add([]byte(`{"header":{"commit":{"height":"1","signatures":[{"block_id_flag":2}]}},"stamp":{"data":"/wAAAAAAAAAA"}}`))
	key := ed25519.GenPrivKeyFromSecret([]byte("authority"))
	doc := &types.GenesisDoc{ChainID: "chaintest", Validators: []types.GenesisValidator{{Address: key.PubKey().Address(), PubKey: key.PubKey(), Power: 1}}}
	v := newVerifier(doc)
	good := signBlock(f, v, key)
	if err := v.check(good); err != nil {
		f.Fatal(err)
	}
	raw, err := cmtjson.Marshal(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	c := &Client{domain: ledger.Domain{ChainID: "chaintest"}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var b signedBlock
		if cmtjson.Unmarshal(raw, &b) != nil || b.Header == nil || b.Header.Header == nil {
			return
		}
		if v.check(&b) == nil && (!bytes.Equal(b.Header.Hash(), good.Header.Hash()) || b.Stamp != nil && !bytes.Equal(b.Stamp.Data, good.Stamp.Data)) {
			t.Fatalf("believed %s", raw)
		}
		if out, err := c.block(&b); err == nil && (out.Number == 0 || out.Hash == protocol.Hash{}) {
			t.Fatalf("%+v", out)
		}
	})
}
