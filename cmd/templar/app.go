package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"

	"templar/cmd/templar/backends"
	"templar/internal/cli"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/localnet"
	"templar/internal/memory"
	"templar/internal/node"
	"templar/internal/telemetry"
	eventlog "templar/internal/telemetry/log"
	"templar/internal/userfile"
)

// app wires the commands to the packages that do the work.
func app() cli.App {
	return cli.App{Version: version(), Backends: backends.All(), Role: role, Localnet: runLocalnet, Prepare: localnet.Prepare, Folders: localnet.Folders, Install: localnet.Install, Cheat: localnet.Cheat}
}

func role(ctx context.Context, b node.Backends, role telemetry.Role, n config.Node, log *slog.Logger) error {
	size, err := userfile.Size(n.Options.Memory)
	if err != nil {
		return err
	}
	memory.Limit(memory.Budget(size), os.Getenv)
	return node.Run(ctx, n, role, node.Env{Backends: b, Log: log, Sink: eventlog.New(log), Clock: clock.Wall{}, Version: version()})
}

func runLocalnet(ctx context.Context, o localnet.Options) error {
	memory.Limit(memory.Budget(o.Memory), os.Getenv)
	return localnet.Run(ctx, o)
}

// released is the version of a release, set by the linker (deploy/release).
var released string

// version is the release's, else the module's or that of the commit it was built from.
func version() string {
	if released != "" {
		return released
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Version
}
