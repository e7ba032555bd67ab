package node

import (
	"cmp"
	"context"
	"log/slog"
	"strconv"
	"strings"

	"templar/internal/config"
	"templar/internal/telemetry"
	"templar/internal/telemetry/influx"
	eventlog "templar/internal/telemetry/log"
	"templar/internal/telemetry/loki"
	"templar/internal/telemetry/otlp"
	"templar/internal/telemetry/wandb"
	"templar/protocol"
)

// exported adds to env the servers to which the configuration sends metrics and logs. Each sender
// runs until its context ends.
func exported(ctx context.Context, c config.Node, r telemetry.Role, env Env) (_ Env, senders []func(context.Context), err error) {
	local := env.Log
	if record, upload := c.Telemetry.WandB.Recording(); record {
		w, err := recording(c, upload, env)
		if err != nil {
			return env, nil, err
		}
		env.Sink = telemetry.Tee(env.Sink, w)
		senders = append(senders, w.Run)
	}
	if i := c.Telemetry.InfluxDB; i.Host != "" {
		m := influx.New(i.Server(), originalTags(c, env), env.Clock, local)
		env.Sink = telemetry.Tee(env.Sink, m)
		senders = append(senders, m.Run)
	}
	if url := c.Telemetry.Loki.URL.Reveal(); url != "" {
		labels := map[string]string{"app": "templar", "role": string(r)}
		if c.Name != "" {
			labels["node"] = c.Name
		}
		l, err := loki.New(url, labels, c.Telemetry.Loki.Metadata, env.Clock, local)
		if err != nil {
			return env, nil, err
		}
		h := slog.NewJSONHandler(l, &slog.HandlerOptions{Level: leastLevel(ctx, local)})
		env.Log = slog.New(slog.NewMultiHandler(local.Handler(), h))
		env.Sink = telemetry.Tee(env.Sink, eventlog.New(slog.New(h))) // the one there is writes here only
		senders = append(senders, l.Run)
	}
	if c.Telemetry.OTLP.URL != "" {
		params, err := LoadParams(c.Run)
		if err != nil {
			return env, nil, err
		}
		t, err := otlp.New(c.Telemetry.OTLP.Collector(), otlp.Resource{Node: c.Name, Role: r, Version: env.Version, Run: params.Hash()}, env.Clock, local)
		if err != nil {
			return env, nil, err
		}
		env.Sink = telemetry.Tee(env.Sink, t)
		senders = append(senders, t.Run)
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

// originalTags are tags of the original's measurements, by which its dashboards choose.
func originalTags(c config.Node, env Env) []influx.Tag {
	return []influx.Tag{
		{Name: "version", Value: env.Version}, {Name: "config_netuid", Value: strconv.Itoa(int(c.Chain.NetUID))},
		{Name: "config_project", Value: cmp.Or(c.Telemetry.WandB.Project, defaultProject)},
	}
}

// defaultProject is the original's.
const defaultProject = "templar"

// recording is the record of a node for Weights & Biases. Its configuration there is what the run
// and the node's options say; it holds no credential.
func recording(c config.Node, upload bool, env Env) (*wandb.Sink, error) {
	params, err := LoadParams(c.Run)
	if err != nil {
		return nil, err
	}
	w := c.Telemetry.WandB
	o := wandb.Options{
		Dir: wandb.Folder(c.DataDir), URL: cmp.Or(w.URL, "https://api.wandb.ai"), Entity: w.Entity, Project: cmp.Or(w.Project, defaultProject),
		Group: w.Group, JobType: w.JobType, RunID: w.RunID, Name: w.Name, Version: strings.TrimPrefix(env.Version, "v"),
		Config: []wandb.Value{
			{Name: "netuid", Value: c.Chain.NetUID}, {Name: "device", Value: c.Options.Device}, {Name: "current_version", Value: env.Version},
			{Name: "hparams", Value: params}, {Name: "run_hash", Value: params.Hash().String()}, {Name: "protocol_version", Value: protocol.Version},
		},
	}
	if upload {
		o.Key = w.Key.Reveal()
	}
	return wandb.New(o, env.Clock, env.Log), nil
}
