package aggregator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"templar/protocol"
)

// end returns T of window w: the time of the block that ended it, as soon as that exists.
// When the chain has the block but not its time, T is estimated from the newest block, or from
// this machine's clock when that block has no time either: an Aggregate with a slightly wrong T
// is better than none. The Aggregate states T.
func (a *Aggregator) end(ctx context.Context, w protocol.Window) (time.Time, error) {
	b, err := a.Schedule.EndOf(ctx, w)
	if (err == nil && !b.Time.IsZero()) || ctx.Err() != nil {
		return b.Time, err
	}
	head, headErr := a.Schedule.Blocks.Head(ctx)
	number := a.Params.FirstBlock(w + 1)
	if headErr != nil || head.Number < number {
		return time.Time{}, fmt.Errorf("time of block %d: %w", number, cmp.Or(err, headErr, errors.New("the chain went back behind it")))
	}
	from := head.Time
	if from.IsZero() {
		from = a.Clock.Now()
	}
	t := from.Add(-time.Duration(head.Number-number) * a.Params.BlockTime())
	a.Log.Warn("the chain does not report when the window ended: estimated from a newer block", "window", w, "block", number, "time", t, "err", err)
	return t, nil
}
