// Package audit recomputes a run from the objects in its nodes' buckets: the Aggregates from
// the gradients that they name, the parameters from checkpoint and Aggregates, and a
// validator's scores from its reports. It trusts no node, and names each difference and the
// node whose object differs.
package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"templar/internal/attest"
	"templar/internal/bulletin"
	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/mailbox"
	"templar/internal/report"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// Party is a node and its bucket.
type Party struct {
	UID    protocol.UID
	Hotkey protocol.Hotkey
	Stake  uint64 // of a validator
	Bucket store.Reader
}

func (p Party) peer() directory.Peer {
	return directory.Peer{Neuron: chain.Neuron{UID: p.UID, Hotkey: p.Hotkey, Stake: p.Stake}, Bucket: p.Bucket}
}

// Records gives access to a run's objects, over the network or in a localnet's directory.
type Records struct {
	Run        run.Run
	Clock      clock.Clock
	Chain      schedule.Blocks // block hashes are compared with it; nil: those of the reports are used
	Aggregator store.Reader
	Validators []Party // highest stake first, as far as it is known
	Miners     []Party
	Dataset    []store.Reader // the dataset's bucket and its mirrors
}

func (r *Records) schedule() schedule.Schedule {
	return schedule.Schedule{Params: r.Run.Params, Blocks: r.Chain, Clock: r.Clock}
}

func (r *Records) aggregates() mailbox.Aggregates {
	return mailbox.Aggregates{Run: r.Run, Schedule: r.schedule(), Bucket: r.Aggregator}
}

func (r *Records) attested() attest.Samples {
	return attest.Samples{Run: r.Run, Schedule: r.schedule()}
}

// Electorate returns the validators of the records as those whose stake counts.
func (r *Records) Electorate() attest.Electorate { return electorate{r} }

// electorate is Electorate.
type electorate struct{ *Records }

func (e electorate) Validators() []directory.Peer {
	peers := make([]directory.Peer, len(e.Records.Validators))
	for i, v := range e.Records.Validators {
		peers[i] = v.peer()
	}
	return peers
}

// Validator finds a validator by its uid.
func (r *Records) Validator(uid protocol.UID) (Party, error) {
	for _, v := range r.Validators {
		if v.UID == uid {
			return v, nil
		}
	}
	return Party{}, fmt.Errorf("no validator with a bucket has uid %d", uid)
}

// Windows lists the windows on which a validator has reports, ascending.
func (r *Records) Windows(ctx context.Context, v Party) ([]protocol.Window, error) {
	var out []protocol.Window
	err := store.EachKey(ctx, v.Bucket, protocol.KindReport.Prefix(), func(_ string, k protocol.Key) {
		if k.Kind == protocol.KindReport && k.UID == v.UID {
			out = append(out, k.Window)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("reports of validator uid %d: %w", v.UID, err)
	}
	slices.Sort(out)
	return out, nil
}

// errUnread is wrapped when an object could not be read: its contents are unknown, and no node
// is blamed.
var errUnread = errors.New("cannot be read")

// Report reads a validator's report on w. An error that wraps store.ErrNotFound means that
// there is none.
func (r *Records) Report(ctx context.Context, v Party, w protocol.Window) (*report.Report, error) {
	b, _, err := store.ReadAll(ctx, v.Bucket, protocol.ReportKey(w, v.UID), report.MaxSize(r.Run.Params))
	if err != nil {
		return nil, fmt.Errorf("report of validator uid %d on window %d: %w: %w", v.UID, w, errUnread, err)
	}
	rep, by, err := report.Decode(b, r.Run.Params)
	switch {
	case err != nil:
	case by != v.Hotkey:
		err = fmt.Errorf("signed by %s, not by the validator %s", by, v.Hotkey)
	case rep.Run != r.Run.Hash || rep.Window != w || rep.UID != v.UID:
		err = errors.New("it is another run's, window's or validator's")
	}
	if err != nil {
		return nil, fmt.Errorf("report of validator uid %d on window %d: %w", v.UID, w, err)
	}
	return rep, nil
}

// Start returns the announcement of the run: that of the run parameters, or of validators with more than
// half of the stake.
func (r *Records) Start(ctx context.Context) (wire.StartWindow, error) {
	if p := r.Run.Params; p.StartWindow > 0 {
		return wire.StartWindow{Run: r.Run.Hash, StartWindow: p.StartWindow, StateHash: p.Theta0}, nil
	}
	all := make([]bulletin.Announced, len(r.Validators))
	for i, v := range r.Validators {
		all[i].By = v.peer()
		b, _, err := store.ReadAll(ctx, v.Bucket, protocol.StartWindowKey(), wire.MaxSealedSize)
		if err == nil {
			var by protocol.Hotkey
			if by, err = wire.Open(wire.DomainStartWindow, b, &all[i].StartWindow); err == nil && by != v.Hotkey {
				err = errors.New("it is not signed by the validator")
			}
		}
		if err != nil {
			all[i].Err = fmt.Errorf("start window of validator uid %d: %w", v.UID, err)
		}
	}
	return bulletin.Majority(all, r.Run.Hash)
}
