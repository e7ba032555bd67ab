package cometbft

import (
	"context"
	"fmt"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/internal/clock"
	"templar/protocol"
)

// Admin administers our own chain: what it has beyond the port. Its calls return as those
// of the port do.
type Admin struct{ client *Client }

// Admin returns the administration of the chain.
func (c *Client) Admin() Admin { return Admin{c} }

// Stake adds to the stake of a hotkey. An authority signs.
func (a Admin) Stake(ctx context.Context, s protocol.Signer, hotkey protocol.Hotkey, amount uint64) (chain.Receipt, error) {
	return a.client.submit(ctx, s, ledger.Stake{Hotkey: hotkey, Amount: amount})
}

// Unstake takes from the stake of a hotkey. The hotkey or an authority signs.
func (a Admin) Unstake(ctx context.Context, s protocol.Signer, hotkey protocol.Hotkey, amount uint64) (chain.Receipt, error) {
	return a.client.submit(ctx, s, ledger.Unstake{Hotkey: hotkey, Amount: amount})
}

// Vote asks, as the authority that signs, that the parameters become these. More than two
// thirds of the authorities must ask for the same.
func (a Admin) Vote(ctx context.Context, s protocol.Signer, p ledger.Params) (chain.Receipt, error) {
	encoded, err := p.Encode()
	if err != nil {
		return chain.Receipt{}, err
	}
	return a.client.submit(ctx, s, ledger.Vote{Params: encoded})
}

// Params returns the chain's parameters as they stand. The server is believed.
func (a Admin) Params(ctx context.Context) (p ledger.Params, err error) {
	if err = a.client.queryJSON(ctx, queryParams, &p); err != nil {
		return ledger.Params{}, fmt.Errorf("parameters: %w", err)
	}
	return p, nil
}

// Votes returns what each authority with a standing vote asks for. The server
// is believed.
func (a Admin) Votes(ctx context.Context) (v map[protocol.Hotkey]ledger.Params, err error) {
	if err = a.client.queryJSON(ctx, queryVotes, &v); err != nil {
		return nil, fmt.Errorf("votes: %w", err)
	}
	return v, nil
}

// Status returns the health of the node behind the endpoint. The server is believed.
func (a Admin) Status(ctx context.Context) (s Status, err error) {
	ctx, cancel := clock.WithTimeout(ctx, a.client.clock, patience)
	defer cancel()
	if err = a.client.rpc.persist(ctx, methodStatus, map[string]any{}, &s); err != nil {
		return Status{}, fmt.Errorf("status: %w", err)
	}
	return s, nil
}
