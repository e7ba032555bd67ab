package exchange

import (
	"context"
	"errors"
	"fmt"
	"math"

	"templar/internal/chain"
	"templar/protocol"
	"templar/wire"
)

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
