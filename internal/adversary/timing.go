package adversary

import (
	"context"
	"time"

	"templar/internal/clock"
	"templar/internal/run"
)

// early passes each gradient off as the next window's. In the first window it sends none.
func early(_ context.Context, c *cheater, g *run.Gradient) ([]byte, error) {
	g.Window++
	return c.sign(g)
}

// late waits until a store that gives whole seconds must tell that the deadline is over.
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
