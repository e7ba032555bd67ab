package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/store"
	"templar/protocol"
)

// ErrNotRegistered is wrapped when the hotkey has no slot on the subnet.
var ErrNotRegistered = errors.New("hotkey is not registered")

// Registered returns the uid of a hotkey.
func Registered(ctx context.Context, c chain.Chain, hotkey protocol.Hotkey) (protocol.UID, error) {
	graph, err := c.Metagraph(ctx)
	if err != nil {
		return 0, fmt.Errorf("metagraph: %w", err)
	}
	n, ok := graph.ByHotkey(hotkey)
	if !ok {
		return 0, fmt.Errorf("%w: %s; register it first (on a private network: `templar chain register`)", ErrNotRegistered, hotkey)
	}
	return n.UID, nil
}

// CheckOwn checks that a node's own bucket can be written with its write key and read with the
// key that it is about to commit: asPeer is the bucket as peers will read it. It returns how far
// this machine's clock is ahead of the store's, within half the time of the upload, and half a second
// where the store reports whole seconds. Such a store is refused when the run's slack is below a second.
func CheckOwn(ctx context.Context, clk clock.Clock, own store.Bucket, asPeer store.Reader, slack time.Duration) (ahead time.Duration, err error) {
	middle, stored, err := tryOwn(ctx, clk, own, asPeer)
	if err == nil && wholeSeconds(stored) && slack < time.Second { // one date in a thousand has no milliseconds by chance
		middle, stored, err = tryOwn(ctx, clk, own, asPeer)
	}
	switch {
	case err != nil:
		return 0, err
	case !wholeSeconds(stored):
		return middle.Sub(stored), nil
	case slack < time.Second:
		return 0, fmt.Errorf("own bucket: its store reports dates in whole seconds, and the run's slack_seconds of %v needs milliseconds: use another store, or a run with slack_seconds 2", slack.Seconds())
	}
	return middle.Sub(stored.Add(time.Second / 2)), nil
}

func wholeSeconds(t time.Time) bool { return t.Nanosecond() == 0 }

// tryOwn stores an object, reads it as a peer does, and deletes it. middle is half way through the upload.
func tryOwn(ctx context.Context, clk clock.Clock, own store.Bucket, asPeer store.Reader) (middle, stored time.Time, err error) {
	const key = "templar-check"
	began := clk.Now()
	if err := store.PutBytes(ctx, own, key, []byte(key), store.PutOptions{}); err != nil {
		return middle, stored, fmt.Errorf("own bucket: cannot write: %w", err)
	}
	middle = began.Add(clk.Now().Sub(began) / 2)
	got, info, err := store.ReadAll(ctx, asPeer, key, int64(len(key)))
	if err != nil {
		return middle, stored, fmt.Errorf("own bucket: peers could not read it with the committed key: %w", err)
	}
	if !bytes.Equal(got, []byte(key)) {
		return middle, stored, errors.New("own bucket: the read key opens another bucket than the write key")
	}
	if err := own.Delete(ctx, key); err != nil {
		return middle, stored, fmt.Errorf("own bucket: cannot delete: %w", err)
	}
	return middle, info.LastModified, nil
}

// Commit puts the signer's commitment on the chain, unless it is there already.
func Commit(ctx context.Context, c chain.Chain, signer protocol.Signer, own Commitment) error {
	data, err := own.Encode()
	if err != nil {
		return err
	}
	all, err := c.Commitments(ctx)
	if err != nil {
		return fmt.Errorf("commitments: %w", err)
	}
	for _, old := range all {
		if old.Hotkey == signer.Hotkey() && bytes.Equal(old.Data, data) {
			return nil
		}
	}
	r, err := c.Commit(ctx, signer, data)
	if short, ok := own.EncodeR2(); ok && err == nil && r.Status == chain.StatusFailed && len(data) > len(short) {
		if r2, err2 := c.Commit(ctx, signer, short); err2 == nil && r2.Status != chain.StatusFailed {
			return nil // the chain holds no longer ones
		}
	}
	if err != nil {
		return fmt.Errorf("commit bucket: %w", err)
	}
	if r.Status == chain.StatusFailed {
		return fmt.Errorf("commit bucket: the chain refused it: %s", r.Reason)
	}
	return nil
}
