package cometbft

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/internal/workers"
	"templar/protocol"
)

// Register asks for a slot. The hotkey or an authority signs. Where the chain asks for a proof
// of work, it takes processors for a while: Work of the administration says how long.
func (c *Client) Register(ctx context.Context, s protocol.Signer, r chain.Registration) (chain.Receipt, error) {
	hotkey := r.Hotkey
	if hotkey.IsZero() {
		hotkey = s.Hotkey()
	}
	call := ledger.Register{Hotkey: r.Hotkey, Coldkey: r.Coldkey}
	p, err := c.params(ctx)
	if err != nil {
		return chain.Receipt{}, fmt.Errorf("register: %w", err)
	}
	if p.RegistrationWork > 0 && hotkey == s.Hotkey() && !p.IsAuthority(hotkey) {
		if call.Work, err = c.work(ctx, hotkey); err != nil {
			return chain.Receipt{}, fmt.Errorf("register: proof of work of %d bits: %w", p.RegistrationWork, err)
		}
	}
	return c.submit(ctx, s, call)
}

// Work returns what a registration must prove at the moment. The server is believed: a false
// answer costs work, and the chain then refuses the registration.
func (a Admin) Work(ctx context.Context) (w ledger.Work, err error) {
	if err = a.client.queryJSON(ctx, queryWork, &w); err != nil {
		return ledger.Work{}, fmt.Errorf("work: %w", err)
	}
	return w, nil
}

// workBatch is how many nonces are tried between two looks at whether the seed still counts.
const workBatch = 20_000

// work finds a nonce. The seed changes now and then: what was tried before is not lost, because
// each try has the same chance.
func (c *Client) work(ctx context.Context, h protocol.Hotkey) (nonce uint64, err error) {
	for {
		w, err := c.Admin().Work(ctx)
		if err != nil {
			return 0, err
		}
		if nonce, ok := solve(ctx, c.domain, h, w); ok {
			return nonce, nil
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
}

// solve tries a batch of nonces on all processors.
func solve(ctx context.Context, d ledger.Domain, h protocol.Hotkey, w ledger.Work) (nonce uint64, ok bool) {
	if w.Bits == 0 {
		return 0, true
	}
	from := rand.Uint64() | 1<<63 // never 0
	var found, next atomic.Uint64
	var wg sync.WaitGroup
	for range workers.Cores() {
		wg.Go(func() {
			for ctx.Err() == nil && found.Load() == 0 {
				i := next.Add(1)
				if i > workBatch {
					return
				}
				if n := from + i; n != 0 && w.Solves(d, h, n) {
					found.Store(n)
				}
			}
		})
	}
	wg.Wait()
	return found.Load(), found.Load() != 0
}
