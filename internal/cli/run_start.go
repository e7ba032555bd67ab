package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/node"
	"templar/internal/telemetry"
	"templar/protocol"
)

func runStart(std Std, b *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "start [FILE]", Short: "Announce a run by the hotkey of a validator",
		Long: `Announce the first window of a run, as the validator of the configuration does when it starts: commit
its bucket to the chain, store an imported theta_0 in it, and post an announcement there, signed. It
names the hash of the run parameters, the hash of theta_0 and the window. The command then ends; start the
validator with the same configuration.

A run begins when validators with more than half of the stake have announced the same window. Each
validator that runs follows an announcement that is ahead, so that one is enough when the others run in
time: give them that time with --in. Without this command the validator with the most stake
announces the next window as soon as it starts. A run whose parameters state start_window and theta_0 needs no announcement.
An announcement cannot be changed while its window is ahead.`,
		Example: `  templar run start run.json --config validator.yaml --in 30m
  templar run start --config validator.yaml --window 12000 --json
  templar run start --config validator.yaml --theta-0 model --in 2h`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("name one file of run parameters")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	file := f.String("config", "", "configuration file of a validator")
	window := f.Uint64("window", 0, "first window of the run (default by --in, what other validators have announced, or the next)")
	in := f.Duration("in", 0, "time until the run begins, like 30m")
	theta0 := f.String("theta-0", "", "folder of the imported model that the run begins with (default the configuration's)")
	asJSON := f.Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case *file == "":
			return usagef("--config: missing: name the configuration of a validator; \"templar init validator\" writes one")
		case *in < 0:
			return usagef("--in: %v is not valid: want a time like 30m", *in)
		case *in > 0 && *window > 0:
			return usagef("--in and --window: give one of them")
		}
		n, err := loadNode(cmd, std, telemetry.Validator, *file)
		if err != nil {
			return err
		}
		if len(args) == 1 {
			n.Run = args[0]
		}
		if *theta0 != "" {
			n.Options.Theta0 = *theta0
		}
		if err := n.Validate(telemetry.Validator, b.Build()); err != nil {
			return usageError{err}
		}
		line := newStatusLine(std)
		s, err := node.Announce(cmd.Context(), n, quiet(b), protocol.Window(*window), *in, func(what string) { line.show("%s", what) })
		line.clear()
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), s)
		}
		return printStarted(cmd, s)
	}
	return cmd
}

func printStarted(cmd *cobra.Command, s node.Started) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "run      %q, hash %v\ntheta_0  %v\nstart    window %d, block %d, about %s\n",
		s.Name, s.Run, s.StateHash, s.StartWindow.StartWindow, s.Block, s.Begins.UTC().Format(time.DateTime+" UTC"))
	if s.Silent > 0 && !s.Earlier {
		defer fmt.Fprintf(out, "         validators with a stake of %d more have committed no bucket, and do not count\n", s.Silent)
	}
	var err error
	switch {
	case s.Earlier:
		_, err = fmt.Fprintln(out, "stake    the run was announced before, and stands")
	case s.Accepted:
		_, err = fmt.Fprintf(out, "stake    %d of %d have announced it: the run begins\n", s.Stake, s.All)
	default:
		_, err = fmt.Fprintf(out, "stake    %d of %d have announced it, more than half are needed: start the other validators before then\n", s.Stake, s.All)
	}
	return err
}
