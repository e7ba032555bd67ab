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
// When the chain has the block and cannot tell its time, T is reckoned back from the
// newest block, or from this machine's clock when that block has no time either: an
// Aggregate that counts a moment too much or too little is worth more than none. T stands
// in the Aggregate, for everybody to see.
func (a *Aggregator) end(ctx context.Context, w protocol.Window) (time.Time, error) {
	b, err := a.Schedule.EndOf(ctx, w)
	if err == nil && !b.Time.IsZero() || ctx.Err() != nil {
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
	a.Log.Warn("the chain does not tell when the window ended: reckoned from a newer block", "window", w, "block", number, "time", t, "err", err)
	return t, nil
}
