package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/node"
	"templar/internal/store/check"
	"templar/internal/telemetry"
)

var errNotReady = errors.New("the node cannot start yet")

// initGroup writes configurations.
func initGroup(std Std, b *node.Backends) *cobra.Command {
	cmd := group("init", "Write a node's configuration, and say what is missing",
		`Write a configuration file with a comment for each key, filled from flags and environment
variables, and check what the node needs: settings, hotkey, run parameters, memory, data directory,
chain, registration, clock and buckets, in the order in which to mend it. "run" writes the
parameters of a run.`)
	cmd.Example = `  templar init miner --run run.json --subtensor.network finney --wallet.name alice
  templar doctor --config miner.yaml                                         # the same checks later`
	for _, role := range []telemetry.Role{telemetry.Miner, telemetry.Validator, telemetry.Aggregator, telemetry.Evaluator} {
		cmd.AddCommand(initRole(std, b, role))
	}
	run := runInit(b)
	run.Use, run.Short = "run", "Write the parameters of a new run, as \"templar run init\" does"
	run.Example = strings.ReplaceAll(run.Example, "templar run init", "templar init run")
	cmd.AddCommand(run)
	return cmd
}

func initRole(std Std, b *node.Backends, role telemetry.Role) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: string(role), Short: fmt.Sprintf("Write the configuration of one %s", role), Args: noArgs,
		Long: fmt.Sprintf(`Write the configuration of one %[1]s and check whether it could start. No file is replaced. Secrets
of the environment are written too; the file has mode 0600. The exit code is 1 while something is
missing: mend it, and run "templar doctor --config FILE".`, role),
		Example: fmt.Sprintf("  templar init %[1]s --out %[1]s.yaml --run run.json --data-dir /var/lib/templar", role),
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&out, "out", string(role)+".yaml", "file to write, .yaml")
	asJSON := f.Bool("json", false, "print the checks as JSON")
	config.RoleFlags(f, role)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		n, warnings, err := config.Load(role, config.Sources{Environ: std.Environ, Flags: f})
		if err != nil {
			return usageError{err}
		}
		for _, w := range warnings {
			fmt.Fprintln(cmd.ErrOrStderr(), "templar: warning:", w)
		}
		err = config.SaveTemplate(out, role, n)
		if errors.Is(err, fs.ErrExist) {
			return usagef("--out: %s exists: edit it, or name another file; \"templar doctor --config %s\" checks it", out, out)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s\n", out)
		return ready(cmd, b, role, n, *asJSON)
	}
	return cmd
}

// ready prints the checks of a node.
func ready(cmd *cobra.Command, b *node.Backends, role telemetry.Role, n config.Node, asJSON bool) error {
	return printChecks(cmd, asJSON, errNotReady, func(report func(check.Result)) bool {
		return node.Ready(cmd.Context(), n, role, quiet(b), report)
	})
}

// quiet is the environment of a command that reports what fails itself.
func quiet(b *node.Backends) node.Env {
	return node.Env{Backends: *b, Log: slog.New(slog.DiscardHandler), Clock: clock.Wall{}}
}

// printChecks prints checks as they come, and is failed when they are not passed.
func printChecks(cmd *cobra.Command, asJSON bool, failed error, run func(report func(check.Result)) (ok bool)) error {
	found := struct {
		OK      bool           `json:"ok"`
		Results []check.Result `json:"results"`
	}{Results: []check.Result{}}
	found.OK = run(func(r check.Result) {
		found.Results = append(found.Results, r)
		if !asJSON {
			printStep(cmd.OutOrStdout(), 17, r)
		}
	})
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	if asJSON {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		if err := e.Encode(found); err != nil {
			return err
		}
	}
	if !found.OK {
		return failed
	}
	return nil
}

// roleOf reads the flag of a node's role, which is that of its configuration when the flag is not set, or else the usual one.
func roleOf(name, file string, usual telemetry.Role) (telemetry.Role, error) {
	if name == "" {
		said, _ := config.Sniff(file)
		return cmp.Or(said, usual), nil
	}
	switch r := telemetry.Role(name); r {
	case telemetry.Miner, telemetry.Validator, telemetry.Aggregator, telemetry.Evaluator:
		return r, nil
	}
	return "", usagef("--role: %q is no role: want miner, validator, aggregator or evaluator", name)
}

// loadNode reads the configuration of a node, and prints its warnings.
func loadNode(cmd *cobra.Command, std Std, r telemetry.Role, file string) (config.Node, error) {
	n, warnings, err := config.Load(r, config.Sources{File: file, Environ: std.Environ})
	if err != nil {
		return n, usageError{err}
	}
	for _, w := range warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "templar: warning:", w)
	}
	return n, nil
}

// withNode adds the checks of a node's configuration to a command.
func withNode(cmd *cobra.Command, std Std, b *node.Backends) *cobra.Command {
	file := cmd.Flags().String("config", "", "configuration file of a node: check whether it could start")
	role := cmd.Flags().String("role", "", "role of that node: miner, validator, aggregator or evaluator (default what the file says)")
	before := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := roleOf(*role, *file, telemetry.Miner)
		if err != nil {
			return err
		}
		if err := before(cmd, args); err != nil || *file == "" {
			return err
		}
		n, err := loadNode(cmd, std, r, *file)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout())
		return ready(cmd, b, r, n, false)
	}
	return cmd
}
