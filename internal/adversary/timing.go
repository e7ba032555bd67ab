package adversary

import (
	"context"
	"time"

	"templar/internal/clock"
	"templar/internal/run"
)

// early sends each gradient as that of the next window. In the first window it sends none.
func early(_ context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	g.Window++
	return c.sign(g)
}

// late waits until the deadline has passed even in a store's whole seconds.
func late(ctx context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	end, err := c.Schedule().EndOf(ctx, g.Window)
	if err != nil {
		return nil, err
	}
	after := c.Run.Params.UploadBounds(end.Time).Max.Add(time.Second + c.Schedule().Poll())
	if err := clock.SleepUntil(ctx, c.Clock, after); err != nil {
		return nil, err
	}
	return c.sign(g)
}
