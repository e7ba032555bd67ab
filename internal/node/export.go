package node

import (
	"context"
	"log/slog"

	"templar/internal/config"
	"templar/internal/telemetry"
	"templar/internal/telemetry/influx"
	eventlog "templar/internal/telemetry/log"
	"templar/internal/telemetry/loki"
)

// exported adds to env the servers to which the configuration sends metrics and logs. Each sender
// runs until its context ends.
func exported(ctx context.Context, c config.Node, r telemetry.Role, env Env) (_ Env, senders []func(context.Context), err error) {
	local := env.Log
	if i := c.Telemetry.InfluxDB; i.Host != "" {
		m := influx.New(i.Server(), env.Clock, local)
		env.Sink = telemetry.Tee(env.Sink, m)
		senders = append(senders, m.Run)
	}
	if url := c.Telemetry.Loki.URL.Reveal(); url != "" {
		labels := map[string]string{"app": "templar", "role": string(r)}
		if c.Name != "" {
			labels["node"] = c.Name
		}
		l, err := loki.New(url, labels, env.Clock, local)
		if err != nil {
			return env, nil, err
		}
		h := slog.NewJSONHandler(l, &slog.HandlerOptions{Level: leastLevel(ctx, local)})
		env.Log = slog.New(slog.NewMultiHandler(local.Handler(), h))
		env.Sink = telemetry.Tee(env.Sink, eventlog.New(slog.New(h))) // the one there is writes here only
		senders = append(senders, l.Run)
	}
	return env, senders, nil
}

// leastLevel is the least log level, the same on this machine and on the server.
func leastLevel(ctx context.Context, log *slog.Logger) slog.Level {
	level := slog.LevelDebug - 4
	for ; level < slog.LevelError && !log.Enabled(ctx, level); level++ {
	}
	return level
}
