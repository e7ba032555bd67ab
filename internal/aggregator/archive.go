package aggregator

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"templar/internal/mailbox"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// archiveLimit bounds the payloads that are stored at once.
const archiveLimit = 8

// archive stores the usable payloads of the next window; its Aggregate names only archived ones.
// A miner that uploads twice may appear differently to a standby, or before a restart: the
// gradient that was archived first counts, and replaces the gathered one.
func (a *Aggregator) archive(ctx context.Context, ok []mailbox.Payload) error {
	errs := make([]error, len(ok))
	a.Clock.Each(len(ok), archiveLimit, func(i int) {
		if errs[i] = a.keep(ctx, &ok[i]); errs[i] == nil {
			a.copy(ctx, protocol.ArchiveKey(a.next, ok[i].Peer.UID), ok[i].Raw)
		}
	})
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

func (a *Aggregator) keep(ctx context.Context, p *mailbox.Payload) error {
	key := protocol.ArchiveKey(a.next, p.Peer.UID)
	put := func(o store.PutOptions) error {
		_, err := a.Shelf.Bucket.Put(ctx, key, bytes.NewReader(p.Raw), int64(len(p.Raw)), o)
		return err
	}
	err := put(store.PutOptions{IfAbsent: true})
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	raw, _, err := store.ReadAll(ctx, a.Shelf.Bucket, key, a.maxGradient())
	if errors.Is(err, store.ErrTooLarge) {
		raw, err = nil, nil
	}
	if err != nil || bytes.Equal(raw, p.Raw) {
		return err
	}
	expect := wire.Expect{Run: a.Hash, Window: a.next, UID: p.Peer.UID, Hotkey: p.Peer.Hotkey}
	g, verdict := a.Gradient(raw, expect)
	if !verdict.OK() { // not usable in an Aggregate
		return put(store.PutOptions{})
	}
	a.Log.Warn("a miner uploaded two gradients: the one that was archived first counts", "window", a.next, "uid", p.Peer.UID, "hotkey", p.Peer.Hotkey)
	p.Raw, p.Gradient, p.Content = raw, g, wire.ContentHash(raw)
	return nil
}

func (a *Aggregator) maxGradient() int64 {
	return a.MaxGradient()
}
