package main

import (
	"context"
	"log/slog"
	"runtime/debug"

	"templar/cmd/templar/backends"
	"templar/internal/cli"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/localnet"
	"templar/internal/node"
	"templar/internal/telemetry"
	eventlog "templar/internal/telemetry/log"
)

// app wires the commands to the packages that do the work.
func app() cli.App {
	return cli.App{Version: version(), Backends: backends.All(), Role: role, Localnet: localnet.Run, Prepare: localnet.Prepare, Cheat: localnet.Cheat}
}

func role(ctx context.Context, b node.Backends, role telemetry.Role, n config.Node, log *slog.Logger) error {
	return node.Run(ctx, n, role, node.Env{Backends: b, Log: log, Sink: eventlog.New(log), Clock: clock.Wall{}, Version: version()})
}

// version is the module's, or that of the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Version
}
