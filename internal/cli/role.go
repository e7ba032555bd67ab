package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"templar/internal/config"
	"templar/internal/telemetry"
	"templar/internal/userfile"
	"templar/protocol"
)

// purpose returns the short and the long help of a role.
func purpose(role telemetry.Role) (short, long string) {
	switch role {
	case telemetry.Miner:
		return "Train, and upload a compressed gradient each window",
			`A miner trains on the pages assigned to it, uploads one compressed gradient a window to a
bucket of its own, and applies the window's update.`
	case telemetry.Validator:
		return "Measure each miner's contribution, and set weights",
			`A validator evaluates miners' gradients on data drawn by a verifiable random function, keeps
their ratings, and sets weights on the chain.`
	case telemetry.Evaluator:
		return "Follow a run, and measure its model on held-out text and tasks",
			`An evaluator follows a run from outside and measures the model after each window on the
dataset's held-out text, on which no miner trains: loss (nats a token), perplexity and bits a
byte; with --tasks, also multiple-choice tasks at each checkpoint, as "templar eval --tasks"
does. It needs the read keys of the aggregator bucket and of the dataset bucket, and a hotkey
of any kind: it is not registered on the chain and changes nothing. Results are signed, kept in
the data directory, and published in a bucket of its own when buckets.results names one ("templar
results" reads them); they are logged, and sent to the servers of telemetry. After a stop it
measures nothing twice.`
	}
	return "Combine each window's gradients into one signed update",
		`An aggregator gathers the selected peers' gradients after each window and publishes one
signed update. Its hotkey must be among the run's aggregators.`
}

// role is the command of a role.
func (a App) role(std Std, role telemetry.Role) *cobra.Command {
	short, long := purpose(role)
	cmd := &cobra.Command{
		Use: string(role), Short: short,
		Long: long + `

Settings come from the configuration file (JSON or YAML), then from the environment
(R2_*, WALLET_NAME, WALLET_HOTKEY, NETWORK, NETUID, INFLUXDB_*, LOKI_URL, WANDB_*,
OTEL_EXPORTER_OTLP_*, TEMPLAR_*), then from flags; the last one counts. Ctrl-C stops cleanly, a second one at once; the same
command continues where it stopped.`,
		Example: fmt.Sprintf(`  templar init %[1]s --run run.json     # writes a configuration, and says what is missing
  templar %[1]s --config %[1]s.yaml
  templar %[1]s --config %[1]s.yaml --wallet.name alice --wallet.hotkey default --debug`, role),
		Args: morePeers,
	}
	f := cmd.Flags()
	f.SortFlags = false
	file := f.String("config", "", "configuration file, .json or .yaml")
	config.RoleFlags(f, role)
	local := f.Bool("local", false, "expect a run of the tiny preset, refuse any other")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		log, err := logger(cmd, std)
		if err != nil {
			return err
		}
		n, warnings, err := config.Load(role, config.Sources{File: *file, Environ: std.Environ, Flags: cmd.Flags()})
		for _, w := range warnings {
			log.Warn(w)
		}
		if err != nil {
			return usageError{err}
		}
		if err := n.Validate(role, a.Backends.Build()); err != nil {
			if *file == "" {
				err = fmt.Errorf("%w\nno --config was given: \"templar init %s\" writes one", err, role)
			}
			return usageError{err}
		}
		if *local {
			if err := checkLocal(n.Run); err != nil {
				return err
			}
		}
		return untilInterrupted(cmd.Context(), a.Role(cmd.Context(), a.Backends, role, n, log))
	}
	return cmd
}

// morePeers takes the words behind "--peers 1" as further uids, as the original does with
// "--peers 1 2 3".
func morePeers(cmd *cobra.Command, args []string) error {
	f := cmd.Flags().Lookup("peers")
	if len(args) == 0 || f == nil || !f.Changed {
		return noArgs(cmd, args)
	}
	return f.Value.Set(strings.Join(append([]string{f.Value.String()}, args...), ","))
}

// checkLocal refuses a run whose model is not that of the tiny preset.
func checkLocal(run string) error {
	b, err := os.ReadFile(run)
	if errors.Is(err, fs.ErrNotExist) {
		return usagef("--local: %w: name the run parameters' file with --run", err)
	}
	if err != nil {
		return fmt.Errorf("--local: %w", err)
	}
	if b, err = userfile.JSON(b); err != nil {
		return usagef("--local: %s %w", run, err)
	}
	p, err := protocol.DecodeParams(b)
	if err != nil {
		return usagef("--local: %s: %w", run, err)
	}
	tiny, err := protocol.Preset("tiny")
	if err != nil {
		return err
	}
	if p.Model != tiny.Model {
		return usagef("--local: the run in %s does not train the tiny preset's model: leave --local out to join it", run)
	}
	return nil
}
