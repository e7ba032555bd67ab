package cometbft

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/cometbft/cometbft/types"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/protocol"
)

// verifier checks what a server says against the genesis. The authorities of a chain
// never change after its genesis, so that any header can be checked alone, with
// their signatures; there is nothing to bisect, and no trust that runs out.
type verifier struct {
	chainID     string
	authorities *types.ValidatorSet
}

// GenesisHash is all that a client needs to verify answers: it names the chain's
// parameters, first neurons and authorities.
func GenesisHash(doc *types.GenesisDoc) (protocol.Hash, error) {
	raw, err := cmtjson.Marshal(doc)
	if err != nil {
		return protocol.Hash{}, fmt.Errorf("genesis: %w", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return protocol.Hash{}, fmt.Errorf("genesis: %w", err)
	}
	return sha256.Sum256(compact.Bytes()), nil
}

func newVerifier(doc *types.GenesisDoc) *verifier {
	var all []*types.Validator
	for _, v := range doc.Validators {
		all = append(all, types.NewValidator(v.PubKey, v.Power))
	}
	return &verifier{doc.ChainID, types.NewValidatorSet(all)}
}

// check demands that more than two thirds of the authorities signed the block.
func (v *verifier) check(b *signedBlock) error {
	if err := b.Header.ValidateBasic(v.chainID); err != nil {
		return fmt.Errorf("the server's header is not valid: %w", err)
	}
	h := b.Header
	if !bytes.Equal(h.ValidatorsHash, v.authorities.Hash()) {
		return fmt.Errorf("header %d names other authorities than the genesis", h.Height)
	}
	if err := v.authorities.VerifyCommitLight(v.chainID, h.Commit.BlockID, h.Height, h.Commit); err != nil {
		return fmt.Errorf("header %d is not signed by the chain's authorities: %w", h.Height, err)
	}
	if b.Stamp == nil {
		return nil
	}
	if err := b.Stamp.Validate(h.DataHash); err != nil || b.Stamp.Proof.Index != 0 {
		return fmt.Errorf("the time of block %d is not the block's: %w", h.Height, err)
	}
	return nil
}

// trustGenesis fetches the genesis whose hash is given, and makes the client believe
// nothing that does not follow from it.
func (c *Client) trustGenesis(ctx context.Context, want protocol.Hash) (ledger.Genesis, error) {
	var r ctypes.ResultGenesis
	if err := c.rpc.persist(ctx, "genesis", map[string]any{}, &r); err != nil {
		return ledger.Genesis{}, err
	}
	if r.Genesis == nil {
		return ledger.Genesis{}, fmt.Errorf("the server sent no genesis")
	}
	got, err := GenesisHash(r.Genesis)
	if err != nil {
		return ledger.Genesis{}, err
	}
	if got != want {
		return ledger.Genesis{}, fmt.Errorf("the server's genesis is %v, not %v: it is another chain, or its answer is false", got, want)
	}
	if err := r.Genesis.ValidateAndComplete(); err != nil {
		return ledger.Genesis{}, err
	}
	c.verify = newVerifier(r.Genesis)
	return ledger.DecodeGenesis(r.Genesis.AppState)
}

// proofTries is how often a client asks for a proof: a node that catches up with the chain
// may have left a state behind by the time it is asked about it.
const proofTries = 10

// prove returns the records with the prefixes in the newest state whose root stands in
// a verified header, and the state's block.
func (c *Client) prove(ctx context.Context, prefixes ...string) (block uint64, parts [][]ledger.Record, err error) {
	for range proofTries {
		block, parts, err = c.proveOnce(ctx, prefixes)
		if _, left := errors.AsType[queryError](err); !left {
			break
		}
	}
	return block, parts, err
}

func (c *Client) proveOnce(ctx context.Context, prefixes []string) (block uint64, parts [][]ledger.Record, err error) {
	head, err := c.signed(ctx, methodNext, map[string]any{"after": max(c.seen.Load()-1, 0)})
	if err != nil {
		return 0, nil, err
	}
	h := head.Header
	if len(h.AppHash) != len(protocol.Hash{}) {
		return 0, nil, fmt.Errorf("header %d has no state root", h.Height)
	}
	for _, prefix := range prefixes {
		raw, err := c.query(ctx, queryProof, []byte(prefix), h.Height-1)
		if err != nil {
			return 0, nil, err
		}
		records, err := ledger.Verify(protocol.Hash(h.AppHash), prefix, raw)
		if err != nil {
			return 0, nil, fmt.Errorf("the server's state after block %d: %w", h.Height-1, err)
		}
		parts = append(parts, records)
	}
	return uint64(h.Height - 1), parts, nil
}

// checkBlock demands that a block is the one that a verified header names.
func (c *Client) checkBlock(ctx context.Context, b *types.Block, height int64) error {
	signed, err := c.signed(ctx, methodBlock, map[string]any{"height": height})
	if err != nil {
		return err
	}
	if b == nil || b.ValidateBasic() != nil || !bytes.Equal(b.Hash(), signed.Header.Hash()) {
		return fmt.Errorf("the server's block %d is not the one that was signed", height)
	}
	return nil
}

// checkResults demands that results are those that the next header commits to.
func (c *Client) checkResults(ctx context.Context, r *ctypes.ResultBlockResults, height int64) error {
	if _, err := c.Wait(ctx, uint64(height)+1); err != nil {
		return err
	}
	signed, err := c.signed(ctx, methodBlock, map[string]any{"height": height + 1})
	if err != nil {
		return err
	}
	for _, res := range r.TxsResults {
		if res == nil {
			return fmt.Errorf("the server has no results of block %d", height)
		}
	}
	if !bytes.Equal(types.NewResults(r.TxsResults).Hash(), signed.Header.LastResultsHash) {
		return fmt.Errorf("the server's results of block %d are not those of the chain", height)
	}
	return nil
}

// signed fetches a block that exists, and verifies it if the client is configured to.
func (c *Client) signed(ctx context.Context, method string, params map[string]any) (*signedBlock, error) {
	var b signedBlock
	if err := c.rpc.persist(ctx, method, params, &b); err != nil {
		return nil, err
	}
	if b.Header == nil || b.Header.Header == nil {
		return nil, fmt.Errorf("the server sent no header")
	}
	if height, ok := params["height"].(int64); ok && b.Header.Height != height {
		return nil, fmt.Errorf("the server sent header %d for block %d", b.Header.Height, height)
	}
	if c.verify != nil {
		if err := c.verify.check(&b); err != nil {
			return nil, err
		}
	}
	return &b, nil
}

// block converts a block.
func (c *Client) block(b *signedBlock) (chain.Block, error) {
	h := b.Header
	hash := h.Hash()
	if h.Height < 1 || len(hash) != len(protocol.Hash{}) || h.ChainID != c.domain.ChainID {
		return chain.Block{}, fmt.Errorf("the server sent a broken header, or one of another chain (%q, height %d)", h.ChainID, h.Height)
	}
	out := chain.Block{Number: uint64(h.Height), Hash: protocol.Hash(hash), Parent: c.genesis.Hash, Time: blockTimeOf(b)}
	if h.Height > 1 {
		if len(h.LastBlockID.Hash) != len(protocol.Hash{}) {
			return chain.Block{}, fmt.Errorf("the server sent header %d without a parent", h.Height)
		}
		out.Parent = protocol.Hash(h.LastBlockID.Hash)
	}
	c.blocks.put(out)
	return out, nil
}

func blockTimeOf(b *signedBlock) time.Time {
	if b.Stamp == nil {
		return b.Header.Time
	}
	return blockTime(b.Header.Time, b.Stamp.Data)
}
