package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"templar/internal/chain"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
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

// CheckOwn proves that the node's bucket can be written with the one key and read with
// the key that it is about to commit. It tells how far this machine's clock is ahead of
// the store's, give or take half a second and half of what the upload took.
func (x *Exchange) CheckOwn(ctx context.Context, committed store.Reader) (ahead time.Duration, err error) {
	const key = "templar-check"
	began := x.Clock.Now()
	if err := x.Put(ctx, key, []byte(key)); err != nil {
		return 0, fmt.Errorf("own bucket: cannot write: %w", err)
	}
	middle := began.Add(x.Clock.Now().Sub(began) / 2)
	got, info, err := read(ctx, committed, key, int64(len(key)))
	if err != nil {
		return 0, fmt.Errorf("own bucket: peers could not read it with the committed key: %w", err)
	}
	if !bytes.Equal(got, []byte(key)) {
		return 0, errors.New("own bucket: the read key opens another bucket than the write key")
	}
	if err := x.Own.Delete(ctx, key); err != nil {
		return 0, fmt.Errorf("own bucket: cannot delete: %w", err)
	}
	return middle.Sub(info.LastModified.Add(time.Second / 2)), nil // stores give whole seconds
}

// Commit puts the node's read key on the chain, unless it stands there already.
func (x *Exchange) Commit(ctx context.Context, c Commitment) error {
	data, err := c.Encode()
	if err != nil {
		return err
	}
	all, err := x.Chain.Commitments(ctx)
	if err != nil {
		return fmt.Errorf("commitments: %w", err)
	}
	for _, old := range all {
		if old.Hotkey == x.Signer.Hotkey() && bytes.Equal(old.Data, data) {
			return nil
		}
	}
	r, err := x.Chain.Submit(ctx, x.Signer, chain.Commit{Data: data})
	if err != nil {
		return fmt.Errorf("commit bucket: %w", err)
	}
	if r.Status == chain.StatusFailed {
		return fmt.Errorf("commit bucket: the chain refused it: %s", r.Reason)
	}
	return nil
}

// AwaitStart waits until a validator has announced the run. After each look in vain it
// calls waiting with what the chain or FetchStart said.
func (x *Exchange) AwaitStart(ctx context.Context, waiting func(why error)) (wire.StartWindow, error) {
	for {
		var s wire.StartWindow
		err := x.Directory.Refresh(ctx)
		if err == nil {
			s, _, err = x.FetchStart(ctx)
		}
		if err == nil || errors.Is(err, ErrOtherRun) {
			return s, err
		}
		waiting(err)
		if err := x.Clock.Sleep(ctx, x.Poll()); err != nil {
			return s, err
		}
	}
}

// StopAfter returns the first window after a number of windows; 0 means no end.
func StopAfter(start protocol.Window, windows uint64) protocol.Window {
	if windows == 0 {
		return math.MaxUint64
	}
	return start + protocol.Window(windows)
}

// AwaitWindow waits until window w has begun and returns its first block.
func (x *Exchange) AwaitWindow(ctx context.Context, w protocol.Window) (chain.Block, error) {
	return x.Chain.Wait(ctx, x.Params.FirstBlock(w))
}

// CurrentWindow returns the window of the newest block.
func (x *Exchange) CurrentWindow(ctx context.Context) (protocol.Window, error) {
	head, err := x.Chain.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("head: %w", err)
	}
	return x.Params.WindowOf(head.Number), nil
}
