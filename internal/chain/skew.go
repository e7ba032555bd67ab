package chain

import (
	"context"
	"fmt"
	"time"

	"templar/internal/clock"
)

// Clocked is a chain that compares clocks itself, because what it returns is older than its
// newest block.
type Clocked interface {
	// ClockAhead is Skew.
	ClockAhead(ctx context.Context) (time.Duration, error)
}

// Skew returns how far this machine's clock is ahead of the chain's: it waits for the
// next block, so that the answer is off by no more than the block was under way.
// Negative means behind.
func Skew(ctx context.Context, c Chain, clk clock.Clock) (time.Duration, error) {
	if own, ok := c.(Clocked); ok {
		return own.ClockAhead(ctx)
	}
	head, err := c.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("clock skew: %w", err)
	}
	next, err := c.Wait(ctx, head.Number+1)
	if err != nil {
		return 0, fmt.Errorf("clock skew: %w", err)
	}
	return clk.Now().Sub(next.Time), nil
}

// SkewFaults names the clocks, of those that were measured against this machine's, that
// would cost a window: an upload counts from slack before its deadline's beginning on,
// by the store's clock, and the window begins by the chain's.
func SkewFaults(ahead map[string]time.Duration, slack time.Duration) (faults []string) {
	var lowest, highest time.Duration
	for _, d := range ahead {
		lowest, highest = min(lowest, d), max(highest, d)
	}
	for name, d := range ahead {
		if d.Abs() > slack {
			faults = append(faults, fmt.Sprintf("this machine's clock is %v ahead of the %s's: windows tolerate %v, set the clock by NTP", d.Round(time.Millisecond), name, slack))
		}
	}
	if len(faults) == 0 && highest-lowest > slack {
		faults = append(faults, fmt.Sprintf("the clocks of chain and store are %v apart: windows tolerate %v", (highest-lowest).Round(time.Millisecond), slack))
	}
	return faults
}
