package localnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"templar/internal/clock"
	"templar/internal/node"
	eventlog "templar/internal/telemetry/log"
)

// Cheat runs one adversary of a network that was prepared with adversaries, for Options.Windows.
// No configuration turns a miner into an adversary: the roles contain no code for attacks.
func Cheat(ctx context.Context, o Options, name string) error {
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return err
	}
	n, err := read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s holds no network: %w: run \"templar localnet prepare\"", dir, err)
	}
	if err != nil {
		return err
	}
	var have []string
	for _, m := range n.names() {
		if m.corrupt == nil {
			continue
		}
		if m.name != name {
			have = append(have, m.name)
			continue
		}
		c, err := n.config(m)
		if err != nil {
			return err
		}
		c.Options.Windows = o.Windows
		return node.Run(ctx, c, m.role, node.Env{Backends: o.Backends, Log: o.Log, Sink: eventlog.New(o.Log), Clock: clock.Wall{}, Version: o.Version, Alter: m.corrupt})
	}
	if len(have) == 0 {
		return fmt.Errorf("%s has no adversaries: prepare it with --adversaries", dir)
	}
	return fmt.Errorf("%s has no adversary %q: have %s", dir, name, strings.Join(have, ", "))
}
