package validator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"templar/internal/directory"
	"templar/internal/peers"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// selectPeers publishes a new peer list when this validator leads and one is due. The
// list is in force peer_list_window_margin windows after the current one, so that every
// node has time to fetch it.
func (v *Validator) selectPeers(ctx context.Context, w, current protocol.Window) error {
	if !peers.Due(v.model.Start(), w, v.Params) || !v.Board.Leads(ctx, v.model.Start(), peers.EffectiveFrom(current, v.Params)) {
		return nil
	}
	v.Events.Phase(w, "selecting")
	seed, err := v.Schedule.SelectionSeed(ctx, w)
	if err != nil {
		return err
	}
	from := peers.EffectiveFrom(current, v.Params)
	candidates := v.candidates(ctx, current)
	now, err := v.Board.FetchPeers(ctx, from)
	first, _ := v.Directory.Lead()
	var next peers.Selection
	switch {
	case errors.Is(err, store.ErrNotFound) || (err != nil && first.Hotkey != v.Outbox.Signer.Hotkey()):
		next, err = peers.Initial(candidates, seed, v.Params)
	case err == nil:
		next, err = peers.Next(now.Peers, candidates, seed, v.Params)
	}
	if errors.Is(err, peers.ErrTooFew) {
		v.Log.Info("peer list unchanged", "window", w, "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	err = v.Board.PostPeers(ctx, wire.PeerList{Run: v.Hash, EffectiveFrom: from, Peers: next.UIDs, Reserve: peers.Reserves(next.UIDs, candidates, v.Params)})
	if errors.Is(err, store.ErrExists) {
		return nil // by an earlier instance: a list that others may have read is not replaced
	}
	if err == nil {
		v.Log.Info("peer list published", "window", from, "peers", fmt.Sprint(next.UIDs), "added", fmt.Sprint(next.Added))
	}
	return err
}

// candidates returns the miners with their standing in this validator's book and on the chain.
func (v *Validator) candidates(ctx context.Context, current protocol.Window) []peers.Candidate {
	all := v.Directory.Candidates()
	active := v.activeMiners(ctx, all, current)
	out := make([]peers.Candidate, len(all))
	for i, p := range all {
		out[i] = peers.Candidate{UID: p.UID, Active: active[p.UID], Incentive: p.Incentive}
		if known, ok := v.book.Record(p.Hotkey); ok {
			out[i].Evaluations, out[i].Standing = known.Evaluations, peers.StandingOf(known, v.Params)
		}
	}
	return out
}

// activeMiners returns which of the miners uploaded within the recent windows, from a check that
// is at most active_check_interval old. Changes since the last check are logged with the verdict
// of the store, which distinguishes an idle miner from one whose key is wrong.
func (v *Validator) activeMiners(ctx context.Context, all []directory.Peer, current protocol.Window) map[protocol.UID]bool {
	level := slog.LevelInfo
	if v.active == nil {
		v.active, level = directory.NewTracker(v.Directory, v.Clock), slog.LevelDebug // all miners are new
	}
	for _, s := range v.active.Update(ctx, current) {
		v.Log.Log(ctx, level, "activity", "window", s.Since, "miner", s.Peer.UID, "hotkey", s.Peer.Hotkey, "active", s.Active, "verdict", s.Reason.String())
	}
	active := make(map[protocol.UID]bool, len(all))
	for _, p := range all {
		active[p.UID] = v.active.IsActive(p.Hotkey)
	}
	return active
}
