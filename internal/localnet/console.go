package localnet

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"templar/internal/admin"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/web"
	"templar/internal/node"
	"templar/internal/telemetry"
	"templar/internal/telemetry/prom"
)

// console is the network's admin server, and what feeds it.
type console struct {
	monitor *node.Monitor
	metrics *prom.Registry
	server  *admin.Server // nil when none is wanted
	close   func()
}

var _ telemetry.Sink = (*console)(nil)

// Emit passes an event of a node to the metrics.
func (c *console) Emit(e telemetry.Event) { c.metrics.Emit(e) }

// openConsole starts the admin server, which stays until close.
func (o *Options) openConsole(c *collect.Collector) (*console, error) {
	out := &console{monitor: node.NewMonitor(o.Version, clock.Wall{}), metrics: prom.New(o.Version), close: func() {}}
	if o.Admin == "" || o.Admin == config.AdminOff {
		return out, nil
	}
	s, err := admin.Listen(o.Admin, admin.Options{
		Metrics: out.metrics.Handler(), Status: func() any { return out.monitor.Status() }, Health: out.monitor.Health, Profile: o.Profile, Log: o.Log,
		Page: web.New(c, clock.Wall{}, web.Options{Title: filepath.Base(o.DataDir), Version: o.Version}),
	})
	if err != nil {
		return nil, err
	}
	remove, err := s.Announce(o.DataDir)
	if err != nil {
		s.Close()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	out.server = s
	slog.New(slog.NewMultiHandler(o.Log.Handler(), c.LogHandler(slog.LevelInfo))).Info("admin server", "url", s.URL()) // the live view shows notes, and no log
	out.close = func() {
		remove()
		stop()
		if err := <-ended; err != nil {
			o.Log.Warn("the admin server failed", "err", err)
		}
	}
	return out, nil
}

// serve keeps the admin server until ctx ends, if that is wanted.
func (o *Options) serve(ctx context.Context, c *console) error {
	if !o.Serve || c.server == nil || ctx.Err() != nil {
		return nil
	}
	fmt.Fprintf(o.Out, "serving     %s until Ctrl-C\n", c.server.URL())
	<-ctx.Done()
	return nil
}
